"""Punctuation that a Chinese input method or a word processor has made of Python's own."""

from __future__ import annotations

import re
from dataclasses import replace

from repro.audit.finding import Confidence, Words
from repro.audit.source.line import Line

MESSAGE = Words(
    "punctuation of full width and curly quotes are made Python's own", "把全角标点和弯引号换成了 Python 的标点"
)
CONFIDENCE = Confidence.HIGH

_PLAIN = str.maketrans(
    dict(
        zip(
            "\uff08\uff09\uff0c\uff1a\uff1b\uff1d\uff3b\uff3d\uff5b\uff5d\uff0b\uff0d\uff0a\uff0f\uff1c\uff1e\uff0e\u3010\u3011\u2018\u2019\u201c\u201d\uff07\uff02\u2212\u2013\uff20\uff1f\uff01\uff5e\uff03\uff05\uff06\uff3f",
            "(),:;=[]{}+-*/<>.[]''\"\"'\"--@?!~#%&_",
            strict=True,
        )
    )
)
_ODD = re.compile(f"[{''.join(map(chr, _PLAIN))}]")
_OPAQUE = re.compile(r"#.*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")


def mend(lines: list[Line]) -> list[Line]:
    """The lines with Python's punctuation, outside of its comments and strings."""
    return [_mended(line) if not line.text.isascii() and _ODD.search(line.text) else line for line in lines]


def _mended(line: Line) -> Line:
    text = list(line.text)
    kept = [range(*found.span()) for found in _OPAQUE.finditer(line.text)]
    for found in _ODD.finditer(line.text):
        if not any(found.start() in each for each in kept):
            text[found.start()] = found[0].translate(_PLAIN)
    return replace(line, text="".join(text))
