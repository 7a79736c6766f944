"""The job that builds the networks of a program and asks the probes; it runs in the sandbox."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
import torchvision  # noqa: F401  # programs import it: once for all

from repro import models
from repro.audit.finding import Words
from repro.audit.probe import Probe, Seen, probes
from repro.errors import first_line
from repro.identity import identify
from repro.running.definitions import run
from repro.running.measured import measured, printed
from repro.running.origins import followed
from repro.running.subject import Subject
from repro.running.subjects import subjects

_ENOUGH = 40.0  # seconds; a run is ended after sixty


def warm() -> None:
    """Trace a network, so that what torch imports for that is there before the first run."""
    torch.set_num_threads(1)
    with torch.device("meta"):
        identify(models.build("lenet5"))


def probed(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the networks of a program are, and what the probes see of them.

    payload: its `text`, the imports that it leaves out, `missing`, the `codes` of the probes, and which `share` of the
    networks is asked, as (number, of how many). The lines are those of the text. After `_ENOUGH` seconds the networks
    that are left are named, and no more is said of them.
    """
    late = time.monotonic() + _ENOUGH
    with followed():
        made = run(payload["text"], payload["missing"])
    asked = _Asked([probe for probe in probes() if probe.code in payload["codes"]])
    networks: list[dict[str, Any]] = []
    numbers: dict[str, list[dict[str, Any]]] = {}
    seen: list[dict[str, Any]] = []
    share, shares = payload["share"]
    for number, each in enumerate(subjects(made)):
        is_first = asked.meets(each)
        if number % shares != share:
            continue
        if time.monotonic() > late:
            networks.append(_entry(each, number) | {"error": f"left out: those before it took {_ENOUGH:.0f} s"})
            continue
        if not each.is_function or each.identity or each.size is None:  # others give parts, as `make_layers` does
            networks.append(_entry(each, number) | _identified(each))
        found = _measured(each)
        if found is not None:
            numbers.setdefault(each.symbol, []).append(found)
        seen += asked.of(each, is_first)
    failures = [{"line": each.line, "error": each.error} for each in made.failures]
    return {"networks": networks, "failures": failures, "measured": numbers, "seen": seen}


def _measured(subject: Subject) -> dict[str, Any] | None:
    """What is measured of one network for the claims that are made of it; None if it could not be run."""
    graph = subject.run(subject.size).graph if subject.size is not None else None
    if graph is None or subject.size is None or subject.module is None:
        return None
    training = subject.run(subject.size, training=True).graph
    return {**measured(subject.module, graph, training), **printed(subject.module, graph)}


class _Asked:
    """The probes, and what they have seen."""

    def __init__(self, asked: Sequence[Probe]) -> None:
        self._asked = asked
        self._kinds: set[str] = set()

    def meets(self, subject: Subject) -> bool:
        """Whether a network is the first of its class: that is asked what is about the class."""
        is_first = subject.kind not in self._kinds
        self._kinds.add(subject.kind)
        return is_first

    def of(self, subject: Subject, is_first: bool) -> Iterator[dict[str, Any]]:
        """What they see of one network."""
        for probe in self._asked:
            if probe.of_class and not is_first:
                continue
            symbol = subject.kind if probe.of_class else subject.symbol
            try:
                for each in probe.check(subject):
                    yield {"code": probe.code, "symbol": symbol, "parts": subject.parts, **_plain(each, probe)}
            except Exception as error:  # third-party code has the last word in every call
                sys.stderr.write(f"{probe.code} {symbol}: {first_line(error)}\n")


def _plain(seen: Seen, probe: Probe) -> dict[str, Any]:
    return {
        "line": seen.line,
        "values": {name: asdict(each) if isinstance(each, Words) else each for name, each in seen.values.items()},
        "severity": seen.severity,
        "confidence": seen.confidence,
        "confirms": sorted(probe.confirms if seen.confirms is None else seen.confirms),
        "about": seen.about,
    }


def _entry(subject: Subject, number: int) -> dict[str, Any]:
    """A network by its name alone."""
    return {
        "number": number,
        "symbol": subject.symbol,
        "line": subject.line,
        "call": subject.call,
        "claims": subject.claim,
        "identified": "",
        "distance": 0,
        "told": asdict(Words("", "")),
        "differences": [],
        "keeps_its_name": None,
        "error": subject.error,
        "is_part": subject.is_part,
    }


def _identified(subject: Subject) -> dict[str, Any]:
    """What it is."""
    found = subject.identity
    error = subject.error
    if subject.module is not None and subject.size is None:
        error = subject.run((3, 224, 224)).error
    elif subject.module is not None and found is None:
        error = "it returns no row of numbers for each image"
    return {
        "identified": subject.identified,
        "distance": found.distance if found else 0,
        "told": asdict(subject.told),
        "differences": [asdict(each.words) for each in subject.departures],
        "keeps_its_name": subject.keeps_its_name,
        "error": error,
    }
