"""The AlexNet and the GoogLeNet of Caffe's authors (github.com/BVLC/caffe, models/), from memory of the files there.

Both have the response normalisation with k = 1 and a fifth of the papers' alpha, and poolings that round up, as all of
Caffe's do. AlexNet's poolings are exact for the 227x227 images of its file, so that rounding changes nothing there.
"""

from __future__ import annotations

from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models.alexnet import AlexNet
from repro.models.googlenet import GoogLeNet


def response_norm() -> nn.LocalResponseNorm:
    """Local response normalisation with k = 1, n = 5, alpha = 1e-4, beta = 0.75, as in Caffe's files of both.

    The alpha of Caffe's layer multiplies the mean of the squares, as torch's does, and the paper's their sum.
    """
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1)


class AlexNetBVLC(AlexNet):
    """AlexNet as in the Caffe authors' models/bvlc_alexnet/train_val.prototxt.

    Input (batch, in_channels, height, width), 227x227 in the file, and 199 to 230 pixels with the same 6x6 last map;
    output logits (batch, num_classes).
    """

    name, smallest, largest = "alexnet_bvlc", 199, 230

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.norm1 = response_norm()
        self.norm2 = response_norm()
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        gaussian_small_biases(self)


class GoogLeNetBVLC(GoogLeNet):
    """GoogLeNet in Caffe; it takes and gives what `GoogLeNet` does."""

    name = "googlenet_bvlc"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.norm1 = response_norm()
        self.norm2 = response_norm()


@initialisation(
    locus="models/bvlc_alexnet of BVLC's Caffe (weight and bias fillers), from memory",
    rules={
        "fc[67].weight": "normal(0, 0.005)",
        "*.weight": "normal(0, 0.01)",
        "conv[245].bias": "0.1",
        "fc[67].bias": "0.1",
        "*.bias": "0",
    },
)
def gaussian_small_biases(network: AlexNet) -> None:
    """As in the paper (section 5), but for biases of 0.1 where that has one, and N(0, 0.005^2) in fc6 and fc7."""
    for name, parameter in network.named_parameters():
        layer = name.partition(".")[0]
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.005 if layer in ("fc6", "fc7") else 0.01)
        else:
            nn.init.constant_(parameter, 0.1 if layer in ("conv2", "conv4", "conv5", "fc6", "fc7") else 0)


@variant(
    paper="NIPS 2012, section 3.5, as in models/bvlc_alexnet of BVLC's Caffe",
    init="gaussian_small_biases",
    input_size=(3, 227, 227),
    other_size=(3, 229, 230),
    references=("onnx:bvlc_alexnet+logits",),
    differs={
        "onnx:bvlc_alexnet+logits": (
            (3, 224, 224),
            "the file's first two poolings round down, where Caffe's round up",
        )
    },
)
def alexnet_bvlc(num_classes: int = 1000, in_channels: int = 3) -> AlexNetBVLC:
    """The AlexNet of Caffe: response normalisation with k = 1."""
    return AlexNetBVLC(num_classes, in_channels)


@variant(
    paper="arXiv:1409.4842, Table 1, as in models/bvlc_googlenet of BVLC's Caffe",
    init="googlenet.caffe_xavier",
    input_size=(3, 224, 224),
    other_size=(3, 227, 262),
    references=("onnx:inception_v1+logits",),
    sizes={"onnx:inception_v1+logits": ((3, 222, 222), (3, 221, 222))},
    differs={
        "onnx:inception_v1+logits": (
            (3, 224, 224),
            "the file's poolings round down, where Caffe's round up: 112 pixels become 55 and not 56",
        )
    },
    untrained={"onnx:inception_v1+logits": "the file has no auxiliary heads"},
)
def googlenet_bvlc(num_classes: int = 1000, in_channels: int = 3) -> GoogLeNetBVLC:
    """The GoogLeNet of Caffe: response normalisation with k = 1."""
    return GoogLeNetBVLC(num_classes, in_channels)
