"""ResNets for CIFAR: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), 4.2.

6n + 2 layers: a 3x3 convolution, three stages of n blocks with 16, 32 and 64 filters on maps of 32, 16 and 8 pixels,
and a fully connected layer. The shortcuts are option A in all cases, so a network has no more parameters than it has
without them. The stages are named as those of Table 1.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.resnet import he_fan_in_bare_shortcuts, stage
from repro.models.resnet_options import BasicBlockA


class StagesCifar(nn.Module):
    """A ResNet of section 4.2 without its head: a backbone.

    Input (batch, in_channels, height, width), any size; output the feature maps after conv2_x, conv3_x and conv4_x, of
    16, 32 and 64 channels, at 1/1, 1/2 and 1/4 of the input's height and width, rounded up. Raises ValueError for an
    input of another rank or channel count.
    """

    def __init__(self, n: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.conv2_x = stage(BasicBlockA, 16, 16, 1, n, nn.BatchNorm2d)
        self.conv3_x = stage(BasicBlockA, 16, 32, 2, n, nn.BatchNorm2d)
        self.conv4_x = stage(BasicBlockA, 32, 64, 2, n, nn.BatchNorm2d)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a ResNet for CIFAR", self.in_channels, smallest=1)
        x = self.relu(self.bn1(self.conv1(x)))
        conv2 = self.conv2_x(x)
        conv3 = self.conv3_x(conv2)
        return conv2, conv3, self.conv4_x(conv3)


class ResNetCifar(nn.Module):
    """A ResNet of section 4.2: the stages, global average pooling and a fully connected layer.

    Input (batch, in_channels, height, width), 32x32 in the paper, any size here; output logits (batch, num_classes).
    `net.backbone` is the network without its head; it returns the stages' outputs.
    """

    def __init__(self, n: int, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.backbone = StagesCifar(n, in_channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        he_fan_in_bare_shortcuts(self)  # as in section 3.4 (section 4.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *_, conv4 = self.backbone(x)
        x = self.fc(self.avgpool(conv4).flatten(1))
        return x


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:resnet20_cifar10+option_a",),
    sizes={"pytorchcv:resnet20_cifar10+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet20_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-20 for CIFAR: n = 3."""
    return ResNetCifar(3, num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_resnet_cifar+blocks=32+bottleneck=False+option_a",),
    sizes={"pytorchcv:get_resnet_cifar+blocks=32+bottleneck=False+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet32_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-32 for CIFAR: n = 5."""
    return ResNetCifar(5, num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:get_resnet_cifar+blocks=44+bottleneck=False+option_a",),
    sizes={"pytorchcv:get_resnet_cifar+blocks=44+bottleneck=False+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet44_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-44 for CIFAR: n = 7."""
    return ResNetCifar(7, num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:resnet56_cifar10+option_a",),
    sizes={"pytorchcv:resnet56_cifar10+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet56_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-56 for CIFAR: n = 9."""
    return ResNetCifar(9, num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:resnet110_cifar10+option_a",),
    sizes={"pytorchcv:resnet110_cifar10+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet110_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-110 for CIFAR: n = 18."""
    return ResNetCifar(18, num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, section 4.2, Table 6",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:resnet1202_cifar10+option_a",),
    sizes={"pytorchcv:resnet1202_cifar10+option_a": ((3, 32, 32), (3, 29, 31))},
)
def resnet1202_cifar(num_classes: int = 10, in_channels: int = 3) -> ResNetCifar:
    """ResNet-1202 for CIFAR: n = 200."""
    return ResNetCifar(200, num_classes, in_channels)
