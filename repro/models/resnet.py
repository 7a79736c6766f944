"""ResNet: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), and its v1.5.

The paper's bottleneck halves the resolution in its first 1x1 convolution. The later implementations of its authors'
group and torchvision do so in the 3x3 ("v1.5"): another network, with its own names here. Blocks of two 3x3
convolutions have no such choice, so `resnet18_v1_5` is but another name of `resnet18`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images

Norm = Callable[[int], nn.Module]


class Padded(nn.Module):
    """Option A of section 3.3: one pixel in `stride`, and zeros for the channels that are added; no parameters.

    The paper does not say where the zeros go; here they are the last channels.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.zeros = out_channels - in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.zeros))
        return x


def option_a(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Module:  # noqa: ARG001  # zeros have none
    """Option A of section 3.3: zeros for the channels that are added, the identity where the shape does not change."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return Padded(in_channels, out_channels, stride)


def option_b(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Module:
    """Option B of section 3.3: a projection where the shape changes, the identity elsewhere."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return option_c(in_channels, out_channels, stride, norm)


def option_c(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Module:
    """Option C of section 4.1: a projection, whether the shape changes or not."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), norm(out_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (Figure 5, left)."""

    expansion = 1
    option = staticmethod(option_b)  # which shortcut (section 4.1)

    def __init__(self, in_channels: int, planes: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, planes, 3, stride, padding=1, bias=False)
        self.bn1 = norm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = norm(planes)
        self.shortcut = self.option(in_channels, planes, stride, norm)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        x = self.relu(residual + self.shortcut(x))  # the second ReLU follows the addition (section 3.2)
        return x


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (Figure 5, right); the stride is in the first (Table 1)."""

    expansion = 4
    widen: float = 1  # channels of the 3x3 convolution, as a multiple of planes
    groups = 1  # groups of the 3x3 convolution

    def __init__(self, in_channels: int, planes: int, stride: int, norm: Norm) -> None:
        super().__init__()
        width = int(planes * self.widen)
        out_channels = planes * self.expansion
        stride1, stride2 = self.strides(stride)
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride2, padding=1, groups=self.groups, bias=False)
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = norm(out_channels)
        self.shortcut = option_b(in_channels, out_channels, stride, norm)
        self.relu = nn.ReLU(inplace=True)

    @staticmethod
    def strides(stride: int) -> tuple[int, int]:
        """The strides of the first 1x1 and of the 3x3 convolution."""
        return stride, 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        x = self.relu(residual + self.shortcut(x))
        return x


class BottleneckV1_5(Bottleneck):
    """The bottleneck with its stride in the 3x3 convolution: not the paper's; Goyal et al., arXiv:1706.02677, 5.1."""

    @staticmethod
    def strides(stride: int) -> tuple[int, int]:
        return 1, stride


class Block(Protocol):
    """A class of blocks; a block puts out `expansion` times as many channels as it has planes."""

    expansion: int

    def __call__(self, in_channels: int, planes: int, stride: int, norm: Norm) -> nn.Module: ...


def stage(block: Block, in_channels: int, planes: int, stride: int, repeats: int, norm: Norm) -> nn.Sequential:
    """`repeats` blocks, the first of which has the stride (Table 1)."""
    first = block(in_channels, planes, stride, norm)
    rest = [block(planes * block.expansion, planes, 1, norm) for _ in range(repeats - 1)]
    return nn.Sequential(first, *rest)


class Stages(nn.Module):
    """A ResNet without its head: a backbone.

    Input (batch, in_channels, height, width), any size; output the feature maps after conv2_x, conv3_x, conv4_x and
    conv5_x, at 1/4, 1/8, 1/16 and 1/32 of the input's height and width, rounded up. Raises ValueError for an input of
    another rank or channel count.
    """

    def __init__(self, block: Block, repeats: tuple[int, int, int, int], in_channels: int, norm: Norm) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2_x = stage(block, 64, 64, 1, repeats[0], norm)
        self.conv3_x = stage(block, 64 * block.expansion, 128, 2, repeats[1], norm)
        self.conv4_x = stage(block, 128 * block.expansion, 256, 2, repeats[2], norm)
        self.conv5_x = stage(block, 256 * block.expansion, 512, 2, repeats[3], norm)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        require_images(x, "a ResNet", self.in_channels, smallest=1)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        conv2 = self.conv2_x(x)
        conv3 = self.conv3_x(conv2)
        conv4 = self.conv4_x(conv3)
        return conv2, conv3, conv4, self.conv5_x(conv4)


class ResNet(nn.Module):
    """A ResNet of Table 1: the stages, global average pooling and a fully connected layer.

    Input (batch, in_channels, height, width), 224x224 in the paper, any size here; output logits (batch, num_classes).
    `net.backbone` is the network without its head; it returns the stages' outputs.
    """

    def __init__(
        self,
        block: Block,
        repeats: tuple[int, int, int, int],
        num_classes: int,
        in_channels: int,
        norm: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        self.backbone = Stages(block, repeats, in_channels, norm)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        he_fan_in(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *_, conv5 = self.backbone(x)
        x = self.fc(self.avgpool(conv5).flatten(1))
        return x


@initialisation(
    locus=(
        "arXiv:1512.03385, section 3.4, by arXiv:1502.01852, equation 10; the last layer as in AlexNet (NIPS "
        "2012, section 5) and, with the scales of 1, in arXiv:1706.02677, section 5.1; all but AlexNet from "
        "memory"
    ),
    rules={
        "*.bn?.weight": "1",
        "*.shortcut.1.weight": "1",
        "fc.weight": "normal(0, 0.01)",
        "*.weight": "normal(0, sqrt(2 / fan_in))",
        "*.bias": "0",
    },
)
def he_fan_in(network: nn.Module) -> None:
    """As in `he_fan_in_bare_shortcuts`, and the scale of a projection's normalisation starts at one like any other."""
    he_fan_in_bare_shortcuts(network)


@initialisation(
    locus=(
        "arXiv:1512.03385, sections 3.4 and 4.2, and arXiv:1603.05027, appendix, by arXiv:1502.01852, equation 10; "
        "the last layer as in AlexNet (NIPS 2012, section 5) and, with the scales of 1, in arXiv:1706.02677, section "
        "5.1; all but AlexNet from memory"
    ),
    rules={
        "*.bn?.weight": "1",
        "fc.weight": "normal(0, 0.01)",
        "*.weight": "normal(0, sqrt(2 / fan_in))",
        "*.bias": "0",
    },
)
def he_fan_in_bare_shortcuts(network: nn.Module) -> None:
    """Convolutions from N(0, 2/fan_in): section 3.4 refers to He et al. 2015, arXiv:1502.01852, equation 10.

    Biases start at zero, the scales of a norm at one. The paper says nothing of the last layer; it is drawn from
    N(0, 0.01^2), as its predecessors' last layers are (AlexNet, section 5). Declared for networks that have no
    normalisation in a shortcut: every rule of a declaration must find its parameters.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


@variant(
    paper="arXiv:1512.03385, Table 1, with option B shortcuts (Table 3)",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    aliases=("resnet18_v1_5",),
    references=("torchvision:resnet18", "timm:resnet18", "pytorchcv:resnet18"),
    sizes={"pytorchcv:resnet18": ((3, 224, 224), (3, 193, 209))},
)
def resnet18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18; two-convolution blocks, so the paper's and v1.5 at once."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1, with option B shortcuts (Table 3)",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    aliases=("resnet34_v1_5",),
    references=("torchvision:resnet34", "timm:resnet34", "pytorchcv:resnet34"),
    sizes={"pytorchcv:resnet34": ((3, 224, 224), (3, 193, 209))},
)
def resnet34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34; two-convolution blocks, so the paper's and v1.5 at once."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnet50+v1", "pytorchcv:resnet50"),
    sizes={"pytorchcv:resnet50": ((3, 224, 224), (3, 193, 209))},
)
def resnet50(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-50 as printed: the stride in the first 1x1 of a bottleneck."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnet101+v1", "pytorchcv:resnet101"),
    sizes={"pytorchcv:resnet101": ((3, 224, 224), (3, 193, 209))},
)
def resnet101(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 as printed: the stride in the first 1x1 of a bottleneck."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnet152+v1", "pytorchcv:resnet152"),
    sizes={"pytorchcv:resnet152": ((3, 224, 224), (3, 193, 209))},
)
def resnet152(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-152 as printed: the stride in the first 1x1 of a bottleneck."""
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1, with the stride of arXiv:1706.02677, section 5.1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=(
        "torchvision:resnet50",
        "timm:resnet50",
        "pytorchcv:resnet50b",
        "onnx:resnet50+logits+BatchNormalization.epsilon=1e-05",
    ),
    sizes={
        "pytorchcv:resnet50b": ((3, 224, 224), (3, 193, 209)),
        "onnx:resnet50+logits+BatchNormalization.epsilon=1e-05": ((3, 224, 224), (3, 193, 209)),
    },
    untrained={
        "onnx:resnet50+logits+BatchNormalization.epsilon=1e-05": (
            "the file's normalisations are those of testing in any mode"
        )
    },
)
def resnet50_v1_5(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-50 v1.5: the stride in the 3x3 of a bottleneck."""
    return ResNet(BottleneckV1_5, (3, 4, 6, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1, with the stride of arXiv:1706.02677, section 5.1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnet101", "timm:resnet101", "pytorchcv:resnet101b"),
    sizes={"pytorchcv:resnet101b": ((3, 224, 224), (3, 193, 209))},
)
def resnet101_v1_5(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 v1.5: the stride in the 3x3 of a bottleneck."""
    return ResNet(BottleneckV1_5, (3, 4, 23, 3), num_classes, in_channels)


@variant(
    paper="arXiv:1512.03385, Table 1, with the stride of arXiv:1706.02677, section 5.1",
    init="he_fan_in",
    input_size=(3, 224, 224),
    other_size=(3, 71, 97),
    references=("torchvision:resnet152", "timm:resnet152", "pytorchcv:resnet152b"),
    sizes={"pytorchcv:resnet152b": ((3, 224, 224), (3, 193, 209))},
)
def resnet152_v1_5(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-152 v1.5: the stride in the 3x3 of a bottleneck."""
    return ResNet(BottleneckV1_5, (3, 8, 36, 3), num_classes, in_channels)
