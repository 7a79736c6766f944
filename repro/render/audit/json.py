"""An audit as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from repro.audit.finding import Finding, Repair
from repro.audit.report import Audited, counts
from repro.render.json import document


def report(files: Sequence[Audited], language: str) -> str:
    """The object; lines are those of the file, of the cell where `cell` is not null.

    Cells are counted from 0, Markdown cells included: `cells[cell]` of the notebook. `file_line` is of the file always.
    """
    findings = [_finding(finding, language) for each in files for finding in each.findings]
    repairs = [_repair(repair, language) for each in files for repair in each.repairs]
    found = {severity.value: number for severity, number in counts(files).items()}
    errors = sum(bool(each.error) for each in files)
    summary = {"files": len(files), **found, "repairs": len(repairs), "errors": errors}
    return document(files=[_file(each) for each in files], findings=findings, repairs=repairs, summary=summary)


def _file(audited: Audited) -> dict[str, Any]:
    return {"path": audited.path, "about_networks": audited.about_networks, "error": audited.error or None}


def _finding(finding: Finding, language: str) -> dict[str, Any]:
    place = asdict(finding.place)
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "message": finding.message.told(language),
        "path": finding.path,
        **{key: place[key] for key in ("line", "column", "end_line", "end_column", "cell", "file_line")},
        "symbol": finding.symbol,
        "evidence": dict(finding.evidence),
    }


def _repair(repair: Repair, language: str) -> dict[str, Any]:
    return {
        "kind": repair.kind,
        "confidence": repair.confidence.value,
        "message": repair.message.told(language),
        "path": repair.path,
        **asdict(repair.place),
        "alternatives": [other.told(language) for other in repair.alternatives],
    }
