"""The VGG of document 002: the size of the last map is told twice, once to the constructor and once to every call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._originals import Original
from tests.specimens._properties import keeps_the_batch, measures, takes, takes_images_only
from tests.specimens._vgg import REPEATS, VGG, convolutions

FEATURES = 512 * 7 * 7
GRAY = (1, 224, 224)


class Broken(nn.Module):
    """VGG-11 with a head of the document's width; the caller says how long a row is to be."""

    def __init__(self, hidden: int = 512) -> None:
        super().__init__()
        self.features = nn.Sequential(*convolutions(REPEATS[11], 1, 64), nn.Dropout2d(0.5))
        self.head = nn.Sequential(
            nn.Linear(FEATURES, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, 10),
        )

    def forward(self, x: torch.Tensor, features: int) -> torch.Tensor:
        x = self.head(self.features(x).view(-1, features))
        return x


class Told(nn.Module):
    """A network of two arguments, called with images alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.network(x, FEATURES)
        return x


def repaired() -> nn.Module:
    return VGG(11, 10, channels=1)


def gray(build: Callable[..., nn.Module]) -> nn.Module:
    return build(num_classes=10, in_channels=1)


def as_published(it: Original) -> nn.Module:
    """The network that the document builds and prints."""
    network: nn.Module = it.run().VGG("VGG11", FEATURES, 512)
    return network


bug = partial(Bug, document="002", snippet="VGG")

BUGS = [
    bug(
        name="images_are_all_it_takes",
        severity="bug",
        bug="forward has a second argument that it cannot do without, so that net(x) and nn.Sequential fail.",
        holds="The network is called with images alone.",
        property=takes_images_only(*GRAY),
        shows="net(x): TypeError: missing 1 required positional argument",
        specimen=Broken,
        repaired=repaired,
        kept_by=("vgg11",),
        ours=gray,
        original=as_published,
    ),
    bug(
        name="rows_are_images",
        severity="risk",
        bug="view(-1, fc_features) mixes images: one of 32x32 has 512 features, so that one image crashes and 49 "
        "silently become one row of 25,088. flatten(1) keeps the batch.",
        holds="There are as many rows out as images in, or the size is refused.",
        property=keeps_the_batch(49, 1, 32, 32),
        shows="49 images of 1x32x32 in, 1 rows out",
        specimen=lambda: Told(Broken()),
        repaired=repaired,
        kept_by=("vgg11",),
        ours=gray,
        original=lambda it: Told(as_published(it)),
    ),
    bug(
        name="dropout_on_two_layers",
        severity="note",
        bug="A third dropout, Dropout2d at the end of the convolutions, takes whole maps of the last stage.",
        holds="The outputs of the first two fully connected layers are dropped out (arXiv:1409.1556, section 3.1).",
        property=measures("dropped", ["relu", "relu"], *GRAY),
        shows="dropped ['max', 'relu', 'relu']",
        specimen=lambda: Told(Broken()),
        repaired=repaired,
        kept_by=("vgg11",),
        ours=gray,
        original=lambda it: Told(as_published(it)),
    ),
    bug(
        name="the_head_is_4096_wide",
        severity="note",
        bug="The fully connected layers are 512 wide.",
        holds="The fully connected layers are 4096, 4096 and the classes wide (arXiv:1409.1556, Table 1).",
        property=measures("classifier", ["4096", "dropout 0.5", "4096", "dropout 0.5", "10"], *GRAY),
        shows="'512', 'dropout 0.5', '512', 'dropout 0.5', '10'",
        specimen=lambda: Told(Broken()),
        repaired=repaired,
        kept_by=("vgg11",),
        ours=gray,
        original=lambda it: Told(as_published(it)),
    ),
    bug(
        name="colours_are_taken",
        severity="note",
        bug="The first convolution takes one channel, and VGG's images have three; no argument changes it.",
        holds="A colour image is taken.",
        property=takes(3, 224, 224),
        shows="3x224x224 images are refused: 3 channels for a convolution of 1",
        specimen=lambda: Told(Broken()),
        repaired=lambda: VGG(11),
        kept_by=("vgg11",),
        original=lambda it: Told(as_published(it)),
    ),
]
