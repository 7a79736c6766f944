"""Trying the isolation out: code that reaches for what it must not have, and says what it got at."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.sandbox.limits import Limits
from repro.sandbox.worker import Worker

JOB = f"{__name__}:execute"
_LIMITS = Limits(seconds=5.0)


def execute(payload: dict[str, Any]) -> list[str]:
    """The job: run `code` with the other entries as names, and give what it has put into `gained`, a list."""
    gained: list[str] = []
    names = {**payload, "gained": gained, "__name__": "__trial__"}
    exec(compile(payload["code"], "<trial>", "exec"), names)
    return [str(each)[:200] for each in gained]


@dataclass(frozen=True)
class Trial:
    """One thing that was reached for.

    what     it was
    refused  whether it was out of reach
    detail   how it was refused, or what was got at
    """

    what: str
    refused: bool
    detail: str


# What is reached for, and by which expression; each of them does no harm where it is not refused.
_REACHES = {
    "read a file of yours": "open(secret).read()",
    "list your home": "__import__('os').listdir(home)",
    "read what another process was given": "open(f'/proc/{parent}/environ', 'rb').read(9)",
    "write into a folder that is not its own": "open(outside, 'w').close()",
    "open a socket": "__import__('socket').socket()",
    "start a process": "__import__('os').posix_spawn('/bin/true', ['true'], {})",
    "signal the process that asked for it": "__import__('os').kill(parent, 0)",
}


def trials(worker: Worker) -> Iterator[Trial]:
    """Reach for one thing after the other from within. Raises IsolationError where nothing can be run."""
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "secret")
        secret.write_text(secrets.token_hex(8), "ascii")
        known = {
            "secret": str(secret),
            "outside": str(Path(folder, "new")),
            "home": str(Path.home()),
            "parent": os.getpid(),
        }
        for what, expression in _REACHES.items():
            code = f"try: gained.append(repr({expression}))\nexcept OSError as error: print(error.strerror)"
            outcome = worker.run(JOB, {**known, "code": code}, _LIMITS)
            refused = outcome.ended == "done" and outcome.value == []
            detail = outcome.output.strip() if refused else str(outcome.value or outcome.detail or outcome.ended)
            yield Trial(what, refused, detail)
