"""What a rule is: one file in `rules/`, found by walking that folder."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from repro.audit.described import Described, named
from repro.audit.finding import Confidence, Finding, Place, Severity, Words
from repro.audit.fixes.edit import Edit
from repro.audit.program import Program


@dataclass(frozen=True)
class Hit:
    """One place that a rule points at.

    at          a node of the program's tree, or where it stood in the document
    values      what the message's fields are filled with, and what JSON has as the evidence: of another place, under
                a name that ends in `line`, its numbers; `Words` are in the message alone
    severity    in place of the rule's, likewise the confidence
    """

    at: ast.AST | Place
    values: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None
    confidence: Confidence | None = None


Check = Callable[[Program], Iterator[Hit]]
Fix = Callable[[Program, Hit], Iterator[Edit]]


@dataclass(frozen=True)
class Rule(Described):
    """One rule."""

    check: Check

    def findings(self, program: Program) -> Iterator[Finding]:
        """What it finds in a program."""
        for hit in self.check(program):
            yield self.finding(program, hit)

    def finding(self, program: Program, hit: Hit) -> Finding:
        """What is said of one place."""
        place = hit.at if isinstance(hit.at, Place) else program.place(hit.at)
        symbol = "" if isinstance(hit.at, Place) else program.symbol(hit.at)
        severity, confidence = hit.severity or self.severity, hit.confidence or self.confidence
        message = self.message.format(**hit.values)
        evidence = dict(_evidence(hit.values))
        return Finding(self.code, self.name, severity, confidence, message, program.path, place, symbol, evidence)

    @property
    def fix(self) -> Fix | None:
        """What repairs one place, where nothing is to be judged: `fix` of its file, with the cases `FIXED`."""
        found: Fix | None = getattr(self.module, "fix", None)
        return found

    @property
    def fixed(self) -> Sequence[tuple[str, str]]:
        """Programs before and after."""
        return tuple(getattr(self.module, "FIXED", ()))


def _evidence(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a hit rests on, in JSON types."""
    for name, value in values.items():
        if isinstance(value, Place):
            yield name, value.line
            if value.cell is not None:
                yield f"{name.removesuffix('line')}cell", value.cell
        elif not isinstance(value, Words):
            yield name, value


def rule(code: str, severity: Severity, confidence: Confidence, *, en: str, zh: str) -> Callable[[Check], Rule]:
    """Make a rule of its check, whose name becomes the rule's."""

    def make(check: Check) -> Rule:
        name, module = named(check)
        return Rule(code, name, severity, confidence, Words(en, zh), module, check)

    return make


@cache
def rules() -> tuple[Rule, ...]:
    """All of them, by code."""
    from repro.audit import rules as folder

    found = []
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, Rule)]
    return tuple(sorted(found, key=lambda each: each.code))
