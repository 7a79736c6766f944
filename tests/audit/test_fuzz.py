"""Damaged documents end in findings or in one error. REPRO_FUZZ=20000 audits so many of them in place of a sample."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.audit import engine
from repro.audit.program import Program
from tests.audit import fuzz

SAMPLE = 250


def test_whatever_is_in_a_file_ends_in_findings_or_in_one_error() -> None:
    """In a process of its own, whose memory is that of the audit alone."""
    count, root = os.environ.get("REPRO_FUZZ", str(SAMPLE)), Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.audit.fuzz", count]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_error_of_any_other_kind_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(program: Program, chosen: object) -> object:
        raise IndexError("list index out of range")

    monkeypatch.setattr(engine, "findings_in", failing)
    report = fuzz.run(20)
    assert report.failures
    assert all("IndexError: list index out of range" in failure for failure in report.failures)


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert list(fuzz.inputs(30, 7)) == list(fuzz.inputs(30, 7))
    assert {name for name, _ in fuzz.inputs(60, 7)} == {"a.py", "a.ipynb", "a.md", "a.html", "a.txt"}
