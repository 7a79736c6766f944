"""Wide ResNets for CIFAR: Zagoruyko, Komodakis, "Wide Residual Networks" (arXiv:1605.07146), Tables 1 to 6.

WRN-n-k has three groups of N blocks 16k, 32k and 64k wide. B(...) lists the kernels of a block's convolutions (section
2); where none is named it is B(3,3). n = 6N + 4: the first convolution, those of the blocks, and a projection in each
group, which k = 1 does without in the first. Table 2 counts so for blocks of three convolutions too: only with
N = (n - 4) / 6 do they have the printed parameters, and then they are deeper than n.

Not printed: what a projection reads, and which convolution of a block has the stride. As in the authors' file
models/wide-resnet.lua (github.com/szagoruyko/wide-residual-networks), the projection reads the block's first
activation and the stride is in the block's first convolution.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images
from repro.models.resnet import he_fan_in


class Block(nn.Module):
    """B(kernels) with pre-activation: normalisation and ReLU before every convolution; all have the same width.

    The shortcut is the identity (Figure 1). Dropout lies between the convolutions, after the ReLU (section 2.4); a rate
    of 0 is none.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, kernels: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.residual = nn.Sequential()
        self.residual.add_module("conv1", convolution(in_channels, out_channels, kernels[0], stride))
        for number, kernel in enumerate(kernels[1:], start=2):
            self.residual.add_module(f"bn{number}", nn.BatchNorm2d(out_channels))
            self.residual.add_module(f"relu{number}", nn.ReLU(inplace=True))
            if dropout:
                self.residual.add_module(f"dropout{number}", nn.Dropout(dropout))
            self.residual.add_module(f"conv{number}", convolution(out_channels, out_channels, kernel, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.residual(self.relu(self.bn1(x)))
        return x


class ProjectionBlock(Block):
    """The same where the shape changes: the shortcut is a 1x1 convolution of the first activation."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, kernels: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__(in_channels, out_channels, stride, kernels, dropout)
        self.shortcut = convolution(in_channels, out_channels, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(x))
        x = self.shortcut(x) + self.residual(x)
        return x


def convolution(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """A padded convolution without bias: whatever reads its output, or the sum it is added to, normalises it first."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


def group(
    in_channels: int, out_channels: int, stride: int, repeats: int, kernels: tuple[int, ...], dropout: float
) -> nn.Sequential:
    """`repeats` blocks, the first of which has the stride (Table 1)."""
    changes = stride != 1 or in_channels != out_channels
    first = (ProjectionBlock if changes else Block)(in_channels, out_channels, stride, kernels, dropout)
    rest = [Block(out_channels, out_channels, 1, kernels, dropout) for _ in range(repeats - 1)]
    return nn.Sequential(first, *rest)


class WideResNet(nn.Module):
    """A network of Table 1: `repeats` blocks in each group, `widen` times as wide as the ResNet's 16, 32 and 64.

    Input (batch, in_channels, height, width), 32x32 in the paper, any size here; output logits (batch, num_classes).
    """

    def __init__(
        self,
        repeats: int,
        widen: int,
        num_classes: int,
        in_channels: int,
        kernels: tuple[int, ...] = (3, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = convolution(in_channels, 16, 3, 1)  # 32x32
        self.conv2 = group(16, 16 * widen, 1, repeats, kernels, dropout)  # 32x32
        self.conv3 = group(16 * widen, 32 * widen, 2, repeats, kernels, dropout)  # 16x16
        self.conv4 = group(32 * widen, 64 * widen, 2, repeats, kernels, dropout)  # 8x8
        self.bn = nn.BatchNorm2d(64 * widen)
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64 * widen, num_classes)
        as_resnet(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a Wide ResNet", self.in_channels, smallest=1)
        x = self.conv1(x)
        x = self.conv4(self.conv3(self.conv2(x)))
        x = self.relu(self.bn(x))
        x = self.fc(self.avgpool(x).flatten(1))
        return x


@initialisation(
    locus=(
        "arXiv:1605.07146 prints none; convolutions by arXiv:1502.01852, equation 10 (from memory), and the last layer "
        "as in AlexNet (NIPS 2012, section 5), as in the ResNets here"
    ),
    rules={
        "*bn*.weight": "1",
        "fc.weight": "normal(0, 0.01)",
        "*.weight": "normal(0, sqrt(2 / fan_in))",
        "*.bias": "0",
    },
)
def as_resnet(network: nn.Module) -> None:
    """The initialisation of the ResNets here, `resnet.he_fan_in`, for want of a printed one."""
    he_fan_in(network)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=40+width_factor=1",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=1": ((3, 32, 32), (3, 29, 31))},
)
def wrn_40_1(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-1: 6 blocks in each group, 16, 32 and 64 wide."""
    return WideResNet(6, 1, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Tables 3 and 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    aliases=("wrn_40_2_l2",),
    references=("pytorchcv:get_wrn_cifar+blocks=40+width_factor=2",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=2": ((3, 32, 32), (3, 29, 31))},
)
def wrn_40_2(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2: 6 blocks in each group, 2 times as wide as a ResNet's."""
    return WideResNet(6, 2, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Tables 4 and 5",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=40+width_factor=4",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=4": ((3, 32, 32), (3, 29, 31))},
)
def wrn_40_4(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-4: 6 blocks in each group, 4 times as wide as a ResNet's."""
    return WideResNet(6, 4, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:wrn40_8_cifar10",),
    sizes={"pytorchcv:wrn40_8_cifar10": ((3, 32, 32), (3, 29, 31))},
)
def wrn_40_8(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-8: 6 blocks in each group, 8 times as wide as a ResNet's."""
    return WideResNet(6, 8, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, section 3, text",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=40+width_factor=10",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=10": ((3, 32, 32), (3, 29, 31))},
)
def wrn_40_10(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-10: 6 blocks in each group, 10 times as wide as a ResNet's."""
    return WideResNet(6, 10, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    aliases=("wrn_28_2_b33",),
    references=("pytorchcv:get_wrn_cifar+blocks=28+width_factor=2",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=28+width_factor=2": ((3, 32, 32), (3, 29, 31))},
)
def wrn_28_2(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-28-2: 4 blocks in each group, 2 times as wide as a ResNet's."""
    return WideResNet(4, 2, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Tables 4 and 5",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:wrn28_10_cifar10",),
    sizes={"pytorchcv:wrn28_10_cifar10": ((3, 32, 32), (3, 29, 31))},
)
def wrn_28_10(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-28-10: 4 blocks in each group, 10 times as wide as a ResNet's."""
    return WideResNet(4, 10, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=28+width_factor=12",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=28+width_factor=12": ((3, 32, 32), (3, 29, 31))},
)
def wrn_28_12(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-28-12: 4 blocks in each group, 12 times as wide as a ResNet's."""
    return WideResNet(4, 12, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=22+width_factor=8",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=22+width_factor=8": ((3, 32, 32), (3, 29, 31))},
)
def wrn_22_8(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-22-8: 3 blocks in each group, 8 times as wide as a ResNet's."""
    return WideResNet(3, 8, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=22+width_factor=10",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=22+width_factor=10": ((3, 32, 32), (3, 29, 31))},
)
def wrn_22_10(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-22-10: 3 blocks in each group, 10 times as wide as a ResNet's."""
    return WideResNet(3, 10, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Tables 4 and 5",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=16+width_factor=8",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=16+width_factor=8": ((3, 32, 32), (3, 29, 31))},
)
def wrn_16_8(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-16-8: 2 blocks in each group, 8 times as wide as a ResNet's."""
    return WideResNet(2, 8, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, Table 4",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:wrn16_10_cifar10",),
    sizes={"pytorchcv:wrn16_10_cifar10": ((3, 32, 32), (3, 29, 31))},
)
def wrn_16_10(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-16-10: 2 blocks in each group, 10 times as wide as a ResNet's."""
    return WideResNet(2, 10, num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, section 2.4 and Table 6, with the rate of section 3 for CIFAR",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:wrn28_10_cifar10",),
    sizes={"pytorchcv:wrn28_10_cifar10": ((3, 32, 32), (3, 29, 31))},
    untrained={"pytorchcv:wrn28_10_cifar10": "pytorchcv has no dropout in it"},
)
def wrn_28_10_dropout(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-28-10 with dropout of 0.3 in its blocks."""
    return WideResNet(4, 10, num_classes, in_channels, dropout=0.3)


@variant(
    paper="arXiv:1605.07146, section 2.4 and Table 9, with the rate of section 3 for CIFAR",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=40+width_factor=10",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=10": ((3, 32, 32), (3, 29, 31))},
    untrained={"pytorchcv:get_wrn_cifar+blocks=40+width_factor=10": "pytorchcv has no dropout in it"},
)
def wrn_40_10_dropout(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-10 with dropout of 0.3 in its blocks."""
    return WideResNet(6, 10, num_classes, in_channels, dropout=0.3)


@variant(
    paper="arXiv:1605.07146, section 2.4 and Table 9, with the rate of section 3 for SVHN",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_wrn_cifar+blocks=16+width_factor=8",),
    sizes={"pytorchcv:get_wrn_cifar+blocks=16+width_factor=8": ((3, 32, 32), (3, 29, 31))},
    untrained={"pytorchcv:get_wrn_cifar+blocks=16+width_factor=8": "pytorchcv has no dropout in it"},
)
def wrn_16_8_dropout(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-16-8 with dropout of 0.4 in its blocks."""
    return WideResNet(2, 8, num_classes, in_channels, dropout=0.4)


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_b131(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2-B(1,3,1): 6 blocks in each group; 58 layers deep, as the printed parameters ask for."""
    return WideResNet(6, 2, num_classes, in_channels, kernels=(1, 3, 1))


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_b31(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2-B(3,1): 6 blocks in each group."""
    return WideResNet(6, 2, num_classes, in_channels, kernels=(3, 1))


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_b13(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2-B(1,3): 6 blocks in each group."""
    return WideResNet(6, 2, num_classes, in_channels, kernels=(1, 3))


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_b311(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2-B(3,1,1): 6 blocks in each group; 58 layers deep, as the printed parameters ask for."""
    return WideResNet(6, 2, num_classes, in_channels, kernels=(3, 1, 1))


@variant(
    paper="arXiv:1605.07146, Table 2",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_22_2_b313(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-22-2-B(3,1,3): 3 blocks in each group; 31 layers deep, as the printed parameters ask for."""
    return WideResNet(3, 2, num_classes, in_channels, kernels=(3, 1, 3))


@variant(
    paper="arXiv:1605.07146, Table 3",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_l1(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2 with 1 convolution in a block: 12 blocks in each group."""
    return WideResNet(12, 2, num_classes, in_channels, kernels=(3,))


@variant(
    paper="arXiv:1605.07146, Table 3",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_l3(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2 with 3 convolutions in a block: 4 blocks in each group."""
    return WideResNet(4, 2, num_classes, in_channels, kernels=(3, 3, 3))


@variant(
    paper="arXiv:1605.07146, Table 3",
    init="as_resnet",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
)
def wrn_40_2_l4(num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-2 with 4 convolutions in a block: 3 blocks in each group."""
    return WideResNet(3, 2, num_classes, in_channels, kernels=(3, 3, 3, 3))
