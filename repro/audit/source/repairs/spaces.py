"""Spaces that Python does not take for spaces: non-breaking ones, those of full width, those of no width."""

from __future__ import annotations

import re
from dataclasses import replace

from repro.audit.finding import Confidence, Words
from repro.audit.source.line import Line

MESSAGE = Words("spaces that Python does not know are made plain ones", "把 Python 不认识的空格换成了普通空格")
CONFIDENCE = Confidence.HIGH

_WIDE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_NOTHING = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u2028\u2029]")


def mend(lines: list[Line]) -> list[Line]:
    """The lines with plain spaces. Inside strings too, where it changes no code."""
    return [_mended(line) for line in lines] if any(_odd(line.text) for line in lines) else lines


def _odd(text: str) -> bool:
    return not text.isascii() and bool(_WIDE.search(text) or _NOTHING.search(text))


def _mended(line: Line) -> Line:
    if not _odd(line.text):
        return line
    made = replace(line, text=_WIDE.sub(" ", line.text))
    for found in reversed(list(_NOTHING.finditer(made.text))):
        made = made.edited(found.start(), found.end(), "")
    return made
