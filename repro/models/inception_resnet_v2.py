"""Inception-ResNet-v2: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, ..." (arXiv:1602.07261), as released.

The authors' release (tensorflow/models, research/slim) is not what Figure 15 and those it refers to print, and the
figures cannot be built: they add 1154 maps to 1152 (Figure 17) and 2048 to 2144 (Figure 19). The release has
- the stem of Inception-v3 and one more module (320 maps at 35x35) for that of Figure 3 (384);
- 10, 20 and 10 blocks, not 5, 10 and 5, and 320, 1088 and 2080 maps in them;
- no ReLU and no scaling in the last block, then a 1x1 convolution to 1536 maps.
Its auxiliary head, which neither the figures nor timm have, is left out. Its batch normalisations have no scale, those
of timm and of this file have one.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images

Size = int | tuple[int, int]


class ConvBN(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)  # the release's epsilon; its momentum is 0.0003, here torch's
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.conv(x)))
        return x


class Concat(nn.ModuleList):
    """Branches that share an input, their outputs concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self], 1)


def path(in_channels: int, *layers: tuple[int, int, int]) -> nn.Sequential:
    """Convolutions in a row that keep the size; a layer is (height, width, filters)."""
    convs = nn.Sequential()
    for height, width, filters in layers:
        convs.append(ConvBN(in_channels, filters, (height, width), padding=(height // 2, width // 2)))
        in_channels = filters
    return convs


class Residual(nn.Module):
    """Adds the scaled output of the branches, brought to the input's width by a 1x1 that the figures call linear.

    It has a bias and no normalisation. Section 3.3 scales by 0.1 to 0.3; the scales below are the release's.
    """

    def __init__(self, branches: Concat, width: int, channels: int, scale: float, activation: nn.Module) -> None:
        super().__init__()
        self.branches = branches
        self.linear = nn.Conv2d(width, channels, 1)
        self.scale = scale
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.activation(x + self.scale * self.linear(self.branches(x)))
        return x


def mixed_35() -> Concat:
    """The end of the stem, from 35x35x192 to 35x35x320; in no figure."""
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)  # as in the release
    return Concat(
        path(192, (1, 1, 96)),
        path(192, (1, 1, 48), (5, 5, 64)),
        path(192, (1, 1, 64), (3, 3, 96), (3, 3, 96)),
        nn.Sequential(pool, ConvBN(192, 64, 1)),
    )


def block_a() -> Residual:
    """At 35x35x320: Inception-ResNet-A, Figure 16."""
    branches = Concat(
        path(320, (1, 1, 32)),
        path(320, (1, 1, 32), (3, 3, 32)),
        path(320, (1, 1, 32), (3, 3, 48), (3, 3, 64)),
    )
    return Residual(branches, 128, 320, scale=0.17, activation=nn.ReLU())


def reduction_a() -> Concat:
    """From 35x35x320 to 17x17x1088: Figure 7 with k, l, m, n = 256, 256, 384, 384 (Table 1)."""
    return Concat(
        ConvBN(320, 384, 3, stride=2),
        nn.Sequential(path(320, (1, 1, 256), (3, 3, 256)), ConvBN(256, 384, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def block_b() -> Residual:
    """At 17x17x1088: Inception-ResNet-B, Figure 17."""
    branches = Concat(
        path(1088, (1, 1, 192)),
        path(1088, (1, 1, 128), (1, 7, 160), (7, 1, 192)),
    )
    return Residual(branches, 384, 1088, scale=0.10, activation=nn.ReLU())


def reduction_b() -> Concat:
    """From 17x17x1088 to 8x8x2080: Figure 18."""
    return Concat(
        nn.Sequential(path(1088, (1, 1, 256)), ConvBN(256, 384, 3, stride=2)),
        nn.Sequential(path(1088, (1, 1, 256)), ConvBN(256, 288, 3, stride=2)),
        nn.Sequential(path(1088, (1, 1, 256), (3, 3, 288)), ConvBN(288, 320, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def block_c(scale: float, activation: nn.Module) -> Residual:
    """At 8x8x2080: Inception-ResNet-C, Figure 19."""
    branches = Concat(
        path(2080, (1, 1, 192)),
        path(2080, (1, 1, 192), (1, 3, 224), (3, 1, 256)),
    )
    return Residual(branches, 448, 2080, scale, activation)


class InceptionResNetV2(nn.Module):
    """The released network.

    Input (batch, in_channels, height, width), 299x299 in the paper, at least 75 pixels here; output logits
    (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stem = nn.Sequential(  # that of the released Inception-v3, and one module
            ConvBN(in_channels, 32, 3, stride=2),  # 149x149
            ConvBN(32, 32, 3),  # 147x147
            ConvBN(32, 64, 3, padding=1),
            nn.MaxPool2d(3, stride=2),  # 73x73
            ConvBN(64, 80, 1),
            ConvBN(80, 192, 3),  # 71x71
            nn.MaxPool2d(3, stride=2),  # 35x35
            mixed_35(),
        )
        self.blocks_a = nn.Sequential(*[block_a() for _ in range(10)])
        self.reduction_a = reduction_a()
        self.blocks_b = nn.Sequential(*[block_b() for _ in range(20)])
        self.reduction_b = reduction_b()
        self.blocks_c = nn.Sequential(
            *[block_c(scale=0.20, activation=nn.ReLU()) for _ in range(9)],
            block_c(scale=1.0, activation=nn.Identity()),
        )
        self.conv = ConvBN(2080, 1536, 1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)  # Figure 15: keep 0.8
        self.fc = nn.Linear(1536, num_classes)
        variance_scaling(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "inception_resnet_v2", self.in_channels, smallest=75)
        x = self.stem(x)
        x = self.reduction_a(self.blocks_a(x))
        x = self.reduction_b(self.blocks_b(x))
        x = self.conv(self.blocks_c(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x


def cut_normal_(weight: torch.Tensor, std: float) -> None:
    """Fill with a normal cut at two deviations, by the inverse of its distribution function.

    torch's trunc_normal_ draws the same by rejection, in ten times the time: ten seconds for a network of this size.
    """
    mass = math.erf(math.sqrt(2))  # what two deviations on each side hold
    with torch.no_grad():
        weight.uniform_(-mass, mass).erfinv_().mul_(math.sqrt(2) * std)  # erf counts in sqrt(2) deviations


@initialisation(
    locus=(
        "TF-slim's defaults in the authors' release (variance_scaling_initializer, Glorot), from memory; "
        "arXiv:1602.07261 prints none"
    ),
    rules={
        "*.conv.weight": "truncated_normal(0, sqrt(1.3 * 2 / fan_in), 2)",
        "*.linear.weight": "truncated_normal(0, sqrt(1.3 * 2 / fan_in), 2)",
        "*.bn.weight": "1",
        "fc.weight": "uniform(-sqrt(3 / fan_avg), sqrt(3 / fan_avg))",
        "*.bias": "0",
    },
)
def variance_scaling(network: InceptionResNetV2) -> None:
    """Convolutions of variance 2 / fan_in from normals cut at two deviations, a Glorot uniform classifier, zero biases.

    The defaults of the authors' release (TF-slim); the paper prints nothing. 1.3 is their constant, which makes good
    the variance that the cut takes away.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            cut_normal_(module.weight, math.sqrt(1.3 * 2 / module.weight[0].numel()))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(network.fc.weight)
    nn.init.zeros_(network.fc.bias)


@variant(
    paper="arXiv:1602.07261, Table 1 and Figures 7 and 16 to 19, as released in tensorflow/models",
    init="variance_scaling",
    input_size=(3, 299, 299),
    other_size=(3, 107, 139),
    references=("timm:inception_resnet_v2+drop_rate=0.2", "pytorchcv:inceptionresnetv2+dropout_rate=0.2"),
    sizes={"pytorchcv:inceptionresnetv2+dropout_rate=0.2": ((3, 299, 299), (3, 299, 313))},
)
def inception_resnet_v2(num_classes: int = 1000, in_channels: int = 3) -> InceptionResNetV2:
    """Inception-ResNet-v2 as released: scaled residual Inception blocks, 10, 20 and 10 of them."""
    return InceptionResNetV2(num_classes, in_channels)
