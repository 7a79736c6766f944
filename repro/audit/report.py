"""What an audit comes to: what processes send each other, and all that a rendering of it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.audit.finding import Confidence, Finding, Place, Repair, Severity, Words


@dataclass(frozen=True)
class Sheet:
    """The text that places point into: a file, or a cell of a notebook."""

    cell: int | None
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Audited:
    """What is said of one file.

    sheets          its text, if anything points into it
    about_networks  whether anything in it is about torch; if not, it was not looked at
    error           why it could not be audited; empty if it was
    """

    path: str
    findings: tuple[Finding, ...] = ()
    repairs: tuple[Repair, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    about_networks: bool = True
    error: str = ""

    def line(self, place: Place) -> str:
        """The line of the file, or of the cell, that a place begins in; empty where there is none."""
        for sheet in self.sheets:
            if sheet.cell == place.cell and place.line <= len(sheet.lines):
                return sheet.lines[place.line - 1]
        return ""


@dataclass(frozen=True)
class Explained:
    """A rule as readers meet it.

    page   a title, what and why, and its limits, in paragraphs
    wrong  a program in which it finds something
    right  one in which it does not
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    page: Words
    wrong: str
    right: str


def counts(files: Iterable[Audited]) -> dict[Severity, int]:
    """How many findings there are of each severity, the worst first."""
    found = Counter(finding.severity for each in files for finding in each.findings)
    return {severity: found[severity] for severity in Severity}


def exit_code(files: Sequence[Audited]) -> int:
    """2 where a file could not be audited, else 1 where there is a bug or a risk, else 0."""
    if any(each.error for each in files):
        return 2
    found = counts(files)
    return 1 if found[Severity.BUG] or found[Severity.RISK] else 0
