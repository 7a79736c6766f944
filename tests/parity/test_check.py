"""All checks of a pair: which there are, in which order, and what leads to a skip."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.models import Initialisation
from repro.parity.check import CHECKS
from repro.parity.check import check as all_checks
from repro.parity.pair import Pair
from tests.parity.conftest import OTHER, SIZE, Check, MakePair, Net, Renamed, Strided


def test_a_renamed_copy_passes(check: Check) -> None:
    results = check(Net, Renamed, SIZE, OTHER)
    assert results.unpassed == {}
    assert results["structure"].message == "proved equal for every input of shape 3x2x8x8 and 3x2x12x9"
    keys = results["mapping"].evidence["keys"]
    assert {keys["head.weight"], keys["first.weight"], keys["norm.running_var"]} == {
        "fc.weight",
        "conv1.weight",
        "bn1.running_var",
    }
    assert len(keys) == 10
    assert results["forward.float64"].message.endswith("of the spread, 1e-10 allowed")


def test_results_are_about_the_subject_and_the_reference_and_hold_json_types_only(check: Check) -> None:
    for subject, reference in ((Net, Renamed), (Net, Strided)):
        for result in check(subject, reference).values():
            assert (result.subject, result.reference) == (subject.__name__, reference.__name__)
            assert json.loads(json.dumps(asdict(result)))["evidence"] == result.evidence


def test_results_come_as_they_are_found(pair: MakePair) -> None:
    found = pair(Net, Renamed)
    stopwatch = found.subject.stopwatch
    running = all_checks(found)
    assert [result.check for result in islice(running, 2)] == ["structure", "mapping"]
    assert stopwatch.seconds == 0
    assert [result.check for result in running] == [name for name in CHECKS[2:] if name != "values"]
    assert stopwatch.seconds > 0


def test_whatever_needs_equal_structure_is_skipped_without_it(check: Check) -> None:
    results = check(Net, Strided)
    assert results.passed == []
    assert {result.message for name, result in results.items() if name != "structure"} == {
        "not made: the structures differ"
    }


def test_what_needs_equal_structure_in_train_mode_is_skipped_without_it(check: Check) -> None:
    class Dropping(Net):
        def features(self, x: torch.Tensor) -> torch.Tensor:
            return F.dropout(super().features(x), 0.5, self.training)

    results = check(Dropping, Net)
    assert results.unpassed == {"train.structure": "fail", "train.float64": "skip", "train.float32": "skip"}
    for name in ("train.float64", "train.float32"):
        assert results[name].message == "not made: the structures of train mode differ"


# --- initial values ----------------------------------------------------------------------------------------------


class Drawn(Net):
    """Initialised in a way that can be declared."""

    deviation = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(64, 64, bias=False)
        for key, parameter in self.named_parameters():
            if key == "wide.weight":
                nn.init.normal_(parameter, 0, self.deviation)
            else:
                nn.init.constant_(parameter, 0.5)

    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x) + self.wide(x[:, 0].flatten(1))[:, :5]


class DrawnTooWide(Drawn):
    deviation = 1.2


@pytest.mark.control("initialisation")
def test_initial_values_that_are_not_as_declared_fail_that_check_only(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = Initialisation("tests.drawn", "nowhere", {"wide.weight": "normal(0, 1)", "*": "0.5"})
    monkeypatch.setattr(Pair, "declared", declared)
    assert check(Drawn, Drawn).unpassed == {}
    results = check(DrawnTooWide, Drawn)
    assert results.unpassed == {"initialisation": "fail"}
    assert "wide.weight should be normal(0, 1)" in results["initialisation"].message
