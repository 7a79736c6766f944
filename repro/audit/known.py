"""Everything that can be found: by rules in the text, by probes in what was run, and of what is said of both."""

from __future__ import annotations

from functools import cache

from repro.audit.claims.refuted import REFUTED
from repro.audit.described import Described
from repro.audit.probe import probes
from repro.audit.rule import rules


@cache
def known() -> tuple[Described, ...]:
    """All rules and probes, and what a claim is that is not so, by code."""
    return tuple(sorted((*rules(), *probes(), REFUTED), key=lambda each: each.code))
