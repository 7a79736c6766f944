"""From a program to what is said of the networks in it: the near side of the sandbox."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from repro.audit.claims.find import claims
from repro.audit.claims.refuted import REFUTED
from repro.audit.described import Described
from repro.audit.finding import Confidence, Finding, Place, Severity, Words
from repro.audit.limits import limited
from repro.audit.probe import Probe
from repro.audit.program import USUAL, Program
from repro.audit.report import Network, Run
from repro.audit.shown import Ran, Shown, line_place, symbol_place
from repro.audit.source.document import Document
from repro.running.claims import Verdict, verdicts
from repro.running.definitions import FILE
from repro.sandbox.limits import Limits
from repro.sandbox.offer import offer
from repro.sandbox.outcome import ENDINGS, Outcome
from repro.sandbox.worker import IsolationError, Worker

_JOB = "repro.running.probing:probed"  # by name, as torch is imported in the sandbox alone
_WARM = "repro.running.probing:warm"
_MODULES = ("torch", "torchvision", "repro.running.probing")
_LIMITS = Limits(seconds=60.0, memory=6 << 30)
_OWN_LINE = re.compile(re.escape(FILE) + r":(\d+)")
_LONGEST = 500  # characters of one sentence from the sandbox
_ENDED = Words("its code was not run to the end: {ending}{detail}", "代码没有运行到底：{ending}{detail}")


class Runner:
    """Runs programs, each in a process of its own, forked from one that has torch imported.

    without_isolation  run them even if this machine has nothing to take rights away with

    A context manager. Raises IsolationError if this machine isolates nothing, unless that is accepted.
    """

    def __init__(self, without_isolation: bool = False) -> None:
        there = offer()
        if there.missing and not without_isolation:
            raise IsolationError(
                f"this code is not run: {'; '.join(there.missing)}. `repro doctor` says more; "
                "--run-without-isolation runs it with all that you may do"
            )
        self.level = "none" if there.missing else there.level
        self._worker = Worker(_MODULES, self.level, there.bubblewrap, _WARM)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._worker.close()

    def __call__(self, found: Document, program: Program, asked: Collection[Described]) -> Ran:
        """What came of running one program: its networks, what the probes saw of them, and what is said of them."""
        codes = [each.code for each in asked if isinstance(each, Probe)]
        with limited(found.path):
            said = claims(found, program)
        outcome = self.outcome({"text": program.text, "missing": missing(program), "codes": codes})
        if outcome.ended == "done":
            try:
                shown = _shown(outcome.value, program, [each for each in asked if isinstance(each, Probe)])
                judged = verdicts(said, dict(outcome.value["measured"])) if REFUTED in asked else []
                true = tuple((each.claim.place, each.claim.said, each.words) for each in judged if each.holds)
                run = replace(self._told(outcome.value, program, outcome), true=true)
                return Ran(run, shown, [_refuted(program, each) for each in judged if each.holds is False])
            except (TypeError, KeyError, ValueError, AttributeError):  # written by something else than ours
                outcome = replace(outcome, ended="forged")
        last = (outcome.output.strip().splitlines() or [""])[-1] * (outcome.ended == "exit")
        detail = outcome.detail or last[:_LONGEST]
        ending = _ENDED.format(ending=ENDINGS[outcome.ended], detail=f" ({detail})" if detail else "")
        return Ran(Run(self.level, problem=ending, seconds=outcome.seconds))

    def outcome(self, payload: dict[str, Any]) -> Outcome:
        """What became of the job."""
        return self._worker.run(_JOB, payload, _LIMITS)

    def _told(self, value: Any, program: Program, outcome: Outcome) -> Run:
        networks = tuple(_network(each, program) for each in _list(value["networks"]))
        left_out = [(line_place(program, int(each["line"])), _text(each["error"])) for each in _list(value["failures"])]
        return Run(self.level, networks, tuple(left_out), seconds=outcome.seconds)


def _refuted(program: Program, verdict: Verdict) -> Finding:
    """What a claim is that is not so."""
    claim = verdict.claim
    return Finding(
        REFUTED.code,
        REFUTED.name,
        verdict.severity or REFUTED.severity,
        verdict.confidence or REFUTED.confidence,
        REFUTED.message.format(said=claim.said, measured=verdict.words),
        program.path,
        claim.place,
        verdict.symbol,
        dict(verdict.evidence or {}),
    )


def missing(program: Program) -> str:
    """The imports that a program leaves out or comes to later, because everybody knows them."""
    used = {node.id for node in program.nodes(ast.Name)}
    lines = []
    for name in sorted(used & USUAL.keys()):
        if name in program.bound and program.imports.get(name) != USUAL[name]:
            continue
        module, _, last = USUAL[name].rpartition(".")
        lines.append(f"from {module} import {last} as {name}" if module else f"import {last} as {name}")
    return "\n".join(lines)


def _network(told: Any, program: Program) -> Network:
    kept = told["keeps_its_name"]
    symbol, line = _text(told["symbol"]), int(told["line"])
    known = any(each.name == symbol for each in program.named)
    return Network(
        symbol=symbol,
        place=symbol_place(program, symbol) if known else line_place(program, line),
        call=_text(told["call"]),
        claims=_text(told["claims"]),
        identified=_text(told["identified"]),
        distance=int(told["distance"]),
        told=_words(told["told"], program),
        differences=tuple(_words(each, program) for each in _list(told["differences"])),
        keeps_its_name=None if kept is None else bool(kept),
        error=_placed(_text(told["error"]), program),
        is_part=bool(told["is_part"]),
    )


def _shown(value: Any, program: Program, asked: Sequence[Probe]) -> list[Shown]:
    by_code = {probe.code: probe for probe in asked}
    found = []
    for each in _list(value["seen"]):
        values = {_text(name): _value(one, program) for name, one in dict(each["values"]).items()}
        severity, confidence = each["severity"], each["confidence"]
        found.append(
            Shown(
                by_code[each["code"]],
                _text(each["symbol"]),
                int(each["line"] or 0),
                values,
                Severity(severity) if severity else None,
                Confidence(confidence) if confidence else None,
                frozenset(map(_text, _list(each["parts"]))),
                frozenset(map(_text, _list(each["confirms"]))),
                _text(each["about"]),
            )
        )
        found[-1].finding(program)  # what does not fill its message is not ours
    return found


def _value(value: Any, program: Program) -> Any:
    """A value from the sandbox: a number, a sentence, or one in both languages."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _placed(_text(value), program)
        case {"en": _, "zh": _}:
            return _words(value, program)
        case list():
            return [_value(each, program) for each in value]
    raise TypeError(f"not expected: {type(value).__name__}")


def _words(value: Any, program: Program) -> Words:
    return Words(_placed(_text(value["en"]), program), _placed(_text(value["zh"]), program))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value[:_LONGEST]


def _placed(text: str, program: Program) -> str:
    """With lines of the document in place of those of the text that was run."""

    def where(found: re.Match[str]) -> str:
        place: Place = line_place(program, int(found[1]))
        return place.words.en

    return _OWN_LINE.sub(where, text)
