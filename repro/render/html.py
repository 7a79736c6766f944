"""Results as a table for a notebook: nothing is loaded from anywhere, and it reads on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from repro.result import Outcome, Result

# Dark enough for white paper and light enough for a black screen: a contrast of at least 4 on either. The outcome is
# said in words as well.
COLOURS = {Outcome.PASS: "#2a8545", Outcome.FAIL: "#d8443f", Outcome.SKIP: "#797979", Outcome.ERROR: "#b0651a"}

_CELL = "text-align: left; vertical-align: top"  # notebooks put the text of a table to the right


def table(title: str, results: Sequence[Result]) -> str:
    """One row for each result, under a title; everything that is said is escaped."""
    rows = "".join(_row(result) for result in results)
    return f"<p><b>{escape(title)}</b></p><table><tbody>{rows}</tbody></table>"


def _row(result: Result) -> str:
    told = "<br>".join(map(escape, _sentences(result)))
    outcome = f'<b style="color: {COLOURS[result.outcome]}">{result.outcome.value}</b>'
    cells = (f"<code>{escape(result.check)}</code>", outcome, told)
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _sentences(result: Result) -> Iterator[str]:
    """The message, and the differences after the first, which is in it."""
    yield result.message
    yield from (f"– {difference['text']}" for difference in result.evidence.get("differences", [])[1:])
