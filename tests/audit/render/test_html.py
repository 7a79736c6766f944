"""The page: whole, escaped, loading nothing, and readable on white and on black."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from repro.audit.finding import Place, Severity, Words
from repro.audit.known import known
from repro.audit.report import Audited, Sheet
from repro.render.audit import html
from tests.audit.render.conftest import EVIL, finding, place, repair
from tests.render.test_html import Page, luminance

Make = Callable[..., Audited]
RULES = [rule.explained for rule in known()]
ALLOWED = set(
    "html head meta title style body h1 h2 h3 p table tr td a span details summary ul li div pre mark code br".split()
)


class Whole(Page):
    """The same, where tags that are never closed may stand."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "meta":
            self.open.pop()


def many(*lines: int, count: int = 100) -> Audited:
    found = tuple(finding(place(line, 1, 3)) for line in lines)
    return Audited("net.py", found, (), (Sheet(None, tuple(f"line {n}" for n in range(1, count + 1))),))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_and_everything_is_escaped(audited: Make, language: str) -> None:
    found = [finding(place(n, 2, 9), message=Words(EVIL, EVIL), path=EVIL) for n in (1, 2, 2, 3, 4)]
    other = Words(EVIL, EVIL)
    page = html.page([audited(*found, repairs=(repair(other),)), audited(error=EVIL)], RULES, language)
    parsed = Whole(page)
    assert parsed.open == []
    assert set(parsed.tags) <= ALLOWED
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_nothing_is_loaded_and_nothing_runs(audited: Make) -> None:
    page = html.page([audited(finding())], RULES, "en")
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://|\son\w+=|src=", page.replace("&lt;", ""))
    assert "default-src 'none'" in page
    assert all(link.startswith('href="#') for link in re.findall(r'href="[^"]*', page))


def test_findings_stand_beside_their_lines(audited: Make) -> None:
    page = html.page([audited(finding(place(4, 9, 11)))], RULES, "en")
    assert '    y = <mark class="bug">中文</mark> + undefined' in page
    assert "it is wrong; mend it" in page
    assert '<a href="#CNN401">' in page
    assert '<details id="CNN401">' in page


def test_lines_far_from_any_finding_are_folded_and_none_is_lost() -> None:
    for lines in ((50,), (10, 11, 12), (10, 16), (10, 19), (1, 100), (5, 6, 40, 44, 49, 97)):
        page = html.page([many(*lines)], [], "en")
        numbers = [int(n) for n in re.findall(r'<div class="row"><span>(\d+)</span>', page)]
        assert numbers == list(range(1, 101))
    page = html.page([many(50)], [], "en")
    assert re.findall(r"(\d+) more lines", page) == ["45", "46"]


def test_a_long_line_is_shown_around_what_is_meant() -> None:
    line = "a" * 5000 + "b" + "c" * 5000
    page = html.page([Audited("net.py", (finding(place(1, 5001, 5002)),), (), (Sheet(None, (line,)),))], [], "en")
    assert "…aaaa" in page
    assert '<mark class="bug">b</mark>' in page
    assert len(page) < 10_000


@pytest.mark.parametrize("order", [1, -1])
def test_where_findings_overlap_the_worst_gives_the_colour(order: int) -> None:
    found = (
        finding(place(1, 1, 6), severity=Severity.RISK),
        finding(place(1, 3, 4), severity=Severity.NOTE),
        finding(place(1, 5, 9)),
        finding(Place(None, 1, 8, 3, 2, 1), severity=Severity.NOTE),
    )[::order]
    page = html.page([Audited("net.py", found, (), (Sheet(None, ("abcdefghij&", "k", "l")),))], [], "en")
    assert (
        '<span><mark class="risk">abcd</mark><mark class="bug">efgh</mark><mark class="note">ij&amp;</mark></span>'
        in page
    )


def test_a_finding_stands_right_behind_its_line() -> None:
    """On a narrow screen it is shown there; on a wide one the style moves it beside the line."""
    page = html.page([many(10, 12, 12, 13, 40)], [], "en")
    found = re.findall(r'<span>(\d+)</span>|class="faint">line (\d+)<', page)
    for number in (10, 12, 13, 40):
        at = found.index((str(number), ""))
        assert found[at + 1] == ("", str(number))
    assert [line for _, line in found if line] == ["10", "12", "12", "13", "40"]


COLOURS = re.findall(r"--([\w-]+): (#\w{6})", html._STYLE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("severity", [*Severity, "ink", "faint"])
@pytest.mark.parametrize("ground", ["paper", "code"])
def test_words_can_be_read_on_light_and_on_dark(scheme: str, severity: str, ground: str) -> None:
    half = len(COLOURS) // 2
    colours = dict(COLOURS[:half] if scheme == "light" else COLOURS[half:])
    low, high = sorted((luminance(colours[str(severity)]), luminance(colours[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
