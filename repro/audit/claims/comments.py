"""What stands beside the code of a network: the docstrings and comments of its classes and functions."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from itertools import pairwise

from repro.audit.claims.passage import Passage
from repro.audit.program import Program
from repro.audit.source.line import Line


class Comments:
    """The comments of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._lines = program.lines or [
            Line.of(text, number) for number, text in enumerate(program.text.split("\n"), start=1)
        ]
        self._columns = _columns(program.text)  # line -> that of the comment in it
        self._tops = [each for each in program.named if "." not in program.symbol(each)]

    def docstrings(self) -> Iterator[Passage]:
        """Those of classes, of what makes them, and of functions."""
        for node in self.program.named:
            symbol = self.program.symbol(node).removesuffix(".__init__")
            first = node.body[0]
            if "." not in symbol and ast.get_docstring(node, clean=False) is not None:
                lines = self._lines[first.lineno - 1 : first.end_lineno]
                yield Passage.of(lines, symbol, first.lineno).plain()

    def above(self) -> Iterator[Passage]:
        """Those that stand right above a class or function; several lines are one."""
        heads = {min([each.lineno, *(d.lineno for d in each.decorator_list)]): each.name for each in self._tops}
        own = [row for row, column in self._columns.items() if not self._lines[row - 1].text[:column].strip()]
        block: list[int] = []
        for row, following in pairwise([*own, 0]):
            block.append(row)
            if following == row + 1:
                continue
            if row + 1 in heads:
                yield Passage.of([self._comment(each) for each in block], heads[row + 1], block[0]).plain()
            block = []

    def behind(self) -> Iterator[Passage]:
        """Those behind code on its line, in a class or a function."""
        inside = {row: each.name for each in self._tops for row in range(each.lineno, (each.end_lineno or 0) + 1)}
        for row, column in self._columns.items():
            if row in inside and self._lines[row - 1].text[:column].strip():
                yield Passage.of([self._comment(row)], inside[row], row).plain()

    def _comment(self, row: int) -> Line:
        return self._lines[row - 1].cut(self._columns[row] + 1)


def paths(program: Program) -> Mapping[tuple[str, int], str]:
    """(class, line of the program) -> the path of the layer whose making ends there."""
    found: dict[tuple[str, int], str] = {}
    for kind in program.nodes(ast.ClassDef):
        for node in ast.walk(kind):
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                found.update({(kind.name, row): path for row, path in _layers(program, node.value, target.attr)})
    return found


def _layers(program: Program, call: ast.Call, path: str) -> Iterator[tuple[int, str]]:
    """Line and path of what a call makes: a layer, or those of a Sequential."""
    if not (program.dotted(call.func) or "").endswith(".Sequential"):
        yield call.end_lineno or call.lineno, path
        return
    for index, each in enumerate(call.args):
        if isinstance(each, ast.Starred):
            return  # how many it stands for is not known
        if isinstance(each, ast.Call):
            yield from _layers(program, each, f"{path}.{index}")


def _columns(text: str) -> Mapping[int, int]:
    found: dict[int, int] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.start[1]
    except (tokenize.TokenError, SyntaxError):  # what the parser takes, and the tokenizer written in Python does not
        pass
    return found
