"""The register of deviations, held against what is installed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import timm
import torchvision

from repro.conformance import near
from repro.deviations import Check, Deviation
from repro.deviations.experiments import EXPERIMENTS
from repro.errors import ReproError
from repro.measures import MEASURES, PlaceError, Subject
from repro.parity.network import Network, Stopwatch
from repro.references import Size, resolve
from repro.result import Outcome, Result


@dataclass(frozen=True)
class Found:
    """What one check found.

    value    None if there is nothing to be found, which `problem` tells
    holds    it is what was recorded
    """

    check: Check
    value: Any
    holds: bool
    problem: str = ""


def check(entries: Iterable[Deviation]) -> Iterator[Result]:
    """One result an entry."""
    subject = functools.lru_cache(maxsize=4)(_subject)  # neighbours are often about one network
    for entry in entries:
        yield _result(entry, subject)


def held(check: Check, subject: Any = None) -> Found:
    """One check, made. Raises ReproError where it cannot be made at all."""
    try:
        value = _value(check, subject or _subject)
    except PlaceError as error:  # a module with another name, or another content
        return Found(check, None, False, str(error))
    return Found(check, value, near(value, check.expected, check.tolerance))


def _value(check: Check, subject: Any) -> Any:
    if check.names:
        known = {"torchvision": lambda: torchvision.models.list_models(module=torchvision.models)}
        known["timm"] = timm.list_models
        return sorted(name for name in known[check.names]() if any(fnmatchcase(name, like) for like in check.like))
    if check.experiment:
        return EXPERIMENTS[check.experiment](**check.given)
    return MEASURES[check.measure](subject(check.on, check.size), check.at)


def _subject(spec: str, size: Size) -> Subject:
    source = resolve(spec)
    size = size or source.input_size or (3, 224, 224)
    network = Network.of(source, size, Stopwatch())
    return Subject(network.graph(size), network.graph(size, training=True), {})


def _result(entry: Deviation, subject: Any) -> Result:
    libraries = ", ".join(entry.libraries)
    evidence = {key: value for key, value in asdict(entry).items() if key != "checks"}
    try:
        found = [held(check, subject) for check in entry.checks]
    except ReproError as error:
        return Result("deviation", entry.id, libraries, Outcome.ERROR, str(error), {**evidence, "checks": []})
    evidence["checks"] = [
        {
            **asdict(each.check),
            "what": str(each.check),
            "found": each.value,
            "holds": each.holds,
            "problem": each.problem,
        }
        for each in found
    ]
    changed = [each for each in found if not each.holds]
    if changed:
        message = f"{_complaint(changed[0])}: it has changed; the entry, and what rests on it, need another look"
        return Result("deviation", entry.id, libraries, Outcome.FAIL, message, evidence)
    if not found:
        return Result("deviation", entry.id, libraries, Outcome.SKIP, f"unchecked: {entry.unchecked}", evidence)
    message = f"as recorded, by {len(found)} check{'s' if len(found) > 1 else ''}"
    if entry.unchecked:
        message += f"; unchecked: {entry.unchecked}"
    return Result("deviation", entry.id, libraries, Outcome.PASS, message, evidence)


def _complaint(found: Found) -> str:
    return f"{found.check}: {found.problem or f'{found.value} is found, {found.check.expected} is recorded'}"
