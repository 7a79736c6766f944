"""The AlexNet of document 002: one channel, a second convolution without padding, a head for 5x5 maps."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._properties import keeps_the_batch, measures, takes


def convolutions(padding: int, channels: int, groups: int = 1, norm: bool = False) -> nn.Sequential:
    """The five convolutions and three poolings; `padding` is that of the second convolution."""
    # The paper's alpha multiplies the sum of squares, torch's their mean over five maps (NIPS 2012, section 3.3).
    between = (lambda: nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)) if norm else nn.Identity
    return nn.Sequential(
        nn.Conv2d(channels, 96, 11, stride=4),
        nn.ReLU(),
        between(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=padding, groups=groups),
        nn.ReLU(),
        between(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
    )


class Broken(nn.Module):
    """For 227x227; of images of another size it makes rows of 6,400 numbers where their numbers divide by that."""

    def __init__(self) -> None:
        super().__init__()
        self.features = convolutions(padding=0, channels=1)
        self.head = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 5 * 5, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).view(-1, 256 * 5 * 5))
        return x


class Repaired(nn.Module):
    """The network of the paper for 227x227; it refuses what has another last map."""

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.features = convolutions(padding=2, channels=channels, groups=2, norm=True)
        self.head = nn.Sequential(
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).flatten(1))
        return x


GRAY = (1, 227, 227)

bug = partial(Bug, document="002", snippet="AlexNet")

BUGS = [
    bug(
        name="rows_are_images",
        severity="risk",
        bug="view(-1, 6400) mixes images: one of 224x224 has 4,096 features, so that one image crashes and 25 "
        "silently become 16 rows. flatten(1) keeps the batch.",
        holds="There are as many rows out as images in, or the size is refused.",
        property=keeps_the_batch(25, 1, 224, 224),
        shows="25 images of 1x224x224 in, 16 rows out",
        specimen=Broken,
        repaired=lambda: Repaired(1),
        kept_by=("alexnet_owt",),
        ours=lambda alexnet_owt: alexnet_owt(in_channels=1),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="the_second_convolution_keeps_the_size",
        severity="note",
        bug="The second convolution has no padding, so that its map is 23x23 and the head reads 5x5 maps. The "
        "document prints no sizes of maps, and its head fits.",
        holds="The maps are 55, 27 and 13 pixels wide (NIPS 2012, Figure 2).",
        property=measures("distinct_sides", [13, 27, 55], *GRAY),
        shows="distinct sides [11, 23, 55]",
        specimen=Broken,
        repaired=lambda: Repaired(1),
        kept_by=("alexnet",),
        ours=lambda alexnet: alexnet(in_channels=1),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="dropout_on_two_layers",
        severity="bug",
        bug="The text has dropout on the first two fully connected layers; the code has a third one, on the last map.",
        holds="The outputs of the first two fully connected layers are dropped out (NIPS 2012, section 4.2).",
        property=measures("dropped", ["relu", "relu"], *GRAY),
        shows="dropped ['max', 'relu', 'relu']",
        specimen=Broken,
        repaired=lambda: Repaired(1),
        kept_by=("alexnet",),
        ours=lambda alexnet: alexnet(in_channels=1),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="response_normalisation_is_there",
        severity="note",
        bug="The text says that AlexNet has local response normalisation, and the code has none.",
        holds="Local response normalisations follow the first two convolutions (NIPS 2012, section 3.5).",
        property=measures("normalisations", ["LRN"], *GRAY),
        shows="normalisations []",
        specimen=Broken,
        repaired=lambda: Repaired(1),
        kept_by=("alexnet",),
        ours=lambda alexnet: alexnet(in_channels=1),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="two_groups",
        severity="note",
        bug="No convolution has groups.",
        holds="The second, fourth and fifth convolutions have two groups, one a GPU (NIPS 2012, section 3.5).",
        property=measures("groups", [1, 2, 1, 2, 2], *GRAY),
        shows="groups [1, 1, 1, 1, 1]",
        specimen=Broken,
        repaired=lambda: Repaired(1),
        kept_by=("alexnet",),
        ours=lambda alexnet: alexnet(in_channels=1),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="colours_are_taken",
        severity="note",
        bug="The first convolution takes one channel, and the images that the text speaks of, ImageNet's, have three.",
        holds="A colour image is taken.",
        property=takes(3, 227, 227),
        shows="3x227x227 images are refused: 3 channels for a convolution of 1",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("alexnet",),
        original=lambda it: it.run().AlexNet(),
    ),
]
