"""Is a network the one that its paper describes? The facts of the ledger, measured on the traced graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from repro.measures import MEASURES, PlaceError, Subject
from repro.models import Variant
from repro.papers import Fact, papers
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


def findings(variant: Variant, subject: Subject) -> list[Finding]:
    """Each fact of a network, measured."""
    return [_held(fact, variant.name, subject) for fact in facts_of(variant)]


def conformance(variant: Variant, found: Sequence[Finding]) -> Result:
    """One result for all facts of a network; skipped if there is none."""
    sources = sorted({papers()[finding.fact.paper].identifier for finding in found})
    evidence = {"facts": [told(finding) for finding in found]}
    if not found:
        message = "no fact of the ledger is about this network"
        return Result("conformance", variant.name, "paper", Outcome.SKIP, message, evidence)
    wrong = [finding for finding in found if not finding.confirmed]
    message = f"{len(found) - len(wrong)} of {len(found)} facts confirmed{_exceptions(found)}"
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = f"{_complaint(wrong[0])}{more}; {message}"
    outcome = Outcome.FAIL if wrong else Outcome.PASS
    return Result("conformance", variant.name, ", ".join(sources), outcome, message, evidence)


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
        "value": fact.value,
        "measured": finding.measured,
        "status": fact.status,
        "confirmed": finding.confirmed,
        "arithmetic": fact.arithmetic,
    }


def _held(fact: Fact, network: str, subject: Subject) -> Finding:
    try:
        measured = MEASURES[fact.measure](subject, fact.at)
    except KeyError:
        return Finding(fact, network, None, False, f"there is no measure {fact.measure!r}")
    except PlaceError as error:
        return Finding(fact, network, None, False, str(error))
    as_printed = near(measured, fact.value, fact.tolerance)
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
    if isinstance(value, str) or isinstance(measured, str):
        return bool(measured == value)
    return abs(measured - value) <= tolerance or math.isclose(measured, value, rel_tol=1e-12)


def _exceptions(found: Iterable[Finding]) -> str:
    kinds = Counter(finding.fact.status for finding in found if finding.fact.status != "agrees")
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f" ({told} among them)" if told else ""


def _complaint(finding: Finding) -> str:
    fact = finding.fact
    if finding.problem:
        return f"{fact.id}: {finding.problem}"
    expected = fact.printed if fact.status == "agrees" else f"{fact.measured} ({fact.status}: {fact.printed} is printed)"
    return f"{fact.id} ({fact.locus}): {fact.quantity} {finding.measured}, expected {expected}"
