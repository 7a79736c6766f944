"""Faults planted in values, structure and derivatives: the first divergence is where the fault is, and says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from repro import fill
from repro.canonical import canonical
from repro.graph import Graph, trace
from repro.mapping import key_map, match
from repro.parity.differences import alignment
from repro.parity.divergence import Divergence, Phase, first_divergence

SHAPE = (2, 3, 9, 8)
PHASES: list[Phase] = ["forward", "backward"]
PRECISIONS = [torch.float64, torch.float32]

State = dict[str, torch.Tensor]
Act = Callable[[torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """A stem, two branches added, two layers, a head; each argument is a fault."""

    def __init__(
        self,
        *,
        stride: int = 1,
        padding: int = 1,
        eps: float = 1e-5,
        width: int = 4,
        act: Act = F.elu,
        last: Act = F.elu,
        cut: bool = False,
        around: str = "left",
        pool: Act = lambda x: F.max_pool2d(x, 2),
        end: Act = lambda x: x,
        bias: bool = True,
        drop: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4, eps=eps)
        self.left = nn.Conv2d(4, 4, 3, padding=1)
        self.right = nn.Conv2d(4, 4, 5, padding=2)
        self.body1 = nn.Conv2d(4, width, 3, stride, padding)
        self.body2 = nn.Conv2d(width, 4, 3, padding=1, bias=bias)
        self.drop = drop or nn.Identity()
        self.fc = nn.Linear(4, 5)
        self.act, self.last, self.cut, self.around, self.pool, self.end = act, last, cut, around, pool, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x))
        x = self.act(x)
        left, right = self.left(x), self.right(x.detach() if self.cut else x)
        x = left + right
        x = x * torch.sigmoid({"left": left, "right": right}[self.around])
        x = self.pool(x)
        x = torch.tanh(self.body1(x))
        x = self.last(self.body2(x))
        x = self.drop(x.mean((2, 3)))
        return self.end(self.fc(x))


class Renamed(nn.Module):
    """The same network in other words."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(4, 5, 1)
        self.convs = nn.ModuleList(
            [nn.Conv2d(*sizes) for sizes in ((4, 4, 3, 1, 1), (4, 4, 3, 1, 1), (4, 4, 5, 1, 2), (4, 4, 3, 1, 1))]
        )
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.ELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        left = self.convs[3](x)
        x = torch.sigmoid(left) * (self.convs[2](x) + left)
        x = self.convs[1](F.max_pool2d(x, 2, 2)).tanh()
        x = F.elu(self.convs[0](x)).mean((2, 3), keepdim=True)
        x = self.head(x)
        return x.flatten(1)


def graph_of(module: nn.Module, training: bool = False, shape: tuple[int, ...] = SHAPE) -> Graph:
    return canonical(trace(module, torch.empty(shape, device="meta"), training=training))


def weights(module: nn.Module) -> State:
    given = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return fill.conditioned(trace(module, torch.empty(SHAPE, device="meta")), given)


NET, RENAMED = graph_of(Net()), graph_of(Renamed())
WEIGHTS = weights(Net())
MATCHING = match(NET, RENAMED)
assert MATCHING is not None
KEYS = key_map(NET, RENAMED, MATCHING)
THEIRS = KEYS.apply(WEIGHTS)
INPUTS = [fill.image(0, SHAPE[0], SHAPE[1:])]
LAYERS = ("stem", "left", "right", "body1", "body2", "fc")


def of_values(
    changed: Mapping[str, torch.Tensor], phase: Phase, dtype: torch.dtype = torch.float64
) -> Divergence | None:
    """Equal networks, the first of them with other values."""
    assert MATCHING is not None
    return first_divergence(NET, RENAMED, MATCHING.nodes, ({**WEIGHTS, **changed}, THEIRS), INPUTS, phase, dtype)


def of_structure(
    subject: nn.Module, phase: Phase, reference: nn.Module | None = None, training: bool = False
) -> Divergence | None:
    """Two networks with the weights of the second where their shapes allow it."""
    reference = reference or Net()
    first, second = graph_of(subject, training), graph_of(reference, training)
    theirs = weights(reference)
    ours = {
        key: theirs[key] if key in theirs and theirs[key].shape == value.shape else value
        for key, value in weights(subject).items()
    }
    return first_divergence(first, second, alignment(first, second), (ours, theirs), INPUTS, phase)


def found(divergence: Divergence | None) -> Divergence:
    assert divergence is not None
    json.dumps(divergence.evidence())
    return divergence


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("phase", PHASES)
def test_equal_networks_part_nowhere(phase: Phase, dtype: torch.dtype) -> None:
    assert of_values({}, phase, dtype) is None


def test_what_no_derivative_depends_on_is_no_divergence_backward() -> None:
    changed = {"fc.bias": WEIGHTS["fc.bias"] + 1}
    assert of_values(changed, "backward") is None
    assert found(of_values(changed, "forward")).at.key == "fc.bias"


@settings(max_examples=20)
@given(st.sampled_from(LAYERS), st.sampled_from(["weight", "bias"]), st.data())
@pytest.mark.parametrize("phase", PHASES)
def test_a_changed_weight_is_found_in_its_layer(phase: Phase, layer: str, which: str, data: st.DataObject) -> None:
    assume((layer, which, phase) != ("fc", "bias", "backward"))
    key = f"{layer}.{which}"
    value = WEIGHTS[key].clone()
    at = data.draw(st.integers(0, value.numel() - 1))
    value.view(-1)[at] += 0.01
    told = found(of_values({key: value}, phase))
    (entry,) = [entry for entry in KEYS.entries if entry.source == key]
    assert (told.at.subject.path, told.at.key, told.wrong_here) == (layer, key, True)
    assert told.at.reference.path == entry.target.rpartition(".")[0]
    assert f"{key} differs from the reference's {entry.target} in 1 of {value.numel()} elements" in str(told)
    assert told.causes == (told.at,)
    assert told.error > told.allowance


def test_the_node_told_is_the_one_that_was_traced() -> None:
    told = found(of_values({"body1.weight": WEIGHTS["body1.weight"] * 1.01}, "forward"))
    node = trace(Net(), *(torch.empty(SHAPE, device="meta"),)).nodes[told.at.subject.origin]
    assert (node.op, node.path) == ("convolution", "body1")
    assert told.at.subject.where == node.where
    assert told.at.subject.where.startswith("parity/test_divergence.py:")
    assert told.after is not None
    assert told.after.op == "max_pool2d"
    assert told.quantity == "its value"
    assert told.evidence()["at"]["subject"]["origin"] == told.at.subject.origin


def test_the_numbers_told_are_those_of_the_worst_element() -> None:
    bias = WEIGHTS["fc.bias"].clone()
    bias[3] += 0.5
    told = found(of_values({"fc.bias": bias}, "forward"))
    assert told.index[1] == 3
    assert told.actual - told.expected == pytest.approx(0.5)
    assert told.truth == told.expected
    assert told.allowance == pytest.approx(1e-10)
    assert f"at {list(told.index)} it is {told.actual:.9g} and should be {told.expected:.9g}" in str(told)


@pytest.mark.parametrize("phase", PHASES)
def test_swapped_weights_name_each_other(phase: Phase) -> None:
    swapped = {"left.weight": WEIGHTS["body2.weight"], "body2.weight": WEIGHTS["left.weight"]}
    told = found(of_values(swapped, phase))
    assert {cause.key for cause in told.causes} == {"left.weight", "body2.weight"}
    assert "left.weight holds the values of the reference's convs.0.weight, and body2.weight those of" in str(told)
    assert "they are swapped" in str(told)


def test_a_weight_of_another_place_is_told_where_it_belongs() -> None:
    told = found(of_values({"left.weight": WEIGHTS["body2.weight"]}, "forward"))
    assert "left.weight holds the values of the reference's convs.0.weight, not of convs.3.weight" in str(told)
    assert "swapped" not in str(told)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        (
            "left.weight",
            lambda w: w.transpose(0, 1),
            "is the reference's convs.3.weight with dimensions 0 and 1 exchanged",
        ),
        (
            "fc.weight",
            lambda w: w.t().reshape(w.shape),
            "is the reference's head.weight with dimensions 0 and 1 exchanged",
        ),
        ("right.weight", lambda w: w.flip(2, 3), "is the reference's convs.2.weight flipped along dimension 2 and 3"),
        ("right.weight", lambda w: w * 1.5, "differs from the reference's convs.2.weight in 400 of 400 elements"),
        ("norm.running_var", lambda w: w + 0.1, "differs from the reference's first.1.running_var in 4 of 4 elements"),
    ],
)
def test_how_a_weight_is_wrong_is_told(key: str, change: Act, words: str) -> None:
    told = found(of_values({key: change(WEIGHTS[key])}, "forward"))
    assert told.at.key == key
    assert words in str(told)


# Fault -> the module it is in, and words of the report.
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"stride": 2}, "body1", "convolution stride 2 here, 1 there"),
    ({"padding": 0}, "body1", "convolution padding 0 here, 1 there"),
    ({"eps": 1e-3}, "norm", "batch_norm eps 0.001 here, 1e-05 there"),
    ({"act": torch.tanh}, "", "tanh here, elu there"),
    ({"last": lambda x: F.elu(x, 0.9)}, "", "elu alpha 0.9 here, 1"),
    ({"last": lambda x: x}, "", "elu of the root module"),
    ({"last": lambda x: F.elu(x).square()}, "", "the reference has no mul of the root module"),
    ({"pool": lambda x: F.avg_pool2d(x, 2)}, "", "avg_pool2d here, max_pool2d there"),
    ({"pool": lambda x: F.max_pool2d(x, 2, ceil_mode=True)}, "", "max_pool2d ceil_mode True here, False there"),
    ({"around": "right"}, "", "sigmoid reads right here, left there"),
    ({"bias": False}, "body2", "convolution with weights 4x4x3x3 here, 4x4x3x3 and 4 there"),
    ({"end": lambda x: F.softmax(x, 1)}, "", "the reference has no softmax of the root module"),
    ({"end": lambda x: x * 2}, "", "the reference has no mul of the root module"),
]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("fault", "path", "words"), FAULTS)
def test_a_fault_of_structure_is_found_in_numbers(fault: dict[str, Any], path: str, words: str, phase: Phase) -> None:
    told = found(of_structure(Net(**fault), phase))
    assert told.at.subject.path == path
    assert told.wrong_here
    assert words in str(told)


@pytest.mark.parametrize("phase", PHASES)
def test_a_layer_of_another_width_is_one_cause(phase: Phase) -> None:
    told = found(of_structure(Net(width=6), phase))
    assert {cause.subject.path for cause in told.causes} <= {"body1", "body2", ""}
    assert "body1" in str(told)


@pytest.mark.parametrize("name", ["extra", "missing"])
def test_an_operation_that_one_side_lacks_is_the_place(name: str) -> None:
    with_it, without = Net(end=lambda x: x.tanh()), Net()
    told = found(of_structure(*((with_it, "forward", without) if name == "extra" else (without, "forward", with_it))))
    assert told.quantity == "output 0"
    assert [told.at.subject.op, told.at.reference.op] == (["tanh", "linear"] if name == "extra" else ["linear", "tanh"])


def test_a_branch_cut_off_from_gradients_is_found_backward_only() -> None:
    assert of_structure(Net(cut=True), "forward", training=True) is None
    told = found(of_structure(Net(cut=True), "backward", training=True))
    assert told.at.subject.op == "stop"
    assert told.at.reference.path == "right"
    assert told.actual == 0 != told.expected
    assert "the reference has no stop of" in str(told)
    assert told.causes == (told.at,)
    back = found(of_structure(Net(), "backward", Net(cut=True), training=True))
    assert back.at.reference.op == "stop"
    assert "stop of" in str(back)
    assert "of the reference is missing" in str(back)


@pytest.mark.parametrize("phase", PHASES)
def test_two_faults_are_two_causes(phase: Phase) -> None:
    told = found(of_structure(Net(eps=1e-2, last=lambda x: F.elu(x, 0.9)), phase))
    expected = ["batch_norm", "elu"]
    assert [cause.subject.op for cause in told.causes] == (expected if phase == "forward" else expected[::-1])
    assert told.at == told.causes[0]
    changed = {key: WEIGHTS[key] * 1.01 for key in ("left.weight", "right.bias", "body2.weight")}
    keys = [cause.key for cause in found(of_values(changed, phase)).causes]
    assert sorted(keys) == sorted(changed)
    assert "Wrong by themselves are also" in str(told)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_and_infinity_are_found_where_they_arise(bad: float, dtype: torch.dtype) -> None:
    value = WEIGHTS["body1.weight"].clone()
    value[1, 2, 0, 0] = bad
    told = found(of_values({"body1.weight": value}, "forward", dtype))
    assert told.at.key == "body1.weight"
    assert told.problem == "the result holds NaN or infinity"
    assert told.problem in str(told)


def test_nan_on_both_sides_is_no_agreement() -> None:
    assert MATCHING is not None
    bad = {**WEIGHTS, "body1.bias": WEIGHTS["body1.bias"] * torch.nan}
    told = found(first_divergence(NET, RENAMED, MATCHING.nodes, (bad, KEYS.apply(bad)), INPUTS, "forward"))
    assert told.at.subject.path == "body1"
    assert "NaN" in told.problem


def test_float32_sees_what_it_can_and_float64_more() -> None:
    large, small = WEIGHTS["left.weight"] * 1.001, WEIGHTS["left.weight"].double() * (1 + 1e-9)
    for phase in PHASES:
        told = found(of_values({"left.weight": large}, phase, torch.float32))
        assert (told.dtype, told.at.key, told.wrong_here) == ("float32", "left.weight", True)
        assert told.truth != told.expected
        assert of_values({"left.weight": small}, phase, torch.float32) is None
        assert found(of_values({"left.weight": small}, phase)).at.key == "left.weight"


def test_errors_that_only_add_up_have_no_cause() -> None:
    """Each of a hundred layers is within the budget on the reference's values, all of them together are not."""
    depth, factor = 100, 1 + 5e-12  # of each layer; the spread of the input is 1, its largest value 1.7

    class Deep(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for index in range(depth):
                x = x * (self.factor * (2 if index % 2 else 0.5))
            return x

    first, second = graph_of(Deep(factor)), graph_of(Deep(1.0))
    told = found(first_divergence(first, second, alignment(first, second), ({}, {}), INPUTS, "forward"))
    assert not told.wrong_here
    assert told.causes == ()
    assert "is right: the fault is in what it reads" in str(told)


def test_constants_agree_but_for_rounding() -> None:
    """A value without spread has no budget in units of it."""

    class Constant(nn.Module):
        def __init__(self, scale: Act) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.scale(x * 0 + 0.7)

    reference = graph_of(Constant(lambda x: x / 49))
    for factor, same in ((1 / 49, True), (1 / 49 + 1e-6, False)):
        first = graph_of(Constant(lambda x, factor=factor: x * factor))  # type: ignore[misc]
        told = first_divergence(first, reference, alignment(first, reference), ({}, {}), INPUTS, "forward")
        assert (told is None) is same
        assert same or found(told).at.reference.op == "div"


def test_train_mode_drops_the_same_elements() -> None:
    class ByHand(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (torch.empty_like(x).bernoulli_(0.75) / 0.75) if self.training else x

    for phase in PHASES:
        assert of_structure(Net(drop=nn.Dropout(0.25)), phase, Net(drop=ByHand()), training=True) is None
        assert (
            found(of_structure(Net(drop=nn.Dropout(0.3)), phase, Net(drop=ByHand()), training=True)).at.subject.op
            == "dropout"
        )


def test_a_gradient_that_is_zero_but_for_rounding_is_no_divergence() -> None:
    """That of a bias before a normalisation by the batch: two ways to scale its input round it in two ways."""

    class Scaled(Net):
        def __init__(self, scale: Act) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(self.scale(x))

    divided, multiplied = Scaled(lambda x: x / 2.5), Scaled(lambda x: x * 0.4)
    assert match(graph_of(divided, True), graph_of(multiplied, True)) is None
    assert of_structure(divided, "backward", multiplied, training=True) is None
