"""The pages of the rules, in the terminal and as a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.audit.described import Described
from repro.audit.known import known
from repro.render.audit import rules as rendering
from repro.render.audit.columns import width

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
RULES = known()
EXPLAINED = [rule.explained for rule in RULES]


def test_the_document_is_current() -> None:
    expected = "\n".join(rendering.document(EXPLAINED)) + "\n"
    assert PAGE.read_text(encoding="utf-8") == expected, "docs/rules.md is not current; nox -s docs makes it anew"


def test_every_rule_is_of_a_family_and_in_the_document() -> None:
    told = "\n".join(rendering.document(EXPLAINED))
    assert all(f"### {rule.code} {rule.name}\n" in told for rule in RULES)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_has_a_wrong_and_a_right_program_and_fits(rule: Described, language: str) -> None:
    lines = list(rendering.page(rule.explained, language))
    whole = "\n".join(lines)
    for words in {"en": ("Wrong:", "Right:", "Limits:"), "zh": ("错误的写法", "正确的写法", "局限")}[language]:
        assert whole.count(f"\n{words}") == 1
    assert "# <-" not in whole
    prose = [line for line in whole.split("\n") if not line.startswith("    ")]
    assert max(map(width, prose)) < 80


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_list_has_every_rule(language: str) -> None:
    lines = list(rendering.listing(EXPLAINED, language))
    assert sum(line.startswith("CNN") for line in lines) == len(RULES)
    assert max(map(width, lines)) < 80
