"""From the depth of each statement back to lines: those that go on, comments, and what stands between."""

from __future__ import annotations

from collections.abc import Sequence

from repro.audit.source.indentation.clue import TAKES, Clue
from repro.audit.source.line import Line
from repro.audit.source.logical import nesting

STEP = 4  # spaces


def laid_out(lines: Sequence[Line], clues: Sequence[Clue], depths: Sequence[int]) -> list[Line]:
    """The lines, each statement at its depth."""
    made = list(lines)
    at = 0
    for clue, depth in zip(clues, depths, strict=True):
        comments = depth + (clue.kind in TAKES)  # before `else` they are the end of what is before it
        for index in range(at, clue.start):
            made[index] = _at(lines[index], comments)
        statement = lines[clue.start : clue.end]
        for line, (inner, in_string), index in zip(
            statement, nesting([line.text for line in statement]), range(clue.start, clue.end), strict=True
        ):
            if not in_string or clue.kind == "text":
                hanging = inner + (clue.opens and inner > 0)  # not where the block is
                made[index] = _at(line, depth + hanging)
        at = clue.end
    for index in range(at, len(lines)):
        made[index] = _at(lines[index], depths[-1] + clues[-1].opens if clues else 0)
    return made


def _at(line: Line, depth: int) -> Line:
    """A line at a depth; the very same one if it is there already."""
    stripped = line.text.lstrip()
    return line if not stripped or len(line.text) - len(stripped) == STEP * depth else line.indented(STEP * depth)
