"""What became of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# How a run ends, and what that means.
ENDINGS = {
    "done": "it came to its end",
    "time": "it was ended at its time limit",
    "files": "it was ended for the size of what it wrote",
    "flood": "it was ended for the size of what it reported",
    "forged": "something else was written where its report belongs",
    "exit": "it left before its end",
    "signal": "it was ended by a signal",
    "refused": "it could not be isolated, and was not run",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    ended    one of `ENDINGS`
    value    what the job returned, where it is done; told by the process in which the code ran, so never to be trusted
             further than the code itself
    detail   the name of the signal, the exit status, or what was refused
    output   what it printed, up to the limit; bytes that are no UTF-8 replaced
    seconds  that it took
    memory   in bytes, the most that it held
    """

    ended: str
    value: Any = None
    detail: str = ""
    output: str = ""
    seconds: float = 0.0
    memory: int = 0
