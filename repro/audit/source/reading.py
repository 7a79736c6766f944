"""From a document to one program: its pieces mended as far as they must be, put together and parsed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from repro.audit.finding import Repair
from repro.audit.program import Broken, Program, span
from repro.audit.source.document import Document
from repro.audit.source.line import Line
from repro.audit.source.logical import statements
from repro.audit.source.parse import compiled, parsed
from repro.audit.source.repairs import gutter, indentation, prompts, punctuation, spaces, underscores

_ALWAYS = (spaces, gutter, prompts, underscores)  # in a document, what they look for is never meant
_IF_BROKEN = (punctuation, indentation)
_PATIENCE = 50  # statements of a piece that are left out one by one, before all that follows is


def program(document: Document) -> Program:
    """The program that a document has. Raises ReproError where it cannot be taken apart."""
    if document.is_python:
        made = compiled(document.content)
        if not isinstance(made, SyntaxError):
            return Program(document.path, document.content, *made)
    repairs: list[Repair] = []
    broken: list[Broken] = []
    lines: list[Line] = []
    for cell in document.cells():
        mended = cell if document.is_python else _mended(cell, _ALWAYS, document.path, repairs)
        if isinstance(parsed(_text(mended)), SyntaxError):
            mended = _mended(mended, _IF_BROKEN, document.path, repairs)
        lines += _sound(mended, broken)
    lines = _sound(lines, broken, compiled)  # pieces that can be read alone, and not one after the other
    text = _text(lines)
    made = compiled(text)
    assert not isinstance(made, SyntaxError), "what is left when all that is broken is left out can be read"
    return Program(document.path, text, *made, lines, repairs, broken, document.whole)


def _text(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)


def _mended(cell: list[Line], repairs: Sequence[ModuleType], path: str, told: list[Repair]) -> list[Line]:
    """The lines after the repairs that something was to be done for, until they can be read."""
    for repair in repairs:
        mended: list[Line] = repair.mend(cell)
        changed = [line for line, before in zip(mended, cell, strict=True) if line is not before]
        if not changed:
            continue
        place = span(changed[0], 0, changed[-1], len(changed[-1].text))
        others = repair.alternatives(mended) if hasattr(repair, "alternatives") else ()
        told.append(Repair(repair.__name__.rpartition(".")[2], repair.CONFIDENCE, repair.MESSAGE, path, place, others))
        cell = mended
        if repairs is _IF_BROKEN and isinstance(parsed(_text(cell)), ast.Module):
            break
    return cell


def _sound(lines: list[Line], told: list[Broken], read: Callable[[str], Any] = parsed) -> list[Line]:
    """The lines with `pass` in place of the statements that cannot be read; the first of them is told."""
    made = list(lines)
    first = True
    for attempt in range(_PATIENCE + 1):
        error = read(_text(made))
        if not isinstance(error, SyntaxError):
            break
        at = min(max((error.lineno or 1) - 1, 0), len(made) - 1)
        if first:
            column = max((error.offset or 1) - 1, 0)
            place = span(made[at], column, made[at], max(column + 1, len(made[at].text)))
            told.append(Broken(error.msg, place, made[at].text))
            first = False
        start, end = next((s.start, s.end) for s in statements([line.text for line in made]) if s.start <= at < s.end)
        if attempt == _PATIENCE or not made[start].text.strip() or made[start].text.strip() == "pass":
            start, end = _top(made, start), len(made) if attempt == _PATIENCE else end
            made[start:end] = [line.edited(0, len(line.text), "") for line in made[start:end]]
            continue
        text = made[start].text
        kept = len(text) - len(text.lstrip())
        made[start:end] = [line.edited(0, len(line.text), "") for line in made[start:end]]
        made[start] = lines[start].edited(kept, len(lines[start].text), "pass")
    return made


def _top(lines: Sequence[Line], index: int) -> int:
    """The beginning of the statement at the top of the program that a line is part of."""
    while index > 0 and (not lines[index].text.strip() or lines[index].text[0] in " \t"):
        index -= 1
    return index
