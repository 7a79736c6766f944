"""Findings as the workflow commands that GitHub Actions turns into annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.audit.finding import Finding, Severity
from repro.audit.report import Audited
from repro.render.audit import words
from repro.render.audit.columns import clean

_COMMANDS = {Severity.BUG: "error", Severity.RISK: "warning", Severity.NOTE: "notice"}


def lines(files: Sequence[Audited], language: str) -> Iterator[str]:
    """One line for each finding, for each file that could not be read, and for what came of running one."""
    for audited in files:
        yield from (_annotation(finding, language) for finding in audited.findings)
        if audited.error:
            yield f"::error file={_property(audited.path)},title=repro audit::{_message(audited.error)}"
        if audited.run is not None:
            kind = "notice" if audited.run.problem is None else "error"
            told = "\n".join(words.ran(audited.run, language))
            yield f"::{kind} file={_property(audited.path)},title=repro audit --run::{_message(told)}"


def _annotation(finding: Finding, language: str) -> str:
    place = finding.place
    where = {"file": finding.path, "line": place.file_line}
    if place.cell is None:  # columns of a cell are not those of the file that it is quoted in
        where |= {"endLine": place.end_line}
        where |= {"col": place.column, "endColumn": place.end_column} if place.end_line == place.line else {}
    where["title"] = f"{finding.code} {finding.name}"
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in where.items())
    return f"::{_COMMANDS[finding.severity]} {properties}::{_message(finding.told(language))}"


def _message(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return clean(escaped)


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
