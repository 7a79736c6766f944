"""The kill matrix for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 79
_ROW = "{:<28} {:>4} {:>4} {:>4} " + " {:>4}" * 7
_COLUMNS = {
    "structure": "stru",
    "values": "vals",
    "forward.float64": "forw",
    "backward.float64": "back",
    "train.structure": "t.st",
    "train.float64": "t.nu",
    "initialisation": "init",
}
_SHOWN = 10  # of each list; all of them are in the JSON

LEGEND = """\
made, seen, at   faults planted; caught by any check; located at the very
                 operation or key by the first check that caught it
stru to init     caught by structure, values, forward.float64,
                 backward.float64, train.structure, train.float64 and
                 initialisation; 0 where it was shown some and saw none,
                 - where there was nothing for it to see"""


def matrix(power: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a study's evidence: a row for each kind, what was missed, the correct runs, and the totals."""
    yield _ROW.format("fault kind", "made", "seen", "at", *_COLUMNS.values())
    for kind in power["kinds"]:
        yield _row(kind)
    yield from ("", LEGEND, "")
    yield from _listed("SURVIVED", power["survivors"], _trial)
    yield from _listed("NOT LOCATED", power["not_located"], _trial)
    yield from _listed("FALSE ALARM", power["alarms"], _alarm)
    yield from _listed("SAID TO CHANGE NOTHING, AND CAUGHT", power["disputed"], _trial)
    reasons = sorted({(kind["kind"], reason) for kind in power["kinds"] for reason in kind["reasons"]})
    for kind, reason in reasons:
        yield _wrapped(f"{kind} can be equivalent: {reason}", "  ")
    for found in power.get("smallest_noticed", ()):
        change = f"{found['relative']:.1e} of one element of {found['key']}"
        yield _wrapped(f"{found['network']}: {found['check']} notices a change by {change}", "  ")
    for name in power.get("unfinished", ()):
        yield _wrapped(f"UNFINISHED: {name}: its process was killed twice, most likely for want of memory", "  ")
    located = f"{100 * power['located'] / power['planted']:.1f} %" if power["planted"] else "none"
    yield (
        f"{power['planted']} faults of {len(power['kinds'])} kinds planted, and {power['equivalent']} that change "
        f"nothing:\n"
        f"{power['caught']} caught, {power['located']} located ({located}), "
        f"{power['planted'] - power['caught']} survive every check;\n"
        f"{power['correct_runs']} correct runs, of which {power['correct_runs_that_differ']} differ in some bit; "
        f"{power['false_alarms']} false alarms"
    )


def _row(kind: Mapping[str, Any]) -> str:
    checks = kind["checks"]
    cells = (str(checks[name]["caught"]) if name in checks else "-" for name in _COLUMNS)
    name = kind["kind"] if len(kind["kind"]) <= 28 else kind["kind"][:27] + "…"
    return _ROW.format(name, kind["planted"], kind["caught"], kind["located"], *cells)


def _listed(title: str, found: Sequence[Any], told: Any) -> Iterator[str]:
    for each in found[:_SHOWN]:
        yield _wrapped(f"{title}: {told(each)}", "  ")
    if len(found) > _SHOWN:
        yield f"  and {len(found) - _SHOWN} more (--format json has them all)"


def _trial(trial: Mapping[str, Any]) -> str:
    message = f" The report: {trial['message'][:200]}" if trial["message"] else ""
    return f"{trial['network']}: {trial['kind']} at {trial['place']}: {trial['detail']}.{message}"


def _alarm(rerun: Mapping[str, Any]) -> str:
    return f"{rerun['network']}, {rerun['how']}: " + "; ".join(f"{k}: {v[:200]}" for k, v in rerun["alarms"].items())


def _wrapped(text: str, first: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=first + "  ", break_on_hyphens=False)
