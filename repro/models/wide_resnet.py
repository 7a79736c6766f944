"""Wide ResNets for ImageNet: Zagoruyko, Komodakis, "Wide Residual Networks" (arXiv:1605.07146).

Only the inner 3x3 convolution of the bottleneck is widened (section 3.4, Table 8); conv1 keeps its 64 channels.
"""

from __future__ import annotations

from repro.models._catalog import variant
from repro.models.resnet import BottleneckV1_5, ResNet


class WideBottleneck(BottleneckV1_5):
    """Twice as many channels in the 3x3 convolution (Table 8)."""

    widen = 2


@variant(
    paper="arXiv:1605.07146, Table 8, with the stride in the 3x3",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:wide_resnet50_2", "timm:wide_resnet50_2"),
)
def wide_resnet50_2(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """WRN-50-2-bottleneck: ResNet-50 with its 3x3 convolutions twice as wide."""
    return ResNet(WideBottleneck, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1605.07146, section 3.4, widths as in torchvision (no table prints 101 layers)",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:wide_resnet101_2", "timm:wide_resnet101_2"),
)
def wide_resnet101_2(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 with its 3x3 convolutions twice as wide."""
    return ResNet(WideBottleneck, (3, 4, 23, 3), num_classes, in_channels)
