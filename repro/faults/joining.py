"""Faults where branches meet: concatenations, residual additions and their shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.faults._fault import Fault, Place, Subject, kind
from repro.faults._plant import Change, changing, rewiring, skip
from repro.graph import LEAVES, Node, ancestors


@dataclass(frozen=True)
class Residual:
    """The addition at the end of a residual block, and which of its two operands is the longer branch."""

    place: Place
    node: Node
    branch: int

    def changed(self, function: Callable[[Tensor], Tensor]) -> Change:
        """The addition with `function` applied to the branch."""

        def change(call: Change, *operands: Any) -> Any:
            return call(*(function(x) if i == self.branch else x for i, x in enumerate(operands)))

        return change


def residuals(subject: Subject) -> Iterator[Residual]:
    """The additions of two maps of one shape that both come from the input."""
    for place, node in subject.operations("add"):
        if len(node.inputs) == 2 and len({subject.graph.shape(edge) for edge in node.inputs}) == 1:
            above = [ancestors(subject.graph.nodes, [("", edge)]) for edge in node.inputs]
            if not any(subject.graph.node(edge).op in LEAVES for edge in node.inputs):
                yield Residual(place, node, int(len(above[1] - above[0]) > len(above[0] - above[1])))


@dataclass(frozen=True)
class Projection:
    """A shortcut that changes the width: a 1x1 convolution and a normalisation in a container of their own."""

    path: str
    conv: nn.Conv2d
    norm: str
    norm_op: str


def projections(subject: Subject) -> Iterator[Projection]:
    """The projections of the network (option B of arXiv:1512.03385, section 3.3)."""
    for residual in residuals(subject):
        norm = subject.source(residual.node, 1 - residual.branch)
        conv = subject.source(norm) if norm.inputs else norm
        path, _, _ = conv.path.rpartition(".")
        module = subject.network.get_submodule(path)
        if conv.op == "convolution" and "norm" in norm.op and isinstance(module, nn.Sequential) and len(module) == 2:
            convolution = subject.network.get_submodule(conv.path)
            if type(convolution) is nn.Conv2d and norm.path.startswith(f"{path}."):
                yield Projection(path, convolution, norm.path, norm.op)


@kind("concatenation order")
def concatenation_order(subject: Subject) -> Iterator[Fault]:
    """Two branches concatenated the other way round; the sum of their widths is the same."""

    def exchanged(call: Change, branches: Any, *rest: Any, **named: Any) -> Any:
        return call([branches[1], branches[0], *branches[2:]], *rest, **named)

    for place, node in subject.operations("cat"):
        if len(node.inputs) > 1:
            fault = subject.at(place, "the first two branches exchanged")
            yield replace(fault, plant=changing(*place, exchanged))


@kind("channels reordered")
def channels_reordered(subject: Subject) -> Iterator[Fault]:
    """The channels of a concatenation in another order, as when a sliced branch is put back at the wrong place."""

    def rolled(call: Change, *args: Any, **named: Any) -> Any:
        return torch.roll(call(*args, **named), 1, 1)

    for (path, op, occurrence), node in subject.operations("cat"):
        if len(node.shape) == 4:
            fault = subject.at((path, "roll", 0), "every channel moved on by one", side="actual")
            yield replace(fault, plant=changing(path, op, occurrence, rolled))


@kind("branch order")
def branch_order(subject: Subject) -> Iterator[Fault]:
    """x + residual for residual + x: not a mistake, and no checker may call it one."""
    for residual in residuals(subject):
        yield replace(
            subject.at(residual.place, "operands exchanged"),
            equivalent="addition commutes",
            modes=frozenset(),
            plant=changing(*residual.place, lambda call, a, b: call(b, a)),
        )


@kind("shortcut missing")
def shortcut_missing(subject: Subject) -> Iterator[Fault]:
    """A plain network in place of a residual one."""
    for residual in residuals(subject):
        branch = residual.branch
        fault = subject.at(residual.place, "the residual alone")
        yield replace(fault, plant=changing(*residual.place, lambda _, *operands, branch=branch: operands[branch]))


@kind("shortcut without projection")
def shortcut_without_projection(subject: Subject) -> Iterator[Fault]:
    """Option A for option B: every other pixel, and zeros for the channels that are missing (section 3.3, 4.2)."""
    for projection in projections(subject):
        conv = projection.conv
        fault = subject.at((f"{projection.path}.0", "convolution", 0), "projection -> strided identity")
        if conv.out_channels >= conv.in_channels:
            yield replace(fault, plant=rewiring(projection.path, _strided(conv)))


def _strided(conv: nn.Conv2d) -> Change:
    (down, across), missing = conv.stride, conv.out_channels - conv.in_channels
    return lambda _, x: F.pad(x[:, :, ::down, ::across], (0, 0, 0, 0, 0, missing))


@kind("shortcut averaged")
def shortcut_averaged(subject: Subject) -> Iterator[Fault]:
    """An average pooling in front of an unstrided projection: ResNet-D (arXiv:1812.01187, Figure 2c)."""

    def averaged(call: Change, x: Any, weight: Any, bias: Any, stride: Any, *rest: Any) -> Any:
        return call(F.avg_pool2d(x, 2, stride, ceil_mode=True), weight, bias, (1, 1), *rest)

    for projection in projections(subject):
        path = f"{projection.path}.0"
        if projection.conv.stride == (2, 2):
            fault = subject.at((path, "convolution", 0), "stride 2 -> a 2x2 average and stride 1")
            yield replace(fault, plant=changing(path, "conv2d", 0, averaged))


@kind("shortcut not normalised")
def shortcut_not_normalised(subject: Subject) -> Iterator[Fault]:
    """A projection without its normalisation."""
    for projection in projections(subject):
        fault = subject.at((projection.norm, projection.norm_op, 0), "not called")
        yield replace(fault, plant=rewiring(projection.norm, skip))


@kind("constant factor missing")
def factor_missing(subject: Subject) -> Iterator[Fault]:
    """A scaling of activations forgotten: that of Inception-ResNet's residuals, the 1.7159 of LeNet-5."""

    def unscaled(_: Change, first: Any, second: Any) -> Any:
        return first if isinstance(first, Tensor) else second

    for place, node in subject.operations("mul"):
        by_number = len(node.inputs) == 1 or subject.source(node, 1).shape == ()
        if by_number and not isinstance(subject.network.get_submodule(place[0]), nn.LocalResponseNorm):
            factor = node.get("other")
            if factor != 1:
                fault = subject.at(place, f"factor {factor} -> 1" if factor else "factor -> 1")
                yield replace(fault, plant=changing(*place, unscaled))
