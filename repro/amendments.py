"""What is changed in a network of pytorchcv before it is compared: the points in which it leaves its paper.

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


def normalised_after_pooling(network: nn.Module) -> None:
    """Put the response normalisation of ZFNet after the pooling (arXiv:1311.2901, Figure 3), with AlexNet's constants.

    Torch divides alpha by the size of the window, and the formula does not: 5e-4 / 5 is the printed 1e-4.
    """
    features: Any = network.features
    for stage, pool in ((features.stage1, "pool1"), (features.stage2, "pool2")):
        stage.unit1.use_lrn = False
        norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        setattr(stage, pool, nn.Sequential(getattr(stage, pool), norm))


def largest_of_each_window(network: nn.Module) -> None:
    """Have NIN pool as in its first author's file for CIFAR-10: twice the largest, the size of the map rounded up."""
    features: Any = network.features
    features.stage2.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    features.stage3.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)


def edges_of_maps(network: nn.Module) -> None:
    """Pad the poolings of BN-Inception as its convolutions are padded, and average pixels only.

    Of both arXiv:1502.03167 prints nothing. Biases, which a normalisation takes away (section 3.2), are left out.
    """
    for block in _units(network, "ConvBlock"):
        block.conv.bias = None
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):
            module.padding, module.ceil_mode = 1, False
        elif isinstance(module, nn.AvgPool2d) and module.padding:
            module.count_include_pad = False


AMENDMENTS = {
    "v1": Amendment(first_strides, "each bottleneck's stride moved to its first 1x1"),
    "option_a": Amendment(parameterless_shortcuts, "option A in place of its projections"),
    "activated": Amendment(activated_first_unit, "its first unit's maps activated once, ahead of the split"),
    "figure3": Amendment(
        normalised_after_pooling, "response normalisation after the pooling, with AlexNet's constants"
    ),
    "max_pools": Amendment(largest_of_each_window, "the two poolings of the authors' file"),
    "edges": Amendment(edges_of_maps, "padded poolings, averages of pixels only, and no biases before normalisations"),
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
