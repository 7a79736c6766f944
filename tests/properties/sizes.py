"""What holds of the shapes of a network, asked on the meta device, where nothing is computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import nn

from repro.graph import Graph, Node, TraceError, trace
from repro.parity.network import shape_text
from tests.properties._property import Group

SIZES = Group["Sized"]("sizes")

_BOUND = re.compile(r"height and width (at least )?(\d+)(?: to (\d+))? pixels$")


class Sides(NamedTuple):
    """The heights and widths that a network says it takes, in pixels, both included; `largest` None: no bound."""

    smallest: int
    largest: int | None

    def at_least(self, side: int) -> int:
        """The admissible side nearest to `side` that is no smaller than it, or the largest."""
        found = max(side, self.smallest)
        return found if self.largest is None else min(found, self.largest)

    @classmethod
    def told(cls, message: str) -> Sides | None:
        """Those that a refusal names."""
        found = _BOUND.search(message)
        return found and cls(int(found[2]), None if found[1] else int(found[3] or found[2]))


@dataclass
class Sized:
    """A network on the meta device, and an admissible size.

    make    builds it, given num_classes and in_channels
    admits  whether a side between the smallest and the largest is admissible
    """

    make: Callable[..., nn.Module]
    batch: int
    classes: int
    channels: int
    height: int
    width: int
    sides: Sides
    admits: Callable[[int], bool]

    @cached_property
    def network(self) -> nn.Module:
        """Without values, in eval mode."""
        with torch.device("meta"):
            return self.make(num_classes=self.classes, in_channels=self.channels).eval()

    def images(self, height: int, width: int) -> torch.Tensor:
        """Without values."""
        return torch.empty(self.batch, self.channels, height, width, device="meta")

    def graph(self) -> Graph:
        """Traced at the drawn size."""
        return trace(self.network, self.images(self.height, self.width))


@SIZES.states("any admissible size gives (batch, classes), and every window as many positions as arithmetic says")
def any_admissible_size_gives_logits(sized: Sized) -> None:
    try:
        graph = sized.graph()
    except TraceError as error:
        raise AssertionError(str(error)) from error
    found, expected = graph.shape(graph.returned[0]), (sized.batch, sized.classes)
    given = graph.input_shapes[0]
    assert len(graph.returned) == 1, f"{len(graph.returned)} outputs"
    assert found == expected, f"{given} in, {found} out, expected {expected}"
    for node in graph.nodes:
        for side, n in enumerate(node.shape[2:] if node.op in _WINDOWED else ()):
            told = f"{node.op} of {node.path!r} has {n} positions, by arithmetic {arithmetic(graph, node, side)}"
            assert n == arithmetic(graph, node, side), told


_WINDOWED = ("convolution", "max_pool2d_with_indices", "avg_pool2d")


def arithmetic(graph: Graph, node: Node, side: int) -> int:
    """Positions of a window along one side: as many as fit, or also those that end outside if it rounds up.

    Dumoulin and Visin, arXiv:1603.07285, relationships 6 and 14; a window that begins in the padding behind the map
    is none (Caffe's rule, and torch's).
    """
    n = graph.shape(node.inputs[0])[2 + side]
    kernel = graph.shape(node.inputs[1])[2:] if node.op == "convolution" else node.get("kernel_size")
    stride, padding, dilation = (
        node.get("stride") or kernel,
        node.get("padding"),
        node.get("dilation") or (1, 1),
    )
    k, s, p, d = (values[side % len(values)] for values in (kernel, stride, padding, dilation))
    room = n + 2 * p - d * (k - 1) - 1
    if not node.get("ceil_mode"):
        return int(room // s + 1)
    positions = -(-room // s) + 1
    return int(positions - 1 if (positions - 1) * s >= n + p else positions)


@SIZES.states("the smallest side and the largest are taken")
def the_outermost_sizes_are_taken(sized: Sized) -> None:
    for side in filter(None, sized.sides):
        try:
            found = sized.network(sized.images(side, side)).shape
        except (ValueError, RuntimeError) as error:
            raise AssertionError(f"{side}x{side} is not taken: {error}") from error
        assert found == (sized.batch, sized.classes), f"{side}x{side} gives {tuple(found)}"


@SIZES.states("just below the smallest side, and above the largest, a ValueError says what was given and what is taken")
def other_sizes_are_refused(sized: Sized) -> None:
    smallest, largest = sized.sides
    for side in [smallest - 1] + ([] if largest is None else [largest + 1]):
        for height, width in ((side, sized.width), (sized.height, side)):
            told = refusal(sized.network, sized.images(height, width))
            assert f"{height}x{width}" in told, f"a refusal that does not say what was given: {told}"
            assert Sides.told(told) == sized.sides, f"a refusal that does not say what is taken: {told}"


@SIZES.states("a side between the two that does not fit is refused by a ValueError that says what was given")
def sides_that_do_not_fit_are_refused(sized: Sized) -> None:
    between = range(sized.sides.smallest, sized.sides.at_least(sized.sides.smallest + 40))
    for side in [side for side in between if not sized.admits(side)][:1]:
        told = refusal(sized.network, sized.images(side, sized.width))
        assert f"{side}x{sized.width}" in told, f"a refusal that does not say what was given: {told}"


@SIZES.states("other channels or another rank are refused by a ValueError that says what was given and what is taken")
def other_shapes_are_refused(sized: Sized) -> None:
    image = sized.images(sized.height, sized.width)
    more = torch.cat([image, image[:, :1]], dim=1)
    fewer = [image[:, :channels] for channels in sorted({1, sized.channels - 1} - {0, sized.channels})]
    for given in (more, *fewer, image[0], image[..., None]):
        told = refusal(sized.network, given)
        assert str(tuple(given.shape)) in told, f"a refusal that does not say what was given: {told}"
        taken = f"takes (batch, {sized.channels}, height, width)"
        assert taken in told, f"a refusal that does not say what is taken: {told}"


def refusal(network: nn.Module, images: torch.Tensor) -> str:
    """The message of the ValueError with which images are refused."""
    given = shape_text(images.shape)
    try:
        network(images)
    except ValueError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{given} fails in the middle: {type(error).__name__}: {error}") from error
    raise AssertionError(f"{given} is taken")
