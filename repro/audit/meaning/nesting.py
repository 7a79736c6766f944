"""What stands inside of what in the text."""

from __future__ import annotations

import ast


def is_inside(node: ast.stmt | ast.expr, outer: ast.stmt | ast.expr) -> bool:
    """Whether a node begins in one of the lines of another."""
    return outer.lineno <= node.lineno <= (outer.end_lineno or outer.lineno)
