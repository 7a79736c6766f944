"""Inception-v3: Szegedy et al., "Rethinking the Inception Architecture" (arXiv:1512.00567), as its authors released it.

The release (tensorflow/models, research/slim) is not what Table 1 prints, and the file of filters that the paper refers
to is not available: a width below without a locus is the release's. Where Table 1 has a second group of three 3x3 in
the stem, the release has a 1x1 to 80 maps, a 3x3 to 192 and a pooling; its 35x35 modules keep a 5x5; it has four 17x17
modules, not five. torchvision, timm and this file depart from the release in turn: their batch normalisations have a
scale, and their average poolings count the padding.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images

Size = int | tuple[int, int]


class InceptionV3Outputs(NamedTuple):
    """What training sees: the logits, and those of the auxiliary head (section 4)."""

    logits: torch.Tensor
    aux: torch.Tensor


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
    """A 3x3 average pooling and a 1x1 convolution, as released."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), ConvBN(in_channels, filters, 1))


def fork(in_channels: int, filters: int) -> Concat:
    """The expanded end of a branch: 1x3 beside 3x1 (Figure 7)."""
    return Concat(path(in_channels, (1, 3, filters)), path(in_channels, (3, 1, filters)))


def module_35(in_channels: int, pool_filters: int) -> Concat:
    """At 35x35: Figure 5, but for the 5x5 of Figure 4."""
    return Concat(
        path(in_channels, (1, 1, 64)),
        path(in_channels, (1, 1, 48), (5, 5, 64)),
        path(in_channels, (1, 1, 64), (3, 3, 96), (3, 3, 96)),
        pool_path(in_channels, pool_filters),
    )


def module_17(width: int) -> Concat:
    """At 17x17: Figure 6 with n = 7; `width` is that of the inner layers."""
    return Concat(
        path(768, (1, 1, 192)),
        path(768, (1, 1, width), (1, 7, width), (7, 1, 192)),
        path(768, (1, 1, width), (7, 1, width), (1, 7, width), (7, 1, width), (1, 7, 192)),
        pool_path(768, 192),
    )


def module_8(in_channels: int) -> Concat:
    """At 8x8: Figure 7."""
    return Concat(
        path(in_channels, (1, 1, 320)),
        nn.Sequential(path(in_channels, (1, 1, 384)), fork(384, 384)),
        nn.Sequential(path(in_channels, (1, 1, 448), (3, 3, 384)), fork(384, 384)),
        pool_path(in_channels, 192),
    )


def reduction_35() -> Concat:
    """From 35x35x288 to 17x17x768: Figure 10."""
    return Concat(
        ConvBN(288, 384, 3, stride=2),
        nn.Sequential(path(288, (1, 1, 64), (3, 3, 96)), ConvBN(96, 96, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


def reduction_17() -> Concat:
    """From 17x17x768 to 8x8x1280: Figure 10 with a 1x1 before the single 3x3 and a factorised 7x7 before the other."""
    return Concat(
        nn.Sequential(path(768, (1, 1, 192)), ConvBN(192, 320, 3, stride=2)),
        nn.Sequential(path(768, (1, 1, 192), (1, 7, 192), (7, 1, 192)), ConvBN(192, 192, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )


class AuxiliaryHead(nn.Module):
    """The side classifier on the last 17x17 map (Figure 8); its layers are the release's."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(5, stride=3)  # 5x5
        self.conv1 = ConvBN(768, 128, 1)
        self.conv2 = ConvBN(128, 768, 5)  # 1x1
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # torchvision's, the identity at 299x299
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.conv1(self.pool(x)))
        x = self.fc(self.avgpool(x).flatten(1))
        return x


class InceptionV3(nn.Module):
    """The released network; its sizes are the input column of Table 1 but where the module's docstring differs.

    Input (batch, in_channels, height, width), 299x299 in the paper. In eval mode 75 pixels and more are admitted and
    the output is the logits (batch, num_classes); in train mode the auxiliary head needs 299 pixels and the output is
    an InceptionV3Outputs.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv_1 = ConvBN(in_channels, 32, 3, stride=2)  # 149x149
        self.conv_2 = ConvBN(32, 32, 3)  # 147x147
        self.conv_3 = ConvBN(32, 64, 3, padding=1)
        self.conv_4 = ConvBN(64, 80, 1)  # 73x73 after pooling
        self.conv_5 = ConvBN(80, 192, 3)  # 71x71
        self.module_35a = module_35(192, 32)  # 35x35 after pooling
        self.module_35b = module_35(256, 64)
        self.module_35c = module_35(288, 64)
        self.reduction_35 = reduction_35()
        self.module_17a = module_17(128)
        self.module_17b = module_17(160)
        self.module_17c = module_17(160)
        self.module_17d = module_17(192)
        self.aux = AuxiliaryHead(num_classes)
        self.reduction_17 = reduction_17()
        self.module_8a = module_8(1280)
        self.module_8b = module_8(2048)
        self.pool = nn.MaxPool2d(3, stride=2)  # Table 1
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # the 8x8 of Table 1 at 299x299
        self.dropout = nn.Dropout(0.5)  # torchvision's; the release drops 0.2, the paper prints no rate
        self.fc = nn.Linear(2048, num_classes)
        truncated_normal(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | InceptionV3Outputs:
        if self.training:
            require_images(x, "inception_v3 in train mode", self.in_channels, smallest=299)
        else:
            require_images(x, "inception_v3", self.in_channels, smallest=75)
        x = self.pool(self.conv_3(self.conv_2(self.conv_1(x))))
        x = self.pool(self.conv_5(self.conv_4(x)))
        x = self.module_35c(self.module_35b(self.module_35a(x)))
        x = self.reduction_35(x)
        x = self.module_17d(self.module_17c(self.module_17b(self.module_17a(x))))
        aux = self.aux(x) if self.training else None
        x = self.reduction_17(x)
        x = self.module_8b(self.module_8a(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x if aux is None else InceptionV3Outputs(x, aux)


def cut_normal_(weight: torch.Tensor, std: float) -> None:
    """Fill with a normal cut at two deviations, by the inverse of its distribution function.

    torch's trunc_normal_ draws the same by rejection, in ten times the time: ten seconds for a network of this size.
    """
    mass = math.erf(math.sqrt(2))  # what two deviations on each side hold
    with torch.no_grad():
        weight.uniform_(-mass, mass).erfinv_().mul_(math.sqrt(2) * std)  # erf counts in sqrt(2) deviations


@initialisation(
    locus=(
        "the authors' training code (tensorflow/models, research/inception), from memory; arXiv:1512.00567 prints none"
    ),
    rules={
        "aux.conv2.conv.weight": "truncated_normal(0, 0.01, 2)",
        "*.conv.weight": "truncated_normal(0, 0.1, 2)",
        "*.bn.weight": "1",
        "fc.weight": "truncated_normal(0, 0.01, 2)",
        "aux.fc.weight": "truncated_normal(0, 0.001, 2)",
        "*.bias": "0",
    },
)
def truncated_normal(network: InceptionV3) -> None:
    """Normals cut at two deviations: 0.1 in convolutions, 0.01 in the classifier, zero biases; less in the head.

    The deviations of the authors' training code (tensorflow/models, research/inception); the paper prints none.
    torchvision takes 0.1 for the classifier too, and cuts at -2 and 2, which cuts nothing.
    """
    deviations = {network.fc: 0.01, network.aux.conv2.conv: 0.01, network.aux.fc: 0.001}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            cut_normal_(module.weight, deviations.get(module, 0.1))
    nn.init.zeros_(network.fc.bias)
    nn.init.zeros_(network.aux.fc.bias)


@variant(
    paper="arXiv:1512.00567, section 6 and Figures 5 to 8 and 10, as released in tensorflow/models",
    init="truncated_normal",
    input_size=(3, 299, 299),
    other_size=(3, 107, 139),
    references=("torchvision:inception_v3", "timm:inception_v3+drop_rate=0.5", "pytorchcv:inceptionv3"),
    sizes={"pytorchcv:inceptionv3": ((3, 299, 299), (3, 299, 313))},
    untrained={
        "timm:inception_v3+drop_rate=0.5": "timm builds it without the auxiliary head",
        "pytorchcv:inceptionv3": "pytorchcv has no auxiliary head and no dropout",
    },
)
def inception_v3(num_classes: int = 1000, in_channels: int = 3) -> InceptionV3:
    """Inception-v3 as released: factorised 7x7, an auxiliary head with batch normalisation."""
    return InceptionV3(num_classes, in_channels)
