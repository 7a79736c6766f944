"""Facts of the papers as pages; `repro.render.ledger` has them for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from repro.render.page import escaped, joined, shown

# How a count of one reads in a sentence; the others are the same in one and in many.
_PLURALS = {
    "agrees": "agree",
    "erratum": "errata",
    "convention": "conventions",
    "hyper-parameter": "hyper-parameters",
    "result": "results",
    "fail": "fail",
}
_SINGULARS = {"fail": "fails"}

# What became of a fact that a network could confirm.
MEANINGS = {
    "agrees": "as printed, to the precision of the print",
    "erratum": "what the paper itself says elsewhere, or what it quotes, makes it another number",
    "convention": "it is right by a way of counting that is not said, or that is not kept",
    "unexplained": "no way of counting gives it",
    "implied": "it follows from measured facts, which are named, or by arithmetic alone",
    "unchecked": "of a network that nobody here has built, or of something that is not defined",
}

_SHAPES = ("output", "incoming", "image", "weight_shape")  # measures whose numbers belong together


def page(rows: Sequence[Any], papers: Sequence[Any], chosen: Sequence[str] = ()) -> Iterator[str]:
    """The page of facts: a section a paper, what is measured and what is not in two tables.

    chosen  what is said of them, if they are not all there are: `in the paper lenet`
    """
    reasons = usual_reasons(rows)
    yield "# What the papers print\n"
    yield joined(
        f"Every number {_those(chosen)}, and some of what they say in words (`.words.`), where it stands, and what is "
        "measured on the networks of the catalog. `repro facts` measures them again; it fails where one is not as it "
        "is said here.",
        ". ".join(f"**{verdict}**: {meaning}" for verdict, meaning in MEANINGS.items())
        + ". [errata.md](errata.md) has the arithmetic of errata, conventions and what is unexplained.",
        *_of_unmeasured(reasons),
    )
    yield "| paper | facts | agree | errata | conventions | unexplained | measured | implied | not measured |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    of_papers = [(each, [row for row in rows if paper_of(row) == each.name]) for each in by_year(papers)]
    sections = [(each, found) for each, found in of_papers if found]
    for each, found in sections:
        yield f"| [{escaped(each.title)}](#{each.name}) | {' | '.join(map(str, _counts(found)))} |"
    yield f"| all | {' | '.join(map(str, _counts(rows)))} |\n"
    for each, found in sections:
        yield f'<a name="{each.name}"></a>\n'
        yield f"## {each.title}\n"
        yield f"{each.authors}, {each.year}, {each.identifier}.\n"
        yield from _measured([row for row in found if row.measured is not None])
        yield from _unmeasured([row for row in found if row.measured is None], reasons)


def errata(rows: Sequence[Any], papers: Sequence[Any]) -> Iterator[str]:
    """The page of what is not as printed: a list a paper, each with its arithmetic, and slips of the pen."""
    counts = Counter({row.id: row.verdict for row in rows}.values())
    told = ", ".join(f"{counts[kind]} {_plural(kind, counts[kind])}" for kind in ("erratum", "convention"))
    yield "# Errata of the papers\n"
    yield joined(
        f"{told} and {counts['unexplained']} unexplained among the numbers that the papers print, and "
        f"{sum(len(each.slips) for each in papers)} slips beside them. [facts.md](facts.md) has the numbers that are "
        "right as well.",
        "An **erratum** is another number by what the paper itself says elsewhere, or by what it quotes. A "
        "**convention** is right by a way of counting that is not said or not kept. **Unexplained** is what no way of "
        "counting gives. Measured is what the networks of the catalog have, where a network can show it. A **slip** is "
        "a wrong name or caption, which no network could show.",
    )
    for each in by_year(papers):
        found = [row for row in rows if paper_of(row) == each.name]
        if not found and not each.slips:
            continue
        yield f"## {each.title}\n"
        yield f"{each.authors}, {each.year}, {each.identifier}.\n"
        for row, networks in merged(found):
            measured = f"; measured {found_text(row)}" if row.measured is not None else ""
            numbers = escaped(f"{place(row.locus)}. {row.quantity}: printed {row.printed}{measured}")
            on = f" on {', '.join(f'`{network}`' for network in networks)}" if measured else ""
            yield f"- **{row.verdict}**, {numbers}{on}.<br>{escaped(row.told)}."
        for slip in each.slips:
            yield f"- **slip**, {escaped(f'{place(slip.locus)}. Printed {slip.printed}')}.<br>{escaped(slip.instead)}."
        yield ""


def _those(chosen: Sequence[str]) -> str:
    return f"of the ledger that is {' and '.join(chosen)}" if chosen else "that the papers print of their networks"


def _of_unmeasured(reasons: Mapping[str, str]) -> Iterator[str]:
    if reasons:
        told = "; ".join(f"**{verdict}**, {reason}" for verdict, reason in sorted(reasons.items()))
        several = "reasons" if len(reasons) > 1 else "reason"
        count = "two commonest" if len(reasons) > 1 else "commonest"
        yield f"What is not measured says why in its row, but for the {count} {several}: {told}."


def _measured(rows: Sequence[Any]) -> Iterator[str]:
    if not rows:
        return
    yield "| fact | where | what | printed | measured | on | verdict |"
    yield "|---|---|---|---|---|---|---|"
    for row, networks in merged(rows):
        verdict = f"{row.verdict}: {row.told}" if row.verdict == "fail" else row.verdict
        on = ", ".join(f"`{network}`" for network in networks)
        cells = (row.id, row.locus, row.quantity, row.printed, found_text(row))
        yield f"{_line(*cells)} {on} | {escaped(verdict)} |"
    yield ""


def _unmeasured(rows: Sequence[Any], reasons: Mapping[str, str]) -> Iterator[str]:
    if not rows:
        return
    yield "Not measured:\n"
    yield "| fact | where | what | printed | why |"
    yield "|---|---|---|---|---|"
    for row in rows:
        usual = row.told == reasons.get(row.verdict)
        why = row.verdict if usual else f"{row.verdict}: {row.told}"
        yield _line(row.id, row.locus, row.quantity, row.printed, why)
    yield ""


def usual_reasons(rows: Sequence[Any]) -> dict[str, str]:
    """Why facts of the two kinds that no network shows are not measured, for the most of them; said once for all."""
    return {
        verdict: Counter(row.told for row in rows if row.verdict == verdict).most_common(1)[0][0]
        for verdict in ("hyper-parameter", "result")
        if any(row.verdict == verdict for row in rows)
    }


def merged(rows: Sequence[Any]) -> Iterator[tuple[Any, list[str]]]:
    """Each fact once with the networks on which the same is found, in their order."""
    for _, group in grouped(rows, lambda row: (row.id, row.verdict, str(row.measured))):
        yield group[0], [row.network for row in group]


def _counts(rows: Sequence[Any]) -> list[int]:
    """Facts; of these those that agree, errata, conventions, unexplained; the measured, the implied, and the rest."""
    verdicts = {row.id: row.verdict for row in rows}
    measured = {row.id for row in rows if row.measured is not None}
    kinds = Counter(verdicts.values())
    told = [kinds[kind] for kind in ("agrees", "erratum", "convention", "unexplained")]
    return [len(verdicts), *told, len(measured), kinds["implied"], len(verdicts) - len(measured) - kinds["implied"]]


def by_year(papers: Sequence[Any]) -> list[Any]:
    """Papers in the order in which they appeared."""
    return sorted(papers, key=lambda each: (each.year, each.title))


def place(locus: str, section: str = "section") -> str:
    """A locus in a sentence: `section 3.5`, where the papers' own numbers would not be known for sections."""
    return f"{section} {locus}" if re.match(r"(\d|[IVX]+\b)", locus) else locus


def _line(*cells: str) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def paper_of(row: Any) -> str:
    """The short name of the paper that a fact is of."""
    return str(row.id.partition(".")[0])


def grouped(rows: Sequence[Any], key: Any) -> Iterator[tuple[Any, list[Any]]]:
    """By a key, each in the order in which it first comes."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    yield from found.items()


def summary(verdicts: Iterable[str]) -> str:
    """How many facts came out each way."""
    counts = Counter(verdicts)
    told = counted(counts)
    facts = "fact" if sum(counts.values()) == 1 else "facts"
    return f"{sum(counts.values())} {facts}: {told}" if counts else "no such fact is in the ledger"


def counted(verdicts: Counter[str]) -> str:
    """Counts as they read in a sentence, the largest first: `34 agree, 2 errata`."""
    return ", ".join(f"{count} {_plural(verdict, count)}" for verdict, count in verdicts.most_common())


def _plural(verdict: str, count: int) -> str:
    return _SINGULARS.get(verdict, verdict) if count == 1 else _PLURALS.get(verdict, verdict)


def found_text(row: Any) -> str:
    """The measured value as people write it: 5x5/1 for a window of stride 1, 64x7x7 for a shape."""
    if row.measured is None:
        return ""
    if row.measure == "window":
        kernel, stride = row.measured
        return f"{kernel}x{kernel}/{stride}"
    return shown(row.measured, between="x" if row.measure in _SHAPES else ", ")
