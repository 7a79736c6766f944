"""Facts of the papers, for a terminal of 80 columns and as a page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

WIDTH = 79


def table(rows: Sequence[Any]) -> Iterator[str]:
    """One paragraph a fact, by paper and network; the counts at the end."""
    for (paper, network), group in _grouped(rows):
        yield _wrapped(f"{paper}: {network}", "", "  ")
        for row in group:
            yield _wrapped(f"{row.verdict:<11} {row.locus}: {_sentence(row)}", "  ", " " * 14)
    yield ""
    yield summary(row.verdict for row in rows)


def markdown(rows: Sequence[Any]) -> Iterator[str]:
    """A table a paper and network, and the counts at the end."""
    for (paper, network), group in _grouped(rows):
        yield f"\n## {paper}: {network}\n"
        yield "| where | what | printed | measured | |"
        yield "|---|---|---|---|---|"
        for row in group:
            measured = "" if row.measured is None else shown(row.measured)
            told = f"{row.verdict}: {row.told}" if row.told else row.verdict
            yield f"| {' | '.join(map(_escaped, (row.locus, row.quantity, row.printed, measured, told)))} |"
    yield f"\n{summary(row.verdict for row in rows)}"


def _grouped(rows: Sequence[Any]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    """By paper and network, each in the order in which it first comes."""
    found: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        found.setdefault((row.id.partition(".")[0], row.network), []).append(row)
    yield from found.items()


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")


def summary(verdicts: Iterable[str]) -> str:
    """How many facts came out each way."""
    counts = Counter(verdicts)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    return f"{sum(counts.values())} facts: {told}" if counts else "no fact of the ledger is about it"


def _sentence(row: Any) -> str:
    measured = f"; measured {shown(row.measured)}" if row.measured is not None else ""
    told = f": {row.told}" if row.told else ""
    return f"{row.quantity} {row.printed}{measured}{told}"


def shown(value: Any) -> str:
    """A measured value as people write it."""
    if isinstance(value, list):
        numbers = all(isinstance(item, int) for item in value)
        return ("x" if numbers else "; ").join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
