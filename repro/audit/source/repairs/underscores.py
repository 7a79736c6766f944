"""Underscores that a text formatter took for emphasis: `_init_` or `init` in place of `__init__`."""

from __future__ import annotations

import re

from repro.audit.finding import Confidence, Words
from repro.audit.source.line import Line

MESSAGE = Words("lost underscores are put back, as in __init__", "补上了丢失的下划线，例如 __init__")
CONFIDENCE = Confidence.HIGH

_NAMES = "init|call|len|getitem|setitem|iter|next|enter|exit|str|repr|name|main|all|file|class|new|del|dict|doc|version"
_ONE = re.compile(rf"(?<![\w])_({_NAMES})_(?![\w])")
_NONE = re.compile(r"(?<=def )init(?=\(self)|(?<=\)\.)init(?=\()")
_SUPER = re.compile(r"super\([^()]*\)\s*\.init\(")


def mend(lines: list[Line]) -> list[Line]:
    """The lines with their underscores. A method `init` is one of Python's only where a `super().init` is called."""
    bare = any(_SUPER.search(line.text) for line in lines) and any("def init(self" in line.text for line in lines)
    if not bare and not any(_ONE.search(line.text) for line in lines):
        return lines
    return [_mended(line, bare) for line in lines]


def _mended(line: Line, bare: bool) -> Line:
    found = [(each, f"__{each[1]}__") for each in _ONE.finditer(line.text)]
    found += [(each, "__init__") for each in _NONE.finditer(line.text)] if bare else []
    for each, name in sorted(found, key=lambda pair: -pair[0].start()):
        line = line.edited(each.start(), each.end(), name)
    return line
