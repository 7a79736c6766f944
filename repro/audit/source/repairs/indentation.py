"""Indentation that was lost in copying."""

from __future__ import annotations

from repro.audit.finding import Confidence, Words
from repro.audit.source.indentation.layout import STEP, laid_out
from repro.audit.source.indentation.search import depths, doubts
from repro.audit.source.indentation.text import Text
from repro.audit.source.line import Line

MESSAGE = Words("lost indentation is put back", "恢复了丢失的缩进")
CONFIDENCE = Confidence.MEDIUM

_INSIDE = Words(
    "line {line} may as well stand in the block that begins in line {opener}",
    "第 {line} 行也可能在第 {opener} 行开始的代码块之内",
)
_BEHIND = Words(
    "line {line} may as well stand behind the block that begins in line {opener}",
    "第 {line} 行也可能在第 {opener} 行开始的代码块之后",
)
_GONE = 0.9  # of the statements that open a block, those behind which nothing is indented
_FLAT = 0.9  # of the statements, those at the left edge; a few odd spaces may have survived


def mend(lines: list[Line]) -> list[Line]:
    """The lines with their indentation, where they had lost it."""
    text = Text([line.text.strip() for line in lines])
    if not is_gone(lines, text):
        return lines
    return laid_out(lines, text.clues, depths(text))


def alternatives(mended: list[Line]) -> tuple[Words, ...]:
    """For each statement that might as well stand elsewhere, where."""
    text = Text([line.text.strip() for line in mended])
    starts = [mended[clue.start] for clue in text.clues]
    chosen = [(len(line.text) - len(line.text.lstrip())) // STEP for line in starts]
    return tuple(
        (_INSIDE if inside else _BEHIND).format(line=_shown(starts[index]), opener=_shown(starts[opener]))
        for index, opener, inside in doubts(text, chosen)
    )


def _shown(line: Line) -> str:
    """The number of a line in the document; where several are parts of one, with the column."""
    return str(line.number) if line.rows is None else f"{line.number}:{line.column(0) + 1}"


def is_gone(lines: list[Line], text: Text) -> bool:
    """Whether indentation is lost, and not merely wrong in a place."""
    columns = [len(lines[clue.start].text) - len(lines[clue.start].text.lstrip()) for clue in text.clues]
    followed = list(zip(text.clues, columns, columns[1:], strict=False))
    openers = [inner <= outer for clue, outer, inner in followed if clue.opens]
    left = min(columns, default=0)
    return bool(openers) and sum(openers) >= _GONE * len(openers) and columns.count(left) >= _FLAT * len(columns)
