"""Findings for a terminal of 80 columns: each with its line of source and a caret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.audit.finding import Finding, Repair, Severity
from repro.audit.report import Audited
from repro.render.audit import words
from repro.render.audit.columns import pointed, wrapped

WIDTH = 79
_INDENT = "  "
_FEW = 3  # other readings of a repair that are printed; the JSON has them all
_COLOURS = {Severity.BUG: "31;1", Severity.RISK: "33;1", Severity.NOTE: "36"}  # red, yellow, cyan


def lines(audited: Audited, language: str, coloured: bool = False) -> Iterator[str]:
    """What there is to say of one file: a block for each finding, what was mended, what its networks are."""
    for finding in audited.findings:
        yield from _block(audited, finding, language, coloured)
    if audited.repairs:
        yield from wrapped(f"{audited.path}: {words.REPAIRED.told(language)}", WIDTH, _INDENT)
        for repair in audited.repairs:
            yield from _repair(repair, language)
        yield ""
    if audited.run is not None:
        head, *rest = words.ran(audited.run, language)
        yield from wrapped(f"{audited.path}: {head}", WIDTH, _INDENT)
        for each in rest:
            yield from _listed("- ", each)
        yield ""


def total(files: Sequence[Audited], language: str) -> Iterator[str]:
    """The last lines."""
    yield words.total(files, language)
    yield from words.of_cells(files, language)


def _block(audited: Audited, finding: Finding, language: str, coloured: bool) -> Iterator[str]:
    graded = words.graded(finding, language)
    told = f"{words.location(finding.path, finding.place)}: {finding.code} {graded} {finding.told(language)}"
    for line in wrapped(told, WIDTH, _INDENT):
        yield line.replace(graded, f"\033[{_COLOURS[finding.severity]}m{graded}\033[0m", 1) if coloured else line
    source = audited.line(finding.place)
    if source.strip():
        place = finding.place
        end = place.end_column - 1 if place.end_line == place.line else len(source)
        number = f"{place.line:>6} | "
        text, carets = pointed(source.rstrip(), place.column - 1, end, WIDTH - len(number))
        yield number + text
        mark = f"\033[{_COLOURS[finding.severity]}m{carets}\033[0m" if coloured else carets
        yield f"{'':>6} | {mark}"
    yield ""


def _repair(repair: Repair, language: str) -> Iterator[str]:
    gap = "" if language == "zh" else " "
    yield from _listed("- ", f"{words.mended(repair, language)}{gap}{words.graded(repair, language)}")
    for other in repair.alternatives[:_FEW]:
        yield from _listed("  ", words.OTHERWISE.told(language) + other.told(language))
    if len(repair.alternatives) > _FEW:
        yield f"{_INDENT}  … {len(repair.alternatives) - _FEW}"


def _listed(mark: str, text: str) -> Iterator[str]:
    """An item of a list."""
    yield from wrapped(text, WIDTH, _INDENT + "  ", _INDENT + mark)
