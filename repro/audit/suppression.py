"""Comments that suppress findings: `# repro: ignore[CNN401]`, `# repro: ignore`, `# repro: ignore-file[...]`."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from repro.audit.finding import Finding, Place
from repro.audit.known import known
from repro.audit.program import Program, span

_COMMENT = re.compile(r"#\s*repro:\s*ignore(?P<file>-file)?\s*(?:\[(?P<rules>[^\]]*)\]|(?=#|$))")
_BETWEEN = re.compile("[,，、]")
_STATEMENTS: tuple[type[ast.stmt | ast.ExceptHandler], ...] = (*ast.stmt.__subclasses__(), ast.ExceptHandler)


@dataclass(frozen=True)
class Suppression:
    """One such comment.

    place  of the comment
    rules  the words in its brackets; None if it has none
    lines  the lines, of the cell in a notebook, that it is about; None: the whole document
    """

    place: Place
    rules: tuple[str, ...] | None
    lines: frozenset[tuple[int | None, int]] | None

    def covers(self, finding: Finding) -> bool:
        """Whether it is about a finding's place, and about all rules or this one; said of itself, only by name."""
        if self.lines is not None and (finding.place.cell, finding.place.line) not in self.lines:
            return False
        if self.rules is None:
            return finding.place != self.place
        return any(is_called(word, finding.code, finding.name) for word in self.rules)


def is_called(word: str, code: str, name: str) -> bool:
    """Whether a word stands for a rule."""
    return word.upper() == code or word.lower().replace("_", "-") == name


def is_known(word: str) -> bool:
    """Whether a word stands for any rule or probe."""
    return any(is_called(word, each.code, each.name) for each in known())


def suppressions(program: Program) -> tuple[Suppression, ...]:
    """Those of a program, in their order."""
    if Suppression not in program.known:
        program.known[Suppression] = tuple(_found(program)) if "repro:" in program.text else ()
    found: tuple[Suppression, ...] = program.known[Suppression]
    return found


def _found(program: Program) -> Iterator[Suppression]:
    spans = [_header(node) for node in program.nodes(*_STATEMENTS)]
    body = program.tree.body
    first = next((node.lineno for node in body if not _is_docstring(node)), len(program.text) + 1)
    for token in tokenize.generate_tokens(io.StringIO(program.text).readline):
        every = list(_COMMENT.finditer(token.string)) if token.type == tokenize.COMMENT else []
        if not every:
            continue
        line = token.start[0]
        around = [each for each in spans if each[0] <= line <= each[1]]
        start, end = max(around, default=(line, line))
        lines: frozenset[tuple[int | None, int]] | None
        for written in every:
            if written["file"]:
                lines = None if line < first else frozenset()
            else:
                lines = frozenset(_original(program, number) for number in range(start, end + 1))
            words = written["rules"]
            rules = tuple(filter(None, map(str.strip, _BETWEEN.split(words)))) if words is not None else None
            yield Suppression(_place(program, token), rules, lines)


def _header(node: ast.stmt | ast.ExceptHandler) -> tuple[int, int]:
    """The first and last line of a statement without the block that it has."""
    body = getattr(node, "body", None)
    start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    if isinstance(body, list) and body:
        first = min([body[0].lineno, *(each.lineno for each in getattr(body[0], "decorator_list", ()))])
        return start, max(start, first - 1)
    return start, node.end_lineno or node.lineno


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _original(program: Program, number: int) -> tuple[int | None, int]:
    """Where a line of the program stood."""
    if program.lines is None:
        return None, number
    line = program.lines[number - 1]
    return line.cell, line.number


def _place(program: Program, token: tokenize.TokenInfo) -> Place:
    (number, start), (_, end) = token.start, token.end
    if program.lines is None:
        return Place(None, number, start + 1, number, end + 1, number)
    line = program.lines[number - 1]
    return span(line, start, line, end)
