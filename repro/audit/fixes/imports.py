"""Changes of import statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from repro.audit.fixes.edit import Edit, line_above, line_removed
from repro.audit.program import Program


def dropped(program: Program, node: ast.Import | ast.ImportFrom, names: Collection[ast.alias]) -> Iterator[Edit]:
    """An import without some of its names; nothing where it goes over several lines that have others, too."""
    kept = [each for each in node.names if each not in names]
    if node.lineno == node.end_lineno:
        row, (start, end) = program.rows[node.lineno - 1], program.columns(node)
        if kept:
            first, last = program.columns(node.names[0])[0], program.columns(node.names[-1])[1]
            yield Edit(node.lineno, first, last, ", ".join(row[slice(*program.columns(each))] for each in kept))
        else:
            yield from line_removed(program, node.lineno, row[start:end])
    elif kept:
        for each in names:
            start, end = program.columns(each)
            yield from line_removed(program, each.lineno, program.rows[each.lineno - 1][start:end])


def moved(program: Program, node: ast.ImportFrom, names: Collection[ast.alias], module: str) -> Iterator[Edit]:
    """An import of some of its names from another module."""
    if len(names) == len(node.names):
        start, row = program.columns(node)[0], program.rows[node.lineno - 1]
        found = re.compile(r"from\s+(\S+)\s+import\b").match(row, start)
        if found:
            yield Edit(node.lineno, found.start(1), found.end(1), module)
    elif node.lineno == node.end_lineno:
        row = program.rows[node.lineno - 1]
        written = ", ".join(row[slice(*program.columns(each))] for each in names)
        above = list(line_above(program, node, f"from {module} import {written}"))
        yield from (*above, *dropped(program, node, names)) if above else ()
