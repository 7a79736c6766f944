"""BN-GoogLeNet: the third row of Table 3 of Szegedy et al., "Rethinking the Inception Architecture" (arXiv:1512.00567).

That paper prints its name, its error and its cost, 1.5 billion operations, and no structure. The cost rules out the
network of the paper on batch normalisation (bn_inception.py: 1.9 or 2.0) and a GoogLeNet with a plain conv1 (1.6). With
the separable conv1 that GoogLeNet's own Table 1 counts (2.7K parameters, 34M operations), GoogLeNet costs 1.499.

What is normalised is what arXiv:1502.03167 normalises in its baseline: the input of each nonlinearity, all else being
kept, here the response normalisations, the dropout and the heads. Of a head this is the convolution only: normalising
its dense layer too is a later row of that Table 3 (BN-auxiliary).
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.alexnet import response_norm
from repro.models.bn_inception import ConvBN, SeparableConvBN, fan_in_uniform
from repro.models.googlenet import GoogLeNetOutputs


class Inception(nn.Module):
    """The module of Figure 2b of arXiv:1409.4842; its arguments are the columns of Table 1 there."""

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
        self.branch5x5 = nn.Sequential(ConvBN(in_channels, n5x5[0], 1), ConvBN(n5x5[0], n5x5[1], 5))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvBN(in_channels, pool_proj, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], 1)


class AuxiliaryHead(nn.Module):
    """The side classifier of section 5 of arXiv:1409.4842, its convolution normalised."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.avgpool = nn.AvgPool2d(5, stride=3)  # 4x4
        self.conv = ConvBN(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.avgpool(x))
        x = self.fc2(self.dropout(self.relu(self.fc1(x.flatten(1)))))
        return x


class GoogLeNetBN(nn.Module):
    """The rows of Table 1 of arXiv:1409.4842, every convolution normalised.

    Input (batch, in_channels, height, width), 224x224 in the paper. In train mode the heads admit 223 to 270 pixels and
    the output is a GoogLeNetOutputs; in eval mode 31 pixels and more are admitted, and the output is the logits
    (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = SeparableConvBN(in_channels, 64, 7, 2, multiplier=8)  # 112x112
        self.norm1 = response_norm()
        self.conv2_reduce = ConvBN(64, 64, 1)  # 56x56 after pooling
        self.conv2 = ConvBN(64, 192, 3)
        self.norm2 = response_norm()
        self.inception_3a = Inception(192, 64, (96, 128), (16, 32), 32)  # 28x28 after pooling
        self.inception_3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.inception_4a = Inception(480, 192, (96, 208), (16, 48), 64)  # 14x14 after pooling
        self.inception_4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception_4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception_4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception_4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.inception_5a = Inception(832, 256, (160, 320), (32, 128), 128)  # 7x7 after pooling
        self.inception_5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # as in googlenet.py
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # the 7x7 of Table 1 at 224x224
        self.dropout = nn.Dropout(0.4)  # Table 1
        self.fc = nn.Linear(1024, num_classes)
        self.aux1 = AuxiliaryHead(512, num_classes)
        self.aux2 = AuxiliaryHead(528, num_classes)
        fan_in_uniform(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | GoogLeNetOutputs:
        if self.training:
            require_images(x, "googlenet_bn in train mode", self.in_channels, smallest=223, largest=270)
        else:
            require_images(x, "googlenet_bn", self.in_channels, smallest=31)
        x = self.norm1(self.pool(self.conv1(x)))
        x = self.pool(self.norm2(self.conv2(self.conv2_reduce(x))))
        x = self.pool(self.inception_3b(self.inception_3a(x)))
        x = self.inception_4a(x)
        aux1 = self.aux1(x) if self.training else None
        x = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.pool(self.inception_4e(x))
        x = self.inception_5b(self.inception_5a(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x if aux1 is None or aux2 is None else GoogLeNetOutputs(x, aux1, aux2)


@variant(
    paper="arXiv:1512.00567, Table 3, as arXiv:1409.4842, Table 1, normalised like the baseline of arXiv:1502.03167",
    init="bn_inception.fan_in_uniform",
    input_size=(3, 224, 224),
    other_size=(3, 227, 262),
)
def googlenet_bn(num_classes: int = 1000, in_channels: int = 3) -> GoogLeNetBN:
    """BN-GoogLeNet: the GoogLeNet of 2014 with a separable conv1 and batch normalisation."""
    return GoogLeNetBN(num_classes, in_channels)
