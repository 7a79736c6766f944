"""What papers print, measured on a network small enough to count by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from repro.graph import trace
from repro.measures import MEASURES, PlaceError, Subject


class Module(nn.Module):
    """Three branches to be concatenated: 1x1, 1x1 then 3x3 of stride 1, and what just passes."""

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Conv2d(6, 2, 1)
        self.deep = nn.Sequential(nn.Conv2d(6, 3, 1, bias=False), nn.Conv2d(3, 4, 3, padding=1, groups=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.flat(x), self.deep(x), x], 1)


class Net(nn.Module):
    """On 2x16x16 images: 6 maps of 8x8 after the first convolution, 12 after the module, 3 of 4x4, 5 and 4 units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-3, beta=0.75, k=2.0)
        self.module = Module()
        self.pool = nn.MaxPool2d(2)
        self.grouped = nn.Conv2d(12, 4, 3, padding=1, groups=2, bias=False)
        self.fc1 = nn.Linear(4 * 4 * 4, 5)
        self.dropout = nn.Dropout(0.25)
        self.fc2 = nn.Linear(5, 4, bias=False)
        self.head = nn.Linear(4 * 4 * 4, 7)  # in train mode only

    def forward(self, x: torch.Tensor) -> Any:
        x = self.norm(torch.relu(self.bn(self.conv(x))))
        x = self.grouped(self.pool(self.module(x)))
        flat = x.flatten(1)
        x = self.fc2(self.dropout(0.5 * self.fc1(flat)))
        return (x, self.head(flat)) if self.training else x


LAWS = {"*.weight": "normal(0, 0.01)"}

# measure, place, what it is
EXPECTED: list[tuple[str, str, Any]] = [
    ("parameters", "conv", 2 * 6 * 9 + 6),
    ("parameters", "", 114 + 12 + (12 + 2) + (18 + 112) + 216 + (320 + 5) + 20),
    ("parameters", "head", 64 * 7 + 7),
    ("weights", "", 108 + 12 + 18 + 108 + 216 + 320 + 20),
    ("weights_and_biases", "", 108 + 6 + 12 + 2 + 18 + 108 + 4 + 216 + 320 + 5 + 20),
    ("multiply_adds", "conv", 108 * 64),
    ("multiply_adds", "conv fc1", 108 * 64 + 320),
    ("neurons", "conv", 6 * 64),
    ("neurons", "", 6 * 64 + (2 + 3 + 4) * 64 + 4 * 16 + 5 + 4),
    ("connections", "conv", (18 + 1) * 6 * 64),
    ("connections", "fc2", 20),
    ("output", "conv", [6, 8, 8]),
    ("output", "", [4]),
    ("incoming", "grouped", [12, 4, 4]),
    ("incoming", "module", [6, 8, 8]),
    ("side", "grouped", 4),
    ("depth", "", 6),  # conv, two of the module, grouped, fc1, fc2
    ("layers", "", 7),
    ("layers", "pool", 0),
    ("beside", "", 1),
    ("convolutions", "", ["3x3 6", "1x1 3", "3x3 4", "3x3 4 g2"]),
    ("every_convolution", "module", ["1x1 2", "1x1 3", "3x3 4"]),
    ("filters", "grouped", 4),
    ("filters", "fc1", 5),
    ("weight_shape", "grouped", [4, 6, 3, 3]),
    ("weight_shape", "fc1", [5, 64]),
    ("inputs", "grouped", 54),
    ("inputs", "fc2", 5),
    ("window", "conv", [3, 2]),
    ("window", "pool", [2, 2]),
    ("padding", "conv", 1),
    ("strides", "", [2, 1, 1, 1]),
    ("groups", "", [1, 1, 1, 2]),
    ("pools", "", ["max 2x2/2"]),
    ("distinct_pools", "", ["max 2x2/2"]),
    ("distinct_strides", "", [1, 2]),
    ("distinct_paddings", "", [0, 1]),
    ("distinct_filters", "", [2, 3, 4, 6]),
    ("distinct_sides", "", [4, 8]),
    ("sequence", "conv norm pool", ["3x3 6", "LRN", "max 2x2/2"]),
    ("branches", "module", ["", "1x1 2", "1x1 3, 3x3 4"]),
    ("repeats", "module", 2),
    ("units", "", [5, 4]),
    ("units", "head", [7]),
    ("lrn", "norm", [[5, 1e-3 / 5, 0.75, 2.0]]),
    ("factors", "", [1e-3, 0.5]),
    ("image", "", [2, 16, 16]),
    ("dropouts", "", [0.25]),
    ("initialisation", "*.weight", "normal(0, 0.01)"),
    ("biases", "", 4),  # conv, two of the module, fc1
    ("normalisations", "", ["LRN", "batch, epsilon 1e-05"]),
    ("normalisations", "module", []),
    ("pool_edges", "", ["max 2x2/2, padding 0, rounded down"]),
    ("classifier", "", ["5", "dropout 0.25", "4", "7"]),
    ("concatenations", "", ["12x8x8"]),
    ("order_of_outputs", "", ["fc2", "head"]),
    ("convolutions_by_side", "", [3, 1]),
    ("distinct_kernels", "", ["1x1", "3x3", "3x3 g2"]),
    ("additions", "", 0),
    ("after_layers", "", ["batch normalisation", "convolution", "fully connected", "max", "output"]),
    ("after_convolutions", "", ["batch normalisation", "convolution", "fully connected", "max"]),
    ("after_normalisations", "", ["convolution", "max", "relu"]),  # max, of what just passes the module
    ("after_activations", "", ["LRN"]),
    ("after_pools", "", ["convolution"]),
    ("ending", "", ["max 2x2/2", "convolution", "fully connected", "fully connected"]),
    ("dropped", "", ["fully connected"]),
    ("formula", "norm", ["mul", "constant_pad_nd", "avg_pool3d", "mul", "add", "pow", "div"]),
    ("sources", "grouped", [[0, 1, 2, 3, 4, 5]] * 2 + [[6, 7, 8, 9, 10, 11]] * 2),
]


class Residual(nn.Module):
    """Two blocks on 2x8x8 images, the second with half the side, and an average of 4x4 maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(2)
        self.conv2 = nn.Conv2d(2, 2, 3, stride=2, padding=1, bias=False)
        self.shortcut = nn.Conv2d(2, 2, 1, stride=2)
        self.scale = nn.Parameter(torch.ones(2, 1, 1))
        self.average = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(x + self.bn1(self.conv1(x)) + self.scale)
        x = self.shortcut(x) + 0.1 * self.conv2(x)
        x = self.average(torch.tanh(x))
        return x


OF_RESIDUAL: list[tuple[str, str, Any]] = [
    ("additions", "", 2),
    ("additions_by_side", "", [1, 1]),
    ("after_additions", "", ["relu", "tanh"]),
    ("after_normalisations", "", ["addition"]),
    ("after_convolutions", "", ["addition", "batch normalisation"]),
    ("after_activations", "", ["convolution"]),
    ("beside", "", 1),
    ("ending", "", ["average 4x4/1"]),
    ("pools", "", ["average 4x4/1"]),
    ("dropped", "", []),
]


def of(network: nn.Module, *size: int) -> Subject:
    """A network as it is measured."""
    images = torch.empty(3, *size)
    return Subject(trace(network.eval(), images), trace(network, images, training=True), LAWS)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return of(Net(), 2, 16, 16)


@pytest.mark.parametrize(("name", "at", "expected"), EXPECTED)
def test_a_measure_is_what_is_counted_by_hand(subject: Subject, name: str, at: str, expected: Any) -> None:
    assert MEASURES[name](subject, at) == expected


@pytest.mark.parametrize(("name", "at", "expected"), OF_RESIDUAL)
def test_a_residual_network_is_what_is_counted_by_hand(name: str, at: str, expected: Any) -> None:
    assert MEASURES[name](of(Residual(), 2, 8, 8), at) == expected


def test_every_measure_is_counted_by_hand() -> None:
    assert {name for name, *_ in EXPECTED + OF_RESIDUAL} == MEASURES.keys()


class Plain(Residual):
    """The same without its first shortcut, with the batch's own statistics, and with what does not belong there."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.leaky_relu(nn.functional.batch_norm(self.conv1(x), None, None, training=True))
        x = self.shortcut(x) + 0.1 * nn.functional.pad(self.conv2(x), (1, -1, 0, 0))
        return torch.softmax(nn.functional.adaptive_max_pool2d(x, 1), 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("additions", 1),
        ("additions_by_side", [1]),
        ("after_additions", ["adaptive_max_pool2d"]),
        ("after_convolutions", ["addition", "constant_pad_nd", "normalisation by the batch at hand"]),
    ],
)
def test_what_is_missing_and_what_does_not_belong_shows(name: str, expected: Any) -> None:
    assert MEASURES[name](of(Plain(), 2, 8, 8), "") == expected
    with pytest.raises(PlaceError, match="there is no pooling"):
        MEASURES["ending"](of(Plain(), 2, 8, 8), "")


def test_a_dilated_kernel_is_told_and_a_sum_that_is_no_average() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3, dilation=2), nn.AvgPool2d(2, divisor_override=1))
    assert MEASURES["distinct_kernels"](of(network, 2, 8, 8), "") == ["3x3 dilated 2"]
    assert MEASURES["convolutions"](of(network, 2, 8, 8), "") == ["3x3 4 dilated 2"]
    assert MEASURES["pools"](of(network, 2, 8, 8), "") == ["sum 2x2/2"]


def test_a_sum_beside_what_is_made_of_several_operations_is_told() -> None:
    class Normalising(nn.LocalResponseNorm):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + x

    class Dropping(nn.Dropout):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + x

    network = nn.Sequential(nn.Conv2d(2, 4, 1), Normalising(3), Dropping(), nn.Flatten(), nn.Linear(16, 3))
    images = torch.empty(2, 2, 2, 2)
    seen = Subject(trace(network.eval(), images), trace(network, images, training=True), {})
    assert MEASURES["additions"](seen, "") == 2
    assert MEASURES["after_additions"](seen, "") == ["addition", "fully connected"]


def test_dropout_in_eval_mode_is_told() -> None:
    class Always(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(x)

    with pytest.raises(PlaceError, match="there is dropout in eval mode"):
        MEASURES["dropouts"](of(Always(), 2, 8, 8), "")


def test_normalisations_across_channels_are_told_apart() -> None:
    network = nn.Sequential(*(nn.LocalResponseNorm(5, alpha=alpha, k=2) for alpha in (1e-3, 1e-3, 5e-3)))
    assert MEASURES["lrn"](of(network, 8, 4, 4), "") == [[5, 2e-4, 0.75, 2], [5, 1e-3, 0.75, 2]]


@pytest.mark.parametrize(
    ("name", "at", "message"),
    [
        ("output", "nowhere", "there are no operations at 'nowhere'"),
        ("parameters", "pool", "there are no parameters at 'pool'"),
        ("filters", "module", "there are 3 convolutions or matrix products at 'module'; expected one"),
        ("window", "module", "there are 3 convolutions or poolings at 'module'; expected one"),
        ("filters", "pool", "there are no convolutions or matrix products at 'pool'"),
        ("multiply_adds", "conv nowhere fc1", "there are no operations at 'nowhere'"),
        ("parameters", "conv pool", "there are no parameters at 'pool'"),
        ("lrn", "conv", "there are no local response normalisations at 'conv'"),
        ("after_additions", "", "there are no addition at ''"),
        ("initialisation", "fc1.bias", "no law is declared for 'fc1.bias'"),
        ("side", "fc1", "'fc1' ends with 5 values, which are no map"),
        ("branches", "conv", "nothing is concatenated or added at 'conv'"),
    ],
)
def test_a_place_that_cannot_be_measured_so_is_told(subject: Subject, name: str, at: str, message: str) -> None:
    with pytest.raises(PlaceError, match=message):
        MEASURES[name](subject, at)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (nn.MaxPool2d(3, stride=2, ceil_mode=True), "max 3x3/2, padding 0, rounded up"),
        (nn.MaxPool2d(3, stride=2, padding=1), "max 3x3/2, padding 1, rounded down"),
        (nn.AvgPool2d(3, stride=1, padding=1), "average 3x3/1, padding 1 counted, rounded down"),
        (
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            "average 3x3/1, padding 1 not counted, rounded down",
        ),
        (nn.AvgPool2d(5, stride=3, count_include_pad=False), "average 5x5/3, padding 0, rounded down"),
    ],
)
def test_the_edge_of_a_pooling_is_told_by_what_changes_its_output(pool: nn.Module, expected: str) -> None:
    graph = trace(nn.Sequential(pool), torch.empty(2, 3, 16, 16))
    assert MEASURES["pool_edges"](Subject(graph, graph, {}), "") == [expected]


def test_an_adaptive_pooling_has_no_edge_and_a_group_normalisation_an_epsilon() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.GroupNorm(2, 4, eps=1e-3))
    graph = trace(network, torch.empty(2, 4, 16, 16))
    subject = Subject(graph, graph, {})
    assert MEASURES["pool_edges"](subject, "") == []
    assert MEASURES["normalisations"](subject, "") == ["group, epsilon 0.001"]
