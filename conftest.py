"""Hypothesis profiles, one thread a worker, memory that a worker keeps and is seldom searched; nothing else."""

from __future__ import annotations

import gc
import os

# Workers of pytest-xdist share the cores already; OpenMP reads these when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

from repro import process

process.keep_memory()  # networks of a gigabyte follow each other


def pytest_collection_finish() -> None:
    """What is there when the first test begins stays: looking for cycles in it was a sixth of the time of all tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def pytest_unconfigure() -> None:
    """At the end cycles may go; bindings of torch complain of what is left."""
    gc.unfreeze()


# deadline: the first example of a test pays for torch's imports. derandomize: a red CI run can be repeated at home.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("ci", max_examples=50, derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("thorough", max_examples=1000, **_COMMON)  # type: ignore[arg-type]
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))
