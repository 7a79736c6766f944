"""ResNet with group normalisation: Wu, He, "Group Normalization" (arXiv:1803.08494)."""

from __future__ import annotations

from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models.resnet import BottleneckV1_5, ResNet


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups, the paper's default (section 3.1)."""
    return nn.GroupNorm(32, channels)


@initialisation(
    locus=(
        "arXiv:1803.08494, section 4.1, from memory: convolutions by arXiv:1502.01852, equation 10, the last "
        "scale of a block 0 and the last layer as in arXiv:1706.02677, section 5.1"
    ),
    rules={
        "*.bn3.weight": "0",
        "*.bn[12].weight": "1",
        "*.shortcut.1.weight": "1",
        "fc.weight": "normal(0, 0.01)",
        "*.weight": "normal(0, sqrt(2 / fan_in))",
        "*.bias": "0",
    },
)
def zero_last_scale(network: ResNet) -> ResNet:
    """As in `resnet.he_fan_in`, but for the last norm of each block, whose scale starts at zero (section 4.1)."""
    for module in network.modules():
        if isinstance(module, BottleneckV1_5):
            nn.init.zeros_(module.get_submodule("bn3").get_parameter("weight"))
    return network


@variant(
    paper="arXiv:1803.08494, section 4.1, on ResNet-50 v1.5",
    init="zero_last_scale",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("timm:resnet50_gn",),
)
def resnet50_gn(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-50 v1.5 with every batch normalisation replaced by group normalisation."""
    return zero_last_scale(ResNet(BottleneckV1_5, (3, 4, 6, 3), num_classes, in_channels, norm=group_norm))


@variant(
    paper="arXiv:1803.08494, section 4.1, on ResNet-101 v1.5",
    init="zero_last_scale",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def resnet101_gn(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 v1.5 with every batch normalisation replaced by group normalisation."""
    return zero_last_scale(ResNet(BottleneckV1_5, (3, 4, 23, 3), num_classes, in_channels, norm=group_norm))
