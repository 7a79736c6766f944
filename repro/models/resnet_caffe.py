"""The ResNets that the authors of arXiv:1512.03385 released for Caffe (github.com/KaimingHe/deep-residual-networks).

Their max pooling has no padding and rounds the size of its map up, so that a window lies one pixel further to the lower
right than in `resnet50`; for a 224x224 image both give 56x56. The paper prints the pooling's size and stride only. In
the file of the 50-layer network, and in no other, conv1 has a bias, which the batch normalisation after it takes away
in training. The strides are in the first 1x1 of a bottleneck, as printed. The released files, whose global pooling has
a window of 7x7, take 224x224 images only, and the weights in them are trained: the initialisation is the paper's.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.resnet import Bottleneck, Stages, he_fan_in


class StagesCaffe(Stages):
    """The stages of Table 1 behind the pooling of the released files.

    Input (batch, in_channels, height, width), at least 3x3; output the feature maps after conv2_x, conv3_x, conv4_x and
    conv5_x. They have the sizes of those of `Stages`, but that the pooling makes (h - 1) / 2 pixels of an odd h. Raises
    ValueError for any other input.
    """

    def __init__(self, repeats: tuple[int, int, int, int], in_channels: int, conv1_bias: bool) -> None:
        super().__init__(Bottleneck, repeats, in_channels, nn.BatchNorm2d)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=conv1_bias)
        self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a ResNet for Caffe", self.in_channels, smallest=3)
        return super().forward(x)


class ResNetCaffe(nn.Module):
    """A ResNet of Table 1 as released: the stages, global average pooling and a fully connected layer.

    Input (batch, in_channels, height, width), 224x224 in the files, at least 3x3 here; output logits
    (batch, num_classes). `net.backbone` is the network without its head; it returns the stages' outputs.
    """

    def __init__(
        self, repeats: tuple[int, int, int, int], num_classes: int, in_channels: int, conv1_bias: bool = False
    ) -> None:
        super().__init__()
        self.backbone = StagesCaffe(repeats, in_channels, conv1_bias)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, num_classes)
        he_fan_in(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *_, conv5 = self.backbone(x)
        x = self.fc(self.avgpool(conv5).flatten(1))
        return x


@variant(
    paper="arXiv:1512.03385, Table 1, as in the authors' ResNet-50-deploy.prototxt",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def resnet50_caffe(num_classes: int = 1000, in_channels: int = 3) -> ResNetCaffe:
    """ResNet-50 as released: pooling without padding, and a bias in conv1."""
    return ResNetCaffe((3, 4, 6, 3), num_classes, in_channels, conv1_bias=True)


@variant(
    paper="arXiv:1512.03385, Table 1, as in the authors' ResNet-101-deploy.prototxt",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def resnet101_caffe(num_classes: int = 1000, in_channels: int = 3) -> ResNetCaffe:
    """ResNet-101 as released: pooling without padding."""
    return ResNetCaffe((3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1, as in the authors' ResNet-152-deploy.prototxt",
    init="resnet.he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
)
def resnet152_caffe(num_classes: int = 1000, in_channels: int = 3) -> ResNetCaffe:
    """ResNet-152 as released: pooling without padding."""
    return ResNetCaffe((3, 8, 36, 3), num_classes, in_channels)
