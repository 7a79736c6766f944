"""ZFNet: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks" (arXiv:1311.2901 v3), Figure 3.

Version 1 has another network, with conv1 of 11x11 and stride 4. What the paper does not print follows from the sizes of
its drawing or from AlexNet, which it departs from:
- 224x224 gives 110x110 with one pixel of padding in conv1, 110x110 pooled gives 55x55 only if the size is rounded up,
  as AlexNet's framework does, and conv2 of stride 2 turns 55x55 into 26x26 without padding;
- the contrast normalisation "across feature maps", for which section 2 refers to AlexNet's paper, has the constants of
  that paper, and is drawn in layers 1 and 2 only. It follows the pooling, which in AlexNet it precedes.

`zfnet512` is no network of the paper: it is what ONNX's model zoo has under that name.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images
from repro.models.alexnet import response_norm


class ZFNet(nn.Module):
    """The network of Figure 3, in one tower; `widths` are the maps of layers 3, 4 and 5.

    Input (batch, in_channels, height, width), 224x224 in the paper, and 207 to 238 pixels with the same 6x6 last map;
    output logits (batch, num_classes).
    """

    def __init__(self, widths: tuple[int, int, int], num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 96, 7, stride=2, padding=1)  # 110x110
        self.norm1 = response_norm()  # 55x55 after pooling
        self.conv2 = nn.Conv2d(96, 256, 5, stride=2)  # 26x26
        self.norm2 = response_norm()  # 13x13 after pooling
        self.conv3 = nn.Conv2d(256, widths[0], 3, padding=1)
        self.conv4 = nn.Conv2d(widths[0], widths[1], 3, padding=1)
        self.conv5 = nn.Conv2d(widths[1], widths[2], 3, padding=1)
        self.fc6 = nn.Linear(widths[2] * 6 * 6, 4096)  # 6x6 after pooling
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.dropout = nn.Dropout(0.5)  # layers 6 and 7 (section 3)
        gaussian_zero_biases(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "a ZFNet", self.in_channels, smallest=207, largest=238)
        x = self.norm1(self.pool(self.relu(self.conv1(x))))
        x = self.norm2(self.pool(self.relu(self.conv2(x))))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        x = self.pool(self.relu(self.conv5(x)))
        x = self.dropout(self.relu(self.fc6(x.flatten(1))))
        x = self.dropout(self.relu(self.fc7(x)))
        x = self.fc8(x)
        return x


class ZFNet512(nn.Module):
    """The ZFNet-512 of ONNX's model zoo: 512 maps in layers 3, 4 and 5, and no padding around layers 1 and 2.

    Its further departures from Figure 3: normalisation before pooling, as in AlexNet, a last pooling of 2x2, 1024 units
    in layer 7, and no dropout.

    Input (batch, in_channels, height, width), 224x224 in the file, and 219 to 250 pixels with the same 6x6 last map;
    output logits (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 96, 7, stride=2)  # 109x109
        self.norm1 = response_norm()  # 54x54 after pooling
        self.conv2 = nn.Conv2d(96, 256, 5, stride=2)  # 25x25
        self.norm2 = response_norm()  # 12x12 after pooling
        self.conv3 = nn.Conv2d(256, 512, 3, padding=1)
        self.conv4 = nn.Conv2d(512, 512, 3, padding=1)
        self.conv5 = nn.Conv2d(512, 512, 3, padding=1)
        self.fc6 = nn.Linear(512 * 6 * 6, 4096)  # 6x6 after pooling
        self.fc7 = nn.Linear(4096, 1024)
        self.fc8 = nn.Linear(1024, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.pool5 = nn.MaxPool2d(2)
        gaussian_zero_biases(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "zfnet512", self.in_channels, smallest=219, largest=250)
        x = self.pool(self.norm1(self.relu(self.conv1(x))))
        x = self.pool(self.norm2(self.relu(self.conv2(x))))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        x = self.pool5(self.relu(self.conv5(x)))
        x = self.relu(self.fc6(x.flatten(1)))
        x = self.relu(self.fc7(x))
        x = self.fc8(x)
        return x


@initialisation(
    locus="arXiv:1311.2901, section 3, its 10^-2 read as the deviation of AlexNet's normal",
    rules={
        "*.weight": "normal(0, 0.01)",
        "*.bias": "0",
    },
)
def gaussian_zero_biases(network: nn.Module) -> None:
    """Section 3: weights of "10^-2", biases zero, so unlike AlexNet's none is one.

    Equal weights would stay equal, so the number can only be a scale: the deviation, as in AlexNet, whose training
    section 3 follows.
    """
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.01)
        else:
            nn.init.zeros_(parameter)


@variant(
    paper="arXiv:1311.2901, Figure 3",
    init="gaussian_zero_biases",
    input_size=(3, 224, 224),
    other_size=(3, 207, 238),
    references=("pytorchcv:zfnet+figure3",),
)
def zfnet(num_classes: int = 1000, in_channels: int = 3) -> ZFNet:
    """ZFNet: AlexNet with a 7x7 first layer of stride 2, in one tower."""
    return ZFNet((384, 384, 256), num_classes, in_channels)


@variant(
    paper="arXiv:1311.2901, Figure 3 with layers 3, 4 and 5 as in the last rows of Table 3",
    init="gaussian_zero_biases",
    input_size=(3, 224, 224),
    other_size=(3, 207, 238),
    references=("pytorchcv:zfnetb+figure3",),
)
def zfnet_wide(num_classes: int = 1000, in_channels: int = 3) -> ZFNet:
    """ZFNet with 512, 1024 and 512 maps in layers 3, 4 and 5."""
    return ZFNet((512, 1024, 512), num_classes, in_channels)


@variant(
    paper="no paper: zfnet512 of ONNX's model zoo, after arXiv:1311.2901",
    init="gaussian_zero_biases",
    input_size=(3, 224, 224),
    other_size=(3, 219, 250),
    references=("onnx:zfnet512+logits",),
)
def zfnet512(num_classes: int = 1000, in_channels: int = 3) -> ZFNet512:
    """ZFNet with 512 maps in layers 3, 4 and 5, unpadded, as ONNX's model zoo has it."""
    return ZFNet512(num_classes, in_channels)
