"""The mapping check: what is mapped, what is left out, and buffers that are part of the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from repro.parity.keys import mapping
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan
from repro.references import resolve
from repro.result import Outcome
from tests.parity.conftest import OTHER, SIZE, Check, Net


class Flat(nn.Module):
    """Keeps the rows of a batch apart."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.flatten(1))


def test_a_linear_layer_and_the_convolution_it_is_are_mapped_with_the_reshape(check: Check) -> None:
    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 5, 4)

        def forward(self, x: torch.Tensor) -> Any:
            return self.conv(x).flatten(1)

    results = check(Flat, Convolved, (2, 4, 4))
    assert results.unpassed == {}
    assert results["mapping"].evidence["keys"] == {"conv.weight": "fc.weight", "conv.bias": "fc.bias"}
    assert results["mapping"].evidence["moved"] == {"conv.weight": ["reshape(5, 2, 4, 4)"]}
    assert results["mapping"].message == "2 of 2 keys of the reference mapped, 1 of them reshaped or permuted"


def test_a_key_that_nothing_reads_is_left_out_with_the_reason(check: Check) -> None:
    class Spare(Net):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Parameter(torch.ones(3))

    results = check(Spare, Net)
    assert results.unpassed == {}
    assert results["mapping"].evidence["unmapped_subject"] == {"spare": "no output depends on it in eval mode"}
    assert results["mapping"].evidence["unmapped_reference"] == {}


class Auxiliary(Net):
    """A head that runs in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.features(x)
        return (self.fc(x), self.aux(x)) if self.training else self.fc(x)


def test_what_runs_in_training_only_is_mapped_by_the_graphs_of_training(check: Check) -> None:
    class AlsoAuxiliary(Auxiliary):
        def __init__(self) -> None:
            super().__init__()
            self.helper, self.aux = self.aux, nn.Linear(1, 1)
            del self.aux

        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return (self.fc(x), self.helper(x)) if self.training else self.fc(x)

    results = check(Auxiliary, AlsoAuxiliary)
    assert results.unpassed == {}
    assert results["mapping"].evidence["keys"]["helper.weight"] == "aux.weight"
    assert results["mapping"].evidence["unmapped_subject"] == {}


def test_what_runs_in_training_only_and_differs_is_left_out(check: Check) -> None:
    class OtherAuxiliary(Auxiliary):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return (self.fc(x), self.aux(x).relu()) if self.training else self.fc(x)

    result = check(Auxiliary, OtherAuxiliary)["mapping"]
    assert result.evidence["unmapped_subject"].keys() == {"aux.weight", "aux.bias"}
    assert result.evidence["unmapped_reference"].keys() == {"aux.weight", "aux.bias"}


def test_googlenets_auxiliary_heads_are_mapped() -> None:
    size = (3, 64, 64)
    ours, theirs = (
        Network.of(resolve(spec), size, Stopwatch())
        for spec in ("repro:googlenet_torchvision", "torchvision:googlenet")
    )
    result = mapping(Pair(ours, theirs, Plan((size,), (), (size, 3))))
    assert result.outcome is Outcome.PASS
    assert result.evidence["unmapped_subject"] == result.evidence["unmapped_reference"] == {}
    keys = result.evidence["keys"]
    assert keys.keys() == theirs.module.state_dict().keys()
    heads = {target.partition(".")[0]: source.partition(".")[0] for target, source in keys.items() if "aux" in target}
    assert heads == {"aux1": "aux1", "aux2": "aux2"}


class Scaled(Net):
    """Multiplies by a buffer that nothing trains: its value is part of the network."""

    factors: torch.Tensor
    values = (2.0, 1.0, 3.0, 5.0)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factors", torch.tensor(self.values))

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(self.features(x) * self.factors)


class ScaledOtherwise(Scaled):
    values = (2.0, 1.0, 3.0, 4.0)


@pytest.mark.control("mapping")
def test_a_fixed_buffer_of_other_values_fails_the_mapping_and_nothing_else(check: Check) -> None:
    assert check(Scaled, Scaled).unpassed == {}
    results = check(Scaled, ScaledOtherwise)
    assert results.unpassed == {"mapping": "fail"}  # the rest is run with our values on both sides
    assert results["mapping"].message.startswith("'factors' holds other values than our 'factors'")


class Ordered(nn.Module):
    """Two branches that are told apart by the size of their maps; `swapped` takes them the other way round at 12x9."""

    swapped = False

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(2, 3, 3, padding=1) for _ in range(2))

    def forward(self, x: torch.Tensor) -> Any:
        one, two = (self.two, self.one) if self.swapped and x.shape[2] == 12 else (self.one, self.two)
        return one(x).relu().mean((2, 3)) + two(x).tanh().mean((2, 3))


class Swapped(Ordered):
    swapped = True


@pytest.mark.control("mapping")
def test_keys_that_go_elsewhere_at_another_size_fail_the_mapping(check: Check) -> None:
    results = check(Ordered, Swapped, SIZE, OTHER)
    assert results["structure"].outcome is Outcome.PASS
    assert results["mapping"].outcome is Outcome.FAIL
    assert results["mapping"].message.startswith("at 2x12x9 'one.weight' goes elsewhere")
    assert check(Ordered, Swapped, SIZE).unpassed == {}
