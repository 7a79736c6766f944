"""Results for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from repro.render.facts import counted
from repro.result import Outcome, Result, summary

WIDTH = 79
_NAME = 38  # a reference's name; a longer one has a line of its own
_ROW = "{:<38} {:<6} {:>4} {:>7} {:>4} {:>4} {:>5} {:<4}"
_PHASES = ("forward", "backward", "train")
_ALONE = ("conformance", "formulas")  # against no implementation
_SHOWN = 5  # differences printed in full; the rest is counted, and all of them are in the JSON

HEADER = _ROW.format("", "proof", "keys", "float64", "forw", "back", "train", "init").rstrip()

LEGEND = """\
proof    eval and train mode are proved equal, in exact arithmetic, for every
         input of the traced shapes and all weights; eval: that mode only
keys     state_dict entries mapped by that proof; only batch counters go by name
float64  largest difference of outputs, gradients and what a training step
         leaves, over the spread of each; 1e-10 is allowed
forw, back, train
         in float32, our distance from the float64 truth over the reference's:
         of outputs (1/4 to 4 is allowed), of gradients and of what a training
         step leaves (1/8 to 8)
init     our initial values are as the paper or file named in the code says"""


def lines(results: Sequence[Result]) -> Iterator[str]:
    """What there is to say of one network and one thing that it is held against."""
    first = results[0]
    facts = first.evidence.get("facts", [])
    match first.check:
        case "conformance" if facts:
            told = f"{sum(fact['confirmed'] for fact in facts)} of {_count(len(facts), 'printed fact')} confirmed"
            yield from _beside(first.reference, told)
        case "conformance":
            pass
        case "formulas" if first.outcome is not Outcome.ERROR:
            yield from _beside(first.reference, f"{first.evidence['difference']:.0e} from the paper's formulas")
        case _ if len(results) > 1 or "missing" not in first.evidence:  # what is missing is told once for all
            yield row(results)
    yield from details(results)


def _beside(name: str, told: str) -> Iterator[str]:
    """What is told beside a name, which may be several: beside the last line of it."""
    *above, last = _wrapped(name, "  ", "    ", _NAME).split("\n")
    yield from above
    yield f"{last:<{_NAME}} {told}"


def row(results: Sequence[Result]) -> str:
    """One line, or two, for all checks of one network against one reference."""
    by_check = {result.check: result for result in results}
    claimed = 1 if _only_eval(by_check) else 2  # modes
    modes = [by_check.get(name) for name in ("structure", "train.structure")][:claimed]
    unproved = next((r for r in modes if r is not None and r.outcome is not Outcome.PASS), modes[0])
    wide = [by_check.get(f"{phase}.float64") for phase in _PHASES[: claimed + 1]]
    differing = next((r for r in wide if r is None or r.outcome is not Outcome.PASS), None)
    passed = [r for r in wide if r is not None and r.outcome is Outcome.PASS]
    cells = (
        _cell(unproved, "eval" if claimed == 1 else "proved"),
        _cell(by_check.get("mapping"), lambda r: str(len(r.evidence["keys"]))),
        _cell(differing, "") if differing is not None or not passed else f"{max(map(_difference, passed)):.0e}",
        *(_cell(by_check.get(f"{phase}.float32"), lambda r: f"{r.evidence['ratio']:.2f}") for phase in _PHASES),
        _cell(by_check.get("initialisation"), "pass"),
    )
    name = f"  {results[0].reference}"
    return ("" if len(name) <= _NAME else f"{name}\n") + _ROW.format(
        name if len(name) <= _NAME else "", *cells
    ).rstrip()


def _only_eval(by_check: Mapping[str, Result]) -> bool:
    """Whether eval mode is proved and train mode is not claimed."""
    modes = by_check.get("structure"), by_check.get("train.structure")
    return [mode and mode.outcome for mode in modes] == [Outcome.PASS, Outcome.SKIP]


def details(results: Sequence[Result]) -> Iterator[str]:
    """What a row cannot say: why a check failed, and where a proof stops holding."""
    for result in results:
        if result.outcome in (Outcome.FAIL, Outcome.ERROR):
            yield _wrapped(f"{result.outcome.value.upper()} {result.check}: {result.message}", "  ", "    ")
            yield from _further(result)
        elif result.outcome is Outcome.SKIP and result.check == "train.structure" and "not claimed" in result.message:
            yield _wrapped(f"train mode is {result.message}", "  ", "    ")
        elif "stops_at" in result.evidence:
            stop = result.evidence["stops_at"]
            size = "x".join(map(str, stop["input"]))
            yield _wrapped(f"at {size} it is another network: {stop['why']}", "  ", "    ")


def verdicts(results: Sequence[Result], width: int = WIDTH) -> Iterator[str]:
    """Every result of one comparison, a paragraph each; checks that are skipped for one reason share theirs."""
    for (outcome, message), group in groupby(results, key=lambda result: (result.outcome, result.message)):
        alike = list(group)
        if outcome is Outcome.SKIP and len(alike) > 1:
            names = ", ".join(result.check for result in alike)
            yield _wrapped(f"{'':<18}{outcome.value:<6}{names}: {message}", "", " " * 24, width)
            continue
        for result in alike:
            yield _wrapped(f"{result.check:<17} {outcome.value:<6}{message}", "", " " * 24, width)
            yield from _further(result, width)


def _further(result: Result, width: int = WIDTH) -> Iterator[str]:
    """The differences after the first, which is in the message."""
    found = result.evidence.get("differences", [])
    for difference in found[1:_SHOWN]:
        yield _wrapped(difference["text"], "    - ", "      ", width)
    if len(found) > _SHOWN:
        yield f"    and {len(found) - _SHOWN} more differences (the JSON has them all)"


def ledger(results: Sequence[Result], facts: Sequence[Any]) -> Iterator[str]:
    """What became of the facts of the ledger: each is measured, implied, or has a reason why it cannot be."""
    found = [fact for result in results for fact in result.evidence.get("facts", [])]
    if found:
        known = {fact["id"]: fact for fact in found}
        counts = Counter(fact["status"] if fact["confirmed"] else "refuted" for fact in known.values())
        told = f"{len(known)} of the {len(facts)} facts of the ledger measured: {counted(counts)};"
        yield _wrapped(told, "", "  ")
        apart = [fact for fact in facts if not fact.measure]
        implied = sum(fact.status == "implied" for fact in apart)
        silent = sum(not fact.reason for fact in apart)
        yield f"{implied} are implied by measured ones or by arithmetic;"
        told = f"{len(apart) - implied - silent} cannot be measured on a network, and say why (repro facts)"
        yield _wrapped(f"{told}; {silent} do not say", "", "  ")


def missing(results: Sequence[Result]) -> Iterator[str]:
    """What was not compared for want of a library: two lines for each, the second to be copied."""
    reasons = [result.message for result in results if "missing" in result.evidence]
    for reason, count in Counter(reasons).items():
        told, _, command = reason.rpartition(": ")
        yield f"{_count(count, 'reference')} {told}:"
        yield f"  {command}"


def total(results: Sequence[Result]) -> str:
    """The last line."""
    counts = summary(results)
    networks = len({result.subject for result in results})
    named = {(r.subject, r.reference) for r in results if r.reference != "none" and r.check not in _ALONE}
    pairs = len(named - {(r.subject, r.reference) for r in results if "missing" in r.evidence})
    checks = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{_count(networks, 'network')}, {_count(pairs, 'pair')}; checks: {checks}"


def timing(measured: Mapping[str, Any]) -> list[str]:
    """What a run cost, beside what it could not do without."""
    ratio = f", {measured['ratio']:.2f} times the {measured['bare_model_seconds']:.1f} s of bare model executions in it"
    lines = [f"whole run {measured['seconds']:.1f} s{ratio if measured['bare_model_seconds'] else ''}"]
    forward = measured["phases"].get("forward", 0)
    if forward:
        lines.append(f"backward and train checks {measured['beyond_forward']:.2f} times the {forward:.1f} s of forward")
    return [*lines, f"peak memory {measured['peak_memory_gb']:.2f} GB"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _cell(result: Result | None, passed: Any) -> str:
    if result is None or result.outcome is Outcome.SKIP:
        return "-"
    if result.outcome is not Outcome.PASS:
        return result.outcome.value.upper()
    return passed if isinstance(passed, str) else str(passed(result))


def _difference(result: Result) -> float:
    """The largest difference in a result of float64."""
    return float(result.evidence["ratio"]) * 1e-10


def _wrapped(text: str, first: str, rest: str, width: int = WIDTH) -> str:
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
