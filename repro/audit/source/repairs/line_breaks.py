"""Line breaks that were lost, in copying or when a page was read from its picture: statements run into each other.

Where the text was cut into numbered pieces of one length instead, which cut words too, these are put together first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from repro.audit.finding import Confidence, Words
from repro.audit.source.flowed import Part, parts
from repro.audit.source.line import Line
from repro.audit.source.parse import parsed

MESSAGE = Words("lost line breaks are put back", "恢复了丢失的换行")
CONFIDENCE = Confidence.LOW

_LONG = 150  # characters: more than a line of code has
_MOST = 200_000  # characters; a page has a tenth of them
_SHARE = 0.5  # of the characters of a text, those that stand in long lines
_TOGETHER = 3  # statements without a word of prose between
_FEWEST = 3  # numbers in a row; fewer may be anything
_WHOLE = 0.5  # of the numbered pieces, those that end where a sentence does
_NUMBER = re.compile(r"([0-9]{1,3})(?:、|[.)] ?)")
_ENDS = re.compile(r"[。．.!?！？…]\s*\Z")
_MAYBE = re.compile(r"(?:import|from|class|def|return)\s|(?<![=!<>])=(?!=)")  # a statement


def mend(lines: list[Line]) -> list[Line]:
    """The lines, each statement of a line of several, and each stretch of prose between them, in a line of its own."""
    long = sum(len(line.text) for line in lines if len(line.text) > _LONG)
    if not 0 < long <= _MOST or long < _SHARE * sum(len(line.text) for line in lines):
        return lines
    made: list[Line] = []
    for group in _groups(lines):
        if len(group) >= _FEWEST and _cuts_words(group):
            made += _split(_joined(group)) or group
        else:
            made += (each for line in group for each in _split(line) or [line])
    return made if any(map(are_put_in, made)) else lines


def are_put_in(line: Line) -> bool:
    """Whether a line is part of one of a document."""
    return line.rows is not None


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines one by one, or those of them together whose numbers count on."""
    index = 0
    while index < len(lines):
        end, number = index + 1, _number(lines[index])
        while number and end < len(lines) and _number(lines[end]) == number + end - index:
            end += 1
        yield list(lines[index:end])
        index = end


def _number(line: Line) -> int:
    """The number that a line begins with; 0 if it has none."""
    found = _NUMBER.match(line.text)
    return int(found[1]) if found else 0


def _cuts_words(pieces: Sequence[Line]) -> bool:
    """Whether numbered pieces end anywhere: most are long, and most are not whole sentences."""
    before = [line.text for line in pieces[:-1]]
    whole = sum(len(text) <= _LONG or _ENDS.search(text) is not None for text in before)
    return whole < _WHOLE * len(before)


def _joined(pieces: Sequence[Line]) -> Line:
    """The pieces without their numbers, with nothing between them."""
    cut = [line.cut(found.end()) for line in pieces if (found := _NUMBER.match(line.text))]
    columns = [column for line in cut for column in line.columns]
    rows = [line.number for line in cut for _ in line.text]
    return replace(cut[0], text="".join(line.text for line in cut), columns=columns, rows=rows)


def _split(line: Line) -> list[Line]:
    """The statements and the prose of a line; nothing where it has not several statements run together."""
    if len(line.text) <= _LONG or len(list(islice(_MAYBE.finditer(line.text), _TOGETHER))) < _TOGETHER:
        return []
    found = parts(line.text)
    if not _are_together(line.text, found) or isinstance(parsed(line.text.strip()), ast.Module):
        return []
    placed = line if line.rows is not None else replace(line, rows=[line.number] * len(line.text))
    return [placed.cut(part.start, part.end) for part in found]


def _are_together(text: str, found: Sequence[Part]) -> bool:
    """Whether statements stand in a text with nothing between them, enough of them, and one that only Python has."""
    together, python = 0, False
    for part in found:
        if part.kind != "statement":
            together, python = 0, False
            continue
        together += 1
        python = python or part.opens or text.startswith(("import ", "from "), part.start)
        if python and together >= _TOGETHER:
            return True
    return False
