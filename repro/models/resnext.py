"""ResNeXt: Xie, Girshick, Dollar, Tu, He, "Aggregated Residual Transformations" (arXiv:1611.05431).

Cardinality is the number of groups of the 3x3 convolution (Figure 3c). Table 1 prints the stage widths, Table 2 those
of the other cardinalities; the strides are in the 3x3 (section 4). Cardinality 1 and width 64 is ResNet v1.5.
"""

from __future__ import annotations

from repro.models._catalog import variant
from repro.models.resnet import BottleneckV1_5, ResNet


class Bottleneck2x40d(BottleneckV1_5):
    """2 groups 40 wide: 80 channels in conv2_x (Table 2)."""

    groups = 2
    widen = 80 / 64


class Bottleneck4x24d(BottleneckV1_5):
    """4 groups 24 wide: 96 channels in conv2_x (Table 2)."""

    groups = 4
    widen = 96 / 64


class Bottleneck8x14d(BottleneckV1_5):
    """8 groups 14 wide: 112 channels in conv2_x (Table 2)."""

    groups = 8
    widen = 112 / 64


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


class Bottleneck1x100d(BottleneckV1_5):
    """One group 100 wide: a wider ResNet (Table 4)."""

    widen = 100 / 64


class Bottleneck2x64d(BottleneckV1_5):
    """2 groups 64 wide: 128 channels in conv2_x (Table 4)."""

    groups = 2
    widen = 2


@variant(
    paper="arXiv:1611.05431, Table 1",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnext50_32x4d", "timm:resnext50_32x4d", "pytorchcv:resnext50_32x4d"),
    sizes={"pytorchcv:resnext50_32x4d": ((3, 224, 224), (3, 193, 209))},
)
def resnext50_32x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, cardinality 32, bottleneck width 4."""
    return ResNet(Bottleneck32x4d, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, section 3, widths as in torchvision (no table prints 32x8d)",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=(
        "torchvision:resnext101_32x8d",
        "timm:resnext101_32x8d",
        "pytorchcv:get_resnext+blocks=101+cardinality=32+bottleneck_width=8",
    ),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=32+bottleneck_width=8": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_32x8d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 32, bottleneck width 8."""
    return ResNet(Bottleneck32x8d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Table 4",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnext101_64x4d", "timm:resnext101_64x4d", "pytorchcv:resnext101_64x4d"),
    sizes={"pytorchcv:resnext101_64x4d": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_64x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 64, bottleneck width 4."""
    return ResNet(Bottleneck64x4d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=50+cardinality=2+bottleneck_width=40",),
    sizes={"pytorchcv:get_resnext+blocks=50+cardinality=2+bottleneck_width=40": ((3, 224, 224), (3, 193, 209))},
)
def resnext50_2x40d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, cardinality 2, bottleneck width 40."""
    return ResNet(Bottleneck2x40d, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=50+cardinality=4+bottleneck_width=24",),
    sizes={"pytorchcv:get_resnext+blocks=50+cardinality=4+bottleneck_width=24": ((3, 224, 224), (3, 193, 209))},
)
def resnext50_4x24d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, cardinality 4, bottleneck width 24."""
    return ResNet(Bottleneck4x24d, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=50+cardinality=8+bottleneck_width=14",),
    sizes={"pytorchcv:get_resnext+blocks=50+cardinality=8+bottleneck_width=14": ((3, 224, 224), (3, 193, 209))},
)
def resnext50_8x14d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, cardinality 8, bottleneck width 14."""
    return ResNet(Bottleneck8x14d, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=101+cardinality=2+bottleneck_width=40",),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=2+bottleneck_width=40": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_2x40d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 2, bottleneck width 40."""
    return ResNet(Bottleneck2x40d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=101+cardinality=4+bottleneck_width=24",),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=4+bottleneck_width=24": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_4x24d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 4, bottleneck width 24."""
    return ResNet(Bottleneck4x24d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Tables 2 and 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=101+cardinality=8+bottleneck_width=14",),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=8+bottleneck_width=14": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_8x14d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 8, bottleneck width 14."""
    return ResNet(Bottleneck8x14d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Table 3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("timm:resnext101_32x4d", "pytorchcv:resnext101_32x4d"),
    sizes={"pytorchcv:resnext101_32x4d": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_32x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 32, bottleneck width 4."""
    return ResNet(Bottleneck32x4d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Table 4",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=101+cardinality=2+bottleneck_width=64",),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=2+bottleneck_width=64": ((3, 224, 224), (3, 193, 209))},
)
def resnext101_2x64d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, cardinality 2, bottleneck width 64."""
    return ResNet(Bottleneck2x64d, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1611.05431, Table 4",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:get_resnext+blocks=101+cardinality=1+bottleneck_width=100",),
    sizes={"pytorchcv:get_resnext+blocks=101+cardinality=1+bottleneck_width=100": ((3, 224, 224), (3, 193, 209))},
)
def resnet101_1x100d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 with bottlenecks 100 wide in place of 64."""
    return ResNet(Bottleneck1x100d, (3, 4, 23, 3), num_classes, in_channels)
