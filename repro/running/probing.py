"""The job that builds the networks of a program and asks the probes; it runs in the sandbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
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


def warm() -> None:
    """Trace a network, so that what torch imports for that is there before the first run."""
    torch.set_num_threads(1)
    with torch.device("meta"):
        identify(models.build("lenet5"))


def probed(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the networks of a program are, and what the probes see of them.

    payload: its `text`, the imports that it leaves out, `missing`, and the `codes` of the probes. The lines are those
    of the text.
    """
    with followed():
        made = run(payload["text"], payload["missing"])
    found = subjects(made)
    asked = [probe for probe in probes() if probe.code in payload["codes"]]
    return {
        "networks": [_entry(each) for each in found if not each.is_function or each.identity or each.size is None],
        "failures": [{"line": each.line, "error": each.error} for each in made.failures],
        "measured": _measured(found),
        "seen": list(_seen(found, asked)),
    }


def _measured(found: list[Subject]) -> dict[str, list[dict[str, Any]]]:
    """What was measured of each class and function, one entry for each network of it."""
    told: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        graph = each.run(each.size).graph if each.size is not None else None
        if graph is not None and each.size is not None and each.module is not None:
            training = each.run(each.size, training=True).graph
            entry = {**measured(each.module, graph, training), **printed(each.module, graph)}
            told.setdefault(each.symbol, []).append(entry)
    return told


def _seen(found: list[Subject], asked: list[Probe]) -> Iterator[dict[str, Any]]:
    kinds: set[str] = set()
    told: set[tuple[str, int | None]] = set()
    for subject in found:
        first_of_its_kind = subject.kind not in kinds
        kinds.add(subject.kind)
        for probe in asked:
            if probe.of_class and not first_of_its_kind:
                continue
            symbol = subject.kind if probe.of_class else subject.symbol
            try:
                for each in probe.check(subject):
                    if each.line and (probe.code, each.line) in told:
                        continue  # many functions may build networks of one class
                    told.add((probe.code, each.line))
                    yield {"code": probe.code, "symbol": symbol, "parts": subject.parts, **_plain(each)}
            except Exception as error:  # third-party code has the last word in every call
                sys.stderr.write(f"{probe.code} {symbol}: {first_line(error)}\n")


def _plain(seen: Seen) -> dict[str, Any]:
    values = {name: asdict(each) if isinstance(each, Words) else each for name, each in seen.values.items()}
    return {"line": seen.line, "values": values, "severity": seen.severity, "confidence": seen.confidence}


def _entry(subject: Subject) -> dict[str, Any]:
    found = subject.identity
    error = subject.error
    if subject.module is not None and subject.size is None:
        error = subject.run((3, 224, 224)).error
    elif subject.module is not None and found is None:
        error = "it returns no row of numbers for each image"
    return {
        "told": asdict(subject.told),
        "symbol": subject.symbol,
        "line": subject.line,
        "call": subject.call,
        "claims": subject.claim,
        "identified": subject.identified,
        "distance": found.distance if found else 0,
        "differences": [asdict(each.words) for each in subject.departures],
        "keeps_its_name": subject.keeps_its_name,
        "error": error,
        "is_part": subject.is_part,
    }
