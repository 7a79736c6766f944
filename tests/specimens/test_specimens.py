"""Every property fails on the specimen, and passes on its repaired form and on the network of the catalog."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from repro import models
from tests.specimens._all import BUGS, SNIPPETS
from tests.specimens._bug import Bug, shown

BY_NAME = {str(bug): bug for bug in BUGS}
KEPT = {name: bug for name, bug in BY_NAME.items() if bug.kept_by}
every_bug = pytest.mark.parametrize("bug", BY_NAME.values(), ids=BY_NAME)


@every_bug
def test_the_property_fails_on_the_specimen(bug: Bug) -> None:
    told = shown(bug)
    assert bug.shows in told
    assert "\n" not in told


@every_bug
def test_the_property_holds_of_the_repaired_form(bug: Bug) -> None:
    assert bug.complaint(bug.repaired) == ""


@pytest.mark.parametrize("bug", KEPT.values(), ids=KEPT)
def test_the_property_holds_of_every_network_that_is_said_to_keep_it(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    build = models.build

    def noted(name: str, **arguments: Any) -> nn.Module:
        asked.add(name)
        return build(name, **arguments)

    monkeypatch.setattr(models, "build", noted)
    assert bug.complaint(bug.build_ours) == ""
    assert asked == set(bug.kept_by)


def test_every_snippet_has_bugs_and_no_bug_is_told_twice() -> None:
    assert {(bug.document, bug.snippet) for bug in BUGS} == set(SNIPPETS)
    assert len(BY_NAME) == len(BUGS)


def test_every_bug_is_recorded_in_full() -> None:
    for bug in BUGS:
        assert bug.severity in ("bug", "risk", "note"), bug.name
        assert bug.shows, bug.name
        assert bug.bug.endswith("."), bug.name
        assert bug.holds.endswith("."), bug.name
        assert set(bug.kept_by) <= set(models.catalog()), bug.name
