"""The networks that ResNets are compared with in their own paper: He, Zhang, Ren, Sun (arXiv:1512.03385).

`resnet18` and `resnet34` have the shortcuts of option B, as the deeper networks do. Here are option A (no parameters;
Table 2, and the costs that Table 1 prints for 18 and 34 layers), option C (Table 3), and no shortcuts at all: the
plain networks (section 3.3; Figure 3, middle; Table 2).
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models.resnet import BasicBlock, Norm, ResNet, option_a, option_c


class BasicBlockA(BasicBlock):
    """Two 3x3 convolutions and a shortcut without parameters (option A; sections 4.1 and 4.2)."""

    option = staticmethod(option_a)


class BasicBlockC(BasicBlock):
    """Two 3x3 convolutions and a projection, even where the shape does not change (option C; section 4.1)."""

    option = staticmethod(option_c)


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, each with its normalisation and ReLU, and no shortcut (Figure 3, middle)."""

    expansion = 1

    def __init__(self, in_channels: int, planes: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, planes, 3, stride, padding=1, bias=False)
        self.bn1 = norm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = norm(planes)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return x


@variant(
    paper="arXiv:1512.03385, section 4.1, Table 2",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:resnet18+option_a",),
    sizes={"pytorchcv:resnet18+option_a": ((3, 224, 224), (3, 193, 209))},
)
def resnet18_a(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18 with option A: shortcuts that add no parameters."""
    return ResNet(BasicBlockA, (2, 2, 2, 2), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.1, Tables 2 and 3",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:resnet34+option_a",),
    sizes={"pytorchcv:resnet34+option_a": ((3, 224, 224), (3, 193, 209))},
)
def resnet34_a(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34 with option A: shortcuts that add no parameters."""
    return ResNet(BasicBlockA, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.1, Table 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def resnet34_c(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34 with option C: every shortcut is a projection, thirteen more than in option B."""
    return ResNet(BasicBlockC, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.1, Table 2",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def plain18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18 without shortcuts."""
    return ResNet(PlainBlock, (2, 2, 2, 2), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 3.3, Figure 3, Table 2",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def plain34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34 without shortcuts."""
    return ResNet(PlainBlock, (3, 4, 6, 3), num_classes, in_channels)
