"""An audit as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from repro.audit.finding import Finding, Repair
from repro.audit.report import Audited, Network, Run, counts
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
    runs = [each.run for each in files if each.run is not None]
    ran = {"isolation": runs[0].level} if runs else {}
    return document(
        files=[_file(each, language) for each in files], findings=findings, repairs=repairs, summary=summary, **ran
    )


def _file(audited: Audited, language: str) -> dict[str, Any]:
    told = {"path": audited.path, "about_networks": audited.about_networks, "error": audited.error or None}
    return told | (ran(audited.run, language) if audited.run is not None else {})


def ran(run: Run, language: str) -> dict[str, Any]:
    """What came of running a program: its networks, what was left out, and why nothing is known if nothing is."""
    return {
        "networks": [_network(each, language) for each in run.networks],
        "left_out": [{"cell": place.cell, "line": place.line, "error": error} for place, error in run.left_out],
        "true": [
            {"cell": place.cell, "line": place.line, "said": said, "measured": measured.told(language)}
            for place, said, measured in run.true
        ],
        "problem": run.problem.told(language) if run.problem is not None else None,
        "seconds": run.seconds,
    }


def _network(network: Network, language: str) -> dict[str, Any]:
    place = network.place
    told = {name: value for name, value in vars(network).items() if name not in ("symbol", "place")}
    return {"symbol": network.symbol, "cell": place.cell, "line": place.line, **told} | {
        "told": network.told.told(language),
        "differences": [each.told(language) for each in network.differences],
    }


def _finding(finding: Finding, language: str) -> dict[str, Any]:
    place = asdict(finding.place)
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "message": finding.message.told(language),
        "shown": [each.told(language) for each in finding.shown],
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
