"""What an audit says, in the two languages that it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LANGUAGES = ("en", "zh")


class Severity(StrEnum):
    """How bad it is.

    bug   contradicts what the text itself says, crashes, or cannot have been meant
    risk  works as shown, and breaks in ordinary use, such as another image size
    note  a departure that somebody may have wanted, or something redundant
    """

    BUG = "bug"
    RISK = "risk"
    NOTE = "note"


class Confidence(StrEnum):
    """How sure it is that this is so, whatever the severity."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Words:
    """One sentence in English and in Chinese."""

    en: str
    zh: str

    def format(self, **values: object) -> Words:
        """With its fields filled in: what has words of its own, by those, in the same language."""
        worded = {name: value.words if isinstance(value, Place) else value for name, value in values.items()}
        en, zh = (
            {name: value.told(language) if isinstance(value, Words) else value for name, value in worded.items()}
            for language in LANGUAGES
        )
        return Words(self.en.format(**en), self.zh.format(**zh))

    def told(self, language: str) -> str:
        """The sentence in one of `LANGUAGES`."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, order=True)
class Place:
    """Where in a document; all numbers but `cell` begin at 1, and an end is the last line and the column behind it.

    cell       of a notebook, counted from 0 over all cells; None elsewhere
    line       of the file; of the cell in a notebook
    file_line  of the file in either case
    """

    cell: int | None
    line: int
    column: int
    end_line: int
    end_column: int
    file_line: int

    @property
    def words(self) -> Words:
        """The line that it begins in, as a message about another place names it: `line 2`, `cell 3, line 2`."""
        if self.cell is None:
            return Words(f"line {self.line}", f"第 {self.line} 行")
        return Words(f"cell {self.cell}, line {self.line}", f"单元格 {self.cell} 第 {self.line} 行")


_SHOWN = Words("; when it is run: ", "；实际运行：")


@dataclass(frozen=True)
class Finding:
    """One thing that is found.

    symbol    the class or function that it is about; empty for the file itself
    evidence  what the message rests on, in JSON types only
    shown     what running the code showed of it, as sentences
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: Words
    path: str
    place: Place
    symbol: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[Words, ...] = ()

    def told(self, language: str) -> str:
        """The message, and what running the code showed of it."""
        shown = Words("; ", "；").told(language).join(each.told(language) for each in self.shown)
        return self.message.told(language) + (_SHOWN.told(language) + shown if shown else "")


@dataclass(frozen=True)
class Repair:
    """What was mended before a text could be read as Python; the document itself is not touched.

    kind          what copying had destroyed: gutter, indentation, ...
    alternatives  other readings that remain, each a place and what would be otherwise
    """

    kind: str
    confidence: Confidence
    message: Words
    path: str
    place: Place
    alternatives: tuple[Words, ...] = ()
