"""BN-Inception: Ioffe, Szegedy, "Batch Normalization" (arXiv:1502.03167), Figure 5.

The figure contradicts itself. The filters of 4c and 4d add up to 160 + 160 + 160 + 128 = 608 and 96 + 192 + 192 + 128 =
608, where it prints 576 maps, and 4e passes the 608 on: 192 + 256 + 608 = 1056, where it prints 1024. This file has the
printed filters; a pool projection of 96 for 128 in 4c and 4d would give the printed maps, as bn_inception_caffe2.py
has it. The cost does not decide: it is 30.0% or 29.1% above GoogLeNet's, "about 30%" in the appendix. 3c and 4e are
printed with the side of their input, 28x28 and 14x14, but have stride 2.

The 13.6 million parameters of section 4.2 are not those of the figure, which has 11.3 million, and no auxiliary head is
described that could hold the rest. As a conv1 the figure prints a 7x7 convolution; the appendix says that the authors'
is separable: hence two variants.

The paper is silent about padding, epsilon (here torch's) and what an average counts at the edge (here pixels only).
All layers of stride 2 are padded alike, so that maps of an odd side can be concatenated too.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images


class ConvBN(nn.Module):
    """A convolution that keeps the size but for the stride, batch normalisation for its bias (section 3.2), ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.conv(x)))
        return x


class SeparableConvBN(nn.Module):
    """The separable convolution of the appendix: `multiplier` filters on each channel, then a 1x1 over all of them.

    Nothing is between the two, so that they are one linear map with one normalisation and one ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, multiplier: int) -> None:
        super().__init__()
        inner = in_channels * multiplier
        self.depthwise = nn.Conv2d(
            in_channels, inner, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.pointwise(self.depthwise(x))))
        return x


def average() -> nn.AvgPool2d:
    """The entry "avg" of a module of stride 1 (Figure 5); it is 3x3."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


class Inception(nn.Module):
    """A module of stride 1: a double 3x3 where GoogLeNet has a 5x5; its arguments are the columns of Figure 5.

    A tuple is (reduction, convolution), the latter twice in n3x3_double; `pool` is the pooling before `pool_proj`.
    """

    def __init__(
        self,
        in_channels: int,
        n1x1: int,
        n3x3: tuple[int, int],
        n3x3_double: tuple[int, int],
        pool: nn.Module,
        pool_proj: int,
    ) -> None:
        super().__init__()
        reduced, filters = n3x3_double
        self.branch1x1 = ConvBN(in_channels, n1x1, 1)
        self.branch3x3 = nn.Sequential(ConvBN(in_channels, n3x3[0], 1), ConvBN(n3x3[0], n3x3[1], 3))
        self.branch3x3_double = nn.Sequential(
            ConvBN(in_channels, reduced, 1), ConvBN(reduced, filters, 3), ConvBN(filters, filters, 3)
        )
        self.branch_pool = nn.Sequential(pool, ConvBN(in_channels, pool_proj, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch3x3_double(x), self.branch_pool(x)], 1)


class Downsampling(nn.Module):
    """A module of stride 2, 3c or 4e: no 1x1, and the pooled input passes through.

    The stride is in the layer before the concatenation (appendix).
    """

    def __init__(self, in_channels: int, n3x3: tuple[int, int], n3x3_double: tuple[int, int]) -> None:
        super().__init__()
        reduced, filters = n3x3_double
        self.branch3x3 = nn.Sequential(ConvBN(in_channels, n3x3[0], 1), ConvBN(n3x3[0], n3x3[1], 3, stride=2))
        self.branch3x3_double = nn.Sequential(
            ConvBN(in_channels, reduced, 1), ConvBN(reduced, filters, 3), ConvBN(filters, filters, 3, stride=2)
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch3x3(x), self.branch3x3_double(x), self.pool(x)], 1)


class BNInception(nn.Module):
    """The network of Figure 5, without response normalisation and dropout (section 4.2.1).

    Input (batch, in_channels, height, width), 224x224 in the paper, any size here; output logits (batch, num_classes).
    """

    def __init__(self, conv1: nn.Module, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = conv1  # 112x112
        self.conv2_reduce = ConvBN(64, 64, 1)  # 56x56 after pooling
        self.conv2 = ConvBN(64, 192, 3)
        self.inception_3a = Inception(192, 64, (64, 64), (64, 96), average(), 32)  # 28x28 after pooling
        self.inception_3b = Inception(256, 64, (64, 96), (64, 96), average(), 64)
        self.inception_3c = Downsampling(320, (128, 160), (64, 96))  # 14x14
        self.inception_4a = Inception(576, 224, (64, 96), (96, 128), average(), 128)
        self.inception_4b = Inception(576, 192, (96, 128), (96, 128), average(), 128)
        self.inception_4c = Inception(576, 160, (128, 160), (128, 160), average(), 128)
        self.inception_4d = Inception(608, 96, (128, 192), (160, 192), average(), 128)
        self.inception_4e = Downsampling(608, (128, 192), (192, 256))  # 7x7
        self.inception_5a = Inception(1056, 352, (192, 320), (160, 224), average(), 128)
        self.inception_5b = Inception(1024, 352, (192, 320), (192, 224), nn.MaxPool2d(3, stride=1, padding=1), 128)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # the 7x7 of Figure 5 at 224x224
        self.fc = nn.Linear(1024, num_classes)
        fan_in_uniform(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a BN-Inception", self.in_channels, smallest=1)
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(self.conv2_reduce(x)))
        x = self.inception_3c(self.inception_3b(self.inception_3a(x)))
        x = self.inception_4b(self.inception_4a(x))
        x = self.inception_4d(self.inception_4c(x))
        x = self.inception_5b(self.inception_5a(self.inception_4e(x)))
        x = self.fc(self.avgpool(x).flatten(1))
        return x


@initialisation(
    locus="the weights of googlenet.py, whose variant the network is, from memory; arXiv:1502.03167 prints none",
    rules={
        "*.bn.weight": "1",
        "*.weight": "uniform(-sqrt(3 / fan_in), sqrt(3 / fan_in))",
        "*.bias": "0",
    },
)
def fan_in_uniform(network: nn.Module) -> None:
    """Weights uniform within sqrt(3 / fan_in), as in googlenet.py; normalisations start as the identity, biases zero.

    The paper prints none; behind a normalisation the scale of the weights does not matter (section 3.3).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@variant(
    paper="arXiv:1502.03167, Figure 5, its filters where its output sizes contradict them",
    init="fan_in_uniform",
    input_size=(3, 224, 224),
    other_size=(3, 130, 97),
    references=("pytorchcv:bninception+edges",),
    sizes={"pytorchcv:bninception+edges": ((3, 224, 224), (3, 193, 209))},
)
def bn_inception(num_classes: int = 1000, in_channels: int = 3) -> BNInception:
    """BN-Inception, also called Inception-v2: batch normalisation, two 3x3 for a 5x5, three modules at 28x28."""
    return BNInception(ConvBN(in_channels, 64, 7, stride=2), num_classes, in_channels)


@variant(
    paper="arXiv:1502.03167, Figure 5 with the separable conv1 of the appendix, filters as in bn_inception",
    init="fan_in_uniform",
    input_size=(3, 224, 224),
    other_size=(3, 130, 97),
)
def bn_inception_separable(num_classes: int = 1000, in_channels: int = 3) -> BNInception:
    """BN-Inception with a separable first convolution of depth multiplier 8."""
    return BNInception(SeparableConvBN(in_channels, 64, 7, 2, multiplier=8), num_classes, in_channels)
