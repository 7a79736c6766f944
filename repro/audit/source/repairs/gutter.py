"""The numbers of lines that stood beside the code: before each line, or all of them above it."""

from __future__ import annotations

import re
from dataclasses import replace

from repro.audit.finding import Confidence, Words
from repro.audit.source.line import Line

MESSAGE = Words("line numbers beside the code are taken away", "去掉了代码旁边的行号")
CONFIDENCE = Confidence.HIGH

BESIDE = re.compile(r"\s{0,4}(\d{1,4})(?:[.:|]?(?:\s|$)|(?=[^\W\d]))")
_ALONE = re.compile(r"\s*(\d{1,4})[.:|]?\s*$")
FEWEST = 3  # numbers in a row; fewer may be numbers


def mend(lines: list[Line]) -> list[Line]:
    """The lines without their numbers."""
    made = list(lines)
    for start, end in _runs(lines):
        for index in range(start, end):
            made[index] = replace(lines[index], text="", columns=range(0))
    written = [index for index, line in enumerate(made) if line.text.strip()]
    numbers = [BESIDE.match(made[index].text) for index in written]
    if len(written) >= FEWEST and all(numbers):
        values = [int(found[1]) for found in numbers if found]
        if all(
            0 < b - a <= 1 + (i2 - i1) for a, b, i1, i2 in zip(values, values[1:], written, written[1:], strict=False)
        ):
            for index, found in zip(written, numbers, strict=True):
                assert found
                made[index] = made[index].cut(found.end())
    return made if any(a is not b for a, b in zip(made, lines, strict=True)) else lines


def _runs(lines: list[Line]) -> list[tuple[int, int]]:
    """Stretches of lines that are numbers and nothing else, each one more than the one before."""
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(lines):
        first = _ALONE.match(lines[start].text)
        end = start + 1
        while first and end < len(lines):
            number = _ALONE.match(lines[end].text)
            if number is None or int(number[1]) != int(first[1]) + end - start:
                break
            end += 1
        if first and end - start >= FEWEST:
            found.append((start, end))
        start = end
    return found
