"""VGG for 32x32 images: the convolutions of "Very Deep Convolutional Networks" (arXiv:1409.1556) under a small head.

No paper of the authors has this head, nor any network for CIFAR. After five halvings 32x32 is one position of 512 maps,
so the fully connected layers are 512, 512 and the classes wide, where Table 1 has 4096, 4096 and 1000; tutorials have
it so. ReLU and dropout are where section 3.1 has them.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.vgg import A, B, D, E, Layers, conv_bn_relu, conv_relu, convolutions, gaussian, gaussian_and_norm


class VGGCifar(nn.Module):
    """The convolutions of a column of Table 1 and the fully connected layers 512, 512 and num_classes.

    Input (batch, in_channels, height, width), made for 32x32, at most 63x63, of which one position is left as well;
    output logits (batch, num_classes).
    """

    def __init__(
        self, blocks: tuple[tuple[str, ...], ...], num_classes: int, in_channels: int, layers: Layers = conv_relu
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.blocks = convolutions(blocks, in_channels, layers)  # 1x1
        self.fc1 = nn.Linear(512, 512)
        self.fc2 = nn.Linear(512, 512)
        self.fc3 = nn.Linear(512, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)  # on the first two fully connected layers (section 3.1)
        gaussian(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a VGG for 32x32", self.in_channels, smallest=32, largest=63)
        x = self.blocks(x).flatten(1)
        x = self.dropout(self.relu(self.fc1(x)))
        x = self.dropout(self.relu(self.fc2(x)))
        x = self.fc3(x)
        return x


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column A, under a head of tutorials",
    init="vgg.gaussian",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg11_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-11 for 32x32 images."""
    return VGGCifar(A, num_classes, in_channels)


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column B, under a head of tutorials",
    init="vgg.gaussian",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg13_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-13 for 32x32 images."""
    return VGGCifar(B, num_classes, in_channels)


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column D, under a head of tutorials",
    init="vgg.gaussian",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg16_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-16 for 32x32 images."""
    return VGGCifar(D, num_classes, in_channels)


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column E, under a head of tutorials",
    init="vgg.gaussian",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg19_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-19 for 32x32 images."""
    return VGGCifar(E, num_classes, in_channels)


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column A, with batch normalisation, under a head of tutorials",
    init="vgg.gaussian_and_norm",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg11_bn_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-11 with batch normalisation for 32x32 images."""
    return gaussian_and_norm(VGGCifar(A, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column B, with batch normalisation, under a head of tutorials",
    init="vgg.gaussian_and_norm",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg13_bn_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-13 with batch normalisation for 32x32 images."""
    return gaussian_and_norm(VGGCifar(B, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column D, with batch normalisation, under a head of tutorials",
    init="vgg.gaussian_and_norm",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg16_bn_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-16 with batch normalisation for 32x32 images."""
    return gaussian_and_norm(VGGCifar(D, num_classes, in_channels, layers=conv_bn_relu))


@variant(
    paper="no paper: arXiv:1409.1556, Table 1, column E, with batch normalisation, under a head of tutorials",
    init="vgg.gaussian_and_norm",
    input_size=(3, 32, 32),
    other_size=(3, 41, 63),
)
def vgg19_bn_cifar(num_classes: int = 10, in_channels: int = 3) -> VGGCifar:
    """VGG-19 with batch normalisation for 32x32 images."""
    return gaussian_and_norm(VGGCifar(E, num_classes, in_channels, layers=conv_bn_relu))
