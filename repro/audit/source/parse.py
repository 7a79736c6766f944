"""The syntax tree of a text, or why there is none."""

from __future__ import annotations

import ast
import symtable
import warnings
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


def parsed(text: str) -> ast.Module | SyntaxError:
    """The syntax tree of a text, or why there is none."""
    return _tried(ast.parse, text)


def compiled(text: str) -> tuple[ast.Module, symtable.SymbolTable] | SyntaxError:
    """The same with what Python's own compiler makes of the names: it finds arguments of one name, and the like."""
    tree = parsed(text)
    if isinstance(tree, SyntaxError):
        return tree
    table = _tried(lambda text: symtable.symtable(text, "<text>", "exec"), text)
    return table if isinstance(table, SyntaxError) else (tree, table)


def _tried(make: Callable[[str], Made], text: str) -> Made | SyntaxError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings
            return make(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL; brackets in brackets by the thousand
        return SyntaxError(str(error) or "it is nested too deeply", ("", 1, 1, "", 1, 1))
