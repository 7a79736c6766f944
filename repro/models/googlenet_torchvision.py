"""The GoogLeNet of torchvision: Table 1 of arXiv:1409.4842 with batch normalisation and 3x3 for 5x5 convolutions.

Its departures from the paper, each a number below: every convolution has a batch normalisation and no bias, the "5x5"
branch has a 3x3, the fourth pooling is 2x2, the auxiliary heads pool adaptively, dropout is 0.2, and no response
normalisation is left. googlenet.py is the network of the paper.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images


class GoogLeNetTorchvisionOutputs(NamedTuple):
    """What training sees, in torchvision's order: the logits, those of the head on 4d, those of the head on 4a."""

    logits: torch.Tensor
    aux2: torch.Tensor
    aux1: torch.Tensor


class ConvBN(nn.Module):
    """A convolution that keeps the size but for the stride, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)  # torchvision's epsilon; momentum is torch's default
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.conv(x)))
        return x


class Inception(nn.Module):
    """The module of Figure 2b with a 3x3 for the 5x5; its arguments are the columns of Table 1 of the paper."""

    def __init__(
        self,
        in_channels: int,
        n1x1: int,
        n3x3: tuple[int, int],
        n5x5: tuple[int, int],
        pool_proj: int,
    ) -> None:
        super().__init__()
        self.branch1x1 = ConvBN(in_channels, n1x1, 1)
        self.branch3x3 = nn.Sequential(ConvBN(in_channels, n3x3[0], 1), ConvBN(n3x3[0], n3x3[1], 3))
        self.branch5x5 = nn.Sequential(ConvBN(in_channels, n5x5[0], 1), ConvBN(n5x5[0], n5x5[1], 3))  # 3, not 5
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),  # ceil_mode changes nothing at stride 1
            ConvBN(in_channels, pool_proj, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], 1)


class AuxiliaryHead(nn.Module):
    """The side classifier of section 5, with an average pooling to 4x4 from any size and a normalised convolution."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(4)  # from 14x14, other windows than the paper's 5x5 at stride 3
        self.conv = ConvBN(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.avgpool(x))
        x = self.fc2(self.dropout(self.relu(self.fc1(x.flatten(1)))))
        return x


class GoogLeNetTorchvision(nn.Module):
    """The rows of Table 1 of the paper, with torchvision's layers.

    Input (batch, in_channels, height, width), 224x224 in torchvision, at least 15 pixels here; output logits
    (batch, num_classes), in train mode a GoogLeNetTorchvisionOutputs.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = ConvBN(in_channels, 64, 7, stride=2)  # 112x112
        self.conv2_reduce = ConvBN(64, 64, 1)  # 56x56 after pooling
        self.conv2 = ConvBN(64, 192, 3)
        self.inception_3a = Inception(192, 64, (96, 128), (16, 32), 32)  # 28x28 after pooling
        self.inception_3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.inception_4a = Inception(480, 192, (96, 208), (16, 48), 64)  # 14x14 after pooling
        self.inception_4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception_4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception_4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception_4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.inception_5a = Inception(832, 256, (160, 320), (32, 128), 128)  # 7x7 after pooling
        self.inception_5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 3x3 in Table 1
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)  # 0.4 in Table 1
        self.fc = nn.Linear(1024, num_classes)
        self.aux1 = AuxiliaryHead(512, num_classes)
        self.aux2 = AuxiliaryHead(528, num_classes)
        normal_001(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | GoogLeNetTorchvisionOutputs:
        require_images(x, "googlenet_torchvision", self.in_channels, smallest=15)
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(self.conv2_reduce(x)))
        x = self.pool(self.inception_3b(self.inception_3a(x)))
        x = self.inception_4a(x)
        aux1 = self.aux1(x) if self.training else None
        x = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.pool4(self.inception_4e(x))
        x = self.inception_5b(self.inception_5a(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x if aux1 is None or aux2 is None else GoogLeNetTorchvisionOutputs(x, aux2, aux1)


@initialisation(
    locus=(
        "torchvision's googlenet.py, whose cut at -2 and 2 cuts nothing of a deviation of 0.01; the rest is "
        "torch's default"
    ),
    rules={
        "*.bn.weight": "1",
        "*.bn.bias": "0",
        "*.weight": "normal(0, 0.01)",
        "*.bias": "uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in))",
    },
)
def normal_001(network: nn.Module) -> None:
    """Weights from N(0, 0.01^2), as torchvision's; the biases of the linear layers stay at torch's default.

    torchvision asks for a truncated normal but cuts it at -2 and 2, 200 deviations away: nothing is truncated.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.01)


@variant(
    paper="arXiv:1409.4842, Table 1, departures as in torchvision",
    init="normal_001",
    input_size=(3, 224, 224),
    other_size=(3, 130, 97),
    references=("torchvision:googlenet",),
)
def googlenet_torchvision(num_classes: int = 1000, in_channels: int = 3) -> GoogLeNetTorchvision:
    """The GoogLeNet of torchvision: batch normalisation, 3x3 for 5x5, two auxiliary heads."""
    return GoogLeNetTorchvision(num_classes, in_channels)
