"""What one output element sees: the receptive field that the graph tells, and what perturbed pixels show.

The weights are positive and the biases zero, so that an image of zeros gives zeros everywhere, and a pixel that is not
zero is felt wherever it is seen: nothing cancels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from repro.graph import Graph
from repro.layers import Layer, layers
from tests.properties._property import Group

FIELDS = Group["Field"]("receptive fields")


def sensitive(bare: nn.Module) -> nn.Module:
    """The network with real values: each unit the mean of what it sees.

    A normalisation by groups sees the whole map, whatever its window, and is left out; a sigmoid does not keep zeros,
    and gives way to a hyperbolic tangent.
    """
    network = copy.deepcopy(bare).to_empty(device="cpu").eval()
    for path, module in list(network.named_modules()):
        if isinstance(module, nn.GroupNorm | nn.Sigmoid):
            network.set_submodule(path, nn.Identity() if isinstance(module, nn.GroupNorm) else nn.Tanh())
    for key, tensor in network.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            tensor.zero_()
        elif tensor.is_floating_point():
            tensor.fill_(1 / tensor[0].numel() if tensor.ndim > 1 else 1.0)
    return network


def windowed(network: nn.Module, graph: Graph) -> list[Layer]:
    """The convolutions and poolings that are modules of their own and run once: what can be listened to."""
    rows = [row for row in layers(graph) if row.kind.startswith(("conv", "max_pool", "avg_pool "))]
    paths = [row.path for row in rows]
    kinds = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
    return [row for row in rows if paths.count(row.path) == 1 and isinstance(network.get_submodule(row.path), kinds)]


def placed(layer: Layer, side: int, dimension: int) -> Sequence[int]:
    """The positions of a map, along one dimension, whose field lies in the image and is not all of it.

    At an edge less is seen than arithmetic tells: by way of positions that an earlier map does not have.
    """
    size, first, step = (values[dimension] for values in (layer.receptive_field, layer.first, layer.step))
    starts = {i: first + i * step for i in range(layer.output[1 + dimension])}
    return [i for i, start in starts.items() if 0 <= start <= side - size and size < side]


@dataclass
class Field:
    """One element of the map of one layer.

    network   as `sensitive` makes it
    position  (row, column) in the map
    size      (channels, height, width) of the images
    """

    network: nn.Module
    layer: Layer
    position: tuple[int, int]
    size: tuple[int, int, int]

    def told(self) -> list[tuple[int, int]]:
        """The first pixel that it sees and the one after the last, in each dimension, as the graph tells."""
        starts = [f + i * s for f, i, s in zip(self.layer.first, self.position, self.layer.step, strict=True)]
        return [(start, start + size) for start, size in zip(starts, self.layer.receptive_field, strict=True)]

    def felt(self, images: torch.Tensor) -> list[bool]:
        """Whether the element feels each of the images."""
        row, column = self.position
        with torch.no_grad():
            found = output_of(self.network, self.layer.path, images)[:, :, row, column]
        return [bool(felt) for felt in (found != 0).any(1)]


class _Enough(Exception):  # noqa: N818  # nothing went wrong
    """What is wanted has been heard; what follows need not run."""


def output_of(network: nn.Module, path: str, images: torch.Tensor) -> torch.Tensor:
    """What a module returns, without running the rest of the network."""
    heard: list[torch.Tensor] = []

    def hear(_: nn.Module, __: Any, returned: torch.Tensor) -> None:
        heard.append(returned)
        raise _Enough

    handle = network.get_submodule(path).register_forward_hook(hear)
    try:
        network(images)
    except _Enough:
        pass
    finally:
        handle.remove()
    return heard[0]


@FIELDS.states(
    "an element sees all of the receptive field that the graph tells, up to each of its edges, and no pixel outside"
)
def receptive_field_is_what_pixels_show(field: Field) -> None:
    (top, bottom), (left, right) = field.told()
    outside = torch.ones(field.size)
    outside[:, top:bottom, left:right] = 0
    edges = [torch.zeros(field.size) for _ in range(4)]
    edges[0][:, top, left:right] = 1
    edges[1][:, bottom - 1, left:right] = 1
    edges[2][:, top:bottom, left] = 1
    edges[3][:, top:bottom, right - 1] = 1
    felt = field.felt(torch.stack([outside, *edges]))
    where = f"{field.layer.path} at {field.position}: rows {top} to {bottom - 1}, columns {left} to {right - 1}"
    assert not felt[0], f"{where} are told, and a pixel outside is felt"
    for name, edge in zip(("first row", "last row", "first column", "last column"), felt[1:], strict=True):
        assert edge, f"{where} are told, and the {name} is not felt"
