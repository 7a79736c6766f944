"""What `repro audit --fix` shows and, if it is told so, writes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from repro.audit.finding import Words
from repro.audit.fixes import patch
from repro.audit.fixes.fix import Fixed, fixed
from repro.audit.fixes.source import Source
from repro.audit.refusal import Refusal, internal
from repro.audit.report import Audited
from repro.audit.rule import Rule, rules
from repro.cli.messages import tell, tell_error
from repro.render.audit.columns import clean
from repro.render.audit.words import location

if TYPE_CHECKING:
    from repro.audit.engine import Task

_LEFT_ALONE = Words("{}: left alone: {}", "{}: 没有改动：{}")
_LEFT_OUT = Words("{}: {} is not fixed: {}", "{}: {} 没有修复：{}")
_TWICE = Words("it is {} by another name", "它就是 {}，只是名字不同")
_WOULD = Words(
    "{fixes} of the findings can be fixed; --fix --write does it", "可以修复 {fixes} 处；--fix --write 会写入文件"
)
_DONE = Words("{fixes} of the findings were fixed, in {files} of the files", "修复了 {fixes} 处，涉及 {files} 个文件")
_NOTHING = Words("nothing can be fixed without judgement", "没有不经判断就能修复的问题")


@dataclass
class Fixing:
    """One call of the command.

    writes  whether files are changed
    strict  whether an internal error is raised, rather than told beside the file in which it happened
    fixes   findings that were repaired so far
    files   in so many files
    """

    writes: bool
    strict: bool
    language: str
    fixes: int = 0
    files: int = 0
    _seen: dict[Path, str] = field(default_factory=dict)

    def all(self, tasks: Sequence[Task], done: Sequence[Audited]) -> list[Audited]:
        """Print a diff of what is repaired in each file. Returns what there is to say of the files that result."""
        after = [self._file(task, audited) for task, audited in zip(tasks, done, strict=True)]
        told = (_DONE if self.writes else _WOULD) if self.fixes else _NOTHING
        tell(told.told(self.language).format(fixes=self.fixes, files=self.files))
        return after

    def _file(self, task: Task, audited: Audited) -> Audited:
        chosen = [each for each in rules() if each.code in task.codes]
        if {each.code for each in audited.findings}.isdisjoint(each.code for each in chosen if each.fix):
            return audited
        try:
            return self._fixed(task, audited, chosen)
        except Refusal as error:
            refusal = error
        except Exception as error:
            if self.strict:
                raise
            refusal = internal(error).said_of(task.path)
        told = refusal.words.told(self.language)
        tell_error(told, self.language)
        return replace(audited, error=told)

    def _fixed(self, task: Task, audited: Audited, chosen: Sequence[Rule]) -> Audited:
        """What there is to say of a file in which something may be repaired. Raises Refusal."""
        source = self._source(task)
        if isinstance(source, Words):
            tell(_LEFT_ALONE.told(self.language).format(task.path, source.told(self.language)))
            return audited
        made = fixed(task.path, source, chosen)
        for finding, why in made.left:
            at = location(task.path, finding.place)
            tell(_LEFT_OUT.told(self.language).format(at, finding.code, why.told(self.language)))
        return self._changed(task, audited, source, made) if made.fixes else audited

    def _source(self, task: Task) -> Source | Words:
        """What is in a file, or why that is not to be changed. Raises Refusal where it cannot be read."""
        if task.data is not None:
            return Source.of(task.data)
        file = Path(task.path)
        first = self._seen.setdefault(file.resolve(), task.path)
        if first != task.path:
            return Words(_TWICE.en.format(first), _TWICE.zh.format(first))
        try:
            return patch.unwritable(file) or Source.of(file.read_bytes())
        except OSError as error:
            why = error.strerror or error
            raise Refusal(f"it cannot be read: {why}", f"无法读取：{why}").said_of(task.path) from error

    def _changed(self, task: Task, audited: Audited, source: Source, made: Fixed) -> Audited:
        """The diff of one file is printed and, if that is wanted, the file written."""
        file = Path(task.path)
        if self.writes:
            patch.write(file, source.data, made.source.data)
        called = task.path if task.data is not None else patch.name(file)
        _print(patch.diff(called, source.data, made.source.data), source.encoding)
        self.fixes, self.files = self.fixes + len(made.fixes), self.files + 1
        if not self.writes:
            return audited
        of_rules = {each.code for each in rules()}
        others = tuple(each for each in audited.findings if each.code not in of_rules)
        return replace(audited, findings=(*others, *made.rest))


def _print(lines: Iterable[bytes], encoding: str) -> None:
    """As they are, so that a program can apply them; for somebody who looks, with nothing that a terminal obeys."""
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
        return
    for line in lines:
        for part in line.decode(encoding, errors="replace").removesuffix("\n").split("\n"):
            print(clean(part.removesuffix("\r").replace("\t", "    ")))
