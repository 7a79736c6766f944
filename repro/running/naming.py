"""The job that names the networks of a program; it runs in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from repro import models
from repro.errors import ReproError
from repro.identity import claimed, identify, keeps
from repro.running.definitions import run
from repro.running.subjects import Subject, subjects

JOB = f"{__name__}:named"
WARM = f"{__name__}:warm"
MODULES = ("torch", "torchvision", __name__)  # imported once for all runs


def warm() -> None:
    """Trace a network, so that what torch imports for that is there before the first run."""
    with torch.device("meta"):
        identify(models.build("lenet5"))


def named(payload: Mapping[str, str]) -> dict[str, Any]:
    """What the networks of a program are.

    payload: its `text`, and the imports that it leaves out, `missing`. The lines are those of the text.
    """
    made = run(payload["text"], payload["missing"])
    return {
        "networks": [_entry(each) for each in subjects(made)],
        "failures": [{"line": each.line, "error": each.error} for each in made.failures],
    }


def _entry(subject: Subject) -> dict[str, Any]:
    claims = claimed(subject.symbol)
    entry = {
        "symbol": subject.symbol,
        "line": subject.line,
        "claims": claims,
        "identified": "",
        "distance": 0,
        "differences": [],
        "keeps_its_name": None,
        "error": subject.error,
    }
    if subject.module is None:
        return entry
    try:
        found = identify(subject.module)
    except ReproError as error:
        return {**entry, "error": str(error)}
    kept = keeps(claims, found.variant) if claims and found.variant else None
    return {
        **entry,
        "identified": found.variant,
        "distance": found.distance,
        "differences": [str(each) for each in found.differences],
        "keeps_its_name": kept,
        "error": "",
    }
