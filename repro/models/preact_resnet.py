"""ResNets with pre-activation: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks" (arXiv:1603.05027).

Normalisation and ReLU come before a convolution, so that nothing but additions is left on the path that joins the units
(Figure 4(e)). Two units are special (appendix): before the first, the activation follows conv1 at once, ahead of the
split; after the last addition there is one more. The rest is as in arXiv:1512.03385, to which the appendix refers:
ResNet-110 has shortcuts without parameters, and the stride is in the first convolution of a unit, as it is in the file
resnet-pre-act.lua that the first author released (github.com/KaimingHe/resnet-1k-layers), where a projection reads the
activated maps.

Table 4 prints 1.7M parameters for 110 and for 164 layers, with or without the affine ones of the normalisations, and
10.2M for 1001 layers. That is without them: they are 149,216 of 10,327,706.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.resnet import he_fan_in_bare_shortcuts, option_a


class FirstUnit(nn.Module):
    """The residual function and the shortcut of a unit that is given activated maps (appendix)."""

    def __init__(self, residual: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.shortcut(x) + self.residual(x)
        return x


class Unit(nn.Module):
    """Full pre-activation: only the residual function sees the activation (Figure 4(e))."""

    def __init__(self, in_channels: int, residual: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.residual = residual
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.shortcut(x) + self.residual(self.relu(self.bn1(x)))
        return x


class ProjectionUnit(Unit):
    """A unit whose shortcut is a projection: that is with pre-activation as well (appendix)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(x))
        x = self.shortcut(x) + self.residual(x)
        return x


class Basic(nn.Module):
    """The residual function of two 3x3 convolutions (arXiv:1512.03385, Figure 5, left), from the first one on."""

    expansion = 1
    widening = Unit  # what a stage with more channels than the last begins with

    def __init__(self, in_channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    @staticmethod
    def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
        """Option A of arXiv:1512.03385."""
        return option_a(in_channels, out_channels, stride, nn.BatchNorm2d)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        x = self.conv2(self.relu(self.bn2(x)))
        return x


class Bottleneck(nn.Module):
    """The residual function of a 1x1, a 3x3 and a 1x1 convolution (arXiv:1512.03385, Figure 5, right)."""

    expansion = 4
    widening = ProjectionUnit

    def __init__(self, in_channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, planes, 1, stride, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    @staticmethod
    def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
        """A projection; the normalisation is before it, in the unit."""
        return nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        x = self.conv2(self.relu(self.bn2(x)))
        x = self.conv3(self.relu(self.bn3(x)))
        return x


Residual = type[Basic] | type[Bottleneck]


def first_stage(residual: Residual, in_channels: int, planes: int, repeats: int) -> nn.Sequential:
    """`repeats` units, the first of which is given activated maps."""
    shortcut = residual.shortcut(in_channels, planes * residual.expansion, 1)
    first = FirstUnit(residual(in_channels, planes, 1), shortcut)
    return nn.Sequential(first, *further_units(residual, planes, repeats - 1))


def later_stage(residual: Residual, in_channels: int, planes: int, repeats: int) -> nn.Sequential:
    """`repeats` units, the first of which halves the map and widens it (arXiv:1512.03385, Table 1)."""
    shortcut = residual.shortcut(in_channels, planes * residual.expansion, 2)
    first = residual.widening(in_channels, residual(in_channels, planes, 2), shortcut)
    return nn.Sequential(first, *further_units(residual, planes, repeats - 1))


def further_units(residual: Residual, planes: int, repeats: int) -> list[Unit]:
    """Units that keep the shape, and so have an identity shortcut."""
    channels = planes * residual.expansion
    return [Unit(channels, residual(channels, planes, 1), nn.Identity()) for _ in range(repeats)]


class PreActStagesCifar(nn.Module):
    """A pre-activation ResNet for CIFAR without its head, with the stages of arXiv:1512.03385, section 4.2: a backbone.

    Input (batch, in_channels, height, width), any size; output the feature maps after conv2_x, conv3_x and conv4_x, at
    1/1, 1/2 and 1/4 of the input's height and width, rounded up: sums, the last one activated. Raises ValueError for
    an input of another rank or channel count.
    """

    def __init__(self, residual: Residual, n: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.conv2_x = first_stage(residual, 16, 16, n)
        self.conv3_x = later_stage(residual, 16 * residual.expansion, 32, n)
        self.conv4_x = later_stage(residual, 32 * residual.expansion, 64, n)
        self.bn4 = nn.BatchNorm2d(64 * residual.expansion)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a pre-activation ResNet", self.in_channels, smallest=1)
        x = self.relu(self.bn1(self.conv1(x)))
        conv2 = self.conv2_x(x)
        conv3 = self.conv3_x(conv2)
        conv4 = self.conv4_x(conv3)
        return conv2, conv3, self.relu(self.bn4(conv4))


class PreActStages(nn.Module):
    """A pre-activation ResNet for ImageNet without its head, with the stages of arXiv:1512.03385, Table 1: a backbone.

    Input (batch, in_channels, height, width), any size; output the feature maps after conv2_x, conv3_x, conv4_x and
    conv5_x, at 1/4, 1/8, 1/16 and 1/32 of the input's height and width, rounded up: sums, the last one activated.
    Raises ValueError for an input of another rank or channel count.
    """

    def __init__(self, repeats: tuple[int, int, int, int], in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2_x = first_stage(Bottleneck, 64, 64, repeats[0])
        self.conv3_x = later_stage(Bottleneck, 256, 128, repeats[1])
        self.conv4_x = later_stage(Bottleneck, 512, 256, repeats[2])
        self.conv5_x = later_stage(Bottleneck, 1024, 512, repeats[3])
        self.bn5 = nn.BatchNorm2d(2048)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a pre-activation ResNet", self.in_channels, smallest=1)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        conv2 = self.conv2_x(x)
        conv3 = self.conv3_x(conv2)
        conv4 = self.conv4_x(conv3)
        conv5 = self.conv5_x(conv4)
        return conv2, conv3, conv4, self.relu(self.bn5(conv5))


class PreActResNet(nn.Module):
    """The stages, global average pooling and a fully connected layer.

    Input (batch, in_channels, height, width), any size; output logits (batch, num_classes). `net.backbone` is the
    network without its head; it returns the stages' outputs.
    """

    def __init__(self, backbone: PreActStagesCifar | PreActStages, channels: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        he_fan_in_bare_shortcuts(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *_, last = self.backbone(x)
        x = self.fc(self.avgpool(last).flatten(1))
        return x


@variant(
    paper="arXiv:1603.05027, Figure 4(e), Tables 2 and 3",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:preresnet110_cifar10+option_a+activated",),
    sizes={"pytorchcv:preresnet110_cifar10+option_a+activated": ((3, 32, 32), (3, 29, 31))},
)
def preact_resnet110(num_classes: int = 10, in_channels: int = 3) -> PreActResNet:
    """Pre-activation ResNet-110 for CIFAR: 54 units of two 3x3 convolutions."""
    return PreActResNet(PreActStagesCifar(Basic, 18, in_channels), 64, num_classes)


@variant(
    paper="arXiv:1603.05027, Figure 4(e), Tables 2 to 4",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:preresnet164bn_cifar10+v1",),
    sizes={"pytorchcv:preresnet164bn_cifar10+v1": ((3, 32, 32), (3, 29, 31))},
)
def preact_resnet164(num_classes: int = 10, in_channels: int = 3) -> PreActResNet:
    """Pre-activation ResNet-164 for CIFAR: 54 bottlenecks, 18 on each map size."""
    return PreActResNet(PreActStagesCifar(Bottleneck, 18, in_channels), 256, num_classes)


@variant(
    paper="arXiv:1603.05027, section 4.1, Tables 3 and 4",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:preresnet1001_cifar10+v1",),
    sizes={"pytorchcv:preresnet1001_cifar10+v1": ((3, 32, 32), (3, 29, 31))},
)
def preact_resnet1001(num_classes: int = 10, in_channels: int = 3) -> PreActResNet:
    """Pre-activation ResNet-1001 for CIFAR: 333 bottlenecks, 111 on each map size."""
    return PreActResNet(PreActStagesCifar(Bottleneck, 111, in_channels), 256, num_classes)


@variant(
    paper="arXiv:1603.05027, Table 5, on ResNet-152 of arXiv:1512.03385, Table 1",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:preresnet152+activated",),
    sizes={"pytorchcv:preresnet152+activated": ((3, 224, 224), (3, 193, 209))},
)
def preact_resnet152(num_classes: int = 1000, in_channels: int = 3) -> PreActResNet:
    """Pre-activation ResNet-152 for ImageNet."""
    return PreActResNet(PreActStages((3, 8, 36, 3), in_channels), 2048, num_classes)


@variant(
    paper="arXiv:1603.05027, Table 5 and, from memory, its footnote on ResNet-200",
    init="resnet.he_fan_in_bare_shortcuts",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("pytorchcv:preresnet200+activated",),
    sizes={"pytorchcv:preresnet200+activated": ((3, 224, 224), (3, 193, 209))},
)
def preact_resnet200(num_classes: int = 1000, in_channels: int = 3) -> PreActResNet:
    """Pre-activation ResNet-200 for ImageNet: ResNet-152 with 16 more bottlenecks on 28x28 maps."""
    return PreActResNet(PreActStages((3, 24, 36, 3), in_channels), 2048, num_classes)
