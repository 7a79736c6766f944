"""Golden checks for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from repro.result import Outcome, Result
from repro.result import summary as counted

_ROW = "{:<28} {:<6} {:>6} {:>8} {:>8} {:>9} {:>8}"
HEADER = _ROW.format("", "recipe", "stages", "float64", "float32", "2 threads", "ch. last").rstrip()

LEGEND = """\
recipe   weights and inputs are made as they were, bit for bit
stages   how many modules' outputs are held, in the order of computation
float64  every stage and output is where it was, to 1e-10; on 1 and 2 threads
float32, 2 threads, channels last
         in float32, the distance from the float64 truth over what it was when
         the golden was made; up to 4 is allowed"""


def row(name: str, results: Sequence[Result]) -> str:
    """One line for all checks of one golden."""
    by_check = {result.check: result for result in results}
    wide = [by_check.get(f"golden.float64{way}") for way in ("", ".2-threads")]
    narrow = [by_check.get(f"golden.float32{way}") for way in ("", ".2-threads", ".channels_last")]
    stages = next((str(result.evidence["stages"]) for result in wide if result and "stages" in result.evidence), "-")
    worse = next((result for result in wide if result is None or result.outcome is not Outcome.PASS), wide[0])
    ratios = (_cell(result, "{:.2f}".format(result.evidence.get("ratio", 0)) if result else "") for result in narrow)
    return _ROW.format(
        name, _cell(by_check.get("golden.recipe"), "same"), stages, _cell(worse, "held"), *ratios
    ).rstrip()


def reason(results: Sequence[Result]) -> Iterator[str]:
    """Why a golden was not looked at."""
    if len(results) == 1 and results[0].outcome is Outcome.SKIP:
        yield textwrap.fill(results[0].message, 79, initial_indent="  ", subsequent_indent="    ")


def totals(results: Sequence[Result], unused: Sequence[str], option: str = "") -> Iterator[str]:
    """The last lines. option: what a command line says of the folder."""
    yield f"\n{LEGEND}\n"
    for file in unused:
        told = f"left over: {file}, which no golden names: an update was interrupted, or its JSON is lost"
        yield textwrap.fill(told, 79, subsequent_indent="  ", break_on_hyphens=False)
    if any(result.outcome is Outcome.FAIL for result in results):
        yield f'If a change was meant: repro golden update NAME{option} --reason "..."'
        yield "  and look at the difference of NAME.json"
    goldens = len({result.subject for result in results})
    told = ", ".join(f"{count} {name}" for name, count in counted(results).items())
    yield f"{goldens} golden{'s' * (goldens != 1)}; checks: {told}"


def _cell(result: Result | None, passed: str) -> str:
    if result is None or result.outcome is Outcome.SKIP:
        return "-"
    return passed if result.outcome is Outcome.PASS else result.outcome.value.upper()
