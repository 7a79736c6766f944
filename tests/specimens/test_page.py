"""The page of the bugs is what is printed now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimens.__main__ import one, page

PAGE = Path(__file__).parents[2] / "docs" / "snippets.md"


def test_the_page_is_current() -> None:
    expected = "\n".join(page()) + "\n"
    stale = "docs/snippets.md is not current; python -m tests.specimens > docs/snippets.md makes it anew"
    assert PAGE.read_text(encoding="utf-8") == expected, stale


def test_one_bug_is_shown_with_what_the_property_says() -> None:
    told = one("000-VGG-two_depths_are_two_networks").splitlines()
    assert "specimen:       FAIL VGG_11 and VGG_13 are one program, 132,882,472 parameters both" in told
    assert told[-2:] == ["repaired form:  pass", "vgg11, vgg13:  pass"]


def test_an_unknown_bug_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SystemExit, match="no bug is called 'vgg'; there are:\n000-VGG-two_depths_are_two_networks\n"):
        one("vgg")
