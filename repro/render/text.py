"""Results for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from repro.result import Outcome, Result, summary

WIDTH = 79
_ROW = "{:<21} {:<28} {:<7} {:>5} {:>7} {:>6}"
_SHOWN = 5  # differences printed in full; the rest is counted, and all of them are in the JSON

HEADER = _ROW.format("network", "reference", "struct", "keys", "float64", "float32").rstrip()

LEGEND = """\
struct   proved: equal in exact arithmetic for every input of the traced shapes
keys     state_dict entries mapped by that proof; only batch counters go by name
float64  largest difference over the spread of the output; 1e-10 is allowed
float32  our distance from the float64 truth over the reference's; 1/4 to 4 is
         allowed"""


def row(results: Sequence[Result]) -> str:
    """One line for all checks of one network against one reference."""
    by_check = {result.check: result for result in results}
    first = results[0]
    cells = (
        _cell(by_check.get("structure"), "proved"),
        _cell(by_check.get("mapping"), lambda r: str(len(r.evidence["keys"]))),
        _cell(by_check.get("forward.float64"), lambda r: f"{_worst(r, 'max_actual'):.0e}"),
        _cell(by_check.get("forward.float32"), lambda r: f"{r.evidence['ratio']:.2f}"),
    )
    return _ROW.format(first.subject, first.reference, *cells).rstrip()


def details(results: Sequence[Result]) -> Iterator[str]:
    """What a row cannot say: why a check failed, and where a proof stops holding."""
    for result in results:
        if result.outcome in (Outcome.FAIL, Outcome.ERROR):
            yield _wrapped(f"{result.outcome.value.upper()} {result.check}: {result.message}", "  ", "    ")
            yield from _further(result)
        elif "stops_at" in result.evidence:
            stop = result.evidence["stops_at"]
            size = "x".join(map(str, stop["input"]))
            yield _wrapped(f"at {size} it is another network: {stop['why']}", "  ", "    ")


def verdicts(results: Sequence[Result]) -> Iterator[str]:
    """Every result of one comparison, a paragraph each."""
    for result in results:
        yield _wrapped(f"{result.check:<16}{result.outcome.value:<6}{result.message}", "", " " * 22)
        yield from _further(result)


def _further(result: Result) -> Iterator[str]:
    """The differences after the first, which is in the message."""
    found = result.evidence.get("differences", [])
    for difference in found[1:_SHOWN]:
        yield _wrapped(difference["text"], "    - ", "      ")
    if len(found) > _SHOWN:
        yield f"    and {len(found) - _SHOWN} more differences (--format json has them all)"


def total(results: Sequence[Result]) -> str:
    """The last line."""
    counts = summary(results)
    networks = len({result.subject for result in results})
    pairs = len({(result.subject, result.reference) for result in results if result.reference != "none"})
    checks = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{_count(networks, 'network')}, {_count(pairs, 'pair')}; checks: {checks}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _cell(result: Result | None, passed: Any) -> str:
    if result is None or result.outcome is Outcome.SKIP:
        return "-"
    if result.outcome is not Outcome.PASS:
        return result.outcome.value.upper()
    return passed if isinstance(passed, str) else str(passed(result))


def _worst(result: Result, name: str) -> float:
    return max(float(output[name]) for case in result.evidence["cases"] for output in case["outputs"])


def _wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
