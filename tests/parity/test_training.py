"""Training: what a step in train mode leaves behind, wrong where no graph shows it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from tests.parity.conftest import Build, Check

FAILED = {"train.float64": "fail", "train.float32": "skip"}  # and all the rest passed

Hook = Callable[[torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """The subject of most tests; `between` and `seen` are the places for faults."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.25)
        self.fc, self.aux = nn.Linear(4, 5), nn.Linear(4, 3)

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def seen(self, auxiliary: torch.Tensor) -> torch.Tensor:
        return auxiliary

    def forward(self, x: torch.Tensor) -> Any:
        x = self.between(self.bn(self.conv(x)).relu()).mean((2, 3))
        logits = self.fc(self.drop(x))
        return (logits, self.seen(self.aux(x))) if self.training else logits


class Renamed(nn.Module):
    """The same network in other words, which draws and updates in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.helper, self.head = nn.Linear(4, 3), nn.Linear(4, 5)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> Any:
        x = F.adaptive_avg_pool2d(F.relu(self.norm(self.first(x)), inplace=True), 1)
        helper = self.helper(x.flatten(1)) if self.training else None
        logits = self.head(F.dropout(x, 0.25, self.training).flatten(1))
        return logits if helper is None else (logits, helper)


def hooked(hook: Hook) -> Build:
    """`Net` whose gradient goes through `hook`, in train mode only."""

    class Hooked(Net):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            if x.requires_grad and self.training:
                x.register_hook(hook)  # type: ignore[no-untyped-call]
            return x

    return Hooked


def test_equal_networks_train_alike(check: Check) -> None:
    results = check(Net, Renamed)
    assert results.unpassed == {}
    for name in ("train.float64", "train.float32"):
        evidence = results[name].evidence
        assert evidence["tensors"].keys() == {"output 0", "output 1", *Renamed().state_dict()}
        assert evidence["input"] == [3, 2, 8, 8]
        assert math.log2(evidence["rate"]).is_integer()
        assert json.loads(json.dumps(evidence)) == evidence
    assert results["train.float64"].evidence["rate"] == results["train.float32"].evidence["rate"]


@pytest.mark.control("train.float64")
@pytest.mark.parametrize(
    "hook",
    [
        lambda g: 2 * g,
        lambda g: -g,
        lambda g: g * (1 + 1e-7),
        torch.zeros_like,
        lambda g: g.roll(1, 0),
        lambda g: g.float().double() if g.dtype is torch.float64 else g,
        lambda g: g * math.nan,
    ],
    ids=["doubled", "negated", "scaled", "zero", "batch", "float32 inside", "nan"],
)
def test_a_gradient_that_is_wrong_in_training_only_fails_there_only(check: Check, hook: Hook) -> None:
    for results in (check(hooked(hook), Renamed), check(Renamed, hooked(hook))):
        assert results.unpassed == FAILED
        failed = results["train.float64"].evidence["failed"]
        assert failed
        assert not [key for key in failed if key.startswith("output") or "running" in key]


def auxiliary(fault: Hook) -> Build:
    """`Net` with its auxiliary output changed where numbers flow; a trace has no gradients."""

    class Faulty(Net):
        def seen(self, auxiliary: torch.Tensor) -> torch.Tensor:
            return fault(auxiliary) if auxiliary.requires_grad else auxiliary

    return Faulty


@pytest.mark.control("train.float64")
@pytest.mark.parametrize("fault", [lambda x: x + x.detach() * 1e-7, lambda x: x.roll(1, 1), lambda x: x * math.nan])
def test_an_auxiliary_output_that_is_wrong_fails(check: Check, fault: Hook) -> None:
    results = check(auxiliary(fault), Renamed)
    assert results.unpassed == FAILED
    assert "output 1" in results["train.float64"].evidence["failed"]
    assert "output 0" not in results["train.float64"].evidence["failed"]


class Uncounted(Net):
    """Its batch counter stands still: no output depends on it, and no proof reaches it."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.requires_grad and self.bn.num_batches_tracked is not None:
            self.bn.num_batches_tracked -= 1
        return x


class Drifting(Net):
    """Its running mean goes elsewhere, behind the trace's back."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.requires_grad and self.bn.running_mean is not None:
            self.bn.running_mean = self.bn.running_mean * (1 + 1e-6)
        return x


@pytest.mark.control("train.float64")
@pytest.mark.parametrize(("wrong", "key"), [(Uncounted, "norm.num_batches_tracked"), (Drifting, "norm.running_mean")])
def test_a_buffer_that_is_left_otherwise_fails(check: Check, wrong: Build, key: str) -> None:
    results = check(wrong, Renamed)
    assert results.unpassed == FAILED
    assert results["train.float64"].evidence["failed"] == [key]


class Buffered(Net):
    """Holds a weight in a buffer, so that no optimiser moves it."""

    def __init__(self) -> None:
        super().__init__()
        weight = self.fc.weight.detach().clone()
        del self.fc.weight
        self.fc.register_buffer("weight", weight)


@pytest.mark.control("train.structure")
def test_a_weight_that_is_never_trained_is_another_program_in_training(check: Check) -> None:
    for results, key in ((check(Buffered, Net), "fc.weight"), (check(Net, Buffered), "fc.weight")):
        assert "is not trained" in results["train.structure"].message
        assert key in results["train.structure"].message


def half(x: torch.Tensor) -> torch.Tensor:
    return x.half().float() if x.dtype is torch.float32 else x


@pytest.mark.control("train.float32")
@pytest.mark.parametrize("wrong", [hooked(half), auxiliary(half)], ids=["gradient", "auxiliary output"])
def test_half_precision_in_training_fails_in_float32_only(check: Check, wrong: Build) -> None:
    for results in (check(wrong, Renamed), check(Renamed, wrong)):
        assert results.unpassed == {"train.float32": "fail"}
        assert "times the reference's own distance from float64" in results["train.float32"].message


def test_parameters_are_moved_so_that_a_gradient_is_felt(check: Check) -> None:
    found = check(hooked(lambda g: g * (1 + 1e-6)), Net)["train.float64"]
    assert "conv.weight" in found.evidence["failed"]
    assert found.evidence["tensors"]["conv.weight"]["max_actual"] > 1e-8


def test_a_network_that_draws_what_cannot_be_given_is_no_false_alarm(check: Check) -> None:
    class Noisy(Net):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand_like(x) if self.training else x

    results = check(Noisy, Noisy)
    assert results["train.structure"].outcome.value == "pass"
    assert results.unpassed == {"train.float64": "skip", "train.float32": "skip"}
