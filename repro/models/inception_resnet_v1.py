"""Inception-ResNet-v1: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, ..." (arXiv:1602.07261), Figure 15.

Unlike those of Inception-ResNet-v2, the figures of this network (7 and 10 to 14, with Table 1) fit each other, and no
release departs from them. They are silent about the scale of each residual, which section 3.3 puts between 0.1 and 0.3:
the scales are those of the released Inception-ResNet-v2. So are the order in which branches are concatenated, the 1x1
"linear" without normalisation and the epsilon. The last block is like the others of its kind.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images
from repro.models.inception_resnet_v2 import Concat, ConvBN, Residual, cut_normal_, path


def stem(in_channels: int) -> nn.Sequential:
    """From 299x299 to 35x35x256: Figure 14."""
    return nn.Sequential(
        ConvBN(in_channels, 32, 3, stride=2),  # 149x149
        ConvBN(32, 32, 3),  # 147x147
        ConvBN(32, 64, 3, padding=1),
        nn.MaxPool2d(3, stride=2),  # 73x73
        ConvBN(64, 80, 1),
        ConvBN(80, 192, 3),  # 71x71
        ConvBN(192, 256, 3, stride=2),  # 35x35
    )


def block_a() -> Residual:
    """At 35x35x256: Inception-ResNet-A, Figure 10."""
    branches = Concat(
        path(256, (1, 1, 32)),
        path(256, (1, 1, 32), (3, 3, 32)),
        path(256, (1, 1, 32), (3, 3, 32), (3, 3, 32)),
    )
    return Residual(branches, 96, 256, scale=0.17, activation=nn.ReLU())


def reduction_a() -> Concat:
    """From 35x35x256 to 17x17x896: Figure 7 with k, l, m, n = 192, 192, 256, 384 (Table 1)."""
    return Concat(
        ConvBN(256, 384, 3, stride=2),
        nn.Sequential(path(256, (1, 1, 192), (3, 3, 192)), ConvBN(192, 256, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def block_b() -> Residual:
    """At 17x17x896: Inception-ResNet-B, Figure 11."""
    branches = Concat(
        path(896, (1, 1, 128)),
        path(896, (1, 1, 128), (1, 7, 128), (7, 1, 128)),
    )
    return Residual(branches, 256, 896, scale=0.10, activation=nn.ReLU())


def reduction_b() -> Concat:
    """From 17x17x896 to 8x8x1792: Figure 12."""
    return Concat(
        nn.Sequential(path(896, (1, 1, 256)), ConvBN(256, 384, 3, stride=2)),
        nn.Sequential(path(896, (1, 1, 256)), ConvBN(256, 256, 3, stride=2)),
        nn.Sequential(path(896, (1, 1, 256), (3, 3, 256)), ConvBN(256, 256, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def block_c() -> Residual:
    """At 8x8x1792: Inception-ResNet-C, Figure 13."""
    branches = Concat(
        path(1792, (1, 1, 192)),
        path(1792, (1, 1, 192), (1, 3, 192), (3, 1, 192)),
    )
    return Residual(branches, 384, 1792, scale=0.20, activation=nn.ReLU())


class InceptionResNetV1(nn.Module):
    """The network of Figure 15.

    Input (batch, in_channels, height, width), 299x299 in the paper, at least 75 pixels here; output logits
    (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stem = stem(in_channels)
        self.blocks_a = nn.Sequential(*[block_a() for _ in range(5)])
        self.reduction_a = reduction_a()
        self.blocks_b = nn.Sequential(*[block_b() for _ in range(10)])
        self.reduction_b = reduction_b()
        self.blocks_c = nn.Sequential(*[block_c() for _ in range(5)])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)  # Figure 15: keep 0.8
        self.fc = nn.Linear(1792, num_classes)
        variance_scaling(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "inception_resnet_v1", self.in_channels, smallest=75)
        x = self.stem(x)
        x = self.reduction_a(self.blocks_a(x))
        x = self.reduction_b(self.blocks_b(x))
        x = self.blocks_c(x)
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x


@initialisation(
    locus="as in inception_resnet_v2.py, TF-slim's defaults, from memory; arXiv:1602.07261 prints none",
    rules={
        "*.conv.weight": "truncated_normal(0, sqrt(1.3 * 2 / fan_in), 2)",
        "*.linear.weight": "truncated_normal(0, sqrt(1.3 * 2 / fan_in), 2)",
        "*.bn.weight": "1",
        "fc.weight": "uniform(-sqrt(3 / fan_avg), sqrt(3 / fan_avg))",
        "*.bias": "0",
    },
)
def variance_scaling(network: InceptionResNetV1) -> None:
    """As in inception_resnet_v2.py: convolutions of variance 2 / fan_in, a Glorot uniform classifier, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            cut_normal_(module.weight, math.sqrt(1.3 * 2 / module.weight[0].numel()))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.xavier_uniform_(network.fc.weight)
    nn.init.zeros_(network.fc.bias)


@variant(
    paper="arXiv:1602.07261, Figures 7 and 10 to 15 and Table 1, residual scales as in inception_resnet_v2",
    init="variance_scaling",
    input_size=(3, 299, 299),
    other_size=(3, 107, 139),
)
def inception_resnet_v1(num_classes: int = 1000, in_channels: int = 3) -> InceptionResNetV1:
    """Inception-ResNet-v1: scaled residual Inception blocks, 5, 10 and 5 of them."""
    return InceptionResNetV1(num_classes, in_channels)
