"""The transcript in the README is what the command prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.cli import main

ROOT = Path(__file__).parents[2]


def test_the_transcript_is_current(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(Path(__file__).parent / "documents")
    assert main(["audit", "lenet.txt", "--lang", "en"]) == 1
    printed = f"$ repro audit lenet.txt\n{capsys.readouterr().out}"
    told = f"README.md has another transcript than repro audit prints; it prints now:\n{printed}"
    assert f"```\n{printed}```\n" in (ROOT / "README.md").read_text(encoding="utf-8"), told
