"""Networks wrong in one known way each: the first difference names the place, and one cause is one entry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro import models
from repro.canonical import canonical
from repro.graph import Graph, trace
from repro.mapping import match
from repro.parity.causes import Difference
from repro.parity.differences import differences

HERE = "/".join(Path(__file__).parts[-2:])


class Net(nn.Module):
    """Three stages: a stem, two branches that are concatenated, two residual blocks; each argument is a fault."""

    def __init__(
        self,
        *,
        stride: int = 1,
        padding: int = 1,
        eps: float = 1e-5,
        width: int = 6,
        activation: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        repeats: int = 1,
        branches: tuple[str, str] = ("left", "right"),
        pool: Callable[[torch.Tensor], torch.Tensor] = lambda x: F.max_pool2d(x, 2),
        extra: bool = False,
        bias: bool = True,
        source: str = "stem",
        shortcut: int = 1,
        heads: int = 1,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, stride, padding), nn.BatchNorm2d(4, eps=eps))
        self.activation, self.repeats = activation, repeats
        self.left = nn.Conv2d(4, width, 3, padding=1)
        self.right = nn.Sequential(nn.Conv2d(4, 5, 1), nn.Conv2d(5, 6, 5, padding=2))
        self.branches, self.source, self.pool = branches, source, pool
        channels = width + 6
        self.blocks = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3)])
        self.extra = nn.Conv2d(channels, channels, 1) if extra else nn.Identity()
        self.shortcut = shortcut
        self.fc = nn.Linear(channels, 7, bias=bias)
        self.aux = nn.ModuleList([nn.Linear(channels, 7) for _ in range(heads - 1)])

    def forward(self, x: torch.Tensor) -> Any:
        stem = x = self.stem(x)
        for _ in range(self.repeats):
            x = self.activation(x)
        found = {"left": self.left(x), "right": self.right({"stem": x, "norm": stem}[self.source])}
        x = self.pool(torch.cat([found[name] for name in self.branches], 1))
        values = [x]
        for block in self.blocks:
            source = values[-self.shortcut if block is self.blocks[2] else -1]
            values.append(torch.tanh(block(values[-1]) + source))
        x = self.extra(values[-1]).mean((2, 3))
        return (self.fc(x), *(head(x) for head in self.aux)) if self.aux else self.fc(x)


def line_of(text: str) -> str:
    lines, start = inspect.getsourcelines(Net.forward)
    return f"{HERE}:{start + next(i for i, line in enumerate(lines) if text in line)}"


def graph_of(module: nn.Module, size: tuple[int, ...] = (3, 3, 16, 16)) -> Graph:
    return canonical(trace(module, torch.empty(size, device="meta")))


def told(**fault: Any) -> list[Difference]:
    """What is said of the right network against the one with a fault."""
    return differences(graph_of(Net()), graph_of(Net(**fault)))


def told_back(**fault: Any) -> list[Difference]:
    return differences(graph_of(Net(**fault)), graph_of(Net()))


FAULTS = [
    pytest.param({"stride": 2}, "attributes", "convolution stride 1 here, 2 there", "stem.0", id="stride"),
    pytest.param({"padding": 0}, "attributes", "convolution padding 1 here, 0 there", "stem.0", id="padding"),
    pytest.param({"eps": 1e-3}, "attributes", "batch_norm eps 1e-05 here, 0.001 there", "stem.1", id="eps"),
    pytest.param(
        {"width": 8}, "weights", "convolution with weights 6x4x3x3 and 6 here, 8x4x3x3 and 8 there", "left", id="width"
    ),
    pytest.param({"bias": False}, "attributes", "linear bias True here, False there", "fc", id="bias"),
    pytest.param(
        {"pool": lambda x: F.max_pool2d(x, 2, 1)}, "attributes", "max_pool2d stride 2 here, 1 there", "", id="pooling"
    ),
    pytest.param({"repeats": 0}, "missing", "relu here, nothing there", "", id="missing relu"),
    pytest.param({"extra": True}, "extra", "nothing here, convolution there", "extra", id="extra layer"),
    pytest.param({"source": "norm"}, "wiring", "convolution reads relu here, stem.1 there", "right.0", id="source"),
    pytest.param(
        {"shortcut": 2},
        "wiring",
        "add reads blocks.2, ",
        "",
        id="shortcut from the wrong place",
    ),
    pytest.param(
        {"branches": ("right", "left")},
        "wiring",
        "cat reads left, right.1 here, right.1, left there",
        "",
        id="concat order",
    ),
    pytest.param({"heads": 2}, "extra", "nothing here, linear there", "aux.0", id="one more output"),
]


@pytest.mark.parametrize(("fault", "kind", "detail", "path"), FAULTS)
def test_the_first_difference_names_the_place(fault: dict[str, Any], kind: str, detail: str, path: str) -> None:
    first = told(**fault)[0]
    assert first.kind == kind
    assert detail in first.detail
    assert first.places[0] in ((path, path), (path, ""), ("", path))


@pytest.mark.parametrize(
    "fault",
    [pytest.param(case.values[0], id=case.id) for case in FAULTS if case.id not in ("width", "one more output")],
)
def test_one_cause_is_one_entry(fault: dict[str, Any]) -> None:
    assert [str(difference) for difference in told(**fault)[1:]] == []
    assert [str(difference) for difference in told_back(**fault)[1:]] == []


def test_another_width_is_told_where_it_is_made_and_where_it_is_read() -> None:
    found = told(width=8)
    assert [difference.kind for difference in found] == ["weights", "weights"]
    assert [path for path, _ in found[0].places] == ["left", "blocks.0", "blocks.1", "blocks.2"]
    assert [path for path, _ in found[1].places] == ["fc"]


def test_both_sides_are_told_with_module_and_line() -> None:
    (difference,) = told(stride=2)
    line = line_of("self.stem(x)")
    assert difference.first is not None
    assert difference.second is not None
    assert (difference.first.op, difference.first.path, difference.first.where) == ("convolution", "stem.0", line)
    assert difference.first.shape == (3, 4, 16, 16)
    assert difference.second.shape == (3, 4, 8, 8)
    assert difference.first.weights == ((4, 3, 3, 3), (4,))
    assert str(difference) == f"convolution stride 1 here, 2 there; here stem.0 ({line}), there stem.0 ({line})"


def test_what_one_side_lacks_is_told_of_the_other() -> None:
    (missing,) = told(repeats=0)
    assert missing.second is None
    assert str(missing) == f"relu here, nothing there; here the root module ({line_of('self.activation(x)')})"
    extra = told_back(repeats=0)[0]
    assert extra.first is None
    assert str(extra) == f"nothing here, relu there; there the root module ({line_of('self.activation(x)')})"


def test_the_same_change_at_several_places_is_one_entry_with_all_of_them() -> None:
    one = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(4)))
    other = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=2, dilation=2) for _ in range(4)))
    (difference,) = differences(graph_of(one), graph_of(other))
    assert difference.detail == "convolution padding 1 here, 2 there, convolution dilation 1 here, 2 there"
    assert difference.places == tuple((str(i), str(i)) for i in range(4))
    assert str(difference).endswith("; and at 3 more places")


def test_two_causes_are_two_entries_in_dataflow_order() -> None:
    assert [difference.places[0][0] for difference in told(eps=1e-3, bias=False)] == ["stem.1", "fc"]


def test_another_activation_is_told_at_its_place() -> None:
    found = told(activation=torch.sigmoid)
    assert [(difference.kind, difference.detail) for difference in found] == [("operation", "relu here, sigmoid there")]


def test_another_number_of_outputs_is_told() -> None:
    assert "1 outputs here, 2 there" in [str(difference) for difference in told(heads=2)]


def test_equal_graphs_have_no_difference() -> None:
    assert told() == []


def test_names_and_definition_order_are_no_difference() -> None:
    one = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    other = nn.Sequential()
    for name, module in zip("zyx", (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Hardtanh(0, 6)), strict=True):
        other.add_module(name, module)
    other.x = nn.ReLU()
    assert differences(graph_of(one), graph_of(other)) == []


class Program(nn.Module):
    """A forward given as a function, with two square weights."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        super().__init__()
        self.run = forward
        self.v, self.w = nn.Parameter(torch.empty(4, 4)), nn.Parameter(torch.empty(4, 4))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.run(self, *inputs)


UNEQUAL = [
    pytest.param("sharing", lambda m, x, _y: x @ m.v @ m.v, lambda m, x, _y: x @ m.v @ m.w, id="one weight for two"),
    pytest.param("attributes", lambda _m, x, _y: x * 2, lambda _m, x, _y: x * 3, id="number"),
    pytest.param(None, lambda _m, x, _y: x * torch.arange(4), lambda _m, x, _y: x * torch.arange(1, 5), id="constant"),
    pytest.param(
        None, lambda m, x, _y: (x @ m.v, x.relu()), lambda m, x, _y: (x.relu(), x @ m.v), id="order of outputs"
    ),
    pytest.param(
        "wiring", lambda _m, x, _y: (x, x.relu()), lambda _m, x, _y: (x.relu(), x.relu()), id="one output twice"
    ),
    pytest.param("wiring", lambda _m, x, y: x - y.relu(), lambda _m, x, y: y - x.relu(), id="order of inputs"),
    pytest.param("wiring", lambda _m, x, _y: x.relu() - x, lambda _m, x, _y: x - x.relu(), id="order of operands"),
    pytest.param(None, lambda m, x, _y: (x * m.v).mT, lambda m, x, _y: x * m.v, id="a movement"),
    pytest.param(None, lambda _m, x, _y: x[:, :2].sum(1), lambda _m, x, _y: x[:, 2:].sum(1), id="another slice"),
    pytest.param(
        None,
        lambda m, x, _y: x * m.v[:2].repeat(2, 1),
        lambda m, x, _y: x * m.v[2:].repeat(2, 1),
        id="part of a weight",
    ),
]


@pytest.mark.parametrize(("kind", "one", "other"), UNEQUAL)
def test_what_does_not_match_has_a_difference(
    kind: str | None, one: Callable[..., Any], other: Callable[..., Any]
) -> None:
    x = torch.empty(4, 4, device="meta")
    graphs = [canonical(trace(Program(forward), x, x)) for forward in (one, other)]
    assert match(graphs[0], graphs[1]) is None
    found = differences(*graphs)
    assert found
    assert kind in (None, found[0].kind)


def test_resnet50_and_its_v1_5_differ_in_two_strides_at_three_places_each() -> None:
    with torch.device("meta"):
        paper, later = models.build("resnet50"), models.build("resnet50_v1_5")
    found = differences(graph_of(paper, (3, 3, 224, 224)), graph_of(later, (3, 3, 224, 224)))
    assert [(difference.kind, difference.detail) for difference in found] == [
        ("attributes", "convolution stride 2 here, 1 there"),
        ("attributes", "convolution stride 1 here, 2 there"),
    ]
    for difference, layer in zip(found, ("conv1", "conv2"), strict=True):
        expected = [f"backbone.conv{stage}_x.0.{layer}" for stage in (3, 4, 5)]
        assert difference.places == tuple((path, path) for path in expected)


def test_a_network_of_another_depth_differs_by_its_blocks_only() -> None:
    with torch.device("meta"):
        one, other = models.build("resnet18"), models.build("resnet34")
    found = differences(graph_of(one, (3, 3, 64, 64)), graph_of(other, (3, 3, 64, 64)))
    assert found
    assert {difference.kind for difference in found} == {"extra"}
