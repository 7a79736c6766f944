"""The names of Python itself, and which of its parameters a function reads."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

from repro.audit.program import Program

BUILTINS = frozenset(dir(builtins))


class Parameters:
    """The parameters of a program's functions that nothing in them reads."""

    def __init__(self, program: Program) -> None:
        self._unread: dict[tuple[str, int], frozenset[str]] = {}
        for table in _functions(program.symbols):
            read = {*_read(table)}
            parameters = frozenset(table.get_parameters())
            everything = not read.isdisjoint(("locals", "vars"))
            self._unread[table.get_name(), table.get_lineno()] = frozenset() if everything else parameters - read

    @classmethod
    def of(cls, program: Program) -> Parameters:
        """Those of a program, found once."""
        if cls not in program.known:
            program.known[cls] = cls(program)
        found: Parameters = program.known[cls]
        return found

    def unread(self, function: ast.FunctionDef) -> frozenset[str]:
        """The names of a function's parameters that nothing reads."""
        return self._unread.get((function.name, function.lineno), frozenset())


def _functions(table: symtable.SymbolTable) -> Iterator[symtable.Function]:
    for child in table.get_children():
        if isinstance(child, symtable.Function):
            yield child
        yield from _functions(child)


def _read(table: symtable.SymbolTable) -> Iterator[str]:
    """The names that a scope reads, and what the scopes within it read from outside of theirs."""
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced())
    for child in table.get_children():
        own = set() if child.get_type() == "class" else {s.get_name() for s in child.get_symbols() if s.is_local()}
        yield from (name for name in _read(child) if name not in own)
