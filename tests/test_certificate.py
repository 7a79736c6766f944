"""Equal texts are isomorphic graphs: what makes another network makes another text, and what does not, does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from repro import models
from repro.canonical import canonical
from repro.certificate import digest, text
from repro.graph import Graph, trace
from repro.mapping import match

IMAGES = (2, 3, 8, 8)


class Network(nn.Module):
    """Two branches that are told apart by what `differs` says."""

    def __init__(self, differs: str = "", classes: int = 5, channels: int = 3) -> None:
        super().__init__()
        self.differs = differs
        self.stem = nn.Conv2d(channels, 4, 3, stride=1 if differs != "stride" else 2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4, 1e-3 if differs == "eps" else 1e-5, 0.2 if differs == "momentum" else 0.1)
        self.left = nn.Conv2d(4, 4, 3, padding=1)
        self.right = self.left if differs == "shared weights" else nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.3 if differs == "dropout rate" else 0.5)
        self.head = nn.Linear(4, classes)
        if differs == "not trained":
            self.left.weight.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x))
        left, right = self.left(x).relu(), self.right(x)
        if self.differs == "operands of a difference":
            left, right = right, left
        if self.differs == "operands of a sum":
            return self.end(right * left.sigmoid() + (left - right))
        x = (left - right) + left.sigmoid() * right
        return self.end(x)

    def end(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(x).mean((2, 3))
        x = self.head(x.detach() if self.differs == "no gradient" else x)
        return x


def graph(module: nn.Module, shape: tuple[int, ...] = IMAGES, training: bool = False) -> Graph:
    return canonical(trace(module, torch.empty(shape, device="meta"), training=training))


@pytest.mark.parametrize(
    "differs",
    ["stride", "eps", "momentum", "shared weights", "not trained", "dropout rate", "operands of a difference"],
)
def test_another_network_has_another_digest(differs: str) -> None:
    modes = [(graph(Network(), training=mode), graph(Network(differs), training=mode)) for mode in (False, True)]
    assert any(digest(one, 5) != digest(other, 5) for one, other in modes)
    for one, other in modes:  # and where the digests are equal, the graphs are
        assert (digest(one, 5) == digest(other, 5)) == (match(one, other) is not None)


def test_what_stops_gradients_shows_in_train_mode() -> None:
    one, other = (graph(Network(differs), training=True) for differs in ("", "no gradient"))
    assert match(one, other) is None
    assert digest(one, 5) != digest(other, 5)


def test_the_order_of_a_program_is_not_written() -> None:
    one, other = graph(Network()), graph(Network("operands of a sum"))
    assert match(one, other) is not None
    assert digest(one) == digest(other)


def test_names_are_not_written() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    named = nn.Sequential()
    for name, module in zip("dcba", network, strict=True):
        named.add_module(name, module)
    assert text(graph(network)) == text(graph(named))


def test_classes_and_channels_are_left_open() -> None:
    one, other = graph(Network()), graph(Network(classes=7, channels=1), (2, 1, 8, 8))
    assert digest(one, 5) == digest(other, 7)
    assert digest(one) != digest(other)


def test_a_hidden_width_is_never_left_open() -> None:
    def network(width: int, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, classes))

    assert digest(graph(network(7, 7)), 7) == digest(graph(network(7, 9)), 9)
    assert digest(graph(network(7, 7)), 7) != digest(graph(network(9, 9)), 9)


def test_an_output_of_another_width_is_no_output_of_classes() -> None:
    class Two(nn.Module):
        def __init__(self, classes: int, others: int) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(192, classes), nn.Linear(192, others)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.one(x.flatten(1)), self.other(x.flatten(1))

    assert digest(graph(Two(5, 5)), 5) == digest(graph(Two(7, 7)), 7)
    assert digest(graph(Two(5, 5)), 5) != digest(graph(Two(7, 5)), 7)


class Way(nn.Module):
    """One weight, read twice, the second time as `again` has it."""

    def __init__(self, again: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(192, 192))
        self.again = again

    def forward(self, x: torch.Tensor) -> Any:
        return nn.functional.linear(x.flatten(1), self.weight) * nn.functional.linear(
            x.flatten(1) + 1, self.again(self.weight)
        )


def test_how_a_weight_is_moved_counts_where_it_is_read_twice() -> None:
    plain, turned = graph(Way(lambda weight: weight)), graph(Way(torch.t))
    assert match(plain, turned) is None
    assert digest(plain) != digest(turned)


@pytest.mark.parametrize("name", ["resnet18", "googlenet_torchvision", "nin_cifar10", "alexnet", "inception_resnet_v2"])
@pytest.mark.parametrize("training", [False, True])
def test_a_network_of_the_catalog_has_one_text_for_all_classes_and_channels(name: str, training: bool) -> None:
    _, height, width = models.get(name).input_size
    digests = set()
    for classes, channels in ((10, 3), (1000, 1)):
        with torch.device("meta"):
            network = models.build(name, num_classes=classes, in_channels=channels)
        digests.add(digest(graph(network, (2, channels, height, width), training), classes))
    assert len(digests) == 1
