"""A line of Python and where each of its characters stood in the document that it was found in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its end.

    number     of the line in the file, from 1; in a notebook, in its cell
    file_line  of the line in the file, from 1
    columns    for each character the column that it stood in, from 0; an inserted one has that of its neighbour
    cell       of a notebook, from 0 over all cells
    rows       where line breaks were put in, for each character the line that it stood in; None: all in `number`
    """

    text: str
    number: int
    file_line: int
    columns: Sequence[int]
    cell: int | None = None
    rows: Sequence[int] | None = None

    @classmethod
    def of(cls, text: str, number: int, column: int = 0) -> Line:
        """A line of a file; `column`: of its first character."""
        return cls(text, number, number, range(column, column + len(text)))

    def column(self, character: int) -> int:
        """The column that a character of the text stood in; behind the last one, that behind it."""
        if character < len(self.columns):
            return self.columns[character]
        return (self.columns[-1] if self.columns else -1) + 1 + character - len(self.columns)

    def row(self, character: int) -> int:
        """The line that a character of the text stood in."""
        return self.rows[min(character, len(self.rows) - 1)] if self.rows else self.number

    def edited(self, start: int, end: int, text: str) -> Line:
        """With other characters in place of some."""
        columns, rows = self.columns, self.rows
        if end - start != len(text):
            inserted = range(len(text))
            at = self.column(start)
            columns = [*columns[:start], *(min(at + i, self.column(end)) for i in inserted), *columns[end:]]
            if rows is not None:
                rows = [*rows[:start], *(self.row(start) for _ in inserted), *rows[end:]]
        return replace(self, text=self.text[:start] + text + self.text[end:], columns=columns, rows=rows)

    def without(self, characters: re.Pattern[str]) -> Line:
        """With some characters left out, wherever they are."""
        kept = [index for index, character in enumerate(self.text) if not characters.match(character)]
        return replace(
            self,
            text="".join(self.text[index] for index in kept),
            columns=[self.columns[index] for index in kept],
            rows=self.rows and [self.rows[index] for index in kept],
        )

    def cut(self, start: int, end: int | None = None) -> Line:
        """Part of it."""
        made = replace(self, text=self.text[start:end], columns=self.columns[start:end])
        if self.rows is None:
            return made
        rows, first = self.rows[start:end], self.row(start)
        return replace(made, number=first, file_line=self.file_line + first - self.number, rows=rows)

    def indented(self, width: int) -> Line:
        """With so many spaces before its first other character, in place of those that are there."""
        return self.edited(0, len(self.text) - len(self.text.lstrip()), " " * width if self.text.strip() else "")
