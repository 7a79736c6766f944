"""The papers' numbers that rules hold networks against are those of the ledger."""

from __future__ import annotations

from repro.audit.rules.name_against_depth import RESNET_DEPTHS, VGG_CONVOLUTIONS
from repro.audit.rules.vgg_columns import VGG_COLUMNS, column
from repro.papers import paper

LETTERS = {11: "A", 13: "B", 16: "D", 19: "E"}
FACTS = {fact.id: fact for name in ("vgg", "resnet") for fact in paper(name).facts}


def test_the_columns_of_vgg_are_those_of_its_table() -> None:
    for depth, letter in LETTERS.items():
        assert ",".join(map(str, column(depth))) == FACTS[f"vgg.{letter}.config"].printed
        assert VGG_CONVOLUTIONS[depth] == sum(VGG_COLUMNS[depth]) == FACTS[f"vgg.{letter}.layers"].value - 3
    assert VGG_CONVOLUTIONS.keys() == VGG_COLUMNS.keys() == LETTERS.keys()


def test_the_depths_of_resnet_are_those_of_its_tables() -> None:
    depths = {fact.value for fact in FACTS.values() if fact.paper == "resnet" and fact.measure == "depth"}
    assert depths - {1202} == RESNET_DEPTHS  # it is too deep to be followed
