"""Changes of a program's text, line by line, and how rules write them down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from repro.audit.program import Program

_COMMENTS = re.compile(r"#[^\n]*")


@dataclass(frozen=True, order=True)
class Edit:
    """Another text in place of some characters of a line; where it ends in a newline, a line above that one.

    line        from 1
    start, end  characters, from 0
    text        None: the whole line goes
    """

    line: int
    start: int
    end: int
    text: str | None

    def overlaps(self, other: Edit) -> bool:
        """Whether both cannot be made, or their order would matter."""
        if self.line != other.line:
            return False
        if self.text is None or other.text is None or self.start == other.start:
            return True
        first, second = sorted((self, other), key=lambda each: each.start)
        return second.start < first.end


def changed(line: str, edits: Iterable[Edit]) -> list[str]:
    """The lines that become of one."""
    above = []
    for edit in sorted(edits, key=lambda each: -each.start):
        if edit.text is None:
            return []
        if edit.text.endswith("\n"):
            above.append(edit.text[:-1])
        else:
            line = line[: edit.start] + edit.text + line[edit.end :]
    return [*above, line]


def made(text: str, edits: Sequence[Edit]) -> str:
    """A text with all of the changes, none of which overlap."""
    rows = enumerate(text.split("\n"), start=1)
    return "\n".join(
        line for number, row in rows for line in changed(row, [each for each in edits if each.line == number])
    )


def replaced(program: Program, node: ast.expr | ast.alias, text: str) -> Iterator[Edit]:
    """Something else in place of a node that stands in one line."""
    start, end = program.columns(node)
    if node.lineno == node.end_lineno:
        yield Edit(node.lineno, start, end, text)


def renamed(program: Program, node: ast.Attribute, name: str) -> Iterator[Edit]:
    """Another name behind the dot."""
    _, end = program.columns(node)
    yield Edit(node.end_lineno or 0, end - len(node.attr), end, name)


def appended(program: Program, node: ast.expr | ast.keyword, text: str) -> Iterator[Edit]:
    """Something right behind a node."""
    _, end = program.columns(node)
    yield Edit(node.end_lineno or 0, end, end, text)


def given(program: Program, call: ast.Call, argument: str) -> Iterator[Edit]:
    """One more argument, behind the others; nothing where the last one stands in brackets of its own."""
    every: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    if not every:
        return
    last = max(every, key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0))
    if _between(program, last, call).strip("\n\t ,") == ")":
        yield from appended(program, last, f", {argument}")


def line_above(program: Program, statement: ast.stmt, text: str) -> Iterator[Edit]:
    """A line above a statement, as far to the right; nothing where the statement does not begin its line."""
    line = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
    indent = program.rows[line - 1][: program.columns(statement)[0]]
    if not indent.strip():
        yield Edit(line, 0, 0, f"{indent}{text}\n")


def line_removed(program: Program, line: int, less: str) -> Iterator[Edit]:
    """Without a line, if there is nothing in it beside some text, and perhaps a comma or a comment."""
    rest = _COMMENTS.sub("", program.rows[line - 1].replace(less, "", 1)).strip()
    if rest in ("", ","):
        yield Edit(line, 0, 0, None)


def _between(program: Program, node: ast.expr | ast.keyword, outer: ast.expr) -> str:
    """What stands between the end of a node and that of one around it, without comments."""
    first, last = node.end_lineno or 0, outer.end_lineno or 0
    rows = program.rows[first - 1 : last]
    rows[-1] = rows[-1][: program.columns(outer)[1]]
    rows[0] = rows[0][program.columns(node)[1] :]
    return _COMMENTS.sub("", "\n".join(rows))
