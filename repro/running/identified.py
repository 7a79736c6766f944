"""The networks of a document, named: from the file to what the sandbox says of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from repro.audit.limits import limited
from repro.audit.program import USUAL, Program
from repro.audit.source import document, reading
from repro.running.definitions import FILE
from repro.sandbox.limits import Limits
from repro.sandbox.offer import offer
from repro.sandbox.outcome import ENDINGS
from repro.sandbox.worker import IsolationError, Worker

_JOB = "repro.running.naming:named"  # by name, as torch is imported in the sandbox alone
_WARM = "repro.running.naming:warm"
_MODULES = ("torch", "torchvision", "repro.running.naming")
_LIMITS = Limits(seconds=60.0, memory=6 << 30)
_OWN_LINE = re.compile(re.escape(FILE) + r":(\d+)")


@dataclass(frozen=True)
class Network:
    """A class or function of a document that gives a network.

    cell            of a notebook, from 0; None elsewhere
    line            in the file, or in the cell
    claims          the network of the catalog that its name says; empty if it says none
    identified      the one that it is, or is nearest to; empty if it is near none, or could not be run
    distance        operations that differ
    differences     as sentences
    keeps_its_name  whether it is what its name says; None where one of the two is not known
    error           why nothing is said of it
    """

    symbol: str
    cell: int | None
    line: int
    claims: str
    identified: str
    distance: int
    differences: tuple[str, ...]
    keeps_its_name: bool | None
    error: str


@dataclass(frozen=True)
class Identified:
    """What is said of one document.

    ended     how its run ended: `repro.sandbox.outcome.ENDINGS`
    detail    of that, where there is one
    failures  statements that were run and failed, as (line, error)
    """

    path: str
    networks: tuple[Network, ...]
    failures: tuple[tuple[int, str], ...]
    ended: str
    detail: str

    @property
    def problem(self) -> str:
        """Why its networks are not known; empty if the run came to its end."""
        return "" if self.ended == "done" else f"{ENDINGS[self.ended]}{f' ({self.detail})' if self.detail else ''}"


def worker(without_isolation: bool = False) -> Worker:
    """Where programs are run. Raises IsolationError if this machine isolates nothing, unless that is accepted."""
    there = offer()
    if there.missing and not without_isolation:
        raise IsolationError(
            f"this code is not run: {'; '.join(there.missing)}. `repro doctor` says more; "
            "--run-without-isolation runs it with all that you may do"
        )
    return Worker(_MODULES, "none" if there.missing else there.level, there.bubblewrap, _WARM)


def identified(path: str, running: Worker) -> Identified:
    """Name the networks that a document defines. Raises ReproError for one that cannot be read."""
    found = document.read(path)
    with limited(path):
        found.check()
        program = reading.program(found)
    outcome = running.run(_JOB, {"text": program.text, "missing": missing(program)}, _LIMITS)
    told = outcome.value if outcome.ended == "done" else None
    try:
        networks = [_network(each, program) for each in told["networks"]] if told else []
        failures = [(_line(program, each["line"])[1], str(each["error"])) for each in told["failures"]] if told else []
    except (TypeError, KeyError, ValueError, AttributeError):  # written by something else than ours
        outcome, networks, failures = replace(outcome, ended="forged"), [], []
    detail = outcome.detail or (outcome.output.strip().splitlines() or [""])[-1] * (outcome.ended == "exit")
    return Identified(path, tuple(networks), tuple(failures), outcome.ended, detail)


def missing(program: Program) -> str:
    """The imports that a program leaves out, because everybody knows them."""
    used = {node.id for node in program.nodes(ast.Name)} - program.bound - program.imports.keys()
    lines = []
    for name in sorted(used & USUAL.keys()):
        module, _, last = USUAL[name].rpartition(".")
        lines.append(f"from {module} import {last} as {name}" if module else f"import {last} as {name}")
    return "\n".join(lines)


def _network(told: Any, program: Program) -> Network:
    cell, line = _line(program, int(told["line"]))
    kept = told["keeps_its_name"]
    return Network(
        symbol=str(told["symbol"]),
        cell=cell,
        line=line,
        claims=str(told["claims"]),
        identified=str(told["identified"]),
        distance=int(told["distance"]),
        differences=tuple(_placed(str(each), program) for each in _texts(told["differences"])),
        keeps_its_name=None if kept is None else bool(kept),
        error=_placed(str(told["error"]), program),
    )


def _texts(told: Any) -> Sequence[Any]:
    if not isinstance(told, list):
        raise TypeError("no list")
    return told


def _line(program: Program, number: int) -> tuple[int | None, int]:
    """The cell and the line of a line of the program's text."""
    if program.lines is None or not 0 < number <= len(program.lines):
        return None, number
    line = program.lines[number - 1]
    return line.cell, line.number


def _placed(text: str, program: Program) -> str:
    """With lines of the document in place of those of the text that was run."""

    def where(found: re.Match[str]) -> str:
        cell, line = _line(program, int(found[1]))
        return f"line {line}" if cell is None else f"cell {cell}, line {line}"

    return _OWN_LINE.sub(where, text)
