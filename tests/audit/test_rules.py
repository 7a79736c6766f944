"""Every rule on its own cases: it finds the marked lines of its INVALID programs, and nothing in its VALID ones."""

from __future__ import annotations

import re

import pytest

from repro.audit.engine import findings_in
from repro.audit.rule import Rule, rules
from repro.audit.source.document import Document
from repro.audit.source.reading import program

RULES = rules()
MARK = re.compile(r"#\s*<-\s*$")


def found(rule: Rule, text: str) -> list[int]:
    """The lines at which a rule finds something in a program."""
    return sorted(finding.place.line for finding in findings_in(program(Document("case.py", text, "utf-8")), [rule]))


def marked(text: str) -> list[int]:
    return [number for number, line in enumerate(text.split("\n"), start=1) if MARK.search(line)]


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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_has_cases_and_a_page_in_both_languages(rule: Rule) -> None:
    assert rule.valid
    assert rule.invalid
    assert re.fullmatch(r"CNN[1-9]\d\d", rule.code)
    assert rule.module.__name__.rpartition(".")[2] == rule.name.replace("-", "_")
    for language, limits in (("en", "Limits:"), ("zh", "局限:")):
        title, _, rest = rule.page(language).partition("\n\n")
        assert "\n" not in title
        assert limits in rest
    assert re.search("[\u4e00-\u9fff]", rule.page("zh"))
    assert re.search("[\u4e00-\u9fff]", rule.message.zh)
    fields = [re.findall(r"\{(\w+?)(?:_en|_zh)?\}", text) for text in (rule.message.en, rule.message.zh)]
    assert set(fields[0]) == set(fields[1])


def test_codes_and_names_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES) > 0
