"""The Python of one document, parsed, with the way back to where it stood."""

from __future__ import annotations

import ast
import symtable
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar, overload

from repro.audit.finding import Place, Repair
from repro.audit.source.line import Line

Node = TypeVar("Node", bound=ast.AST)
Other = TypeVar("Other", bound=ast.AST)

# What a name stands for that a text uses and does not import: everybody writes these in the same way.
USUAL = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "optim": "torch.optim",
    "torchvision": "torchvision",
    "transforms": "torchvision.transforms",
    "datasets": "torchvision.datasets",
    "np": "numpy",
    "plt": "matplotlib.pyplot",
    "DataLoader": "torch.utils.data.DataLoader",
    "Dataset": "torch.utils.data.Dataset",
    "Variable": "torch.autograd.Variable",
    "summary": "torchsummary.summary",
    "OrderedDict": "collections.OrderedDict",
    "math": "math",
    "os": "os",
    "time": "time",
}
_ATOMS = frozenset({int, str, float, complex, bool, bytes, type(None), type(...), ast.Load, ast.Store, ast.Del})


@dataclass(frozen=True)
class Broken:
    """A statement that cannot be read as Python.

    text      of its line
    left_out  what was left out in order to read the rest of its piece, that and more
    """

    message: str
    place: Place
    text: str = ""
    left_out: str = ""


def span(first: Line, column: int, last: Line, end_column: int) -> Place:
    """Where a stretch of lines stood, from a column of the first to one of the last, counted from 0."""
    behind = last.column(end_column - 1) + 1 if end_column else 0
    line, end_line = first.row(column), last.row(max(end_column - 1, 0))
    file_line = first.file_line + line - first.number
    return Place(first.cell, line, first.column(column) + 1, end_line, behind + 1, file_line)


class Program:
    """One program: all code of a document, in its order.

    path     as the user gave it
    text     what was parsed
    tree     of it
    symbols  what Python's own compiler makes of the names
    lines    where each line of the text stood; None: in the same place
    broken   what was left out
    whole    whether it is all there is to run, rather than pieces that words are around
    """

    def __init__(
        self,
        path: str,
        text: str,
        tree: ast.Module,
        symbols: symtable.SymbolTable | None = None,
        lines: Sequence[Line] | None = None,
        repairs: Sequence[Repair] = (),
        broken: Sequence[Broken] = (),
        whole: bool = True,
    ) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        self.symbols = symbols or symtable.symtable(text, path, "exec")
        self.lines = lines
        self.repairs = tuple(repairs)
        self.broken = tuple(broken)
        self.whole = whole
        self.known: dict[type, Any] = {}  # what others have made of it, by their class
        self._in_order: dict[tuple[type[ast.AST], ...], list[Any]] = {}

    @cached_property
    def _by_kind(self) -> dict[type, list[Any]]:
        found: dict[type, list[Any]] = {}
        waiting: list[Any] = [self.tree]
        while waiting:  # ast.walk takes twice as long
            node = waiting.pop()
            kind = node.__class__
            if kind in _ATOMS:
                continue
            if kind in found:
                found[kind].append(node)
            else:
                found[kind] = [node]
            for value in node.__dict__.values():
                value_kind = value.__class__
                if value_kind is list:
                    waiting.extend(value)
                elif value_kind not in _ATOMS:
                    waiting.append(value)
        return found

    @property
    def size(self) -> int:
        """How many nodes its tree has."""
        return sum(map(len, self._by_kind.values()))

    @overload
    def nodes(self, kind: type[Node], /) -> list[Node]: ...
    @overload
    def nodes(self, kind: type[Node], other: type[Other], /) -> list[Node | Other]: ...
    @overload
    def nodes(self, *kinds: type[ast.AST]) -> list[Any]: ...
    def nodes(self, *kinds: type[ast.AST]) -> list[Any]:
        """All nodes of these kinds, in the order of the text; the list is made once, and not to be changed."""
        if kinds not in self._in_order:
            found = [node for kind in kinds for node in self._by_kind.get(kind, ())]
            placed = all("lineno" in kind._attributes for kind in kinds)
            self._in_order[kinds] = sorted(found, key=_AT if placed else _position)
        return self._in_order[kinds]

    @cached_property
    def imports_all(self) -> bool:
        """Whether names come from elsewhere that are not written down here: `from x import *`."""
        return any(alias.name == "*" for node in self.nodes(ast.ImportFrom) for alias in node.names)

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name -> the full dotted name of what it is imported as, wherever that is done."""
        found: dict[str, str] = {}
        for node in self.nodes(ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        for module in self.nodes(ast.ImportFrom):
            for alias in module.names:
                found[alias.asname or alias.name] = f"{'.' * module.level}{module.module or ''}.{alias.name}"
        return found

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that something at the top of the program binds."""
        return frozenset(
            symbol.get_name() for symbol in self.symbols.get_symbols() if symbol.is_assigned() or symbol.is_imported()
        )

    def imported(self, name: str) -> str | None:
        """The full name of what a name is, imported or, where nothing binds it, usual."""
        return self.imports.get(name) or (None if name in self.bound else USUAL.get(name))

    def dotted(self, node: ast.AST) -> str | None:
        """The full name of what an expression refers to in a library: `nn.Conv2d` is torch.nn.Conv2d."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        first = self.imported(node.id)
        return ".".join([first, *reversed(parts)]) if first else None

    @cached_property
    def rows(self) -> list[str]:
        """The lines of its text."""
        return self.text.split("\n")

    def place(self, node: ast.AST) -> Place:
        """Where a node stood in the document."""
        line = int(getattr(node, "lineno", 1))
        end = int(getattr(node, "end_lineno", None) or line)
        start_column, end_column = self.columns(node)
        if self.lines is None:
            return Place(None, line, start_column + 1, end, end_column + 1, line)
        return span(self.lines[line - 1], start_column, self.lines[end - 1], end_column)

    def columns(self, node: ast.AST) -> tuple[int, int]:
        """The characters, from 0, that a node begins with in its first line, and ends before in its last."""
        line = int(getattr(node, "lineno", 1))
        end = int(getattr(node, "end_lineno", None) or line)
        start_column = self._character(line, int(getattr(node, "col_offset", 0)))
        return start_column, self._character(end, int(getattr(node, "end_col_offset", None) or 0))

    def _character(self, line: int, offset: int) -> int:
        """The column of a node, which Python counts in bytes."""
        row = self.rows[line - 1] if line <= len(self.rows) else ""
        return offset if row.isascii() else len(row.encode()[:offset].decode(errors="ignore"))

    def symbol(self, node: ast.AST) -> str:
        """The classes and functions around a node, the outermost first: `VGG.forward`; empty at the top."""
        line = getattr(node, "lineno", 0)
        starts, around = self._nested
        index: int | None = bisect_right(starts, line) - 1
        names: list[str] = []
        while index is not None and index >= 0:
            each = self.named[index]
            if line <= (each.end_lineno or each.lineno):
                names.append(each.name)
            index = around[index]
        return ".".join(reversed(names))

    @cached_property
    def _nested(self) -> tuple[list[int], list[int | None]]:
        """Where each of `named` begins, and which other one is around it."""
        around: list[int | None] = []
        open_: list[int] = []
        for index, each in enumerate(self.named):
            while open_ and (self.named[open_[-1]].end_lineno or 0) < each.lineno:
                open_.pop()
            around.append(open_[-1] if open_ else None)
            open_.append(index)
        return [each.lineno for each in self.named], around

    @cached_property
    def named(self) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
        """All classes and functions, in the order of the text."""
        classes, functions = self.nodes(ast.ClassDef), self.nodes(ast.FunctionDef)
        found: list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [*classes, *functions]
        found += self.nodes(ast.AsyncFunctionDef)
        return sorted(found, key=lambda each: each.lineno)


_AT = attrgetter("lineno", "col_offset")


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
