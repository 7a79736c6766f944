"""Planted faults do what they say, where they say it, and nothing else."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro import fill
from repro.errors import ReproError
from repro.faults import Fault, faults, kinds, off_by, places
from repro.faults._fault import GRADIENT, Subject, kind, of_kind
from repro.faults._plant import changing, rewiring, skip
from repro.graph import Graph, labelled, trace
from repro.models import build, get
from repro.models.inception_resnet_v2 import block_c
from repro.models.inception_v4 import inception_b
from repro.models.resnet import BasicBlock, BottleneckV1_5, stage
from repro.models.resnet_gn import group_norm

# Smallest first, at sizes that all of their layers take, and of the large ones a part, because only its blocks have
# what some kinds need. GoogLeNet's heads take no such size: its train mode does not run here.
NETWORKS: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "lenet5_28": (lambda: build("lenet5_28"), (1, 31, 30)),
    "lenet5": (lambda: build("lenet5"), (1, 35, 34)),
    "nin_cifar10": (lambda: build("nin_cifar10"), (3, 17, 14)),
    "resnet18.conv3_x": (lambda: stage(BasicBlock, 64, 128, 2, 2, nn.BatchNorm2d), (64, 9, 8)),
    "resnet50_gn.conv2_x": (lambda: stage(BottleneckV1_5, 64, 64, 1, 1, group_norm), (64, 6, 5)),
    "googlenet_torchvision": (lambda: build("googlenet_torchvision", num_classes=10), (3, 48, 33)),
    "googlenet": (lambda: build("googlenet", num_classes=10), (3, 48, 33)),
    "inception_v4.inception_b": (inception_b, (1024, 4, 5)),
    "inception_resnet_v2.block_c": (lambda: block_c(0.2, nn.ReLU()), (2080, 3, 2)),
}

# What a fault of these kinds takes away from the state_dict or adds to it, as the real mistake does.
OTHER_KEYS = ("convolution bias missing", "convolution bias added", "linear bias missing")

EQUAL, DIFFERENT = 1e-11, 1e-7  # of a tensor's largest value


@functools.cache
def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = NETWORKS[name][0]()
    return network


@functools.cache
def really_built(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = NETWORKS[name][0]()
    return network


@functools.cache
def subject(name: str) -> Subject:
    return Subject(on_meta(name), NETWORKS[name][1])


@functools.cache
def first_fault(wanted: str) -> tuple[str, Fault]:
    """The smallest network that has a place for one of that kind, and the one that is chosen there."""
    for name in NETWORKS:
        for fault in of_kind(wanted, subject(name)):
            return name, fault
    raise AssertionError(f"no network has a place for {wanted!r}")


@functools.cache
def conditioned(name: str) -> dict[str, Tensor]:
    state = fill.conditioned(subject(name).graph, dict(really_built(name).state_dict()))
    return {key: value.double() if value.is_floating_point() else value for key, value in state.items()}


def traced(name: str, network: nn.Module, training: bool) -> Graph:
    return trace(network, torch.empty(3, *NETWORKS[name][1], device="meta"), training=training)


def images(name: str) -> Tensor:
    return fill.image(0, 3, NETWORKS[name][1]).double()


def planted(fault: Fault | None, network: nn.Module) -> nn.Module:
    """A copy with the fault planted, if it is one of the program."""
    network = copy.deepcopy(network)
    if fault and fault.plant:
        fault.plant(network)
    return network


def with_values(name: str, fault: Fault | None) -> nn.Module:
    """The network in float64 on the conditioned weights, which the fault may alter; `assign`, as checkers install."""
    network = planted(fault, really_built(name))
    state = dict(conditioned(name))
    if fault and fault.alter:
        fault.alter(state)
    full = network.state_dict()
    for key, tensor in full.items():
        same = key in state and state[key].shape == tensor.shape
        full[key] = state[key].clone() if same else fill.uniform(key, tuple(tensor.shape), -0.1, 0.1).double()
    network.load_state_dict(full, assign=True)
    return network.double()


class Observed:
    """What a run of a network leaves to compare: outputs, buffers, and gradients if backward does not raise."""

    def __init__(self, network: nn.Module, x: Tensor, training: bool) -> None:
        x = x.clone().requires_grad_()
        torch.manual_seed(0)  # the dropout masks
        found = [value for _, value in labelled(network.train(training)(x)) if isinstance(value, Tensor)]
        self.outputs = {str(i): value.detach().clone() for i, value in enumerate(found)}
        loss = torch.stack([(y * fill.uniform(f"loss/{i}", tuple(y.shape), -1, 1)).sum() for i, y in enumerate(found)])
        self.gradients: dict[str, Tensor] = {}
        self.raised = ""
        try:
            loss.sum().backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            self.raised = str(error)
        else:
            tensors = {"input": x, **dict(network.named_parameters())}
            self.gradients = {key: tensor.grad for key, tensor in tensors.items() if tensor.grad is not None}
        self.buffers = {key: tensor.clone() for key, tensor in network.named_buffers()}


@functools.cache
def healthy(name: str, training: bool) -> Observed:
    return Observed(with_values(name, None), images(name), training)


def distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """The largest difference in units of each tensor's largest value; infinite where there is no pair."""
    if first.keys() != second.keys() or any(first[key].shape != second[key].shape for key in first):
        return float("inf")
    scaled = [float((first[k] - second[k]).abs().max() / first[k].abs().max().clamp(min=1e-30)) for k in first]
    return max(scaled, default=0.0)


def check_modes(name: str, fault: Fault) -> None:
    """It differs in what its `modes` say and in nothing else."""
    faulty = Observed(with_values(name, fault), images(name), training=False)
    differences = {
        "eval": distance(healthy(name, False).outputs, faulty.outputs),
        "backward": distance(healthy(name, False).gradients, faulty.gradients),
    }
    if fault.modes == GRADIENT:
        gradients = healthy(name, False).gradients
        assert fault.key in gradients
        assert distance({"": gradients[fault.key]}, {"": faulty.gradients.get(fault.key, torch.empty(0))}) > DIFFERENT
    if subject(name).training is not None:
        before, faulty = healthy(name, True), Observed(with_values(name, fault), images(name), training=True)
        compared = ["outputs", "gradients"] if fault.alter else ["outputs", "gradients", "buffers"]
        differences["train"] = max(distance(getattr(before, what), getattr(faulty, what)) for what in compared)
    for mode, difference in differences.items():
        if mode in fault.modes:
            assert difference > DIFFERENT, f"{mode}: {difference}"
        else:
            assert difference < EQUAL, f"{mode}: {difference}"


def check_place(name: str, fault: Fault) -> None:
    """The operation it names stands in the graph of the side it names."""
    place = (fault.path, fault.op, fault.occurrence)
    before = places(traced(name, on_meta(name), fault.training))
    if fault.side == "expected":
        assert place in before
    else:
        after = places(traced(name, planted(fault, on_meta(name)), fault.training))
        assert place in after
        assert sum(p[:2] == place[:2] for p in after) > sum(p[:2] == place[:2] for p in before)


def test_there_are_enough_kinds() -> None:
    assert len(kinds()) == len(set(kinds())) >= 40


@pytest.mark.parametrize("wanted", kinds())
def test_a_kind_does_what_it_says(wanted: str) -> None:
    name, fault = first_fault(wanted)
    assert fault.kind == wanted
    assert fault.detail
    assert [fault.plant, fault.alter, fault.start].count(None) == 2
    assert bool(fault.equivalent) == (not fault.modes)
    assert bool(fault.key) != bool(fault.op)
    if fault.op:
        check_place(name, fault)
    if fault.start is None:
        check_modes(name, fault)


@pytest.mark.parametrize("wanted", kinds())
def test_keys_stay(wanted: str) -> None:
    name, fault = first_fault(wanted)
    before, after = on_meta(name).state_dict().keys(), planted(fault, on_meta(name)).state_dict().keys()
    if wanted in OTHER_KEYS:
        assert before ^ after == {f"{fault.path}.bias"}
    else:
        assert list(before) == list(after)
    assert not fault.key or fault.key in before


@pytest.mark.parametrize("wanted", [wanted for wanted in kinds() if wanted.startswith("initial ")])
def test_initial_values_change_under_one_key(wanted: str) -> None:
    name, fault = first_fault(wanted)
    network = copy.deepcopy(really_built(name))
    assert fault.start is not None
    fault.start(network)
    before, after = really_built(name).state_dict(), network.state_dict()
    assert [key for key in before if not torch.equal(before[key], after[key])] == [fault.key]


@pytest.mark.parametrize("wanted", kinds())
def test_values_change_under_the_keys_that_are_named(wanted: str) -> None:
    name, fault = first_fault(wanted)
    if fault.alter is None:
        assert "values" not in fault.modes
        return
    before = {key: tensor.clone() for key, tensor in conditioned(name).items()}
    given = dict(conditioned(name))
    fault.alter(given)
    changed = [key for key in before if not torch.equal(before[key], given[key])]
    assert fault.key in changed
    assert len(changed) == (2 if "exchanged with" in fault.detail else 1)
    assert all(torch.equal(before[key], conditioned(name)[key]) for key in before), "what was given was written into"


@pytest.mark.parametrize(
    ("wanted", "size", "reason"),
    [
        ("ceil_mode", (1, 28, 28), "adds no window at this size"),
        ("flatten order", (3, 29, 43), "the map is one pixel"),
        ("activation doubled", (3, 29, 43), "relu(relu(x)) is relu(x)"),
    ],
)
def test_what_changes_nothing_is_said_to(wanted: str, size: tuple[int, int, int], reason: str) -> None:
    network = on_meta("lenet5_28" if size[0] == 1 else "nin_cifar10")
    (fault,) = faults(network, size, only=[wanted])
    assert fault.equivalent == reason


def test_planting_leaves_other_networks_alone() -> None:
    name = "resnet18.conv3_x"
    before = traced(name, on_meta(name), False)
    for wanted in kinds():
        for fault in of_kind(wanted, subject(name)):
            planted(fault, on_meta(name))
    after = traced(name, copy.deepcopy(on_meta(name)), False)
    assert [(node.op, node.attributes, node.inputs) for node in after.nodes] == [
        (node.op, node.attributes, node.inputs) for node in before.nodes
    ]


def test_a_fault_can_be_planted_again_and_copied() -> None:
    name, fault = first_fault("activation missing")
    first, second = (with_values(name, fault) for _ in range(2))
    outputs = [Observed(network, images(name), False).outputs for network in (first, second, copy.deepcopy(first))]
    assert distance(outputs[0], outputs[1]) == distance(outputs[0], outputs[2]) == 0
    copied = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert distance(Observed(copied, images(name), False).outputs, outputs[0]) == 0


def test_the_choice_is_repeatable_and_spread_over_the_depth() -> None:
    network = build_on_meta("vgg11")
    once, again = (
        [fault.path for fault in faults(network, (3, 64, 90), places=4, only=["activation missing"])] for _ in range(2)
    )
    occurrences = [
        (fault.path, fault.occurrence) for fault in faults(network, (3, 64, 90), places=4, only=["activation missing"])
    ]
    assert once == again
    assert len(set(occurrences)) == 4
    everything = list(faults(network, (3, 64, 90), places=100, only=["activation missing"]))
    assert len(everything) == 10
    order = [(fault.path, fault.occurrence) for fault in everything]
    parts = sorted(order.index(place) * 4 // 10 for place in occurrences)
    assert len(set(parts)) >= 3


def build_on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(name)


def test_the_seed_moves_the_choice() -> None:
    network = build_on_meta("vgg11")
    chosen = {
        next(faults(network, get("vgg11").other_size, seed=seed, only=["weight element"])).key for seed in range(8)
    }
    assert len(chosen) > 2


def test_a_place_where_the_network_does_not_run_gives_way() -> None:
    """Another padding fits into alexnet's head nowhere but where the map is rounded down."""
    network = build_on_meta("alexnet")
    found = list(faults(network, get("alexnet").other_size, places=9, only=["convolution padding"]))
    assert len(found) < 5
    for fault in found:
        trace(planted(fault, network), torch.empty(3, *get("alexnet").other_size))


def test_an_untraceable_network_is_an_error_of_the_user() -> None:
    with pytest.raises(ReproError, match="forward failed"):
        list(faults(on_meta("lenet5_28"), (3, 31, 30)))


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError, match="no such"):
        list(faults(on_meta("lenet5_28"), (1, 31, 30), only=["no such"]))


def test_two_kinds_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="two kinds of fault are called 'convolution stride'"):
        kind("convolution stride")(lambda _: iter(()))


@pytest.mark.parametrize("relative", [1e-1, 1e-3, 1e-6])
def test_one_element_is_off_by_what_was_asked_for(relative: float) -> None:
    state = {"w": torch.full((2, 3), 2.0, dtype=torch.float64)}
    fault = off_by("w", relative, index=4)
    assert fault.alter is not None
    fault.alter(state)
    difference = state["w"] / 2 - 1
    assert difference.flatten().nonzero().tolist() == [[4]]
    assert float(difference[1, 1]) == pytest.approx(relative)


class Nested(nn.Module):
    """Calls the same functions as its child does, before and after it, in several spellings."""

    def __init__(self, depth: int = 1) -> None:
        super().__init__()
        self.child = Nested(depth - 1) if depth else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(x) + 1
        y = self.child(y)
        y = 1 + F.relu(y)
        y += 1
        return y.relu_()


@pytest.mark.parametrize("path", ["", "child"])
@pytest.mark.parametrize("occurrence", [0, 1, 2])
@pytest.mark.parametrize("function", ["relu", "add"])
def test_one_call_of_one_module_is_changed(path: str, function: str, occurrence: int) -> None:
    """`tanh` stands in the graph where the function was called, and there alone; the next run is no different."""
    network = Nested()
    changing(path, function, occurrence, lambda call, *args, **named: call(*args, **named).tanh())(network)
    for _ in range(2):
        graph = trace(network, torch.empty(2, 3))
        (node,) = (node for node in graph.nodes if node.op == "tanh")
        before = graph.node(node.inputs[0])
        assert places(graph)[path, function, occurrence] is before


def test_a_changed_call_may_be_left_out() -> None:
    network = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    changing("0", "relu", 0, skip)(network)
    assert [node.op for node in trace(network, torch.empty(1, 2)).nodes if node.path == "0"] == []


def test_a_module_runs_another_forward_and_stays_itself() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    rewiring("0", lambda forward, x: forward(x) + 1)(network)
    (linear,) = network
    assert isinstance(linear, nn.Linear)
    assert repr(network) == repr(nn.Sequential(nn.Linear(2, 2)))
    x = torch.ones(1, 2)
    assert torch.equal(network(x), F.linear(x, linear.weight, linear.bias) + 1)


def test_an_error_inside_leaves_no_hooks_behind() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    changing("", "relu", 0, skip)(network)
    hooks = dict(nn.modules.module._global_forward_pre_hooks)
    with pytest.raises(RuntimeError):
        network(torch.ones(1, 3))
    assert dict(nn.modules.module._global_forward_pre_hooks) == hooks
