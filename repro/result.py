"""The only verdict type: what was checked, against what, how it came out, and the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a check came out. A skip says what is missing and how to get it; an error says what stopped the check."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


@dataclass(frozen=True)
class Result:
    """One verdict.

    check      `structure`, `mapping`, `forward.float64`, `forward.float32`
    subject    what was checked, as the user would name it
    reference  what it was checked against, or "none"
    message    one sentence with the decisive values
    evidence   everything the message rests on, in JSON types only
    """

    check: str
    subject: str
    reference: str
    outcome: Outcome
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def summary(results: Iterable[Result]) -> dict[str, int]:
    """How many results came out each way."""
    counts = Counter(result.outcome for result in results)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def exit_code(results: Iterable[Result]) -> int:
    """0 if nothing failed, 1 if a check failed, 2 if one could not be carried out."""
    outcomes = {result.outcome for result in results}
    return 2 if Outcome.ERROR in outcomes else 1 if Outcome.FAIL in outcomes else 0
