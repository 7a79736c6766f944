"""Facts, errata and slips of the papers for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from repro.render.facts import MEANINGS, by_year, found_text, grouped, merged, paper_of, place, summary, usual_reasons

WIDTH = 79
_WHAT, _PRINTED, _MEASURED = 30, 17, 14
_HIGHEST = 2  # lines of a number in its column; what needs more has a paragraph below
_HEADER = f"{'':<{_WHAT}} {'printed':<{_PRINTED}} {'measured':<{_MEASURED}} verdict"


def facts(rows: Sequence[Any], papers: Sequence[Any]) -> Iterator[str]:
    """A table a paper, its facts by the networks that they are of; what the verdicts mean; the counts."""
    reasons = usual_reasons(rows)
    for paper in by_year(papers):
        found = [row for row in rows if paper_of(row) == paper.name]
        if found:
            yield from _table(paper, found, reasons)
    yield from _legend(rows, reasons)
    yield _wrapped(_counts(rows), "", "  ")


def errata(rows: Sequence[Any], papers: Sequence[Any]) -> Iterator[str]:
    """The facts that are not as printed, and what else each paper prints wrongly."""
    for paper in by_year(papers):
        found = [row for row in rows if paper_of(row) == paper.name]
        if found or paper.slips:
            yield from _table(paper, found, {}, paper.slips)
    yield from _legend(rows, {})
    slips = sum(len(paper.slips) for paper in papers)
    yield _wrapped(f"{_counts(rows)}; {slips} slip{'s' * (slips != 1)}", "", "  ")


def _table(paper: Any, rows: Sequence[Any], reasons: Mapping[str, str], slips: Sequence[Any] = ()) -> Iterator[str]:
    yield _wrapped(f"{paper.name}: {paper.title} ({paper.identifier})", "", "  ")
    if rows:
        yield _HEADER
    for networks, group in grouped(list(merged(rows)), lambda each: tuple(each[1])):
        unmeasured = ", not measured" if all(row.measured is None for row, _ in group) else ""
        yield _wrapped(", ".join(networks) + unmeasured, "", "  ")
        for row, _ in group:
            yield from _entry(row, "" if row.told == reasons.get(row.verdict) else row.told)
    if slips:
        yield "slips: wrong names and captions, which no network could show"
    for slip in slips:
        yield f"  {place(slip.locus, 'sec.')}"
        yield from _paragraphs(printed=slip.printed, correct=slip.instead)
    yield ""


def _entry(row: Any, why: str) -> Iterator[str]:
    """One fact: a row of the table, and what does not fit in it in paragraphs below."""
    where = f"({place(row.locus, 'sec.')})"
    whole = f"  {row.quantity} {where}"
    what = (
        [whole]
        if len(whole) <= _WHAT
        else [*_lines(row.quantity, _WHAT, "  ", "    "), *_lines(where, _WHAT, "    ", "    ")]
    )
    measured = found_text(row)
    widths = (_PRINTED, _MEASURED) if measured else (_PRINTED + 1 + _MEASURED,)  # what is not measured leaves its room
    numbers = [_lines(text, width) for text, width in zip((row.printed, measured), widths, strict=False)]
    fits = all(
        len(lines) <= _HIGHEST and max(map(len, lines)) <= width for lines, width in zip(numbers, widths, strict=True)
    )
    cells = zip_longest(what, *(numbers if fits else [[""]] * len(widths)), [row.verdict], fillvalue="")
    for line in cells:
        yield " ".join(f"{cell:<{width}}" for cell, width in zip(line, (_WHAT, *widths, 0), strict=True)).rstrip()
    yield from _paragraphs(why=why) if fits else _paragraphs(printed=row.printed, measured=measured, why=why)


def _paragraphs(**told: str) -> Iterator[str]:
    for name, text in told.items():
        if text:
            yield _wrapped(f"{name:<8} {text}", " " * 6, " " * 15)


def _legend(rows: Sequence[Any], reasons: Mapping[str, str]) -> Iterator[str]:
    """What the verdicts mean that there are."""
    found = {row.verdict for row in rows}
    for verdict, meaning in {**MEANINGS, **reasons}.items():
        if verdict in found:
            yield _wrapped(f"{verdict:<15} {meaning}", "", " " * 16)


def _counts(rows: Sequence[Any]) -> str:
    return summary({row.id: row.verdict for row in rows}.values())  # a fact may be measured on several networks


def _wrapped(text: str, first: str, rest: str) -> str:
    """A paragraph; lists without a space that are longer than a line are broken after a comma."""
    if max(map(len, text.split())) > WIDTH - len(rest):
        text = text.replace(",", ", ")
    return "\n".join(_lines(text, WIDTH, first, rest))


def _lines(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
