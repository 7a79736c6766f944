"""A line of Python and where each of its characters stood in the document that it was found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its end.

    number     of the line in the file, from 1; in a notebook, in its cell
    file_line  of the line in the file, from 1
    columns    for each character the column that it stood in, from 0; an inserted one has that of its neighbour
    cell       of a notebook, from 0 over all cells
    """

    text: str
    number: int
    file_line: int
    columns: Sequence[int]
    cell: int | None = None

    @classmethod
    def of(cls, text: str, number: int, column: int = 0) -> Line:
        """A line of a file; `column`: of its first character."""
        return cls(text, number, number, range(column, column + len(text)))

    def column(self, character: int) -> int:
        """The column that a character of the text stood in; behind the last one, that behind it."""
        if character < len(self.columns):
            return self.columns[character]
        return (self.columns[-1] if self.columns else -1) + 1 + character - len(self.columns)

    def edited(self, start: int, end: int, text: str) -> Line:
        """With other characters in place of some."""
        before, after = self.columns[:start], self.columns[end:]
        if end - start == len(text):
            columns: Sequence[int] = self.columns
        else:
            at = self.column(start)
            columns = [*before, *(min(at + i, self.column(end)) for i in range(len(text))), *after]
        return replace(self, text=self.text[:start] + text + self.text[end:], columns=columns)

    def cut(self, start: int, end: int | None = None) -> Line:
        """Part of it."""
        return replace(self, text=self.text[start:end], columns=self.columns[start:end])

    def indented(self, width: int) -> Line:
        """With so many spaces before its first other character, in place of those that are there."""
        return self.edited(0, len(self.text) - len(self.text.lstrip()), " " * width if self.text.strip() else "")
