"""Inception-v4: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet ..." (arXiv:1602.07261), Figure 9.

The order of the branches in a concatenation, and that of a 1x7 and a 7x1 in a row where Figures 3, 5 and 6 have the
other one, are those of the authors' release (tensorflow/models, research/slim); no count depends on them. The release
has an auxiliary head, which neither the paper's figures nor timm have, and no scale in its batch normalisations, where
timm and this file have one.
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


def pool_path(in_channels: int, filters: int) -> nn.Sequential:
    """A 3x3 average pooling that does not count its padding, as the release's, and a 1x1 convolution."""
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(pool, ConvBN(in_channels, filters, 1))


def fork(in_channels: int, filters: int) -> Concat:
    """The expanded end of a branch: 1x3 beside 3x1 (Figure 6)."""
    return Concat(path(in_channels, (1, 3, filters)), path(in_channels, (3, 1, filters)))


def stem(in_channels: int) -> nn.Sequential:
    """From 299x299 to 35x35x384: Figure 3."""
    return nn.Sequential(
        ConvBN(in_channels, 32, 3, stride=2),  # 149x149
        ConvBN(32, 32, 3),  # 147x147
        ConvBN(32, 64, 3, padding=1),
        Concat(nn.MaxPool2d(3, stride=2), ConvBN(64, 96, 3, stride=2)),  # 73x73x160
        Concat(
            nn.Sequential(path(160, (1, 1, 64)), ConvBN(64, 96, 3)),
            nn.Sequential(path(160, (1, 1, 64), (1, 7, 64), (7, 1, 64)), ConvBN(64, 96, 3)),
        ),  # 71x71x192
        Concat(ConvBN(192, 192, 3, stride=2), nn.MaxPool2d(3, stride=2)),  # the stride is missing in the figure
    )


def inception_a() -> Concat:
    """At 35x35x384: Figure 4."""
    return Concat(
        path(384, (1, 1, 96)),
        path(384, (1, 1, 64), (3, 3, 96)),
        path(384, (1, 1, 64), (3, 3, 96), (3, 3, 96)),
        pool_path(384, 96),
    )


def reduction_a() -> Concat:
    """From 35x35x384 to 17x17x1024: Figure 7 with k, l, m, n = 192, 224, 256, 384 (Table 1)."""
    return Concat(
        ConvBN(384, 384, 3, stride=2),
        nn.Sequential(path(384, (1, 1, 192), (3, 3, 224)), ConvBN(224, 256, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def inception_b() -> Concat:
    """At 17x17x1024: Figure 5."""
    return Concat(
        path(1024, (1, 1, 384)),
        path(1024, (1, 1, 192), (1, 7, 224), (7, 1, 256)),
        path(1024, (1, 1, 192), (7, 1, 192), (1, 7, 224), (7, 1, 224), (1, 7, 256)),
        pool_path(1024, 128),
    )


def reduction_b() -> Concat:
    """From 17x17x1024 to 8x8x1536: Figure 8."""
    return Concat(
        nn.Sequential(path(1024, (1, 1, 192)), ConvBN(192, 192, 3, stride=2)),
        nn.Sequential(path(1024, (1, 1, 256), (1, 7, 256), (7, 1, 320)), ConvBN(320, 320, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def inception_c() -> Concat:
    """At 8x8x1536: Figure 6."""
    return Concat(
        path(1536, (1, 1, 256)),
        nn.Sequential(path(1536, (1, 1, 384)), fork(384, 256)),
        nn.Sequential(path(1536, (1, 1, 384), (3, 1, 448), (1, 3, 512)), fork(512, 256)),
        pool_path(1536, 256),
    )


class InceptionV4(nn.Module):
    """The network of Figure 9.

    Input (batch, in_channels, height, width), 299x299 in the paper, at least 75 pixels here; output logits
    (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stem = stem(in_channels)
        self.inception_a = nn.Sequential(*[inception_a() for _ in range(4)])
        self.reduction_a = reduction_a()
        self.inception_b = nn.Sequential(*[inception_b() for _ in range(7)])
        self.reduction_b = reduction_b()
        self.inception_c = nn.Sequential(*[inception_c() for _ in range(3)])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)  # Figure 9: keep 0.8
        self.fc = nn.Linear(1536, num_classes)
        variance_scaling(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "inception_v4", self.in_channels, smallest=75)
        x = self.stem(x)
        x = self.reduction_a(self.inception_a(x))
        x = self.reduction_b(self.inception_b(x))
        x = self.inception_c(x)
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
        "*.bn.weight": "1",
        "fc.weight": "uniform(-sqrt(3 / fan_avg), sqrt(3 / fan_avg))",
        "*.bias": "0",
    },
)
def variance_scaling(network: InceptionV4) -> None:
    """Convolutions of variance 2 / fan_in from normals cut at two deviations, a Glorot uniform classifier, zero biases.

    The defaults of the authors' release (TF-slim); the paper prints nothing. 1.3 is their constant, which makes good
    the variance that the cut takes away.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            cut_normal_(module.weight, math.sqrt(1.3 * 2 / module.weight[0].numel()))
    nn.init.xavier_uniform_(network.fc.weight)
    nn.init.zeros_(network.fc.bias)


@variant(
    paper="arXiv:1602.07261, Figure 9 and Table 1",
    init="variance_scaling",
    input_size=(3, 299, 299),
    other_size=(3, 107, 139),
    references=("timm:inception_v4+drop_rate=0.2", "pytorchcv:inceptionv4+dropout_rate=0.2"),
    sizes={"pytorchcv:inceptionv4+dropout_rate=0.2": ((3, 299, 299), (3, 299, 313))},
)
def inception_v4(num_classes: int = 1000, in_channels: int = 3) -> InceptionV4:
    """Inception-v4: pure Inception modules, without residual connections."""
    return InceptionV4(num_classes, in_channels)
