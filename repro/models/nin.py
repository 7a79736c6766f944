"""Network in Network: Lin, Chen, Yan (arXiv:1312.4400).

The paper prints the structure (Figure 2) but no layer table. The widths, kernels and initialisations are those of the
first author's files: NIN/cifar-10_def of his cuda-convnet, and the train_val.prototxt of his gist d802a584 for Caffe.
The ImageNet network is in no paper. Section 4.1 has a max pooling after every mlpconv; in his files the last one feeds
the global average directly, as in Figure 2. Both frameworks round the size of a pooled map up.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images


class MLPConv(nn.Module):
    """A convolution and two 1x1 convolutions, each followed by a ReLU (section 3.1, equation 2)."""

    def __init__(
        self, in_channels: int, widths: tuple[int, int, int], kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, widths[0], kernel, stride, padding)
        self.cccp1 = nn.Conv2d(widths[0], widths[1], 1)  # cross channel parametric pooling (section 3.1)
        self.cccp2 = nn.Conv2d(widths[1], widths[2], 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.conv(x))
        x = self.relu(self.cccp1(x))
        x = self.relu(self.cccp2(x))
        return x


class NINCifar10(nn.Module):
    """Three mlpconv layers and a global average (Figure 2).

    Input (batch, in_channels, height, width), 32x32 in the paper, at least 4x4; output logits (batch, num_classes).
    The last ReLU leaves no logit below zero.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.mlpconv1 = MLPConv(in_channels, (192, 160, 96), 5, padding=2)  # 32x32
        self.mlpconv2 = MLPConv(96, (192, 192, 192), 5, padding=2)  # 16x16
        self.mlpconv3 = MLPConv(192, (192, 192, num_classes), 3, padding=1)  # 8x8
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.dropout = nn.Dropout(0.5)  # after all but the last mlpconv (section 4.1)
        self.average = nn.AdaptiveAvgPool2d(1)  # section 3.2
        gaussian_cifar10(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "nin_cifar10", self.in_channels, smallest=4)
        x = self.dropout(self.pool(self.mlpconv1(x)))
        x = self.dropout(self.pool(self.mlpconv2(x)))
        x = self.average(self.mlpconv3(x)).flatten(1)
        return x


class NINImageNet(nn.Module):
    """Four mlpconv layers and a global average: the author's Caffe network.

    Input (batch, in_channels, height, width), 224x224 in his file, at least 39x39; output logits
    (batch, num_classes). The last ReLU leaves no logit below zero.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.mlpconv1 = MLPConv(in_channels, (96, 96, 96), 11, stride=4)  # 54x54
        self.mlpconv2 = MLPConv(96, (256, 256, 256), 5, padding=2)  # 27x27
        self.mlpconv3 = MLPConv(256, (384, 384, 384), 3, padding=1)  # 13x13
        self.mlpconv4 = MLPConv(384, (1024, 1024, num_classes), 3, padding=1)  # 6x6
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.dropout = nn.Dropout(0.5)
        self.average = nn.AdaptiveAvgPool2d(1)
        gaussian_imagenet(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "nin_imagenet", self.in_channels, smallest=39)
        x = self.pool(self.mlpconv1(x))
        x = self.pool(self.mlpconv2(x))
        x = self.dropout(self.pool(self.mlpconv3(x)))
        x = self.average(self.mlpconv4(x)).flatten(1)
        return x


@initialisation(
    locus="the first author's file NIN/cifar-10_def (initW; no initB, so zero); arXiv:1312.4400 prints none",
    rules={
        "*.weight": "normal(0, 0.05)",
        "*.bias": "0",
    },
)
def gaussian_cifar10(network: nn.Module) -> None:
    """Weights from N(0, 0.05^2), zero biases: initW in the author's file NIN/cifar-10_def, which has no initB."""
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.05)
        else:
            nn.init.zeros_(parameter)


@initialisation(
    locus="the fillers of the first author's train_val.prototxt (gist d802a584), from memory",
    rules={
        "mlpconv[13].conv.weight": "normal(0, 0.01)",
        "mlpconv4.cccp2.weight": "normal(0, 0.01)",
        "*.weight": "normal(0, 0.05)",
        "*.bias": "0",
    },
)
def gaussian_imagenet(network: nn.Module) -> None:
    """Weights from N(0, 0.05^2), in three layers N(0, 0.01^2), zero biases: the fillers of the author's prototxt."""
    gaussian_cifar10(network)
    for name, parameter in network.named_parameters():
        if name in ("mlpconv1.conv.weight", "mlpconv3.conv.weight", "mlpconv4.cccp2.weight"):
            nn.init.normal_(parameter, std=0.01)


@variant(
    paper="arXiv:1312.4400, Figure 2 and section 4.2, widths as in the first author's file NIN/cifar-10_def",
    init="gaussian_cifar10",
    input_size=(3, 32, 32),
    other_size=(3, 29, 43),
    references=("pytorchcv:nin_cifar10+max_pools",),
    sizes={"pytorchcv:nin_cifar10+max_pools": ((3, 32, 32), (3, 33, 35))},
)
def nin_cifar10(num_classes: int = 10, in_channels: int = 3) -> NINCifar10:
    """Network in Network for CIFAR-10: three mlpconv layers."""
    return NINCifar10(num_classes, in_channels)


@variant(
    paper="no paper: the train_val.prototxt of the first author of arXiv:1312.4400 (gist d802a584)",
    init="gaussian_imagenet",
    input_size=(3, 224, 224),
    other_size=(3, 97, 130),
)
def nin_imagenet(num_classes: int = 1000, in_channels: int = 3) -> NINImageNet:
    """Network in Network for ImageNet: four mlpconv layers."""
    return NINImageNet(num_classes, in_channels)
