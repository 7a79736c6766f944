"""VGG run densely over an image of any size, as "Very Deep Convolutional Networks" tests it (arXiv:1409.1556).

Section 3.2: the first fully connected layer becomes a 7x7 convolution, the other two 1x1 convolutions; the network is
applied to the whole uncropped image, and the map of class scores is averaged over its positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.vgg import VGG, vgg11, vgg13, vgg16, vgg19


class DenseVGG(nn.Module):
    """A VGG whose fully connected layers slide over the map (section 3.2), a 7x7 window for every 32 pixels.

    Input (batch, in_channels, height, width), at least 224x224, where it is the VGG itself; output the average of the
    class scores of all windows, (batch, num_classes). The layers are those of the given VGG, not copies: a change of
    either network's weights is one of the other's, and the state_dict is that of the VGG.
    """

    def __init__(self, network: VGG) -> None:
        super().__init__()
        self.in_channels = network.in_channels
        self.blocks = network.blocks
        self.fc1 = network.fc1
        self.fc2 = network.fc2
        self.fc3 = network.fc3
        self.relu = network.relu
        self.dropout = network.dropout
        self.training = network.training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a dense VGG", self.in_channels, smallest=224)
        x = self.blocks(x)
        x = conv2d(x, self.fc1.weight.reshape(-1, 512, 7, 7), self.fc1.bias)
        x = self.dropout(self.relu(x))
        x = conv2d(x, self.fc2.weight[:, :, None, None], self.fc2.bias)
        # The last layer is affine, so its score for the average position is the average of the scores of all.
        x = self.relu(x).mean((2, 3))
        x = self.fc3(self.dropout(x))
        return x


def dense(network: VGG) -> DenseVGG:
    """`network` as it is tested in section 3.2, with the same layers; any VGG, with or without normalisations."""
    return DenseVGG(network)


@variant(
    paper="arXiv:1409.1556, section 3.2 and Table 1, column A",
    init="vgg.gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 256, 288),
    references=("timm:vgg11+drop_rate=0.5",),
)
def vgg11_dense(num_classes: int = 1000, in_channels: int = 3) -> DenseVGG:
    """VGG-11 run densely, configuration A."""
    return dense(vgg11(num_classes, in_channels))


@variant(
    paper="arXiv:1409.1556, section 3.2 and Table 1, column B",
    init="vgg.gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 256, 288),
    references=("timm:vgg13+drop_rate=0.5",),
)
def vgg13_dense(num_classes: int = 1000, in_channels: int = 3) -> DenseVGG:
    """VGG-13 run densely, configuration B."""
    return dense(vgg13(num_classes, in_channels))


@variant(
    paper="arXiv:1409.1556, section 3.2 and Table 1, column D",
    init="vgg.gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 256, 288),
    references=("timm:vgg16+drop_rate=0.5",),
)
def vgg16_dense(num_classes: int = 1000, in_channels: int = 3) -> DenseVGG:
    """VGG-16 run densely, configuration D."""
    return dense(vgg16(num_classes, in_channels))


@variant(
    paper="arXiv:1409.1556, section 3.2 and Table 1, column E",
    init="vgg.gaussian",
    input_size=(3, 224, 224),
    other_size=(3, 256, 288),
    references=("timm:vgg19+drop_rate=0.5",),
)
def vgg19_dense(num_classes: int = 1000, in_channels: int = 3) -> DenseVGG:
    """VGG-19 run densely, configuration E."""
    return dense(vgg19(num_classes, in_channels))
