"""From a program to what is said of the networks in it: the near side of the sandbox."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any

from repro.audit.claims.find import claims
from repro.audit.claims.refuted import REFUTED
from repro.audit.described import Described
from repro.audit.finding import Finding, Words
from repro.audit.limits import limited
from repro.audit.probe import Probe
from repro.audit.program import USUAL, Program
from repro.audit.report import Run
from repro.audit.shown import Ran
from repro.audit.source.document import Document
from repro.running import told
from repro.running.claims import Verdict, verdicts
from repro.sandbox.limits import Limits
from repro.sandbox.offer import offer
from repro.sandbox.outcome import ENDINGS, Outcome
from repro.sandbox.worker import IsolationError, Worker

_JOB = "repro.running.probing:probed"  # by name, as torch is imported in the sandbox alone
_WARM = "repro.running.probing:warm"
_MODULES = ("torch", "torchvision", "repro.running.probing")
_LIMITS = Limits(seconds=60.0, memory=6 << 30)
_SHARES = 2  # of the networks of a program: each has a process, which takes a few seconds and 400 MB
_UNREADABLE = (
    *(TypeError, KeyError, ValueError, AttributeError),
    *(IndexError, ArithmeticError, RecursionError, AssertionError),
)
_LONGEST = 500  # characters of what was printed
_ENDED = Words("its code was not run to the end: {ending}{detail}", "代码没有运行到底：{ending}{detail}")


class Runner:
    """Runs programs, each in processes of their own, forked from ones that have torch imported.

    without_isolation  run them even if this machine has nothing to take rights away with

    The networks of a program are shared among two processes where there are two cores. A context manager. Raises
    IsolationError if this machine isolates nothing, unless that is accepted.
    """

    def __init__(self, without_isolation: bool = False) -> None:
        there = offer()
        if there.missing and not without_isolation:
            raise IsolationError(
                f"this code is not run: {'; '.join(there.missing)}. `repro doctor` says more; "
                "--run-without-isolation runs it with all that you may do"
            )
        self.level = "none" if there.missing else there.level
        shares = min(_SHARES, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        self._workers = [Worker(_MODULES, self.level, there.bubblewrap, _WARM) for _ in range(shares)]
        # A worker's processes end with the thread that began them, so each has one that lasts.
        self._threads = [ThreadPoolExecutor(1) for _ in self._workers]

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for worker, thread in zip(self._workers, self._threads, strict=True):
            worker.close()
            thread.shutdown()

    def __call__(self, found: Document, program: Program, asked: Collection[Described]) -> Ran:
        """What came of running one program: its networks, what the probes saw of them, and what is said of them."""
        probes = [each for each in asked if isinstance(each, Probe)]
        with limited(found.path):
            said = claims(found, program)
        payload = {"text": program.text, "missing": missing(program), "codes": [each.code for each in probes]}
        outcomes = self.outcomes(payload)
        outcome = next((each for each in outcomes if each.ended != "done"), outcomes[0])
        seconds = max(each.seconds for each in outcomes)
        if outcome.ended == "done":
            try:
                value = told.together([each.value for each in outcomes])
                judged = verdicts(said, value["measured"]) if REFUTED in asked else []
                run = Run(
                    self.level,
                    told.networks(value, program),
                    told.left_out(value, program),
                    tuple((each.claim.place, each.claim.said, each.words) for each in judged if each.holds),
                    seconds=seconds,
                )
                false = [_refuted(program, each) for each in judged if each.holds is False]
                return Ran(run, told.shown(value, program, probes), false)
            except _UNREADABLE:  # written by something else than ours
                outcome = replace(outcome, ended="forged")
        last = (outcome.output.strip().splitlines() or [""])[-1] * (outcome.ended == "exit")
        detail = outcome.detail or last[:_LONGEST]
        ending = _ENDED.format(ending=ENDINGS[outcome.ended], detail=f" ({detail})" if detail else "")
        return Ran(Run(self.level, problem=ending, seconds=seconds))

    def outcomes(self, payload: dict[str, Any]) -> list[Outcome]:
        """What became of each share of the job."""
        count = len(self._workers)
        waiting = [
            thread.submit(worker.run, _JOB, {**payload, "share": [number, count]}, _LIMITS)
            for number, (worker, thread) in enumerate(zip(self._workers, self._threads, strict=True))
        ]
        return [each.result() for each in waiting]


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
