"""The ledger: that its files are whole, and that each way in which a fact can contradict itself is told."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from repro import models
from repro.measures import MEASURES
from repro.papers import STATUSES, Fact, LedgerError, paper, papers, parse, resolve

FACTS = [fact for each in papers().values() for fact in each.facts]
NUMBERS = [fact for fact in FACTS if ".words." not in fact.id]  # those of the ledger; the others are said in words

WHOLE = """
title = "A Network"
authors = "Somebody"
year = 2020
identifier = "arXiv:2001.00000"

[[tables]]
locus = "Table 1"
network = "Net"
of = ["lenet5"]
status = "agrees"
facts = [
  {{ id = "net.params", quantity = "parameters", printed = "60,000", value = 60000{rest} }},
]
"""


def whole(rest: str) -> str:
    """A file with one fact, and these further things said of it."""
    return WHOLE.format(rest=f", {rest}" if rest else "")


def test_there_are_fourteen_papers_and_every_fact_is_accounted_for() -> None:
    assert len(papers()) == 14
    assert len(FACTS) == len({fact.id for fact in FACTS})
    assert len(NUMBERS) == 953
    assert all(fact.locus and fact.network and fact.quantity and fact.printed for fact in FACTS)
    assert {fact.status for fact in FACTS} == set(STATUSES)


def test_every_fact_is_measured_or_has_a_reason() -> None:
    assert [fact.id for fact in FACTS if bool(fact.measure) == bool(fact.reason)] == []
    assert [fact.id for fact in FACTS if "TODO" in fact.reason + fact.arithmetic] == []


def test_facts_name_measures_and_networks_that_there_are() -> None:
    assert {fact.measure for fact in FACTS if fact.measure} <= MEASURES.keys()
    assert {name for fact in FACTS for name in fact.of} <= models.catalog().keys()


def test_no_fact_that_does_not_agree_is_without_arithmetic() -> None:
    apart = [fact for fact in FACTS if fact.status in ("erratum", "convention", "unexplained")]
    assert len(apart) > 40
    assert [fact.id for fact in apart if not any(character.isdigit() for character in fact.arithmetic)] == []


def test_what_is_said_in_words_is_measured() -> None:
    words = [fact for fact in FACTS if fact not in NUMBERS]
    assert len(words) > 70
    assert {fact.status for fact in words} == {"agrees"}
    assert [fact.id for fact in words if not re.fullmatch(rf"{fact.paper}\.words\.[a-z0-9.]+", fact.id)] == []


def test_what_agrees_is_measured_and_what_is_implied_says_by_what() -> None:
    assert [fact.id for fact in FACTS if fact.status == "agrees" and not fact.measure] == []
    known = {fact.id: fact for fact in FACTS}
    implied = [fact for fact in FACTS if fact.status == "implied"]
    assert len(implied) > 30
    assert [name for fact in implied for name in fact.by if not known[name].measure] == []
    alone = [fact for fact in implied if not fact.by]
    assert [fact.id for fact in alone if not any(character.isdigit() for character in fact.arithmetic)] == []


SUM = re.compile(r"((?:[\d,.]+|[()+*/-]| )*[+*/-][\d,.()+*/ -]*) = ([\d,.]*\d)")


def test_the_arithmetic_is_right() -> None:
    checked = 0
    for fact in FACTS:
        for left, right in SUM.findall(fact.arithmetic):
            value = eval(left.strip().replace(",", ""))  # numbers and operators only, by the pattern
            decimals = len(right.partition(".")[2])
            assert round(value, decimals) == float(right.replace(",", "")), (fact.id, left, right)
            checked += 1
    assert checked > 15


def test_what_arithmetic_implies_is_what_it_gives() -> None:
    implied = [fact for fact in FACTS if fact.status == "implied" and SUM.search(fact.arithmetic)]
    assert len(implied) > 15
    for fact in implied:
        values = fact.value if isinstance(fact.value, list) else [fact.value]
        last = SUM.findall(fact.arithmetic)[-1]
        result = float(last[1].replace(",", ""))
        operands = [float(number) for number in re.findall(r"[\d.]+", last[0].replace(",", ""))]
        near = abs(result - values[0]) <= fact.tolerance + 1e-9  # 2 - 1.9 is a little over 0.1 in binary
        assert near or values == operands, fact.id


def test_what_follows_from_a_fact_that_does_not_agree_is_in_what_is_measured_for_it() -> None:
    known = {fact.id: fact for fact in FACTS}
    pairs = [(fact, known[name]) for fact in FACTS for name in fact.by if known[name].status != "agrees"]
    assert len(pairs) == 3
    for fact, apart in pairs:
        for branch in fact.value.split("; "):  # "1x1(192)-1x3(224)" there is "1x1 192, 1x3 224" here
            told = branch.replace("(", " ").replace(")", "").replace("-", ", ")
            assert any(each.startswith(f"{told},") for each in apart.measured), (fact.id, branch)


@pytest.mark.skipif("REPRO_LEDGER" not in os.environ, reason="needs REPRO_LEDGER, the file the facts were taken from")
def test_the_facts_are_those_of_the_source() -> None:
    source = json.loads(Path(os.environ["REPRO_LEDGER"]).read_text(encoding="utf-8"))["facts"]
    assert {fact["id"] for fact in source} == {fact.id for fact in NUMBERS}


@pytest.mark.skipif("REPRO_LEDGER" not in os.environ, reason="needs REPRO_LEDGER, the file the facts were taken from")
def test_every_fact_that_can_be_checked_well_is_measured_or_says_why_not() -> None:
    source = json.loads(Path(os.environ["REPRO_LEDGER"]).read_text(encoding="utf-8"))["facts"]
    strong = {fact["id"] for fact in source if fact["auto_check"] == "strong"}
    assert len(strong) > 400
    assert [fact.id for fact in FACTS if fact.id in strong and not fact.measure and not fact.reason] == []


def test_slips_are_read_and_say_what_it_should_be() -> None:
    slips = [slip for each in papers().values() for slip in each.slips]
    assert len(slips) == 10
    assert all(slip.locus and slip.printed and slip.instead for slip in slips)
    text = whole('measure = "parameters"').replace("year = 2020", 'slips = [{ locus = "5", printed = "this" }]')
    with pytest.raises(LedgerError, match="missing 1 required positional argument: 'instead'"):
        parse("net", text)


ALSO = '[[also]]\nnetwork = "lenet5_28"\nfacts = ["net.{}"]\n'


def test_a_fact_may_be_true_of_further_networks() -> None:
    (fact,) = parse("net", whole('measure = "parameters"') + ALSO.format("params")).facts
    assert fact.of == ("lenet5", "lenet5_28")
    with pytest.raises(LedgerError, match=r"there is no fact 'net\.layers' to be true of a further network"):
        parse("net", whole('measure = "parameters"') + ALSO.format("layers"))
    with pytest.raises(LedgerError, match=r"net\.params is said to be true of lenet5_28, and has no measure"):
        parse("net", whole('reason = "no way", status = "result"') + ALSO.format("params"))


def test_a_whole_file_is_read() -> None:
    read = parse("net", whole('measure = "parameters"'))
    assert (read.title, read.identifier) == ("A Network", "arXiv:2001.00000")
    assert read.facts == (
        Fact(
            "net.params",
            "net",
            "Table 1",
            "Net",
            "parameters",
            "60,000",
            60000,
            "agrees",
            of=("lenet5",),
            measure="parameters",
        ),
    )


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "net.params: expected either a measure, or a reason why there is none"),
        ('measure = "parameters", reason = "none"', "expected either a measure, or a reason why there is none"),
        ('measure = "parameters", of = []', "it has a measure, and names no network of the catalog"),
        ('measure = "parameters", status = "right"', "its status is 'right'; expected one of agrees, erratum"),
        ('measure = "parameters", status = "erratum"', "it is erratum, and has no arithmetic"),
        ('measure = "parameters", status = "erratum", arithmetic = "1 + 1"', "does not say what is measured"),
        ('measure = "parameters", measured = 1', "its status is agrees, so there is nothing else to be measured"),
        ('reason = "so it is"', "it is said to agree, and is not measured; expected implied or unchecked"),
        ('reason = "so it is", status = "implied"', "it is implied, and names neither facts nor arithmetic"),
        ('measure = "parameters", status = "unchecked"', "it is unchecked, and has a measure"),
        ('measure = "parameters", by = ["net.a"]', "it is agrees, and follows from nothing"),
        ('measure = "parameters", each = { vgg11 = 1 }', "it has values for other networks than it is about"),
        ('measure = "parameters", colour = "red"', "unexpected keyword argument 'colour'"),
        ('id = "params"', "net.toml:"),
        ("measure =", "net.toml:"),
    ],
)
def test_a_fact_that_contradicts_itself_is_told(rest: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        parse("net", whole(rest))


@pytest.mark.parametrize(
    ("by", "message"), [("lenet.C9", "which is no fact"), ("lenet.layers", "which is not measured")]
)
def test_a_fact_follows_from_those_that_are_measured(by: str, message: str) -> None:
    known = {fact.id: fact for fact in FACTS}
    resolve(known["lenet.layers"], known)
    with pytest.raises(LedgerError, match=rf"lenet\.toml: lenet\.layers is implied by {by}, {message}"):
        resolve(replace(known["lenet.layers"], by=("lenet.C3.params", by)), known)


def test_what_is_printed_as_a_formula_has_a_value_for_each_network() -> None:
    (fact,) = parse(
        "net", whole('measure = "depth", each = { lenet5 = 5, vgg11 = 11 }, of = ["vgg11", "lenet5"]')
    ).facts
    assert [fact.value_for(name) for name in ("lenet5", "vgg11")] == [5, 11]
    (fact,) = parse("net", whole('measure = "depth"')).facts
    assert fact.value_for("lenet5") == 60000


def test_a_fact_of_another_paper_is_told() -> None:
    with pytest.raises(LedgerError, match=r"its id does not begin with other\."):
        parse("other", whole('measure = "parameters"'))


def test_a_paper_that_is_not_there_is_told_with_the_closest() -> None:
    assert paper("resnet").identifier == "arXiv:1512.03385"
    with pytest.raises(LedgerError, match="no paper is called 'resnets'; closest: resnet"):
        paper("resnets")
    with pytest.raises(LedgerError, match="no paper is called 'xyzzy'; there are alexnet, bn"):
        paper("xyzzy")
