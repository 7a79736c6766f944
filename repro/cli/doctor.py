"""`repro doctor`: what there is on this machine, and what keeps code to itself that nobody vouches for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from repro.cli.options import Verbs

if TYPE_CHECKING:
    from repro.sandbox.offer import Offer
    from repro.sandbox.trial import Trial

_STATED = ("python", "torch", "torchvision", "timm", "numpy")
_RUNS = {
    "bubblewrap": "bubblewrap, with Landlock and seccomp inside it",
    "namespaces": "namespaces of its own, with Landlock and seccomp inside them",
    "base": "Landlock and seccomp",
}


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """The command."""
    verb = verbs.add_parser(
        "doctor",
        parents=[common],
        help="what this machine has, and how it isolates code",
        description="Say which versions are installed, and how code that nobody vouches for is isolated on this "
        "machine; what is said is tried out. Exit status: 0 it is isolated, 1 it is not, 2 error.",
    )
    verb.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from repro.render import json
    from repro.sandbox.offer import offer
    from repro.sandbox.trial import trials
    from repro.sandbox.worker import Worker

    there = offer()
    tried: list[Trial] = []
    if not there.missing:
        with Worker(["repro.sandbox.trial"], there.level, there.bubblewrap) as worker:
            tried += trials(worker)
    if options.format == "json":
        isolation = {"level": there.level, **asdict(there), "missing": there.missing}
        print(
            json.document(environment=json.environment(), isolation=isolation, tried=[asdict(each) for each in tried])
        )
    else:
        found = json.environment()
        print(", ".join(f"{name} {found[name]}" for name in _STATED))
        print(*_told(there, tried), sep="\n")
    return 1 if there.missing or not all(each.refused for each in tried) else 0


def _told(there: Offer, tried: Sequence[Trial]) -> list[str]:
    lines = ["", f"code that nobody vouches for is kept by {_RUNS[there.level]}" if not there.missing else _REFUSAL]
    lines += [f"  missing: {each}" for each in there.missing]
    lines += [
        f"  Landlock    {f'version {there.landlock}' if there.landlock else 'no'}",
        f"  seccomp     {'yes' if there.seccomp else 'no'}",
        f"  bubblewrap  {there.bubblewrap or 'not installed, or refused here'}",
        f"  namespaces  {'yes' if there.namespaces else 'refused here'}",
    ]
    if tried:
        lines += ["", "what such code was made to try:"]
        lines += [f"  {'refused' if each.refused else 'ALLOWED'}  {each.what} ({each.detail})" for each in tried]
    return lines


_REFUSAL = "code that nobody vouches for is not run on this machine"
