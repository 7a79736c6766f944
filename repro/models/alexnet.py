"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks" (2012).

NIPS 25. The paper prints a 224x224 input, which an unpadded 11x11 convolution of stride 4 does not turn into the 55x55
maps of its Figure 2: 227 does ((227 - 11) / 4 + 1 = 55). `alexnet_owt` is the network that torchvision calls AlexNet:
the one tower of Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (arXiv:1404.5997).
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images

UNIT_BIASES = ("conv2.bias", "conv4.bias", "conv5.bias", "fc6.bias", "fc7.bias")  # section 5


def response_norm() -> nn.LocalResponseNorm:
    """Local response normalisation with k = 2, n = 5, alpha = 1e-4, beta = 0.75 (section 3.3).

    The paper's alpha multiplies the sum of squares; torch multiplies their mean, so its alpha is five times larger.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2)


class AlexNet(nn.Module):
    """The network of section 3.5 and Figure 2; the two GPUs are two groups in conv2, conv4 and conv5.

    Input (batch, in_channels, height, width), 227x227, and up to 258x258 with the same 6x6 last map; output logits
    (batch, num_classes).
    """

    name, smallest, largest = "alexnet", 227, 258

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 96, 11, stride=4)  # 55x55
        self.norm1 = response_norm()
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)  # 27x27 after pooling
        self.norm2 = response_norm()
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)  # 13x13 after pooling
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2)  # overlapping (section 3.4)
        self.dropout = nn.Dropout(0.5)  # section 4.2; torch rescales while training, the paper halves when testing
        gaussian_unit_biases(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, self.name, self.in_channels, self.smallest, self.largest)
        x = self.pool(self.norm1(self.relu(self.conv1(x))))
        x = self.pool(self.norm2(self.relu(self.conv2(x))))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        x = self.pool(self.relu(self.conv5(x)))
        x = self.dropout(self.relu(self.fc6(x.flatten(1))))
        x = self.dropout(self.relu(self.fc7(x)))
        x = self.fc8(x)
        return x


class AlexNetOneTower(nn.Module):
    """One tower without groups, with torchvision's departures from the author's file.

    The filters are those of the author's file; the footnote of the paper prints 384 in conv4, which contradicts its own
    count of parameters. Torchvision's: padding 2 in conv1, no response normalisation, an average pooling to 6x6 that
    lets any size of at least 63 in, and dropout before fc6 and fc7 where the author has it after them.

    Input (batch, in_channels, height, width), 224x224 in torchvision; output logits (batch, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 64, 11, stride=4, padding=2)  # 55x55
        self.conv2 = nn.Conv2d(64, 192, 5, padding=2)  # 27x27 after pooling
        self.conv3 = nn.Conv2d(192, 384, 3, padding=1)  # 13x13 after pooling
        self.conv4 = nn.Conv2d(384, 256, 3, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.avgpool = nn.AdaptiveAvgPool2d(6)  # the identity at 224x224
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.dropout = nn.Dropout(0.5)
        one_gpu_file(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "alexnet_owt", self.in_channels, smallest=63)
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        x = self.pool(self.relu(self.conv5(x)))
        x = self.avgpool(x).flatten(1)
        x = self.relu(self.fc6(self.dropout(x)))
        x = self.relu(self.fc7(self.dropout(x)))
        x = self.fc8(x)
        return x


@initialisation(
    locus="NIPS 2012, section 5",
    rules={
        "*.weight": "normal(0, 0.01)",
        "conv[245].bias": "1",
        "fc[67].bias": "1",
        "*.bias": "0",
    },
)
def gaussian_unit_biases(network: nn.Module) -> None:
    """Section 5: weights from N(0, 0.01^2); biases one in conv2, conv4, conv5, fc6 and fc7, zero elsewhere."""
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.01)
        else:
            nn.init.constant_(parameter, 1 if name in UNIT_BIASES else 0)


@initialisation(
    locus=(
        "the author's file layers-223-1gpu.cfg of cuda-convnet2 (initW, initB), from memory; arXiv:1404.5997 "
        "prints none"
    ),
    rules={
        "conv[345].weight": "normal(0, 0.03)",
        "*.weight": "normal(0, 0.01)",
        "conv[245].bias": "1",
        "fc[67].bias": "1",
        "fc8.bias": "-7",
        "*.bias": "0",
    },
)
def one_gpu_file(network: nn.Module) -> None:
    """As in the author's cuda-convnet2 file layers-223-1gpu.cfg (initW, initB); arXiv:1404.5997 prints nothing.

    It differs from the paper of 2012 in conv3, conv4 and conv5, drawn from N(0, 0.03^2), and in the last biases, -7.
    """
    gaussian_unit_biases(network)
    for name, parameter in network.named_parameters():
        if name in ("conv3.weight", "conv4.weight", "conv5.weight"):
            nn.init.normal_(parameter, std=0.03)
        elif name == "fc8.bias":
            nn.init.constant_(parameter, -7)


@variant(
    paper="NIPS 2012, section 3.5 and Figure 2, with a 227x227 input (224 is printed)",
    init="gaussian_unit_biases",
    input_size=(3, 227, 227),
    other_size=(3, 229, 258),
    references=("onnx:bvlc_alexnet+logits+LRN.bias=2+LRN.alpha=0.0005",),
    sizes={"onnx:bvlc_alexnet+logits+LRN.bias=2+LRN.alpha=0.0005": ((3, 227, 227), (3, 229, 242))},
)
def alexnet(num_classes: int = 1000, in_channels: int = 3) -> AlexNet:
    """AlexNet of 2012: two groups, local response normalisation, overlapping pooling."""
    return AlexNet(num_classes, in_channels)


@variant(
    paper="arXiv:1404.5997, filters as in the author's one-GPU file, other departures as in torchvision",
    init="one_gpu_file",
    input_size=(3, 224, 224),
    other_size=(3, 160, 193),
    references=("torchvision:alexnet", "pytorchcv:alexnetb"),
    sizes={"pytorchcv:alexnetb": ((3, 224, 224), (3, 223, 226))},
    differs={"pytorchcv:alexnetb": ((3, 197, 226), "pytorchcv rounds the size of a pooled map up")},
    untrained={"pytorchcv:alexnetb": "pytorchcv has its dropout after fc1 and fc2, not before them"},
)
def alexnet_owt(num_classes: int = 1000, in_channels: int = 3) -> AlexNetOneTower:
    """The AlexNet of torchvision: one tower, no response normalisation."""
    return AlexNetOneTower(num_classes, in_channels)
