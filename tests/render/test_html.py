"""The table for notebooks: whole, escaped, self-contained, and readable on white and on black."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from repro.render import html
from repro.result import Outcome, Result

EVIL = '<script>alert("&")</script>'


class Page(HTMLParser):
    """The tags that are open, those that there were, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def result(outcome: Outcome, **evidence: object) -> Result:
    return Result("structure", EVIL, "reference", outcome, f"message {EVIL}", evidence)


def test_what_is_said_is_escaped_and_nothing_is_loaded() -> None:
    differences = [{"text": f"difference {n} {EVIL}"} for n in range(3)]
    page = Page(html.table(EVIL, [result(Outcome.FAIL, differences=differences), result(Outcome.PASS)]))
    assert page.open == []
    assert set(page.tags) == {"p", "b", "table", "tbody", "tr", "td", "code", "br"}
    assert set(page.attributes) == {"style"}
    assert page.text.count(EVIL) == 5  # the title, two messages, and the two differences that are not in the message
    assert "difference 1" in page.text
    assert "difference 0" not in page.text


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
def test_outcomes_can_be_read_on_light_and_on_dark(outcome: Outcome, paper: str) -> None:
    assert f'<b style="color: {html.COLOURS[outcome]}">{outcome.value}</b>' in html.table("", [result(outcome)])
    low, high = sorted((luminance(html.COLOURS[outcome]), luminance(paper)))
    assert (high + 0.05) / (low + 0.05) > 4
