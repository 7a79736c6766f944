"""ResNeXt for CIFAR: Xie et al., "Aggregated Residual Transformations" (arXiv:1611.05431), section 5.3 and Table 7."""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.resnet import Block, BottleneckV1_5, he_fan_in, stage


class Bottleneck8x64d(BottleneckV1_5):
    """8 groups 64 wide (Table 7): 512 channels in the first stage."""

    groups = 8
    widen = 8


class Bottleneck16x64d(BottleneckV1_5):
    """16 groups 64 wide (Table 7): 1024 channels in the first stage."""

    groups = 16
    widen = 16


class Stages(nn.Module):
    """A ResNeXt-29 without its head: a 3x3 convolution and three stages of three blocks (section 5.3).

    Input (batch, in_channels, height, width), any size; output the feature maps after each stage, at 1/1, 1/2 and 1/4
    of the input's height and width, rounded up.
    """

    def __init__(self, block: Block, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False)  # 32x32
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.conv2_x = stage(block, 64, 64, 1, 3, nn.BatchNorm2d)  # 32x32
        self.conv3_x = stage(block, 256, 128, 2, 3, nn.BatchNorm2d)  # 16x16
        self.conv4_x = stage(block, 512, 256, 2, 3, nn.BatchNorm2d)  # 8x8

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a ResNeXt-29", self.in_channels, smallest=1)
        x = self.relu(self.bn1(self.conv1(x)))
        conv2 = self.conv2_x(x)
        conv3 = self.conv3_x(conv2)
        return conv2, conv3, self.conv4_x(conv3)


class ResNeXt29(nn.Module):
    """The network of section 5.3: the stages, global average pooling and a fully connected layer.

    Input (batch, in_channels, height, width), 32x32 in the paper, any size here; output logits (batch, num_classes).
    `net.backbone` is the network without its head; it returns the stages' outputs.
    """

    def __init__(self, block: Block, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.backbone = Stages(block, in_channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(1024, num_classes)
        he_fan_in(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *_, conv4 = self.backbone(x)
        x = self.fc(self.avgpool(conv4).flatten(1))
        return x


@variant(
    paper="arXiv:1611.05431, section 5.3 and Table 7",
    init="resnet.he_fan_in",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_resnext_cifar+blocks=29+cardinality=8+bottleneck_width=64",),
    sizes={"pytorchcv:get_resnext_cifar+blocks=29+cardinality=8+bottleneck_width=64": ((3, 32, 32), (3, 29, 31))},
)
def resnext29_8x64d(num_classes: int = 10, in_channels: int = 3) -> ResNeXt29:
    """ResNeXt-29, cardinality 8, bottleneck width 64."""
    return ResNeXt29(Bottleneck8x64d, num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, section 5.3 and Table 7",
    init="resnet.he_fan_in",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:resnext29_16x64d_cifar10",),
    sizes={"pytorchcv:resnext29_16x64d_cifar10": ((3, 32, 32), (3, 29, 31))},
)
def resnext29_16x64d(num_classes: int = 10, in_channels: int = 3) -> ResNeXt29:
    """ResNeXt-29, cardinality 16, bottleneck width 64."""
    return ResNeXt29(Bottleneck16x64d, num_classes, in_channels)
