"""The page of the bugs is what is printed now."""

from __future__ import annotations

from pathlib import Path

from tests.specimens.__main__ import page

PAGE = Path(__file__).parents[2] / "docs" / "snippets.md"


def test_the_page_is_current() -> None:
    expected = "\n".join(page()) + "\n"
    stale = "docs/snippets.md is not current; python -m tests.specimens > docs/snippets.md makes it anew"
    assert PAGE.read_text(encoding="utf-8") == expected, stale
