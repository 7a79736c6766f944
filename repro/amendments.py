"""What is changed in a network of pytorchcv before it is compared: the one point in which it leaves its paper.

What is equal then is all the rest. Each function changes the network that it is given, and raises ReproError or
AttributeError for one that it does not fit; `AMENDMENTS` says of each what a report has to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from repro.errors import ReproError


@dataclass(frozen=True)
class Amendment:
    """What is done to a network, and how a report words it."""

    amend: Callable[[nn.Module], None]
    note: str


def first_strides(network: nn.Module) -> None:
    """Move the stride of each pre-activation bottleneck from its 3x3 to its first 1x1."""
    for block in _units(network, "PreResBottleneck"):
        first, second = block.conv1.conv, block.conv2.conv
        first.stride, second.stride = second.stride, first.stride


def parameterless_shortcuts(network: nn.Module) -> None:
    """Replace each projection by option A of arXiv:1512.03385: pixels left out, and zeros for added channels.

    With pre-activation it reads what the unit reads, where pytorchcv's projection reads the activated maps.
    """
    for unit in _units(network, "ResUnit", "PreResUnit"):
        if unit.resize_identity:
            unit.identity_conv = _Padded(getattr(unit.identity_conv, "conv", unit.identity_conv))
            if type(unit).__name__ == "PreResUnit":
                unit.body = _BesideInput(unit.body)


def activated_first_unit(network: nn.Module) -> None:
    """Give the first unit maps that are activated once, ahead of its split (arXiv:1603.05027, appendix).

    A network for CIFAR activates them in the residual function only, one for ImageNet after conv1 and there again.
    """
    features: Any = network.features
    first = features.stage1.unit1.body.conv1
    if isinstance(features.init_block, nn.Conv2d):
        features.init_block = nn.Sequential(features.init_block, first.bn, first.activ)
    first.bn, first.activ = nn.Identity(), nn.Identity()


AMENDMENTS = {
    "v1": Amendment(first_strides, "each bottleneck's stride moved to its first 1x1"),
    "option_a": Amendment(parameterless_shortcuts, "option A in place of its projections"),
    "activated": Amendment(activated_first_unit, "its first unit's maps activated once, ahead of the split"),
}


class _Padded(nn.Module):
    """The zeros come last, as everywhere in this project; the paper does not say where."""

    def __init__(self, projection: nn.Conv2d) -> None:
        super().__init__()
        self.stride = projection.stride
        self.zeros = projection.out_channels - projection.in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = self.stride
        return F.pad(x[:, :, ::rows, ::columns], (0, 0, 0, 0, 0, self.zeros))


class _BesideInput(nn.Module):
    """A residual function, and what it was given in place of what it made of it first."""

    def __init__(self, residual: nn.Module) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        residual, _ = self.residual(x)
        return residual, x


def _units(network: nn.Module, *names: str) -> list[Any]:
    found = [module for module in network.modules() if type(module).__name__ in names]
    if not found:
        raise ReproError(f"a {type(network).__name__} has no {' or '.join(names)}, which the amendment is for")
    return found
