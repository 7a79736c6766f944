"""All hostile code there is, a file for each thing that it is after."""

from __future__ import annotations

from tests.sandbox.attacks import exhaustion, forgery, network, processes, reading, writing
from tests.sandbox.attacks._attack import PRELUDE, TIMED, Attack

__all__ = ["ATTACKS", "PRELUDE", "TIMED", "Attack"]

ATTACKS: tuple[Attack, ...] = tuple(
    attack for module in (reading, writing, network, processes, exhaustion, forgery) for attack in module.ATTACKS
)
