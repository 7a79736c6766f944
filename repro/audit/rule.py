"""What a rule is: one file in `rules/`, found by walking that folder."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from repro.audit.finding import Confidence, Finding, Place, Severity, Words
from repro.audit.program import Program
from repro.audit.report import Explained

_MARK = re.compile(r"[ \t]*# <- (?:bug|risk|note)$", re.MULTILINE)  # of a line in which a rule finds something


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


@dataclass(frozen=True)
class Rule:
    """One rule.

    code     stable, unique, and never used for another one
    name     names what is found, so that "allow <name>" reads well
    module   its file: the docstring is its page, in English; `ZH` in Chinese; `VALID` and `INVALID` its cases
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: Words
    check: Check
    module: ModuleType

    @property
    def valid(self) -> Sequence[str]:
        """Programs that it says nothing of."""
        return tuple(self.module.VALID)

    @property
    def invalid(self) -> Sequence[str]:
        """Programs in which it finds the lines that end in `# <- bug` (or `risk`, or `note`), and no others."""
        return tuple(self.module.INVALID)

    def page(self, language: str) -> str:
        """What `repro explain` says of it."""
        return inspect.cleandoc(self.module.ZH if language == "zh" else self.module.__doc__ or "")

    @property
    def explained(self) -> Explained:
        """What readers are told of it."""
        page = Words(self.page("en"), self.page("zh"))
        wrong, right = (_MARK.sub("", case).strip("\n") for case in (self.invalid[0], self.valid[0]))
        return Explained(self.code, self.name, self.severity, self.confidence, page, wrong, right)

    def findings(self, program: Program) -> Iterator[Finding]:
        """What it finds in a program."""
        for hit in self.check(program):
            place = hit.at if isinstance(hit.at, Place) else program.place(hit.at)
            symbol = "" if isinstance(hit.at, Place) else program.symbol(hit.at)
            severity, confidence = hit.severity or self.severity, hit.confidence or self.confidence
            message = self.message.format(**hit.values)
            evidence = dict(_evidence(hit.values))
            yield Finding(self.code, self.name, severity, confidence, message, program.path, place, symbol, evidence)


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
        name = check.__name__.replace("_", "-")
        return Rule(code, name, severity, confidence, Words(en, zh), check, sys.modules[check.__module__])

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
