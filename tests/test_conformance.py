"""Networks against the numbers that their papers print, and that a network which is another one is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from repro import conformance, models
from repro.conformance import check, complaint, facts_of, held, near, networks, rows, told
from repro.graph import trace
from repro.measures import Subject
from repro.papers import Fact, papers
from repro.result import Outcome

DESCRIBED = [variant.name for variant in models.catalog().values() if facts_of(variant)]


# tests/test_pages.py measures all of them.
@pytest.mark.parametrize("name", ["lenet5", "alexnet", "googlenet", "resnet18", "vgg16_c", "wrn_16_8"])
def test_a_network_is_as_its_paper_prints_it(name: str) -> None:
    result = check(models.get(name))
    assert result.outcome is Outcome.PASS, result.message
    assert len(result.evidence["facts"]) == len(facts_of(models.get(name)))


def test_most_networks_have_facts_and_most_facts_have_networks() -> None:
    assert len(DESCRIBED) > 60
    measured = [fact for paper in papers().values() for fact in paper.facts if fact.measure]
    assert len(measured) > 500


# --- what is another network -------------------------------------------------------------------------------------


def subject(name: str, change: Callable[[Any], None]) -> Subject:
    """A network of the catalog after a change."""
    variant = models.get(name)
    with torch.device("meta"):
        network: nn.Module = models.build(name)
        change(network)
        images = torch.empty(3, *variant.input_size)
    laws = models.initialisation_of(variant).rules
    return Subject(trace(network.eval(), images), trace(network, images, training=True), laws)


def refuted(name: str, change: Callable[[Any], None]) -> set[str]:
    """The facts that a network does not confirm after a change."""
    changed = subject(name, change)
    return {fact.id for fact in facts_of(models.get(name)) if not held(fact, name, changed).confirmed}


def wider(network: Any) -> None:
    network.c1 = nn.Conv2d(1, 6, 5, padding=2)


def without_overlap(network: Any) -> None:
    network.pool = nn.MaxPool2d(2, 2)
    network.fc6 = nn.Linear(256 * 6 * 6, 4096)


def one_block_less(network: Any) -> None:
    del network.backbone.conv4_x[5]


def stride_in_the_3x3(network: Any) -> None:
    for stage in (network.backbone.conv3_x, network.backbone.conv4_x, network.backbone.conv5_x):
        stage[0].conv1.stride, stage[0].conv2.stride = (1, 1), (2, 2)


def vgg13_as_vgg11(network: Any) -> None:
    network.blocks = models.build("vgg11").blocks


def another_reduction(network: Any) -> None:
    network.inception_4c.branch3x3[0][0] = nn.Conv2d(512, 96, 1)
    network.inception_4c.branch3x3[1][0] = nn.Conv2d(96, 256, 3, padding=1)


def one_dropout(network: Any) -> None:
    network.fc3 = nn.Sequential(nn.Dropout(0.5), network.fc3)


@pytest.mark.control("conformance")
@pytest.mark.parametrize(
    ("name", "change", "among"),
    [
        ("resnet50", one_block_less, {"resnet.t1.50.conv4_x", "resnet.t1.50.depth", "resnet.t1.50.flops"}),
        ("resnet50", stride_in_the_3x3, {"resnet.v1.stride", "resnet.t1.50.flops"}),
        ("vgg13", vgg13_as_vgg11, {"vgg.B.config", "vgg.B.layers"}),
        ("googlenet", another_reduction, {"googlenet.t1.4c.#3x3_reduce", "googlenet.t1.4c.ops"}),
        ("vgg16", one_dropout, {"vgg.hp.dropout"}),
    ],
)
def test_a_network_that_is_another_one_does_not_conform(
    name: str, change: Callable[[Any], None], among: set[str]
) -> None:
    assert refuted(name, lambda _: None) == set()
    found = refuted(name, change)
    assert among <= found
    assert len(found) < len(facts_of(models.get(name)))


def test_what_is_printed_as_a_formula_is_held_to_its_value_for_the_network() -> None:
    fact = next(fact for fact in facts_of(models.get("resnet20_cifar")) if fact.id == "resnet.cifar.shortcuts")
    healthy = subject("resnet20_cifar", lambda _: None)
    assert told(held(fact, "resnet20_cifar", healthy))["value"] == 9
    wrong = held(fact, "resnet32_cifar", healthy)
    assert not wrong.confirmed
    assert complaint(wrong) == "resnet.cifar.shortcuts (4.2): shortcuts 9, expected 15 (3n)"


def test_a_result_tells_the_first_fact_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    fact = next(fact for fact in facts_of(models.get("lenet5")) if fact.id == "lenet.total.params")
    wrong = [replace(fact, value=60001, printed="60,001"), replace(fact, id="lenet.other", at="nowhere")]
    monkeypatch.setattr(conformance, "facts_of", lambda _: [fact, *wrong])
    result = check(models.get("lenet5"))
    assert result.outcome is Outcome.FAIL
    assert result.message.startswith(
        "lenet.total.params (II.B): trainable parameters 60000, expected 60,001; and 1 more;"
    )
    assert "1 of 3 facts confirmed" in result.message


def test_a_fact_that_does_not_agree_must_be_as_it_says_and_not_as_printed() -> None:
    same = subject("lenet5", lambda _: None)
    fact = next(fact for fact in facts_of(models.get("lenet5")) if fact.id == "lenet.total.params")
    erratum = replace(fact, status="erratum", value=61000, measured=60000, arithmetic="60,000")
    assert held(erratum, "lenet5", same).confirmed
    assert not held(replace(erratum, measured=61000), "lenet5", same).confirmed
    assert not held(replace(erratum, value=60000), "lenet5", same).confirmed, "it is as printed, so there is no erratum"


def test_a_network_without_facts_is_skipped_and_says_where_it_is_from() -> None:
    result = check(models.get("lenet5_28"))
    assert result.outcome is Outcome.SKIP
    assert "its paper prints no number of this network that could be measured (no paper:" in result.message


@pytest.mark.parametrize(
    ("measured", "value", "tolerance", "expected"),
    [
        (60_965_224, 60e6, 5e5, False),
        (60_465_224, 60e6, 5e5, True),
        ([1, 2], [1, 2], 0, True),
        ([1, 2], [1, 3], 0, False),
        ([1, 2], [1, 2, 3], 0, False),
        (1, [1], 0, False),
        ([1], 1, 0, False),
        ([], 1, 0, False),
        ([1], [[1]], 0, False),
        ([[1]], [1], 0, False),
        ("3x3 64", "3x3 64", 0, True),
        ("3x3 64", "3x3 65", 0, False),
        (1, "1", 0, False),
        (5e-4 / 5, 1e-4, 0, True),
    ],
)
def test_near_is_within_the_printed_precision(measured: Any, value: Any, tolerance: float, expected: bool) -> None:
    assert near(measured, value, tolerance) is expected


# --- rows --------------------------------------------------------------------------------------------------------


def test_every_fact_of_a_paper_has_a_row_for_each_of_its_networks() -> None:
    lenet = papers()["lenet"]
    found = rows([lenet])
    assert [row.id for row in found] == [fact.id for fact in lenet.facts]  # each is of one network
    assert {row.verdict for row in found} == {"agrees", "convention", "implied", "hyper-parameter", "result"}
    assert all(row.measured is not None or row.told for row in found)


def test_a_row_of_a_fact_that_is_implied_names_what_implies_it() -> None:
    told = {row.id: row.told for row in rows([papers()["lenet"], papers()["vgg"]]) if row.verdict == "implied"}
    assert told["lenet.squash.f1"] == "it follows from A and S, by lenet.squash.A, lenet.squash.S"
    assert told["vgg.rf2"] == "each further 3x3 adds two pixels: 3 + 2 = 5"


def test_rows_of_one_network_are_those_measured_on_it() -> None:
    found = rows(papers().values(), "resnet50_v1_5")
    assert {row.network for row in found} == {"resnet50_v1_5"}
    assert {row.id.partition(".")[0] for row in found} == {"resnet", "resnext", "wrn"}


def test_a_fact_that_fails_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(fact: Fact, name: str, subject: Subject) -> conformance.Finding:
        return conformance.Finding(fact, name, 1, False)

    monkeypatch.setattr(conformance, "held", twice)
    verdicts = {row.verdict for row in rows([papers()["owt"]], "alexnet_owt")}
    assert verdicts == {"fail"}


def test_what_is_measured_is_told_as_it_goes() -> None:
    lenet = papers()["lenet"]
    told: list[str] = []
    rows([lenet], advance=told.append)
    assert told == networks([lenet]) == ["lenet5"]
    assert networks([lenet], "resnet18") == []
