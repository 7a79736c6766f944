"""From a change of a program to one of its document: only in lines that stand there as Python reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from repro.audit.fixes.edit import Edit, changed
from repro.audit.program import Program
from repro.audit.source.document import Document

_MARGIN = re.compile(r"[ \t>]*")  # a block of Markdown may stand in a list or a quote
_ROW = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_STRING = re.compile(r'([ \t]*")(.*?)((?:\\n)?",?)')  # a line of a cell, as notebooks have it


@dataclass(frozen=True)
class Row:
    """Where a line of a program stands in its document.

    index   of the row, from 0
    before  what stands before it in the row
    behind  and behind it
    quoted  how the document writes a line
    above   what is to stand behind a line that is put above it; None: none can be, nor can this one be taken out
    """

    index: int
    before: str
    behind: str
    quoted: Callable[[str], str]
    above: str | None

    def written(self, lines: Sequence[str]) -> list[str] | None:
        """The rows that some lines give in its place; None if that cannot be."""
        if len(lines) != 1 and (self.above is None or (not lines and self.behind != self.above)):
            return None
        ends = [self.above] * (len(lines) - 1) + [self.behind]
        return [f"{self.before}{self.quoted(line)}{end}" for line, end in zip(lines, ends, strict=False)]


def edited(raw: str, document: Document, program: Program, edits: Sequence[Edit]) -> str | None:
    """The text of a document with changes of its program; None where a line does not stand in it as it was read.

    raw  with the ends of its lines as they are; a line that is put in has that of the one below it
    """
    rows = [found.groups() for found in _ROW.finditer(raw)]
    made = [[row + end] for row, end in rows]
    for line, group in groupby(sorted(edits, key=lambda each: each.line), key=lambda each: each.line):
        found = _row(document, program, line, [row for row, _ in rows])
        written = found.written(changed(program.rows[line - 1], group)) if found is not None else None
        if found is None or written is None:
            return None
        made[found.index] = [row + rows[found.index][1] for row in written]
    return "".join(row for each in made for row in each)


def _row(document: Document, program: Program, number: int, rows: Sequence[str]) -> Row | None:
    """Where a line of the program stands, if it does as it is."""
    text = program.rows[number - 1]
    if program.lines is None:
        return Row(number - 1, "", "", str, "")
    line = program.lines[number - 1]
    if document.suffix == ".ipynb":
        return _in_notebook(text, line.file_line - 1, rows[line.file_line - 1])
    if line.rows is not None or not text:
        return None
    row, start = rows[line.number - 1], line.column(0)
    if row[start : start + len(text)] != text:
        return None
    before, behind = row[:start], row[start + len(text) :]
    return Row(line.number - 1, before, behind, str, "" if _MARGIN.fullmatch(before) and not behind else None)


def _in_notebook(text: str, index: int, row: str) -> Row | None:
    """Where a line of a cell stands, if it has a row of the file for itself."""
    found = _STRING.fullmatch(row)
    for as_ascii in (False, True):
        if found and found[2] == _quoted(text, as_ascii):
            return Row(index, found[1], found[3], partial(_quoted, as_ascii=as_ascii), '\\n",')
    return None


def _quoted(line: str, as_ascii: bool) -> str:
    return json.dumps(line, ensure_ascii=as_ascii)[1:-1]
