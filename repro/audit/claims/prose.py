"""The prose of a document, and what the code in it printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import unescape
from html.parser import HTMLParser
from itertools import groupby

from repro.audit.claims.passage import Passage
from repro.audit.program import Program
from repro.audit.source import notebook
from repro.audit.source.document import Document
from repro.audit.source.line import Line

_FENCE = re.compile(r"^[ >]*(?:```|~~~)")
_NO_PROSE = {"pre", "code", "script", "style", "textarea", "button", "svg"}
_LINES = {"p", "div", "li", "br", "tr", "td", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "title", "table"}


def prose(document: Document, program: Program) -> Iterator[Passage]:
    """The words around the code, in the order of the document."""
    if document.is_python:
        return
    if document.suffix == ".ipynb":
        cells = notebook.located(document.content, "markdown")  # the sections of a notebook go through its cells
        yield Passage.of([line for lines in cells for line in _outside_fences(lines)]).plain()
    elif document.suffix in (".html", ".htm"):
        yield Passage.of(_Page(document.content).lines).plain()
    else:
        yield Passage.of(list(_around(_outside_fences(_lines(document.content)), program))).plain()


def printed(document: Document) -> Iterator[list[Line]]:
    """Text in which what a program printed may stand: all of a document, the outputs of a notebook."""
    if document.suffix == ".ipynb":
        yield from _outputs(document.content)
    elif not document.is_python:
        yield _lines(document.content)


def _lines(content: str) -> list[Line]:
    return [Line.of(line, number) for number, line in enumerate(content.split("\n"), start=1)]


def _outside_fences(lines: Sequence[Line]) -> list[Line]:
    made, inside = [], False
    for line in lines:
        fence = _FENCE.match(line.text) is not None
        made.append(line.cut(0, 0) if inside or fence else line)
        inside = inside != fence
    return made if not inside else list(lines)


def _around(lines: Sequence[Line], program: Program) -> Iterator[Line]:
    """The lines without what is code in them; where a line has both, each stretch of prose is one."""
    code: dict[int, list[tuple[int, int]]] = {}  # line -> from which column to which
    for line in program.lines or ():
        for row, characters in groupby(range(len(line.text)), line.row):
            columns = [line.column(each) for each in characters]
            code.setdefault(row, []).append((min(columns), max(columns) + 1))
    for line in lines:
        behind = 0
        for start, end in sorted(code.get(line.number, ())):
            yield line.cut(behind, max(start, behind))
            behind = max(end, behind)
        yield line.cut(behind)


def _outputs(content: str) -> Iterator[list[Line]]:
    """What each cell of a notebook printed; its place is the cell's first line."""
    told = json.loads(content).get("cells") if content.strip() else ()
    position = 0  # in the file, behind which the next output is
    for number, cell in enumerate(told if isinstance(told, list) else ()):
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else ():
            if not isinstance(output, dict):
                continue
            data = output.get("data")
            text = output.get("text") or (data.get("text/plain") if isinstance(data, dict) else "") or ""
            text = "".join(map(str, text)) if isinstance(text, list) else str(text)
            position = max(content.find(json.dumps(text.split("\n")[0])[1:-1], position), position)
            file_line = content.count("\n", 0, position) + 1
            yield [Line(line, 1, file_line, range(len(line)), number) for line in text.split("\n")]


class _Page(HTMLParser):
    """Gathers what is read on a page, code left out, with the place of each character."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.lines: list[Line] = []
        self._closed = 0  # elements without prose that are open
        self._text, self._columns, self._rows = "", list[int](), list[int]()
        self.feed(text)
        self.close()
        self._end()

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self._closed += tag in _NO_PROSE
        if tag in _LINES:
            self._end()

    def handle_endtag(self, tag: str) -> None:
        self._closed = max(self._closed - (tag in _NO_PROSE), 0)
        if tag in _LINES:
            self._end()

    def handle_data(self, data: str) -> None:
        line, column = self.getpos()
        for character in data:
            self._add(" " if character == "\n" else character, line, column)
            line, column = (line + 1, 0) if character == "\n" else (line, column + 1)

    def handle_entityref(self, name: str) -> None:
        self._add(unescape(f"&{name};")[0], *self.getpos())

    def handle_charref(self, name: str) -> None:
        self._add(unescape(f"&#{name};")[0], *self.getpos())

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """A section of a kind that the parser does not know is a comment, as it is to browsers."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def _add(self, character: str, line: int, column: int) -> None:
        if not self._closed:
            self._text += character
            self._columns.append(column)
            self._rows.append(line)

    def _end(self) -> None:
        if self._text.strip():
            number = self._rows[0]
            self.lines.append(Line(self._text, number, number, self._columns, rows=self._rows))
        self._text, self._columns, self._rows = "", [], []
