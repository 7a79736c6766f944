"""From a document to one program: its pieces mended as far as they must be, put together and parsed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from repro.audit.finding import Repair
from repro.audit.program import Broken, Program, span
from repro.audit.source.document import Document
from repro.audit.source.line import Line
from repro.audit.source.logical import statements
from repro.audit.source.parse import compiled, parsed
from repro.audit.source.repairs import gutter, indentation, line_breaks, prompts, punctuation, spaces, underscores

_ALWAYS = (spaces, gutter, prompts, underscores)  # in a document, what they look for is never meant
_IF_BROKEN = (punctuation, indentation)
_TEST = re.compile(r"\s*(?:if|elif|while)\b")
_EQUALS = re.compile(r"(?<![=!<>:+*/%&|^-])=(?!=)")
_ON_LINE = re.compile(r" on line ([0-9]+)")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # half of a pair of UTF-16; Python refuses all of a text with one, at 1:1
_PATIENCE = 50  # statements of a piece that are left out one by one, before all that follows is


def program(document: Document) -> Program:
    """The program that a document has. Raises Refusal where it cannot be taken apart."""
    if document.is_python:
        made = compiled(document.content)
        if not isinstance(made, SyntaxError):
            return Program(document.path, document.content, *made)
    broken: list[Broken] = []
    cells = [_legible(cell, broken) for cell in document.cells()]
    repairs = list(_line_breaks(cells, document.path))
    lines: list[Line] = []
    for cell in cells:
        pasted = not document.is_python or prompts.is_session(cell)
        mended = _mended(cell, _ALWAYS, document.path, repairs) if pasted else cell
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


def _line_breaks(cells: Sequence[Sequence[Line]], path: str) -> Iterator[Repair]:
    """What is told of line breaks, which are put in before the code can be told from the prose."""
    changed = [line for cell in cells for line in cell if line_breaks.are_put_in(line)]
    if changed:
        place = span(changed[0], 0, changed[-1], len(changed[-1].text))
        yield Repair("line_breaks", line_breaks.CONFIDENCE, line_breaks.MESSAGE, path, place)


def _legible(cell: list[Line], told: list[Broken]) -> list[Line]:
    """The lines without characters that are in no text; the first of them is told."""
    if not _NO_TEXT.search(_text(cell)):
        return cell
    line, found = next((line, found) for line in cell if (found := _NO_TEXT.search(line.text)))
    message = f"the character U+{ord(found[0]):04X} is in no text"
    told.append(Broken(message, span(line, found.start(), line, found.end()), line.text, found[0]))
    return [line.without(_NO_TEXT) if _NO_TEXT.search(line.text) else line for line in cell]


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
    """The lines with `pass` in place of the statements that cannot be read; the first of them is told.

    Where a test has `=` for `==` it is enough to read it so, and its block is kept.
    """
    made = list(lines)
    first: Broken | None = None
    left_out: list[str] = []
    for attempt in range(_PATIENCE + 1):
        error = read(_text(made))
        if not isinstance(error, SyntaxError):
            break
        at = min(max((error.lineno or 1) - 1, 0), len(made) - 1)
        column = max((error.offset or 1) - 1, 0)
        if first is None:
            place = span(made[at], column, made[at], max(column + 1, len(made[at].text)))
            first = Broken(_ON_LINE.sub(lambda found: _original(made, found), error.msg), place, made[at].text)
        equals = _EQUALS.search(made[at].text, column) if "'=='" in error.msg and _TEST.match(made[at].text) else None
        if equals and attempt < _PATIENCE:
            made[at] = made[at].edited(equals.start(), equals.end(), "==")
            continue
        start, end = next((s.start, s.end) for s in statements([line.text for line in made]) if s.start <= at < s.end)
        if attempt == _PATIENCE:
            while isinstance(error, SyntaxError):  # again, where a decorator or a `try` is left above
                start = _top(made, start)
                left_out += (line.text for line in made[start:])
                made[start:] = [line.edited(0, len(line.text), "") for line in made[start:]]
                error = read(_text(made))
                start = min(start, getattr(error, "lineno", None) or 1) - 1
            break
        if not made[start].text.strip() or made[start].text.strip() == "pass":
            start = _top(made, start)
            left_out += (line.text for line in made[start:end])
            made[start:end] = [line.edited(0, len(line.text), "") for line in made[start:end]]
            continue
        left_out += (line.text for line in made[start:end])
        text = made[start].text
        kept = len(text) - len(text.lstrip())
        made[start:end] = [line.edited(0, len(line.text), "") for line in made[start:end]]
        made[start] = lines[start].edited(kept, len(lines[start].text), "pass")
    if first is not None:
        told.append(replace(first, left_out="\n".join(left_out)))
    return made


def _original(lines: Sequence[Line], found: re.Match[str]) -> str:
    """The number of a line in one of Python's messages, as it is in the document."""
    return f" on line {lines[min(int(found[1]), len(lines)) - 1].number}"


def _top(lines: Sequence[Line], index: int) -> int:
    """The beginning of the statement at the top of the program that a line is part of."""
    while index > 0 and (not lines[index].text.strip() or lines[index].text[0] in " \t"):
        index -= 1
    return index
