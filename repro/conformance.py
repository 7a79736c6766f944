"""Is a network the one that its paper describes? The facts of the ledger, measured on the traced graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from repro.errors import ReproError
from repro.measures import MEASURES, PlaceError, Subject
from repro.models import Variant, get, initialisation_of
from repro.papers import Fact, Paper, papers
from repro.parity.network import Network, Stopwatch
from repro.references import resolve
from repro.result import Outcome, Result


@dataclass(frozen=True)
class Finding:
    """One fact held against one network.

    confirmed  it is as the fact says: as printed; or, of a fact that does not agree, as the fact says it is instead
    """

    fact: Fact
    network: str
    measured: Any
    confirmed: bool
    problem: str = ""


def facts_of(variant: Variant) -> list[Fact]:
    """Every fact of every paper that a network can confirm and this one is named in."""
    return [fact for paper in papers().values() for fact in paper.facts if fact.measure and variant.name in fact.of]


def findings(variant: Variant) -> list[Finding]:
    """Each fact of a network, measured on it. Raises ReproError if it cannot be traced."""
    facts = facts_of(variant)
    if not facts:
        return []
    size = variant.input_size
    network = Network.of(resolve(f"repro:{variant.name}"), size, Stopwatch())
    subject = Subject(network.graph(size), network.graph(size, True), initialisation_of(variant).rules)
    return [held(fact, variant.name, subject) for fact in facts]


def check(variant: Variant) -> Result:
    """One result for all facts of a network; skipped if the ledger has none of it."""
    try:
        found = findings(variant)
    except ReproError as error:
        return Result("conformance", variant.name, "its paper", Outcome.ERROR, str(error))
    sources = sorted({papers()[finding.fact.paper].identifier for finding in found})
    evidence = {"facts": [told(finding) for finding in found]}
    if not found:
        message = f"its paper prints no number of this network that could be measured ({variant.paper})"
        return Result("conformance", variant.name, "its paper", Outcome.SKIP, message, evidence)
    wrong = [finding for finding in found if not finding.confirmed]
    message = f"{len(found) - len(wrong)} of {len(found)} facts confirmed{_exceptions(found)}"
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = f"{complaint(wrong[0])}{more}; {message}"
    outcome = Outcome.FAIL if wrong else Outcome.PASS
    return Result("conformance", variant.name, ", ".join(sources), outcome, message, evidence)


@dataclass(frozen=True)
class Row:
    """One fact as `repro facts` tells it, once for each network that it is measured on.

    measure  what was measured, a name in `repro.measures`, "" of a fact that cannot be
    verdict  `fail`, or what became of the fact: one of `papers.STATUSES`
    told     of a fact that does not agree, the arithmetic; of one that cannot be measured, why; of a failure, what is
             wrong
    """

    id: str
    locus: str
    network: str
    quantity: str
    printed: str
    measure: str
    measured: Any
    verdict: str
    told: str


def networks(chosen: Iterable[Paper], network: str | None = None) -> list[str]:
    """The networks that `rows` of these papers measures."""
    named = {name for paper in chosen for fact in paper.facts if fact.measure for name in fact.of}
    return sorted(named if network is None else named & {network})


def rows(
    chosen: Iterable[Paper], network: str | None = None, advance: Callable[[str], Any] = lambda _: None
) -> list[Row]:
    """The facts of these papers; of one network of the catalog those that are measured on it.

    advance: called with each network that has been measured.
    """
    chosen = list(chosen)
    facts = [fact for paper in chosen for fact in paper.facts if network is None or network in fact.of]
    wanted = networks(chosen, network)
    measured: dict[tuple[str, str], Finding] = {}
    for name in wanted:
        measured |= {(each.fact.id, name): each for each in findings(get(name))}
        advance(name)
    found = []
    for fact in facts:
        if not fact.measure:
            found.append(_row(fact, fact.network, None, fact.status, _why(fact)))
        for name in fact.of if fact.measure else ():
            if name in wanted:
                each = measured[fact.id, name]
                verdict = fact.status if each.confirmed else "fail"
                told = fact.arithmetic if each.confirmed else complaint(each)
                found.append(_row(fact, name, each.measured, verdict, told))
    return found


def _why(fact: Fact) -> str:
    """Why a fact is not measured: the facts that it follows from, the arithmetic, or the reason."""
    if fact.status == "implied":
        from_these = f", by {', '.join(fact.by)}" if fact.by else ""
        return f"{fact.reason}{from_these}{': ' if fact.arithmetic else ''}{fact.arithmetic}"
    return fact.arithmetic or fact.reason


def _row(fact: Fact, network: str, measured: Any, verdict: str, told: str) -> Row:
    return Row(fact.id, fact.locus, network, fact.quantity, fact.printed, fact.measure, measured, verdict, told)


def told(finding: Finding) -> dict[str, Any]:
    """A finding in JSON types."""
    fact = finding.fact
    return {
        "id": fact.id,
        "locus": fact.locus,
        "quantity": fact.quantity,
        "network": finding.network,
        "at": fact.at,
        "printed": fact.printed,
        "value": fact.value_for(finding.network),
        "measured": finding.measured,
        "status": fact.status,
        "confirmed": finding.confirmed,
        "arithmetic": fact.arithmetic,
    }


def held(fact: Fact, network: str, subject: Subject) -> Finding:
    """One fact, measured on one network."""
    if fact.measure not in MEASURES:
        return Finding(fact, network, None, False, f"there is no measure {fact.measure!r}")
    try:
        measured = MEASURES[fact.measure](subject, fact.at)
    except PlaceError as error:
        return Finding(fact, network, None, False, str(error))
    as_printed = near(measured, fact.value_for(network), fact.tolerance)
    if fact.status == "agrees":
        return Finding(fact, network, measured, as_printed)
    return Finding(fact, network, measured, measured == fact.measured and not as_printed)


def near(measured: Any, value: Any, tolerance: float) -> bool:
    """Whether what was measured is what is printed, to the precision of the print; lists element by element."""
    if isinstance(value, list):
        return (
            isinstance(measured, list)
            and len(measured) == len(value)
            and all(near(one, other, tolerance) for one, other in zip(measured, value, strict=True))
        )
    if isinstance(value, str) or isinstance(measured, str | list):
        return bool(measured == value)
    return abs(measured - value) <= tolerance or math.isclose(measured, value, rel_tol=1e-12)


def _exceptions(found: Iterable[Finding]) -> str:
    kinds = Counter(finding.fact.status for finding in found if finding.fact.status != "agrees")
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f" ({told} among them)" if told else ""


def complaint(finding: Finding) -> str:
    """What is wrong with a fact that is not confirmed."""
    fact = finding.fact
    if finding.problem:
        return f"{fact.id}: {finding.problem}"
    expected = fact.printed
    if fact.each:
        expected = f"{fact.each[finding.network]} ({fact.printed})"
    if fact.status != "agrees":
        expected = f"{fact.measured} ({fact.status}: {fact.printed} is printed)"
    return f"{fact.id} ({fact.locus}): {fact.quantity} {finding.measured}, expected {expected}"
