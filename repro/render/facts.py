"""Facts of the papers for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

WIDTH = 79


def table(rows: Sequence[Any]) -> Iterator[str]:
    """One paragraph a fact, under the place of the paper where it stands; the counts at the end."""
    for (locus, network), group in groupby(rows, key=lambda row: (row.locus, row.network)):
        yield _wrapped(f"{network}, {locus}", "", "  ")
        for row in group:
            yield _wrapped(f"{row.verdict:<11} {_sentence(row)}", "  ", " " * 14)
    yield ""
    yield summary(row.verdict for row in rows)


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
