"""Backward: wrong gradients under a right forward, in float64 and in float32."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.errors import ReproError
from repro.parity.backward import INPUT

if TYPE_CHECKING:
    from tests.parity.conftest import Build, Check

FAILED = {"backward.float64": "fail", "backward.float32": "skip"}  # and all the rest passed

Hook = Callable[[torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """The subject of most tests; `between` is the place for a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(64, 5)

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, x: torch.Tensor) -> Any:
        x = self.between(self.bn(self.conv(x))).relu()
        x = self.fc(F.max_pool2d(x, 2).flatten(1))
        return x


class Renamed(nn.Module):
    """The same network in other words."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 5)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> Any:
        x = F.relu(self.norm(self.first(x)), inplace=True)
        return self.head(F.max_pool2d(x, (2, 2), 2).reshape(len(x), -1))


def hooked(hook: Hook) -> Build:
    """`Net` whose gradient goes through `hook`, in eval mode only; a trace has no gradients, and shows none of it."""

    class Hooked(Net):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            if x.requires_grad and not self.training:
                x.register_hook(hook)  # type: ignore[no-untyped-call]
            return x

    return Hooked


def doubled(_: nn.Module, inputs: Any, __: Any) -> Any:
    return tuple(2 * gradient for gradient in inputs)


def one_element(gradient: torch.Tensor) -> torch.Tensor:
    gradient = gradient.clone()
    gradient[2, 3, 4, 5] += 1e-6 * gradient.std()
    return gradient


def test_equal_networks_have_equal_gradients(check: Check) -> None:
    results = check(Net, Renamed)
    assert results.unpassed == {}
    for name in ("backward.float64", "backward.float32"):
        tensors = results[name].evidence["tensors"]
        assert tensors.keys() == {INPUT, *(key for key, _ in Renamed().named_parameters())}
        assert all(tensor["passed"] for tensor in tensors.values())
        assert json.loads(json.dumps(results[name].evidence)) == results[name].evidence
    kinks = results["backward.float32"].evidence["kinks"]
    assert kinks.keys() == {"ours", "theirs"}
    assert kinks["ours"].keys() == {"elements", "furthest"}


@pytest.mark.control("backward.float64")
@pytest.mark.parametrize(
    "hook",
    [
        lambda g: 2 * g,
        lambda g: -g,
        lambda g: g * (1 + 1e-7),
        lambda g: g.flip(0),
        lambda g: g.transpose(2, 3),
        torch.zeros_like,
        lambda g: g.clamp(-0.003, 0.003),
        one_element,
        lambda g: g.float().double() if g.dtype is torch.float64 else g,
    ],
    ids=["doubled", "negated", "scaled", "batch", "transposed", "zero", "clipped", "one element", "float32 inside"],
)
def test_a_gradient_that_a_hook_changes_fails_though_the_structure_is_proved(check: Check, hook: Hook) -> None:
    for results in (check(hooked(hook), Renamed), check(Renamed, hooked(hook))):
        assert results.unpassed == FAILED
        assert "evaluated operation by operation the two agree" in results["backward.float64"].message


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_in_a_gradient_fail(check: Check, bad: float) -> None:
    for results in (check(hooked(lambda g: g * bad), Net), check(Net, hooked(lambda g: g * bad))):
        assert results.unpassed == FAILED
        assert "holds NaN or infinity" in results["backward.float64"].message


@pytest.mark.control("backward.float64")
def test_a_backward_hook_of_a_module_is_run(check: Check) -> None:
    class Hooked(Net):
        def __init__(self) -> None:
            super().__init__()
            self.bn.register_full_backward_hook(doubled)

    results = check(Hooked, Net)
    failed = ["backward.float64", "train.float64"]
    assert [name for name, outcome in results.unpassed.items() if outcome == "fail"] == failed
    evidence = results["backward.float64"].evidence["tensors"]
    assert [key for key, verdict in evidence.items() if not verdict["passed"]] == ["conv.weight", INPUT]


def test_a_hook_of_a_parameter_is_run(check: Check) -> None:
    class Hooked(Net):
        def __init__(self) -> None:
            super().__init__()
            self.fc.weight.register_hook(lambda g: 2 * g)  # type: ignore[no-untyped-call]

    assert "backward.float64" in check(Hooked, Net).unpassed


class Sigmoid(Net):
    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else x.sigmoid()


class Clobbered(Net):
    """Writes over what sigmoid has kept for its derivative, where autograd does not see it."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return x
        kept = x.sigmoid()
        x = kept.clone()
        kept.data.zero_()
        return x


class Doubled(Net):
    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else x * 2


class DoubledUnseen(Net):
    """Doubles its values in place under no_grad: the derivative is that of the values before."""

    def between(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return x
        x = x.clone()
        with torch.no_grad():
            x.mul_(2)
        return x


class Cut(Net):
    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else x.detach()


class CutWithoutGradients(Net):
    def between(self, x: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(self.training):
            return x.clone()


@pytest.mark.control("backward.float64")
@pytest.mark.parametrize(
    ("wrong", "right"), [(Clobbered, Sigmoid), (DoubledUnseen, Doubled), (Cut, Net), (CutWithoutGradients, Net)]
)
def test_what_eval_mode_computes_alike_and_derives_otherwise_fails(check: Check, wrong: Build, right: Build) -> None:
    for results in (check(wrong, right), check(right, wrong)):
        assert results.unpassed == FAILED


class Frozen(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fc.weight.requires_grad_(False)


class Buffered(Net):
    """Holds its weight in a buffer: the same state_dict, and nothing trains it."""

    def __init__(self) -> None:
        super().__init__()
        weight = self.fc.weight.detach().clone()
        del self.fc.weight
        self.fc.register_buffer("weight", weight)


@pytest.mark.control("backward.float64")
@pytest.mark.parametrize("wrong", [Frozen, Buffered])
def test_a_weight_without_a_gradient_is_missed_on_either_side(check: Check, wrong: Build) -> None:
    for results, here, there in ((check(wrong, Net), "here", "there"), (check(Net, wrong), "there", "here")):
        assert results.passed[:4] == ["structure", "mapping", "forward.float64", "forward.float32"]
        assert results.unpassed["backward.float64"] == "fail"
        message = results["backward.float64"].message
        assert message.startswith(f"no gradient reaches 'fc.weight' {here}")
        assert f", and one does {there}" in message
        assert len(results["backward.float64"].evidence["missing"]) == 1


def test_a_weight_frozen_on_both_sides_is_no_difference(check: Check) -> None:
    results = check(Frozen, Frozen)
    assert results.unpassed == {}
    assert "fc.weight" not in results["backward.float64"].evidence["tensors"]


def test_a_missing_gradient_of_the_input_is_missed(check: Check) -> None:
    class Images(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x if self.training else x.detach())

    results = check(Images, Net)
    assert results.unpassed == FAILED
    assert results["backward.float64"].message.startswith("no gradient reaches 'the input' here")


def half(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.half().float() if gradient.dtype is torch.float32 else gradient


@pytest.mark.control("backward.float32")
def test_a_gradient_in_half_precision_fails_in_float32_only(check: Check) -> None:
    for subject, reference in ((hooked(half), Renamed), (Renamed, hooked(half))):
        results = check(subject, reference)
        assert results.unpassed == {"backward.float32": "fail"}
        assert "times the reference's own distance from float64" in results["backward.float32"].message
        assert results["backward.float32"].evidence["failed"]


def test_a_network_without_a_derivative_is_refused(check: Check) -> None:
    class Constant(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x).argmax(1)

    with pytest.raises(ReproError, match="there is no gradient to compare"):
        check(Constant, Constant)


def test_a_network_that_writes_into_its_input_is_differentiated(check: Check) -> None:
    class InPlace(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x.sub_(1))

    class Copying(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x - 1)

    assert check(InPlace, Copying).unpassed == {}


@pytest.mark.xfail(strict=True, raises=ReproError, reason="functionalize has no rule for autograd.Function")
def test_a_backward_written_by_hand_is_compared(check: Check) -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(x: torch.Tensor) -> torch.Tensor:
            return x.exp()

        @staticmethod
        def setup_context(ctx: Any, _: Any, output: Any) -> None:
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return 2 * gradient * ctx.saved_tensors[0]

    class Exponential(Net):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            return x.exp()

    class Wrong(Net):
        def between(self, x: torch.Tensor) -> torch.Tensor:
            x = Twice.apply(x)
            return x

    assert check(Wrong, Exponential).unpassed["backward.float64"] == "fail"
