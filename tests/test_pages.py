"""The generated pages of facts and errata are what the commands print; tests/test_deviations.py holds the third one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repro.conformance import Row, rows
from repro.papers import Paper, Slip, papers
from repro.render.facts import errata, page, summary
from repro.render.page import escaped, shown
from repro.render.text import ledger
from repro.result import Outcome, Result

DOCS = Path(__file__).parents[1] / "docs"
STALE = "docs/{} is not current; nox -s docs makes it anew"


def test_every_network_is_as_its_paper_prints_it_and_the_pages_are_current() -> None:
    found = rows(papers().values())
    assert [row for row in found if row.verdict == "fail"] == []
    apart = [row for row in found if row.verdict in ("fail", "erratum", "convention", "unexplained")]
    pages = {"facts.md": page(found, [*papers().values()]), "errata.md": errata(apart, [*papers().values()])}
    for name, lines in pages.items():
        assert (DOCS / name).read_text(encoding="utf-8") == "\n".join(lines) + "\n", STALE.format(name)


def row(**given: Any) -> Row:
    whole = {"id": "net.a", "locus": "3", "network": "lenet5", "quantity": "side", "printed": "7", "told": ""}
    return Row(**{**whole, "measure": "side", "measured": 7, "verdict": "agrees", **given})


UNCHECKED = {"measured": None, "measure": "", "verdict": "unchecked", "told": "of another network"}
NET = Paper("net", "A Network", "Somebody", 2020, "arXiv:2001.00000", (), (Slip("5", "this", "that"),))


def test_a_fact_has_one_line_for_all_networks_that_have_the_same() -> None:
    told = list(page([row(), row(network="vgg11"), row(network="vgg13", measured=8, verdict="fail", told="8")], [NET]))
    assert "| net.a | 3 | side | 7 | 7 | `lenet5`, `vgg11` | agrees |" in told
    assert "| net.a | 3 | side | 7 | 8 | `vgg13` | fail: 8 |" in told


def test_what_is_not_measured_says_why_but_for_the_commonest_reasons() -> None:
    plain = {"measured": None, "measure": "", "verdict": "result"}
    told = list(
        page([row(id=f"net.{i}", **plain, told="of training") for i in "ab"] + [row(**plain, told="odd")], [NET])
    )
    assert "| net.b | 3 | side | 7 | result |" in told
    assert "| net.a | 3 | side | 7 | result: odd |" in told
    assert "**result**, of training." in "\n".join(told)


def test_a_page_of_some_facts_does_not_say_that_they_are_all() -> None:
    told = "\n".join(page([row()], [NET]))
    assert "Every number that the papers print of their networks, and some of what they say" in told
    told = "\n".join(page([row()], [NET], ["in the paper net", "of the verdict agrees"]))
    assert "Every number of the ledger that is in the paper net and of the verdict agrees, and" in told
    assert "that the papers print" not in told
    assert "What is not measured" not in told, "all of them are"
    odd = [row(measured=None, measure="", verdict="result", told="odd")]
    assert "for the commonest reason: **result**, odd." in "\n".join(page(odd, [NET]))


@pytest.mark.parametrize(
    ("measure", "measured", "expected"),
    [
        ("window", [7, 2], "7x7/2"),
        ("output", [1056, 7, 7], "1056x7x7"),
        ("groups", [1, 2, 1], "1, 2, 1"),
        ("parameters", 60000, "60,000"),
        ("convolutions", ["3x3 64", "1x1 8"], "3x3 64; 1x1 8"),
        ("convolutions", ["3x3 64", "1x1 8"] * 3, "3 times (3x3 64; 1x1 8)"),
        ("convolutions", ["1x1 8", "1x1 8", "3x3 64"] * 2, "2 times (1x1 8; 1x1 8; 3x3 64)"),
        ("convolutions", ["1x1 8", "1x1 8"], "1x1 8; 1x1 8"),
        ("branches", ["", "1x1 8"], "none; 1x1 8"),
        ("factors", [2 / 3, 1.7159], "0.666667; 1.7159"),
    ],
)
def test_a_measured_value_is_told_by_what_it_is(measure: str, measured: Any, expected: str) -> None:
    assert f"| {expected} |" in "\n".join(page([row(measure=measure, measured=measured)], [NET]))


def test_an_erratum_of_several_networks_is_told_once_with_them() -> None:
    rows = [row(verdict="erratum", measured=8, network=name) for name in ("lenet5", "vgg11")]
    (line,) = (line for line in errata(rows, [NET]) if line.startswith("- **erratum**"))
    assert "measured 8 on `lenet5`, `vgg11`." in line


def test_an_erratum_is_told_with_its_arithmetic_and_a_slip_with_what_it_should_be() -> None:
    told = list(errata([row(verdict="erratum", measured=8, told="2 * 4 = 8")], [NET]))
    assert r"- **erratum**, section 3. side: printed 7; measured 8 on `lenet5`.<br>2 \* 4 = 8." in told
    assert "- **slip**, section 5. Printed this.<br>that." in told
    assert told[0] == "# Errata of the papers\n"


def test_what_is_implied_is_counted_apart() -> None:
    plain = {"measured": None, "measure": "", "told": "as a is"}
    told = list(page([row(), row(id="net.b", verdict="implied", **plain), row(id="net.c", **UNCHECKED)], [NET]))
    assert "| all | 3 | 1 | 0 | 0 | 0 | 1 | 1 | 1 |\n" in told
    assert "| net.b | 3 | side | 7 | implied: as a is |" in told
    assert "| net.c | 3 | side | 7 | unchecked: of another network |" in told


def test_no_fact_of_the_page_agrees_and_is_not_measured() -> None:
    text = (DOCS / "facts.md").read_text(encoding="utf-8")
    assert text.count("| agrees |\n") > 500
    assert "| agrees:" not in text


def test_what_would_be_markup_is_escaped() -> None:
    assert escaped("a|b *c* ~d <e\nf") == r"a\|b \*c\* \~d \<e f"
    assert (shown([]), shown(True), shown([False])) == ("none", "yes", "no")


def test_counts_read_as_english() -> None:
    verdicts = ["agrees"] * 34 + ["erratum"] * 2 + ["convention"]
    assert summary(verdicts) == "37 facts: 34 agree, 2 errata, 1 convention"
    assert summary(["agrees"]) == "1 fact: 1 agrees"
    assert summary([]) == "no such fact is in the ledger"


def test_verify_ends_with_what_became_of_every_fact() -> None:
    facts = [fact for each in papers().values() for fact in each.facts]
    evidence = [
        {"id": name, "status": status, "confirmed": True} for name, status in (("a", "agrees"), ("b", "erratum"))
    ]
    results = [Result("conformance", "net", "none", Outcome.PASS, "", {"facts": evidence})]
    first, second, third = ledger(results, facts)
    assert first == "2 of the 1028 facts of the ledger measured: 1 agrees, 1 erratum;"
    assert second == "35 are implied by measured ones or by arithmetic;"
    assert third == "353 cannot be measured on a network, and say why (repro facts); 0 do not say"
    assert list(ledger([], facts)) == []
    everything = [{"id": fact.id, "status": fact.status, "confirmed": True} for fact in facts if fact.measure]
    told = "\n".join(ledger([Result("conformance", "net", "none", Outcome.PASS, "", {"facts": everything})], facts))
    assert " ".join(told.split()).startswith("640 of the 1028 facts of the ledger measured: 594 agree, ")
    assert max(map(len, told.splitlines())) < 80
