"""VGG: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (arXiv:1409.1556).

The names with _bn have a batch normalisation after every convolution, as in torchvision and timm; the paper has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images
from repro.models.alexnet import response_norm

Layers = Callable[[int, int, int], list[nn.Module]]
Network = TypeVar("Network", bound=nn.Module)

# Table 1, column by column: five blocks, each followed by a max pooling.
A = (
    ("conv3-64",),
    ("conv3-128",),
    ("conv3-256", "conv3-256"),
    ("conv3-512", "conv3-512"),
    ("conv3-512", "conv3-512"),
)
A_LRN = (
    ("conv3-64", "LRN"),
    ("conv3-128",),
    ("conv3-256", "conv3-256"),
    ("conv3-512", "conv3-512"),
    ("conv3-512", "conv3-512"),
)
B = (
    ("conv3-64", "conv3-64"),
    ("conv3-128", "conv3-128"),
    ("conv3-256", "conv3-256"),
    ("conv3-512", "conv3-512"),
    ("conv3-512", "conv3-512"),
)
C = (
    ("conv3-64", "conv3-64"),
    ("conv3-128", "conv3-128"),
    ("conv3-256", "conv3-256", "conv1-256"),
    ("conv3-512", "conv3-512", "conv1-512"),
    ("conv3-512", "conv3-512", "conv1-512"),
)
D = (
    ("conv3-64", "conv3-64"),
    ("conv3-128", "conv3-128"),
    ("conv3-256", "conv3-256", "conv3-256"),
    ("conv3-512", "conv3-512", "conv3-512"),
    ("conv3-512", "conv3-512", "conv3-512"),
)
E = (
    ("conv3-64", "conv3-64"),
    ("conv3-128", "conv3-128"),
    ("conv3-256", "conv3-256", "conv3-256", "conv3-256"),
    ("conv3-512", "conv3-512", "conv3-512", "conv3-512"),
    ("conv3-512", "conv3-512", "conv3-512", "conv3-512"),
)


def conv_relu(in_channels: int, filters: int, kernel: int) -> list[nn.Module]:
    """A convolution of stride 1 that keeps the resolution, and its ReLU (section 2.1)."""
    return [nn.Conv2d(in_channels, filters, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def conv_bn_relu(in_channels: int, filters: int, kernel: int) -> list[nn.Module]:
    """The same with a batch normalisation between; the convolution keeps its bias, as in torchvision and timm."""
    conv, relu = conv_relu(in_channels, filters, kernel)
    return [conv, nn.BatchNorm2d(filters), relu]


def convolutions(blocks: tuple[tuple[str, ...], ...], in_channels: int, layers: Layers) -> nn.Sequential:
    """The five blocks of a column of Table 1, each with its max pooling: 512 maps at 1/32 of the resolution."""
    found = nn.Sequential()
    channels = in_channels
    for block in blocks:
        modules: list[nn.Module] = []
        for name in block:
            if name == "LRN":
                modules.append(response_norm())  # its parameters are AlexNet's (section 2.1)
            else:
                kernel, filters = (int(number) for number in name.removeprefix("conv").split("-"))
                modules += layers(channels, filters, kernel)
                channels = filters
        found.append(nn.Sequential(*modules, nn.MaxPool2d(2)))
    return found


class VGG(nn.Module):
    """A column of Table 1.

    Input (batch, in_channels, height, width), 224x224 in the paper, at least 32x32; output logits
    (batch, num_classes). The average pooling to 7x7 is the identity at 224x224; what it does at other sizes is
    torchvision's extension. The paper (section 3.2) and timm slide the fully connected layers over a larger map.
    """

    def __init__(
        self, blocks: tuple[tuple[str, ...], ...], num_classes: int, in_channels: int, layers: Layers = conv_relu
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.blocks = convolutions(blocks, in_channels, layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.fc1 = nn.Linear(512 * 7 * 7, 4096)
        self.fc2 = nn.Linear(4096, 4096)
        self.fc3 = nn.Linear(4096, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)  # on the first two fully connected layers (section 3.1)
        gaussian(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a VGG", self.in_channels, smallest=32)
        x = self.blocks(x)
        x = self.avgpool(x).flatten(1)
        x = self.dropout(self.relu(self.fc1(x)))
        x = self.dropout(self.relu(self.fc2(x)))
        x = self.fc3(x)
        return x


@initialisation(
    locus="arXiv:1409.1556, section 3.1, as printed: a variance of 0.01",
    rules={
        "*.weight": "normal(0, sqrt(0.01))",
        "*.bias": "0",
    },
)
def gaussian(network: nn.Module) -> None:
    """Weights from a normal distribution of variance 10^-2, zero biases (section 3.1).

    A variance of 10^-2 is a standard deviation of 0.1, as printed; many implementations read 0.01, which may be what
    was meant. The paper trained only A from this start, and the deeper networks from a trained A.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@initialisation(
    locus="arXiv:1409.1556, section 3.1, as printed: a variance of 0.01; the normalisations, in no paper, as in torch",
    rules={
        "blocks.?.[0369].weight": "normal(0, sqrt(0.01))",  # a convolution, then its normalisation and its ReLU
        "blocks.*.weight": "1",
        "fc?.weight": "normal(0, sqrt(0.01))",
        "*.bias": "0",
    },
)
def gaussian_and_norm(network: Network) -> Network:
    """As `gaussian`, and batch normalisations, which the paper does not have, start with scale one and shift zero."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    return network


@variant(
    paper="arXiv:1409.1556, Table 1, column A",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_a",),
    references=("torchvision:vgg11", "timm:vgg11+drop_rate=0.5", "pytorchcv:vgg11"),
    sizes={"pytorchcv:vgg11": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg11+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg11(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-11, configuration A."""
    return VGG(A, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column A-LRN",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_a_lrn",),
)
def vgg11_lrn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-11 with local response normalisation, configuration A-LRN."""
    return VGG(A_LRN, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column B",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_b",),
    references=("torchvision:vgg13", "timm:vgg13+drop_rate=0.5", "pytorchcv:vgg13"),
    sizes={"pytorchcv:vgg13": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg13+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg13(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-13, configuration B."""
    return VGG(B, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column C",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_c",),
)
def vgg16_c(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-16 with three 1x1 convolutions, configuration C."""
    return VGG(C, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column D",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_d",),
    references=("torchvision:vgg16", "timm:vgg16+drop_rate=0.5", "pytorchcv:vgg16", "keras:VGG16"),
    sizes={"pytorchcv:vgg16": ((3, 224, 224), (3, 230, 250)), "keras:VGG16": ((3, 224, 224), (3, 224, 224))},
    differs={
        "timm:vgg16+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
    untrained={"keras:VGG16": "Keras has no dropout in it"},
)
def vgg16(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-16, configuration D."""
    return VGG(D, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column E",
    init="gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    aliases=("vgg_e",),
    references=("torchvision:vgg19", "timm:vgg19+drop_rate=0.5", "pytorchcv:vgg19", "onnx:vgg19+logits", "keras:VGG19"),
    sizes={
        "pytorchcv:vgg19": ((3, 224, 224), (3, 230, 250)),
        "onnx:vgg19+logits": ((3, 224, 224), (3, 230, 250)),
        "keras:VGG19": ((3, 224, 224), (3, 224, 224)),
    },
    differs={
        "timm:vgg19+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
    untrained={"keras:VGG19": "Keras has no dropout in it"},
)
def vgg19(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-19, configuration E."""
    return VGG(E, num_classes, in_channels)


@variant(
    paper="arXiv:1409.1556, Table 1, column A, with batch normalisation as in torchvision",
    init="gaussian_and_norm",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    references=("torchvision:vgg11_bn", "timm:vgg11_bn+drop_rate=0.5", "pytorchcv:bn_vgg11b"),
    sizes={"pytorchcv:bn_vgg11b": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg11_bn+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg11_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-11 with batch normalisation."""
    return gaussian_and_norm(VGG(A, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="arXiv:1409.1556, Table 1, column B, with batch normalisation as in torchvision",
    init="gaussian_and_norm",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    references=("torchvision:vgg13_bn", "timm:vgg13_bn+drop_rate=0.5", "pytorchcv:bn_vgg13b"),
    sizes={"pytorchcv:bn_vgg13b": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg13_bn+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg13_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-13 with batch normalisation."""
    return gaussian_and_norm(VGG(B, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="arXiv:1409.1556, Table 1, column D, with batch normalisation as in torchvision",
    init="gaussian_and_norm",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    references=("torchvision:vgg16_bn", "timm:vgg16_bn+drop_rate=0.5", "pytorchcv:bn_vgg16b"),
    sizes={"pytorchcv:bn_vgg16b": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg16_bn+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg16_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-16 with batch normalisation."""
    return gaussian_and_norm(VGG(D, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="arXiv:1409.1556, Table 1, column E, with batch normalisation as in torchvision",
    init="gaussian_and_norm",
    input_size=(3, 224, 224),
    other_size=(3, 64, 90),
    references=("torchvision:vgg19_bn", "timm:vgg19_bn+drop_rate=0.5", "pytorchcv:bn_vgg19b"),
    sizes={"pytorchcv:bn_vgg19b": ((3, 224, 224), (3, 230, 250))},
    differs={
        "timm:vgg19_bn+drop_rate=0.5": (
            (3, 256, 288),
            "timm slides the fully connected layers over a larger map, then averages",
        )
    },
)
def vgg19_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG-19 with batch normalisation."""
    return gaussian_and_norm(VGG(E, num_classes, in_channels, layers=conv_bn_relu))
