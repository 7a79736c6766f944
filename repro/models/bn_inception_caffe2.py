"""The BN-Inception of Caffe2's and ONNX's model zoos, where it is called Inception v2.

It resolves the contradiction of Figure 5 of arXiv:1502.03167 (see bn_inception.py) the other way: 4c and 4d have the
maps that the figure prints, 576, by pool projections of 96 where it prints 128. Its poolings of stride 2 have no
padding and round up, as Caffe's do, so that their windows lie one pixel further to the lower right than those of the
convolutions that they are concatenated with.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import variant
from repro.models._images import require_images
from repro.models.bn_inception import BNInception, ConvBN, Downsampling, Inception, average, fan_in_uniform


def pooling() -> nn.MaxPool2d:
    """A pooling of 3x3, stride 2 (arXiv:1502.03167, Figure 5), that rounds up as Caffe's do."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class DownsamplingCaffe2(Downsampling):
    """A module of stride 2, 3c or 4e; its input's height and width must be even."""

    def __init__(self, in_channels: int, n3x3: tuple[int, int], n3x3_double: tuple[int, int]) -> None:
        super().__init__(in_channels, n3x3, n3x3_double)
        self.pool = pooling()


class BNInceptionCaffe2(BNInception):
    """The network of Figure 5 with 576 maps in 4c and 4d.

    Input (batch, in_channels, height, width), 224x224 in the file, at least 31x31 and such that an eighth of either,
    which the second pooling leaves, is a multiple of 4; output logits (batch, num_classes). Raises ValueError for any
    other input.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(ConvBN(in_channels, 64, 7, stride=2), num_classes, in_channels)
        self.pool = pooling()
        self.inception_3c = DownsamplingCaffe2(320, (128, 160), (64, 96))
        self.inception_4c = Inception(576, 160, (128, 160), (128, 160), average(), 96)
        self.inception_4d = Inception(576, 96, (128, 192), (160, 192), average(), 96)
        self.inception_4e = DownsamplingCaffe2(576, (128, 192), (192, 256))
        self.inception_5a = Inception(1024, 352, (192, 320), (160, 224), average(), 128)
        fan_in_uniform(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "bn_inception_caffe2", self.in_channels, smallest=31)
        pooled = tuple((side + 1) // 8 for side in x.shape[2:])
        if any(side % 4 for side in pooled):
            raise ValueError(
                f"a {x.shape[2]}x{x.shape[3]} image gives {pooled} pixels in 3a; multiples of 4 are needed"
            )
        return super().forward(x)


@variant(
    paper="arXiv:1502.03167, Figure 5, its output sizes where its filters contradict them, as in Caffe2's model zoo",
    init="bn_inception.fan_in_uniform",
    input_size=(3, 224, 224),
    other_size=(3, 130, 97),
    references=("onnx:inception_v2+logits+one_affine",),
    sizes={"onnx:inception_v2+logits+one_affine": ((3, 224, 224), (3, 223, 230))},
    untrained={"onnx:inception_v2+logits+one_affine": "the file's normalisations are those of testing in any mode"},
)
def bn_inception_caffe2(num_classes: int = 1000, in_channels: int = 3) -> BNInceptionCaffe2:
    """BN-Inception with the printed maps in place of the printed filters, and Caffe's poolings."""
    return BNInceptionCaffe2(num_classes, in_channels)
