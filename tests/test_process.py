"""Processes keep their memory, and those side by side keep out of each other's way."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from repro import process

# Pages that the system hands out while a block of 256 MiB is freed and allocated again: 65,536 of them are in it.
FAULTS = """
import resource
{before}
block = bytearray(1 << 28)
del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = bytearray(1 << 28)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose malloc it is")
def test_a_large_block_that_is_freed_is_used_again() -> None:
    assert faults("from repro.process import keep_memory; keep_memory()") < 1000
    assert faults("") > 60_000, "without it all of the block is new"


def faults(before: str) -> int:
    command = [sys.executable, "-c", FAULTS.format(before=before)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 5, 7}, raising=False)
    assert process.shares(1) == [{2, 3, 5, 7}]
    assert process.shares(2) == [{2, 5}, {3, 7}]
    assert process.shares(5) == [{2}, {3}, {5}, {7}, {2}]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that binds processes to cores: Linux")
def test_a_process_beside_others_takes_its_share_and_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[set[int]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: kept.append(cores))
    monkeypatch.setattr(process, "keep_memory", lambda: None)  # which is for the process's whole life
    monkeypatch.setenv("GOMP_SPINCOUNT", "3000")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    process.beside_others({1})
    assert kept == [{1}]
    assert os.environ["GOMP_SPINCOUNT"] == "0"


def test_what_the_user_says_of_threads_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "keep_memory", lambda: None)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")
    process.alone()
    assert os.environ["GOMP_SPINCOUNT"] == "77"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    process.alone()
    assert os.environ["GOMP_SPINCOUNT"] == "3000"


def test_a_share_that_is_refused_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "keep_memory", lambda: None)
    monkeypatch.setenv("GOMP_SPINCOUNT", "3000")
    process.beside_others({100_000})
