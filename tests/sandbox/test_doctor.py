"""`repro doctor`: what it says of a machine is what was tried on it."""

from __future__ import annotations

import json

import pytest

from repro.cli import main
from repro.sandbox.offer import Offer, offer
from repro.sandbox.trial import trials
from repro.sandbox.worker import Worker

needs_landlock = pytest.mark.skipif(
    bool(offer().missing), reason=f"this machine isolates nothing: {'; '.join(offer().missing)}"
)


@needs_landlock
def test_everything_is_out_of_reach_where_code_is_isolated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["isolation"]["level"] == offer().level
    assert told["isolation"]["missing"] == []
    assert len(told["tried"]) >= 7
    assert all(each["refused"] for each in told["tried"])


def test_what_is_within_reach_is_told() -> None:
    with Worker(["repro.sandbox.trial"], "none") as worker:
        found = {each.what: each for each in trials(worker)}
    assert not found["read a file of yours"].refused
    assert not found["open a socket"].refused
    assert not found["signal the process that asked for it"].refused


@needs_landlock
def test_a_reach_that_succeeds_is_shown_and_is_a_finding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repro.sandbox.trial._REACHES", {"count to two": "1 + 1"})
    assert main(["doctor"]) == 1
    assert "  ALLOWED  count to two (['2'])" in capsys.readouterr().out


def test_a_machine_without_isolation_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repro.sandbox.offer.offer", lambda: Offer(2, True, "", True))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "is not run on this machine" in said
    assert "missing: version 2 of Landlock" in said
    assert "tried" not in said


def test_the_text_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 90
