"""What stands inside of what in the text."""

from __future__ import annotations

import ast

from repro.audit.program import Program


def is_inside(node: ast.stmt | ast.expr, outer: ast.stmt | ast.expr) -> bool:
    """Whether a node begins in one of the lines of another."""
    return outer.lineno <= node.lineno <= (outer.end_lineno or outer.lineno)


def leaves_out(program: Program, outer: ast.stmt | ast.expr) -> bool:
    """Whether `...` stands in a node in place of statements that the text does not show."""
    values = [each.value for each in program.nodes(ast.Expr)]
    return any(isinstance(each, ast.Constant) and each.value is ... and is_inside(each, outer) for each in values)
