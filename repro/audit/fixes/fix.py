"""Which fixes of a document hold: what they repair is gone, and nothing is found that was not found before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from repro.audit.engine import findings_in
from repro.audit.finding import Finding, Words
from repro.audit.fixes.edit import Edit, made
from repro.audit.fixes.rows import edited
from repro.audit.fixes.source import Source
from repro.audit.limits import limited
from repro.audit.program import Program
from repro.audit.rule import Rule, rules
from repro.audit.source import document, reading
from repro.audit.source.document import Document
from repro.audit.suppression import suppressions

_ROUNDS = 10  # what one fix uncovers, or two have in common, is fixed in the next
_LOST = Words("its indentation was lost, and what was mended is a guess", "它的缩进丢失了，补上的只是猜测")
_UNREADABLE = Words("not all of it can be read as Python", "其中有无法按 Python 读懂的代码")
_MENDED = Words("it does not stand in the document as Python reads it", "它在文档里的写法与 Python 读到的不一样")
_WORSE = Words("it would still be found, or something else", "改了之后它还在，或者会出现别的问题")


@dataclass(frozen=True)
class Fix:
    """One repair of one finding."""

    finding: Finding
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Fixed:
    """What becomes of a document.

    source  its text after all fixes
    fixes   the findings that were repaired, as they were found
    left    those that could be repaired and are not, each with the reason
    rest    what rules still find, but for what is suppressed
    """

    source: Source
    fixes: tuple[Finding, ...]
    left: tuple[tuple[Finding, Words], ...]
    rest: tuple[Finding, ...]


def fixed(path: str, source: Source, chosen: Collection[Rule]) -> Fixed:
    """A document with all that can be repaired of what some rules find in it. Raises Refusal."""
    done: list[Finding] = []
    with limited(path, _ROUNDS * 2.0):
        read = _Read.of(path, source)
        for _ in range(_ROUNDS):
            accepted, read, left = _round(read, list(_proposed(read.program, chosen)))
            done += (each.finding for each in accepted)
            if not accepted:
                break
        return Fixed(read.source, tuple(done), tuple(left), tuple(_told(read.program, chosen)))


def _proposed(program: Program, chosen: Collection[Rule]) -> Iterator[Fix]:
    """What rules would do about what they find, but for what is suppressed."""
    hidden = suppressions(program)
    seen = set()
    for rule in chosen:
        for hit in rule.check(program) if rule.fix else ():
            finding = rule.finding(program, hit)
            key = finding.code, finding.place, finding.message
            if key in seen or any(each.covers(finding) for each in hidden):
                continue
            seen.add(key)
            edits = tuple(dict.fromkeys(rule.fix(program, hit))) if rule.fix else ()
            if edits:
                yield Fix(finding, edits)


def _told(program: Program, chosen: Collection[Rule]) -> Iterator[Finding]:
    hidden = suppressions(program)
    return (each for each in findings_in(program, chosen) if not any(one.covers(each) for one in hidden))


@dataclass(frozen=True)
class _Read:
    """A document as it is now, and what all rules find in it."""

    source: Source
    document: Document
    program: Program
    found: Counter[str]

    @classmethod
    def of(cls, path: str, source: Source) -> _Read:
        found = document.of(path, source.data)
        program = reading.program(found)
        return cls(source, found, program, Counter(each.code for each in findings_in(program, rules())))

    def after(self, fixes: Sequence[Fix]) -> _Read | Words:
        """With some fixes made, or why they cannot be."""
        edits = [edit for fix in fixes for edit in fix.edits]
        raw = edited(self.source.text, self.document, self.program, edits)
        changed = self.source.with_text(raw) if raw is not None else None
        if changed is None:
            return _MENDED
        read = _Read.of(self.document.path, changed)
        if read.program.broken or read.program.text != made(self.program.text, edits):
            return _MENDED
        gone = Counter(fix.finding.code for fix in fixes)
        return read if read.found <= self.found - gone else _WORSE


def _round(now: _Read, fixes: Sequence[Fix]) -> tuple[list[Fix], _Read, list[tuple[Finding, Words]]]:
    """The fixes that were made, what there is then, and what was left out."""
    why = _UNREADABLE if now.program.broken else None
    if any(repair.kind in ("indentation", "line_breaks") for repair in now.program.repairs):
        why = _LOST
    if why or not fixes:
        return [], now, [(fix.finding, why) for fix in fixes if why]
    apart = list(_apart(fixes))
    together = now.after(apart)
    if isinstance(together, _Read):
        return apart, together, []
    accepted: list[Fix] = []
    left: list[tuple[Finding, Words]] = []
    then = now
    for fix in apart:
        read = now.after([*accepted, fix])
        if isinstance(read, _Read):
            accepted, then = [*accepted, fix], read
        else:
            left.append((fix.finding, read))
    return accepted, then, left


def _apart(fixes: Sequence[Fix]) -> Iterator[Fix]:
    """Those that do not overlap one before them."""
    taken: list[Edit] = []
    for fix in fixes:
        if not any(edit.overlaps(other) for edit in fix.edits for other in taken):
            taken += fix.edits
            yield fix
