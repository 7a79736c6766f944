"""The code cells of a Jupyter notebook, of any version of the format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from repro.audit.refusal import Refusal
from repro.audit.source.line import Line
from repro.audit.source.logical import statements
from repro.audit.source.parse import parsed

_OTHER_LANGUAGE = re.compile(r"%%(?!time|timeit|capture|prun|memit|python3?\b)\w")  # what follows is not Python
_MAGIC = re.compile(r"\s*(?:[%!?]|[a-z]\w*[ ]+-[a-z]+\s*$|[\w.]+\s*\?+\s*$|(?:[\w, ]+=\s*)[%!])")
# The magics that people write without their sign,  and what follows them.
_AUTOMATIC = re.compile(
    r"\s*(?:cat|cd|conda|cp|ll|load_ext|ls|mamba|matplotlib|mkdir|mv|pip3?|pwd|rm|run|whos?)(?: +[\w./~$\"'-].*)?$"
)


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each code cell that is Python. Raises Refusal for what is no notebook."""
    yield from map(without_magics, located(text))


def located(text: str, kind: str = "code") -> Iterator[list[Line]]:
    """The lines of each cell of a kind, as they are written. Raises Refusal for what is no notebook."""
    position, file_line = 0, 1  # in the file: behind the line before, and its number
    for number, source in sources(text, kind):
        lines = []
        for index, line in enumerate(source.split("\n")):
            start, end = _locate(text, line, position)
            file_line += text.count("\n", position, start)
            position = end
            lines.append(Line(line, index + 1, file_line, range(len(line)), number))
        yield lines


def sources(text: str, kind: str = "code") -> Iterator[tuple[int, str]]:
    """The number of each cell of a kind, counted from 0 over all cells, and what is in it. Raises Refusal likewise."""
    try:
        document = json.loads(text) if text.strip() else {"cells": []}  # a file that was made and not written yet
    except ValueError as error:
        raise Refusal(
            f"it is no notebook: its JSON is broken or incomplete: {error}",
            f"这不是笔记本：其中的 JSON 有错或不完整：{error}",
        ) from error
    except RecursionError as error:
        raise Refusal("it is no notebook: its JSON is nested too deeply", "这不是笔记本：JSON 嵌套太深") from error
    if _language(document) not in ("", "python"):
        return
    sheets = document.get("worksheets") if isinstance(document, dict) else None  # up to version 3
    found = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else None
    found = found if found is not None else document.get("cells") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise Refusal("it is no notebook: it has no list of cells", "这不是笔记本：里面没有单元格列表")
    for number, cell in enumerate(found):
        if isinstance(cell, dict) and cell.get("cell_type") == kind:
            yield number, _text(cell.get("source", cell.get("input", "")))


def _language(document: Any) -> str:
    """That of the kernel, in lower case without a version; empty where none is told."""
    told = document.get("metadata") if isinstance(document, dict) else None
    for part, name in (("kernelspec", "language"), ("language_info", "name")):
        found = told.get(part) if isinstance(told, dict) else None
        language = found.get(name) if isinstance(found, dict) else None
        if isinstance(language, str):
            return language.lower().rstrip("0123456789. ")
    return ""


def _text(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _locate(text: str, line: str, position: int) -> tuple[int, int]:
    """Where a line of source is quoted in the file, from a position on; that position, if it is not found."""
    for as_ascii in (False, True):
        quoted = json.dumps(line, ensure_ascii=as_ascii)[1:-1]
        found = text.find(quoted, position) if line.strip() else -1
        if found >= 0:
            return found, found + len(quoted)
    return position, position


def _is_magic(line: str) -> bool:
    if _MAGIC.match(line):
        return True
    return _AUTOMATIC.match(line) is not None and (
        isinstance(parsed(line.strip()), SyntaxError) or line.split()[1:] == []
    )


_BOUND = re.compile(r"\s*(\w[\w, ]*)=\s*[%!]")  # `files = !ls`
_TIMED = re.compile(r"\s*(%time\s+)(?=[^\W\d])")  # a statement of Python follows
_LOADS = re.compile(r"%(?:load|run|pylab)\b")  # whatever names are in what it loads


def without_magics(lines: list[Line]) -> list[Line]:
    """With `pass`, or an import of whatever it loads, in place of what is IPython's and not Python's."""
    text = [line.text for line in lines]
    first = next((line for line in text if line.strip()), "")
    if _OTHER_LANGUAGE.match(first.strip()):
        return [replace(line, text="", columns=range(0)) for line in lines]
    if not any(map(_is_magic, text)):
        return lines
    made = list(lines)
    for statement in statements(text):
        line = lines[statement.start]
        timed = _TIMED.match(line.text)
        if timed:
            made[statement.start] = line.edited(timed.start(1), timed.end(), "")
        elif _is_magic(line.text):
            indent = len(line.text) - len(line.text.lstrip())
            for index in range(statement.start, statement.end):
                made[index] = lines[index].edited(0, len(lines[index].text), "")
            bound = _BOUND.match(line.text)
            plain = "from loaded import *" if _LOADS.match(line.text) else f"{bound[1]}= None" if bound else "pass"
            made[statement.start] = line.edited(indent, len(line.text), plain)
    return made
