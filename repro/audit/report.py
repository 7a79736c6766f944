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
class Network:
    """A class or function of a program that gives a network.

    call            how it was called, as Python
    claims          the network of the catalog that its name says; empty if it says none
    identified      the one that it is, or is nearest to; empty if it is near none, or could not be run
    distance        operations that differ
    told            what it is, in a few words; empty where nothing is said of it
    differences     as sentences
    keeps_its_name  whether it is what its name says; None where one of the two is not known
    error           why nothing is said of it
    is_part         whether another class of the program is made of it
    """

    symbol: str
    place: Place
    call: str
    claims: str
    identified: str
    distance: int
    told: Words
    differences: tuple[Words, ...]
    keeps_its_name: bool | None
    error: str
    is_part: bool


@dataclass(frozen=True)
class Run:
    """What came of running a program's definitions.

    level     of isolation: bubblewrap, namespaces, base or none
    networks  that it defines
    left_out  statements that were run and failed, each with the place and the error
    true      what the document says in numbers and is so, each with the place, the words, and what was measured
    problem   why it is not known; empty if the run came to its end
    seconds   that it took
    """

    level: str
    networks: tuple[Network, ...] = ()
    left_out: tuple[tuple[Place, str], ...] = ()
    true: tuple[tuple[Place, str, Words], ...] = ()
    problem: Words | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Audited:
    """What is said of one file.

    sheets          its text, if anything points into it
    run             what came of running it; None if it was not run
    about_networks  whether anything in it is about torch; if not, it was not looked at
    error           why it could not be audited; empty if it was
    """

    path: str
    findings: tuple[Finding, ...] = ()
    repairs: tuple[Repair, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    about_networks: bool = True
    error: str = ""
    run: Run | None = None

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
    """2 where a file could not be audited, or not run to the end, else 1 where there is a bug or a risk, else 0."""
    if any(each.error or (each.run and each.run.problem) for each in files):
        return 2
    found = counts(files)
    return 1 if found[Severity.BUG] or found[Severity.RISK] else 0
