"""The page of the properties is what is printed now."""

from __future__ import annotations

from pathlib import Path

from tests.properties.__main__ import page

PAGE = Path(__file__).parents[2] / "docs" / "properties.md"


def test_the_page_is_current() -> None:
    stale = "docs/properties.md is not current; python -m tests.properties > docs/properties.md makes it anew"
    assert PAGE.read_text(encoding="utf-8") == "\n".join(page()) + "\n", stale
