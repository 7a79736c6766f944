"""Text that is not code, each character of it with its place in the document; and its sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from repro.audit.finding import Place
from repro.audit.program import span
from repro.audit.source.line import Line

_BOLD = re.compile(r"\*\*\s*([^*]{1,60}?)\s*\*\*")  # also where pasting has put it on lines of its own
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_MARKS = re.compile(r"[*`]|<[^<>\n]{1,200}>")
_WRAPPED = re.compile(r"(?<=[\w,，、)])[ \t]*\n[ \t#>]*(?=[a-z(])(?!\w+ ?[:：])")  # a sentence goes on in the next line
_END = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")
_LONGEST = 2000  # characters of a sentence
_CLAUSE = re.compile(r"[，；;:：]|,(?!\d)|\b(?:but|while|whereas)\b|而(?=[A-Z])")


@dataclass(frozen=True)
class Passage:
    """A stretch of text.

    text    of it
    at      for each character the line that it stood in and its column there
    symbol  the class or function whose comment or docstring it is; empty in prose
    line    of the program's text that it is the comment of; 0 in prose
    """

    text: str
    at: Sequence[tuple[Line, int]]
    symbol: str = ""
    line: int = 0

    @classmethod
    def of(cls, lines: Sequence[Line], symbol: str = "", line: int = 0) -> Passage:
        """These lines, one below the other."""
        at = [(each, column) for each in lines for column in range(len(each.text) + 1)]
        return cls("\n".join([*(each.text for each in lines), ""]), at, symbol, line)

    def place(self, start: int, end: int) -> Place:
        """Where a stretch of its characters stood."""
        (first, column), (last, end_column) = self.at[start], self.at[end - 1]
        return span(first, column, last, end_column + 1)

    def plain(self) -> Passage:
        """Without marks of emphasis, links and tags, and with a sentence that goes on in the next line in one."""
        made = self
        for marks in (_LINK, _BOLD, _MARKS):
            made = made._without(marks)
        return replace(made, text=_WRAPPED.sub(lambda found: " " * len(found[0]), made.text))

    def _without(self, marks: re.Pattern[str]) -> Passage:
        """With what a pattern has in its group, if it has one, in place of what it matches."""
        kept: list[int] = []
        behind = 0
        for found in marks.finditer(self.text):
            kept += range(behind, found.start())
            if marks.groups:
                kept += range(*found.span(1))
            behind = found.end()
        if not behind:
            return self
        kept += range(behind, len(self.text))
        return replace(self, text="".join(self.text[each] for each in kept), at=[self.at[each] for each in kept])

    def begins_a_line(self, start: int) -> bool:
        """Whether only spaces stand before a character on its line."""
        before = self.text[max(start - 8, 0) : start].rstrip(" \t")
        return before.endswith("\n") or (not before and start < 8)

    def sentences(self) -> Iterator[tuple[int, int]]:
        """Where each sentence begins and ends, headings and lines of a list among them; none that never ends."""
        start = 0
        for found in _END.finditer(self.text):
            if found.start() - start <= _LONGEST and self.text[start : found.start()].strip():
                yield start, found.start()
            start = found.end()


def clause(sentence: str, start: int, end: int) -> tuple[int, int]:
    """The part of a sentence between commas that holds all of a stretch."""
    ends = list(_CLAUSE.finditer(sentence))
    first = max((each.end() for each in ends if each.end() <= start), default=0)
    return first, min((each.start() for each in ends if each.start() >= end), default=len(sentence))
