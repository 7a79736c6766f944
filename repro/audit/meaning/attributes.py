"""Where the classes of a program set the attributes of `self`, and where they are read."""

from __future__ import annotations

import ast

from repro.audit.meaning.values import Class
from repro.audit.program import Program


class Attributes:
    """What is written behind `self.`, by the class that it is in; and what is read of anything else.

    elsewhere  the names that are read of other values: `fc` in `net.fc`
    """

    def __init__(self, program: Program) -> None:
        self.elsewhere: set[str] = set()
        self._written: dict[int, dict[str, list[ast.Attribute]]] = {}
        self._read: dict[int, dict[str, list[ast.Attribute]]] = {}
        around: list[ast.ClassDef] = []
        waiting = program.nodes(ast.ClassDef)[::-1]
        for node in program.nodes(ast.Attribute):
            while waiting and waiting[-1].lineno <= node.lineno:
                around.append(waiting.pop())
            while around and (around[-1].end_lineno or 0) < node.lineno:
                around.pop()
            if around and isinstance(node.value, ast.Name) and node.value.id == "self":
                found = self._read if isinstance(node.ctx, ast.Load) else self._written
                found.setdefault(id(around[-1]), {}).setdefault(node.attr, []).append(node)
            else:
                self.elsewhere.add(node.attr)

    @classmethod
    def of(cls, program: Program) -> Attributes:
        """Those of a program, gathered once."""
        if cls not in program.known:
            program.known[cls] = cls(program)
        found: Attributes = program.known[cls]
        return found

    def written(self, kind: ast.ClassDef) -> dict[str, list[ast.Attribute]]:
        """Name -> where a class sets it, in the order of the text."""
        return self._written.get(id(kind), {})

    def read(self, kind: ast.ClassDef) -> dict[str, list[ast.Attribute]]:
        """Name -> where a class reads it."""
        return self._read.get(id(kind), {})

    def first_written(self, kind: Class, name: str) -> ast.Attribute | None:
        """Where a class, or the nearest one that it derives from, sets an attribute first."""
        for each in kind.ancestors:
            if isinstance(each, Class) and name in self.written(each.node):
                return self.written(each.node)[name][0]
        return None
