"""The register of deviations, for a terminal of 80 columns and as a page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from repro.render.page import escaped, joined, shown
from repro.result import Outcome, Result

WIDTH = 79


# How an entry came out. `pass` would be misread: what passes is that a reference departs from its paper still.
_VERDICTS = {
    Outcome.PASS: "as described",
    Outcome.FAIL: "CHANGED",
    Outcome.SKIP: "unchecked",
    Outcome.ERROR: "ERROR",
}

LEGEND = """\
as described  what is installed departs from the paper as the entry says
CHANGED       it does not, or in another way: the entry, and the networks of
              the catalog that rest on it, need another look
unchecked     no installed library can show it; the entry says why
ERROR         a check could not be made"""


def entry(result: Result) -> Iterator[str]:
    """The paragraphs of an entry: verdict, what the paper and the reference do, and each check with what is found."""
    told = result.evidence
    yield _wrapped(f"{_VERDICTS[result.outcome]:<13} {result.subject} ({result.reference})", "", "  ")
    yield _labelled("paper", f"{told['locus']}: {told['paper']}")
    yield _labelled("reference", told["reference"])
    for check in told["checks"]:
        yield _labelled("found" if check["holds"] else "CHANGED", f"{check['what']}: {_verdict(check)}")
    if result.outcome is Outcome.ERROR:
        yield _labelled("ERROR", result.message)
    if told["unchecked"]:
        yield _labelled("unchecked", told["unchecked"])


def total(results: Sequence[Result]) -> Iterator[str]:
    """The last lines."""
    yield f"\n{LEGEND}\n"
    counts = Counter(_VERDICTS[result.outcome] for result in results)
    checks = sum(len(result.evidence["checks"]) for result in results)
    entries = f"{len(results)} entr{'y' if len(results) == 1 else 'ies'}"
    told = ", ".join(f"{counts[name]} {name}" for name in _VERDICTS.values() if counts[name])
    yield f"{entries}: {told}; {checks} check{'s' * (checks != 1)} made"


def markdown(results: Sequence[Result], found_in: str) -> Iterator[str]:
    """The page: a section for each network, in it one for each entry with a table of its checks."""
    yield "# Where the references depart from the papers\n"
    yield joined(
        "torchvision, timm and torch are what everybody compares with. Where they are not what the papers print, it "
        "is said here, with the networks of the catalog that are the one and the other, and with checks that find it "
        "again.",
        f"What is recorded was found in {found_in}. `repro deviations` looks whether it is so in what is installed, "
        "and fails where a reference has changed. A check on `repro:NAME` is for the contrast: our network does what "
        "the paper does, or what the reference does, under a name of its own.",
    )
    unchecked = [result for result in results if result.outcome is Outcome.SKIP]
    yield joined(
        f"{len(results)} entries; {len(results) - len(unchecked)} of them are checked, by "
        f"{sum(len(result.evidence['checks']) for result in results)} checks; {len(unchecked)} cannot be, and say why."
    )
    for family, group in groupby(results, key=lambda result: result.subject.partition(".")[0]):
        yield f"## {family}\n"
        for result in group:
            yield from _section(result)


def _section(result: Result) -> Iterator[str]:
    told = result.evidence
    yield f"### {result.subject}\n"
    yield f"**Paper** ({escaped(told['locus'])}): {escaped(told['paper'])}\n"
    yield f"**{escaped(result.reference)}**: {escaped(told['reference'])}\n"
    further = [
        ("the paper's network here:", [f"`{name}`" for name in told["of_paper"]]),
        ("the reference's network here:", [f"`{name}`" for name in told["of_library"]]),
        ("facts of the paper:", [f"`{name}`" for name in told["facts"]]),
        ("threads:", [_linked(thread) for thread in told["threads"]]),
    ]
    listed = [f"{what} {', '.join(which)}" for what, which in further if which]
    if listed:
        yield "\n".join([*(f"- {line}" for line in listed), ""])
    if told["checks"]:
        yield "| looked at | found |"
        yield "|---|---|"
        for check in told["checks"]:
            found = _recorded(check) if check["holds"] else f"CHANGED: {_verdict(check)}"
            yield f"| {escaped(check['what'])} | {escaped(found)} |"
        yield ""
    if told["unchecked"]:
        yield f"*Unchecked*: {escaped(told['unchecked'])}.\n"


def _linked(thread: str) -> str:
    repository, _, number = thread.partition("#")
    return f"[{thread}](https://github.com/{repository}/issues/{number})"


def _verdict(check: Mapping[str, Any]) -> str:
    if check["holds"]:
        return shown(check["found"])
    return f"{check['problem'] or shown(check['found'])}, recorded {_recorded(check)}"


def _recorded(check: Mapping[str, Any]) -> str:
    tolerance = f" ± {check['tolerance']:g}" if check["tolerance"] else ""
    return f"{shown(check['expected'])}{tolerance}"


def _labelled(label: str, text: str) -> str:
    return _wrapped(f"{label:<10} {text}", "  ", " " * 13)


def _wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
