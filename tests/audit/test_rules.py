"""Every rule on its own cases: what is marked in its INVALID programs, as bad as it says, and nothing in VALID ones."""

from __future__ import annotations

import json
import re

import pytest

from repro.audit.described import Described
from repro.audit.engine import findings_in
from repro.audit.known import known
from repro.audit.rule import Rule, rules
from repro.audit.source.document import Document
from repro.audit.source.reading import program

RULES = rules()
MARK = re.compile(r"# <-(.*)$")


def found(rule: Rule, text: str) -> list[tuple[int, str]]:
    """The lines at which a rule finds something in a program, and how bad it is."""
    findings = findings_in(program(Document("case.py", text, "utf-8")), [rule])
    return sorted((finding.place.line, finding.severity.value) for finding in findings)


def marked(text: str) -> list[tuple[int, str]]:
    """The lines that end in a mark, and the severity in it."""
    marks = ((number, MARK.search(line)) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, mark[1].strip()) for number, mark in marks if mark]


@pytest.mark.parametrize(
    ("rule", "text"), [pytest.param(r, t, id=f"{r.code}-{i}") for r in RULES for i, t in enumerate(r.valid)]
)
def test_nothing_is_found_where_nothing_is_wrong(rule: Rule, text: str) -> None:
    assert found(rule, text) == []


@pytest.mark.parametrize(
    ("rule", "text"), [pytest.param(r, t, id=f"{r.code}-{i}") for r in RULES for i, t in enumerate(r.invalid)]
)
def test_what_is_wrong_is_found_where_it_is(rule: Rule, text: str) -> None:
    assert marked(text), "a case that marks no line"
    assert found(rule, text) == marked(text)


@pytest.mark.parametrize("rule", known(), ids=lambda rule: rule.code)
def test_a_rule_has_cases_and_a_page_in_both_languages(rule: Described) -> None:
    assert rule.valid
    assert rule.invalid
    assert re.fullmatch(r"CNN[1-9]\d\d", rule.code)
    assert rule.module.__name__.rpartition(".")[2] == rule.name.replace("-", "_")
    for language, limits in (("en", "Limits:"), ("zh", "局限：")):
        title, _, rest = rule.page(language).partition("\n\n")
        assert "\n" not in title
        assert limits in rest
    assert re.search("[\u4e00-\u9fff]", rule.page("zh"))
    assert re.search("[\u4e00-\u9fff]", rule.message.zh)
    fields = [set(re.findall(r"\{(\w+)", text)) for text in (rule.message.en, rule.message.zh)]
    assert fields[0] == fields[1]


@pytest.mark.parametrize("rule", known(), ids=lambda rule: rule.code)
def test_chinese_prose_has_its_own_punctuation(rule: Described) -> None:
    for text in (rule.page("zh"), rule.message.zh):
        prose = re.sub(r"`[^`]*`", "`", text)
        assert not re.findall(r"(?<=[\u4e00-\u9fff`])[,:;()]|[,:;()](?=[\u4e00-\u9fff`])", prose)


def test_a_message_names_another_place_by_its_cell() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# A network"},
        {"cell_type": "code", "source": "import torch\nprint(net)"},
        {"cell_type": "code", "source": "\nnet = torch.nn.Linear(2, 2)"},
    ]
    notebook = program(Document("case.ipynb", json.dumps({"cells": cells}), "utf-8"))
    (found,) = findings_in(notebook, [rule for rule in RULES if rule.code == "CNN115"])
    assert found.message.en == "net is used here, and defined only in cell 2, line 2"
    assert found.message.zh == "这里用到 net，而它到单元格 2 第 2 行才定义"
    assert found.evidence == {"name": "net", "line": 2, "cell": 2}


@pytest.mark.parametrize("rule", known(), ids=lambda rule: rule.code)
def test_a_message_leaves_the_naming_of_lines_to_the_place(rule: Described) -> None:
    assert "line {" not in rule.message.en
    assert "第 {" not in rule.message.zh


def test_codes_and_names_are_unique() -> None:
    every = known()
    assert len({each.code for each in every}) == len({each.name for each in every}) == len(every) > len(RULES)
