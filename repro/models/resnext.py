"""ResNeXt: Xie, Girshick, Dollar, Tu, He, "Aggregated Residual Transformations" (arXiv:1611.05431).

Cardinality is the number of groups of the 3x3 convolution (Figure 3c). Table 1 prints the stage widths; the strides
are in the 3x3 (section 4).
"""

from __future__ import annotations

from repro.models._catalog import variant
from repro.models.resnet import BottleneckV1_5, ResNet


class Bottleneck32x4d(BottleneckV1_5):
    """32 groups 4 wide: 128 channels in conv2_x (Table 1)."""

    groups = 32
    widen = 2


class Bottleneck32x8d(BottleneckV1_5):
    """32 groups 8 wide: 256 channels in conv2_x; in no paper's table, torchvision's width."""

    groups = 32
    widen = 4


class Bottleneck64x4d(BottleneckV1_5):
    """64 groups 4 wide: 256 channels in conv2_x (Table 4)."""

    groups = 64
    widen = 4


@variant(
    paper="arXiv:1611.05431, Table 1",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnext50_32x4d", "timm:resnext50_32x4d"),
)
def resnext50_32x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, cardinality 32, bottleneck width 4."""
    return ResNet(Bottleneck32x4d, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, section 3, widths as in torchvision (no table prints 32x8d)",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnext101_32x8d", "timm:resnext101_32x8d"),
)
def resnext101_32x8d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 32, bottleneck width 8."""
    return ResNet(Bottleneck32x8d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Table 4",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnext101_64x4d", "timm:resnext101_64x4d"),
)
def resnext101_64x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 64, bottleneck width 4."""
    return ResNet(Bottleneck64x4d, (3, 4, 23, 3), num_classes, in_channels)
