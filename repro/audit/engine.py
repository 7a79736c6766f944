"""From files to findings: each document read, each rule asked, what is suppressed left out."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from repro.audit.described import Described
from repro.audit.finding import Finding
from repro.audit.known import known
from repro.audit.limits import limited
from repro.audit.program import Program
from repro.audit.refusal import Refusal, internal
from repro.audit.report import Audited, Sheet
from repro.audit.rule import Rule
from repro.audit.shown import Ran, merged
from repro.audit.source import document, notebook, reading
from repro.audit.source.document import Document
from repro.audit.suppression import suppressions

_FEWEST = 12  # files that are worth another process, which takes as long to start as they do
_TOGETHER = 4  # files that a process is given at once


@dataclass(frozen=True)
class Task:
    """One file to audit.

    codes  of the rules that are asked
    data   what is in it; None: it is read
    error  why it cannot be audited, where that is known before
    """

    path: str
    codes: tuple[str, ...]
    data: bytes | None = None
    error: Refusal | None = None


class Runner(Protocol):
    """What runs a program's definitions, and asks probes of the networks that it builds."""

    def __call__(self, found: Document, program: Program, asked: Collection[Described]) -> Ran:
        """What came of it."""
        ...


def audit(path: str, chosen: Collection[Described] | None = None, runner: Runner | None = None) -> Audited:
    """Audit one file, by all rules if none are chosen. Raises Refusal where it cannot be read."""
    return audited(document.read(path), known() if chosen is None else chosen, runner)


def audit_all(
    tasks: Sequence[Task], jobs: int = 1, strict: bool = False, language: str = "en", runner: Runner | None = None
) -> Iterator[Audited]:
    """What is said of each file, in their order; what is wrong with one does not keep it from the others.

    jobs      processes; they are started only where there is enough to do
    strict    whether an internal error is raised, rather than told beside the file in which it happened
    language  in which errors are told
    runner    what runs each program, one after the other; None: nothing is run

    Raises Refusal if a process is killed.
    """
    jobs = min(jobs, len(tasks) // _FEWEST)
    if jobs < 2 or runner:
        yield from (_told(task, strict, language, runner) for task in tasks)
        return
    from concurrent.futures import ProcessPoolExecutor  # which takes as long to import as all of ours
    from concurrent.futures.process import BrokenProcessPool
    from functools import partial
    from multiprocessing import get_context

    with ProcessPoolExecutor(jobs, get_context("spawn"), seldom_look_for_cycles) as pool:
        try:
            yield from pool.map(partial(_told, strict=strict, language=language), tasks, chunksize=_TOGETHER)
        except BrokenProcessPool as error:
            raise Refusal(
                "a process was killed, most likely for want of memory; --jobs 1 takes the least",
                "一个进程被终止了，多半是内存不够；--jobs 1 占用最少",
            ) from error


def seldom_look_for_cycles() -> None:
    """Set up a process that makes many syntax trees: looking through them for cycles is a sixth of the time."""
    gc.set_threshold(200_000, 20, 20)


def _told(task: Task, strict: bool, language: str, runner: Runner | None = None) -> Audited:
    """What is said of one file, also where it cannot be audited."""
    try:
        if task.error:
            raise task.error
        found = document.read(task.path) if task.data is None else document.of(task.path, task.data)
        return audited(found, [each for each in known() if each.code in task.codes], runner)
    except Refusal as refusal:
        return Audited(task.path, error=refusal.words.told(language))
    except Exception as error:
        if strict:
            raise
        return Audited(task.path, error=internal(error).said_of(task.path).words.told(language))


def audited(found: Document, chosen: Collection[Described], runner: Runner | None = None) -> Audited:
    """Audit one document by some rules and, where something runs it, probes. Raises Refusal."""
    with limited(found.path):
        if not is_about_networks(found.content):
            found.check_kind()
            return Audited(found.path, about_networks=False)
        found.check()
        program = reading.program(found)
        findings = list(findings_in(program, [each for each in chosen if isinstance(each, Rule)]))
        hidden = suppressions(program)
    ran = runner(found, program, chosen) if runner else None
    if ran:
        findings = [*merged(program, findings, ran.shown), *ran.findings]
    told = [each for each in findings if not any(one.covers(each) for one in hidden)]
    told.sort(key=lambda finding: (finding.place.file_line, finding.place.line, finding.place.column, finding.code))
    sheets = tuple(_sheets(found)) if told or program.repairs else ()
    return Audited(found.path, tuple(told), program.repairs, sheets, run=ran.run if ran else None)


def is_about_networks(content: str) -> bool:
    """Whether there is anything in a text that rules could speak of."""
    return "torch" in content or "nn." in content


def findings_in(program: Program, chosen: Collection[Rule]) -> Iterator[Finding]:
    """What rules find in a program, each thing once."""
    seen = set()
    for rule in chosen:
        for finding in rule.findings(program):
            key = finding.code, finding.place, finding.message
            if key not in seen:
                seen.add(key)
                yield finding


def _sheets(found: Document) -> Iterator[Sheet]:
    if found.suffix == ".ipynb":
        yield from (Sheet(number, tuple(source.split("\n"))) for number, source in notebook.sources(found.content))
    else:
        yield Sheet(None, tuple(found.content.split("\n")))
