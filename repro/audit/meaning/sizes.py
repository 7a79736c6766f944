"""Which images a network takes whose first linear layer fits maps of one size only."""

from __future__ import annotations

from collections.abc import Iterable

from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Instance, Op

USUAL_SIDES = (28, 32, 64, 96, 224, 227, 299)  # MNIST, CIFAR, tutorials, ImageNet, AlexNet, Inception
_TO_HEAD = ("flatten", "view", "dropout", "identity")


def fixed_heads(analysis: Analysis) -> dict[Op, Instance]:
    """The linear layers that are given a flattened map which grows with the image, each with its network."""
    found: dict[Op, Instance] = {}
    for op in analysis.ops("linear"):
        if op.within and _grows(op) and not any(each.where is op.where for each in found):
            found[op] = op.within[0]
    return found


def _grows(head: Op) -> bool:
    way = list(flow.before(head, _TO_HEAD))
    shape = way[-1].shape if len(way) > 1 and way[-1].kind in ("conv", "pool", "activation", "norm", "lrn") else None
    return shape is not None and len(shape) == 4 and None in shape[2:]


def fitting(analysis: Analysis, head: Op, network: Instance, sides: Iterable[int] = USUAL_SIDES) -> list[int]:
    """The sides of the square images whose map the head can take."""
    return [side for side in sides if _fits(analysis, head, network, side)]


def _fits(analysis: Analysis, head: Op, network: Instance, side: int) -> bool:
    for op in analysis.trace(network, side):
        if op.layer is head.layer:
            sizes = list(flow.before(op, _TO_HEAD))[-1].shape
            if sizes is None or len(sizes) != 4 or None in sizes[1:]:
                return False
            channels, height, width = (size or 0 for size in sizes[1:])
            return min(height, width) > 0 and channels * height * width == head.detail.get("in_features")
    return False
