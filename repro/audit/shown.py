"""What running a program showed, beside what its text tells: one finding where both say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repro.audit.finding import Confidence, Finding, Place, Severity
from repro.audit.probe import Probe
from repro.audit.program import Program
from repro.audit.report import Run

_ORDER = list(Severity)


@dataclass(frozen=True)
class Ran:
    """All that came of running one program.

    shown     what probes saw
    findings  what its text says and is not so
    """

    run: Run
    shown: Sequence[Shown] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Shown:
    """One thing that a probe saw of a program that was run.

    symbol  the class or function that it is about
    parts   the classes of the program that the network is made of: one of them may be what a rule has found it in
    line    of the program's text; 0: where the symbol begins
    values  see `repro.audit.probe.Seen`, likewise for the rest
    """

    probe: Probe
    symbol: str
    line: int
    values: Mapping[str, Any]
    severity: Severity | None = None
    confidence: Confidence | None = None
    parts: frozenset[str] = frozenset()
    confirms: frozenset[str] = frozenset()
    about: str = ""

    def finding(self, program: Program) -> Finding:
        """As a finding of its own."""
        probe = self.probe
        places = {name: line_place(program, value) for name, value in self.values.items() if name.endswith("line")}
        evidence = {name: value for name, value in self.values.items() if name not in places}
        evidence |= {name: place.line for name, place in places.items()}
        return Finding(
            probe.code,
            probe.name,
            self.severity or probe.severity,
            self.confidence or probe.confidence,
            probe.message.format(**{**self.values, **places}),
            program.path,
            line_place(program, self.line) if self.line else symbol_place(program, self.symbol),
            self.symbol,
            {name: value for name, value in evidence.items() if _is_json(value)},
        )


def merged(program: Program, findings: Sequence[Finding], shown: Sequence[Shown]) -> list[Finding]:
    """Findings of the text, those that were seen to be so with what showed it, and what only running shows."""
    found = list(findings)
    for each in shown:
        own = each.finding(program)
        index = next((i for i, one in enumerate(found) if _is_same(one, each, own)), None)
        if index is None:
            found += [own] if each.probe.alone else []
            continue
        one = found[index]
        worse = min(one.severity, own.severity, key=_ORDER.index)
        evidence = {**one.evidence, "run": [*one.evidence.get("run", ()), {"code": own.code, **own.evidence}]}
        told = (*one.shown, own.message)
        found[index] = replace(one, severity=worse, confidence=Confidence.HIGH, shown=told, evidence=evidence)
    return found


def _is_same(one: Finding, shown: Shown, own: Finding) -> bool:
    if one.code not in shown.confirms & shown.probe.confirms:
        return False
    if shown.about and shown.about not in re.findall(r"\w+", " ".join(map(str, one.evidence.values()))):
        return False
    if one.symbol.partition(".")[0] in {shown.symbol, *shown.parts}:
        return True
    return (one.place.cell, one.place.line) == (own.place.cell, own.place.line)


def symbol_place(program: Program, symbol: str) -> Place:
    """Where a class or function begins."""
    named: Iterator[ast.AST] = (each for each in program.named if each.name == symbol)
    return program.place(next(named, program.tree))


def line_place(program: Program, number: int) -> Place:
    """The whole of a line of the program's text."""
    rows = program.text.split("\n")
    number = min(max(number, 1), len(rows))
    row = rows[number - 1]
    indent = len(row) - len(row.lstrip())
    node = ast.Pass(lineno=number, col_offset=indent, end_lineno=number, end_col_offset=len(row.rstrip().encode()))
    return program.place(node)


def _is_json(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | dict)
