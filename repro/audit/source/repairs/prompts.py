"""The prompts of an interactive session: `>>> `, `... ` and `In [3]: `; what the session printed is dropped."""

from __future__ import annotations

import re
from dataclasses import replace

from repro.audit.finding import Confidence, Words
from repro.audit.source.line import Line

MESSAGE = Words("the prompts of an interactive session are taken away", "去掉了交互式会话的提示符")
CONFIDENCE = Confidence.HIGH

_FIRST = re.compile(r"\s*(?:>>>(?: |$)|In \[\d*\]: ?)")
_NEXT = re.compile(r"\s*\.\.\.(?::)?(?: |$)")


def is_session(lines: list[Line]) -> bool:
    """Whether a session is all there is, rather than an example in a docstring."""
    written = (line.text for line in lines if line.text.strip() and not line.text.lstrip().startswith("#"))
    return _FIRST.match(next(written, "")) is not None


def mend(lines: list[Line]) -> list[Line]:
    """What was typed, without its prompts."""
    if not any(_FIRST.match(line.text) for line in lines):
        return lines
    typed: list[Line] = []
    inside = False
    for line in lines:
        found = _FIRST.match(line.text) or (_NEXT.match(line.text) if inside else None)
        inside = found is not None
        typed.append(line.cut(found.end()) if found else replace(line, text="", columns=range(0)))
    return typed
