"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions" (arXiv:1409.4842), as printed in Table 1 and Figure 3.

torchvision's network of that name is another one: see googlenet_torchvision.py.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images
from repro.models.alexnet import response_norm


class GoogLeNetOutputs(NamedTuple):
    """What training sees: the logits, and those of the heads on 4a and on 4d, whose losses count 0.3 (section 5)."""

    logits: torch.Tensor
    aux1: torch.Tensor
    aux2: torch.Tensor


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its ReLU (section 5); the padding keeps the size, but for the stride (Figure 3, "S")."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
    )


class Inception(nn.Module):
    """The module of Figure 2b; its arguments are the columns of Table 1, a pair being (reduction, convolution)."""

    def __init__(
        self,
        in_channels: int,
        n1x1: int,
        n3x3: tuple[int, int],
        n5x5: tuple[int, int],
        pool_proj: int,
    ) -> None:
        super().__init__()
        self.branch1x1 = conv(in_channels, n1x1, 1)
        self.branch3x3 = nn.Sequential(conv(in_channels, n3x3[0], 1), conv(n3x3[0], n3x3[1], 3))
        self.branch5x5 = nn.Sequential(conv(in_channels, n5x5[0], 1), conv(n5x5[0], n5x5[1], 5))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, pool_proj, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], 1)


class AuxiliaryHead(nn.Module):
    """The side classifier of section 5, on a map of 14x14, 15x15 or 16x16, which its pooling makes 4x4."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.avgpool = nn.AvgPool2d(5, stride=3)
        self.conv = conv(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.avgpool(x))
        x = self.fc2(self.dropout(self.relu(self.fc1(x.flatten(1)))))
        return x


class GoogLeNet(nn.Module):
    """The network of Table 1, its normalisations where Figure 3 has them, and its two auxiliary heads.

    The paper prints no constants for the response normalisation: they are those of the paper that defines it (AlexNet,
    section 3.3, k = 2). BVLC's Caffe file of this network, bvlc.py here, has k = 1 and a fifth of that alpha.

    Input (batch, in_channels, height, width), 224x224 in the paper. In train mode the heads admit 223 to 270 pixels and
    the output is a GoogLeNetOutputs; in eval mode the last pooling averages a map of any size, so that 31 pixels and
    more are admitted, and the output is the logits (batch, num_classes).
    """

    name = "googlenet"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = conv(in_channels, 64, 7, stride=2)  # 112x112
        self.norm1 = response_norm()
        self.conv2_reduce = conv(64, 64, 1)  # 56x56 after pooling
        self.conv2 = conv(64, 192, 3)
        self.norm2 = response_norm()
        self.inception_3a = Inception(192, 64, (96, 128), (16, 32), 32)  # 28x28 after pooling
        self.inception_3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.inception_4a = Inception(480, 192, (96, 208), (16, 48), 64)  # 14x14 after pooling
        self.inception_4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception_4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception_4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception_4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.inception_5a = Inception(832, 256, (160, 320), (32, 128), 128)  # 7x7 after pooling
        self.inception_5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # as Caffe's; without ceil_mode 112 becomes 55, not 56
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # the 7x7 of Table 1 at 224x224
        self.dropout = nn.Dropout(0.4)  # Table 1
        self.fc = nn.Linear(1024, num_classes)
        self.aux1 = AuxiliaryHead(512, num_classes)
        self.aux2 = AuxiliaryHead(528, num_classes)
        caffe_xavier(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor | GoogLeNetOutputs:
        if self.training:
            require_images(x, f"{self.name} in train mode", self.in_channels, smallest=223, largest=270)
        else:
            require_images(x, self.name, self.in_channels, smallest=31)
        x = self.norm1(self.pool(self.conv1(x)))
        x = self.pool(self.norm2(self.conv2(self.conv2_reduce(x))))
        x = self.pool(self.inception_3b(self.inception_3a(x)))
        x = self.inception_4a(x)
        aux1 = self.aux1(x) if self.training else None  # section 5 discards the heads at inference
        x = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.pool(self.inception_4e(x))
        x = self.inception_5b(self.inception_5a(x))
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return x if aux1 is None or aux2 is None else GoogLeNetOutputs(x, aux1, aux2)


@initialisation(
    locus=(
        "models/bvlc_googlenet of BVLC's Caffe (xavier and constant fillers), from memory; the paper, "
        "arXiv:1409.4842, prints none"
    ),
    rules={
        "*.weight": "uniform(-sqrt(3 / fan_in), sqrt(3 / fan_in))",
        "fc.bias": "0",
        "aux?.fc2.bias": "0",
        "*.bias": "0.2",
    },
)
def caffe_xavier(network: GoogLeNet) -> None:
    """Weights uniform within sqrt(3 / fan_in), biases 0.2, zero in the classifiers: BVLC's models/bvlc_googlenet.

    The paper prints no initialisation. BVLC's replication, made with help of its first author, departs in this: its
    readme says that the original was Gaussian, without a deviation.
    """
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_uniform_(parameter, nonlinearity="linear")
        else:
            nn.init.constant_(parameter, 0.2)
    for classifier in (network.fc, network.aux1.fc2, network.aux2.fc2):
        nn.init.zeros_(classifier.bias)


@variant(
    paper="arXiv:1409.4842, Table 1 and Figure 3",
    init="caffe_xavier",
    input_size=(3, 224, 224),
    other_size=(3, 227, 262),
    references=("onnx:inception_v1+logits+LRN.bias=2+LRN.alpha=0.0005",),
    sizes={"onnx:inception_v1+logits+LRN.bias=2+LRN.alpha=0.0005": ((3, 222, 222), (3, 221, 222))},
    differs={
        "onnx:inception_v1+logits+LRN.bias=2+LRN.alpha=0.0005": (
            (3, 224, 224),
            "the file's poolings round down, so that 112 pixels become 55",
        )
    },
    untrained={"onnx:inception_v1+logits+LRN.bias=2+LRN.alpha=0.0005": "the file has no auxiliary heads"},
)
def googlenet(num_classes: int = 1000, in_channels: int = 3) -> GoogLeNet:
    """GoogLeNet of 2014: 5x5 convolutions, local response normalisation, two auxiliary heads."""
    return GoogLeNet(num_classes, in_channels)
