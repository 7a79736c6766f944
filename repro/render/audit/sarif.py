"""An audit as SARIF 2.1.0, within what GitHub's code scanning takes."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import repro
from repro.audit.finding import Finding, Severity
from repro.audit.report import Audited, Explained
from repro.render.audit.words import paragraphs

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000  # of a run, as GitHub's documentation of its SARIF support says; likewise the next two
LONGEST = 1000
_LONGEST_NAME = 255
_LEVELS = {Severity.BUG: "error", Severity.RISK: "warning", Severity.NOTE: "note"}
_PROBLEMS = {Severity.BUG: "error", Severity.RISK: "warning", Severity.NOTE: "recommendation"}


def report(files: Sequence[Audited], rules: Sequence[Explained], language: str, here: Path) -> str:
    """The log; paths are relative to `here` where they are below it."""
    order = list(Severity)
    found = [(each, finding) for each in files for finding in each.findings]
    kept = sorted(found, key=lambda pair: order.index(pair[1].severity))[:MOST_RESULTS]  # the worst are kept
    index = {rule.code: number for number, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    errors = [each.error for each in files if each.error]
    lost = [f"findings left out: {len(found) - len(kept)}"] if len(kept) < len(found) else []
    driver = {"name": "repro", "version": repro.__version__, "rules": [_rule(rule, language) for rule in rules]}
    levels = [each.run.level for each in files if each.run is not None]
    isolation = {"properties": {"isolation": levels[0]}} if levels else {}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                **isolation,
                "executionSuccessful": not errors,
                "toolExecutionNotifications": [
                    *({"level": "error", "message": {"text": _cut(text)}} for text in errors),
                    *({"level": "warning", "message": {"text": text}} for text in lost),
                ],
            }
        ],
        "results": [_result(audited, finding, index, seen, language, here) for audited, finding in kept],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Explained, language: str) -> dict[str, Any]:
    title, *rest = paragraphs(rule.page.told(language))
    text = "\n\n".join([title, *rest])
    code = "\n\n".join(f"```python\n{each}\n```" for each in (rule.wrong, rule.right))
    return {
        "id": rule.code,
        "name": rule.name[:_LONGEST_NAME],
        "shortDescription": {"text": _cut(title)},
        "fullDescription": {"text": _cut(" ".join(rest) or title)},
        "help": {"text": text, "markdown": f"{text}\n\n{code}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"precision": rule.confidence.value, "problem.severity": _PROBLEMS[rule.severity]},
    }


def _result(
    audited: Audited, finding: Finding, rules: Mapping[str, int], seen: Counter[str], language: str, here: Path
) -> dict[str, Any]:
    uri = address(finding.path, here)
    text = audited.line(finding.place).strip()
    digest = hashlib.sha256(f"{finding.code}\n{uri}\n{text}".encode(errors="replace")).hexdigest()[:16]
    seen[digest] += 1
    properties = {"confidence": finding.confidence.value, "symbol": finding.symbol, "evidence": dict(finding.evidence)}
    cell = {} if finding.place.cell is None else {"cell": finding.place.cell, "lineOfCell": finding.place.line}
    return {
        "ruleId": finding.code,
        "ruleIndex": rules[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": _cut(finding.told(language))},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": _region(finding)}}],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
        "properties": properties | cell,
    }


def _region(finding: Finding) -> dict[str, int]:
    place = finding.place
    if place.cell is not None:  # columns of a cell are not those of the file that it is quoted in
        return {"startLine": place.file_line}
    end = {"endLine": place.end_line, "endColumn": place.end_column}
    return {"startLine": place.line, "startColumn": place.column, **end}


def address(path: str, here: Path) -> str:
    """A path as a URI, relative if it is below `here`."""
    whole = Path(os.path.normpath(here / path))
    if whole.is_relative_to(here):
        return quote(whole.relative_to(here).as_posix(), errors="surrogateescape")
    return f"file://{quote(whole.as_posix(), errors='surrogateescape')}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
