"""The AlexNet of document 003: the paper's, but for two constants, the initial values, and a training that crashes."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._properties import keeps_the_batch, measures, starts_as_in_alexnets_paper, trains_on

SIZE = (3, 227, 227)


def start(layers: nn.Sequential, ones: tuple[int, ...]) -> None:
    """The paper's initial values (NIPS 2012, section 5); `ones` are the places of the layers whose biases are 1."""
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, int(place in ones))  # type: ignore[arg-type]  # every layer here has one


class Broken(nn.Module):
    """One tower for 227x227; `hidden` is the width of the fully connected layers, 4096 in the paper."""

    alpha = 1e-4  # the paper's number, which torch divides by the five maps
    groups = 1
    inplace = True  # of the dropouts; the second one overwrites what the ReLU before it needs for its gradient

    def __init__(self, classes: int = 1000, hidden: int = 4096) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(),
            nn.LocalResponseNorm(5, self.alpha, beta=0.75, k=2),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2, groups=self.groups),
            nn.ReLU(),
            nn.LocalResponseNorm(5, self.alpha, beta=0.75, k=2),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=self.groups),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=self.groups),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.head = nn.Sequential(
            nn.Dropout(0.5, self.inplace),
            nn.Linear(256 * 6 * 6, hidden),
            nn.ReLU(),
            nn.Dropout(0.5, self.inplace),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )
        start(self.features, ones=(4, 10, 12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).view(-1, 256 * 6 * 6))
        return x


class Repaired(Broken):
    """The same in two groups, with the paper's alpha in torch's terms, its start everywhere, no dropout in place."""

    alpha = 5e-4
    groups = 2
    inplace = False

    def __init__(self, classes: int = 1000, hidden: int = 4096) -> None:
        super().__init__(classes, hidden)
        start(self.head, ones=(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).flatten(1))
        return x


# Of the convolutions, layers 1 to 5, nothing.
START = (
    "of layers 1 to 8: weights of 6 not from N(0, 0.01), biases of 6 not 1, weights of 7 not from N(0, 0.01), "
    "biases of 7 not 1, weights of 8 not from N(0, 0.01), biases of 8 not 0"
)

bug = partial(Bug, document="003", snippet="AlexNet")

BUGS = [
    bug(
        name="it_trains",
        severity="bug",
        bug="A dropout in place overwrites the output of a ReLU, which autograd needs: backward raises in train mode.",
        holds="A step forward and backward runs in train mode.",
        property=trains_on(2, *SIZE),
        shows="RuntimeError: modified by an inplace operation",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("alexnet",),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="the_papers_alpha",
        severity="bug",
        bug="alpha is the paper's 0.0001, which torch divides by the size of the window; the paper does not, so that "
        "it is a fifth of what was meant.",
        holds="n = 5, alpha = 0.0001, beta = 0.75, k = 2, alpha a factor of the sum (NIPS 2012, section 3.3).",
        property=measures("lrn", [[5, 1e-4, 0.75, 2]], *SIZE),
        shows="lrn [[5, 2e-05, 0.75, 2]]",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("alexnet",),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="rows_are_images",
        severity="risk",
        bug="view(-1, 9216) mixes images: one of 224x224 has 6,400 features, so that one image crashes and 36 "
        "silently become 25 rows. flatten(1) keeps the batch.",
        holds="There are as many rows out as images in, or the size is refused.",
        property=keeps_the_batch(36, 3, 224, 224),
        shows="36 images of 3x224x224 in, 25 rows out",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("alexnet_owt",),
        original=lambda it: it.run().AlexNet(),
    ),
    bug(
        name="the_papers_start",
        severity="note",
        bug="Only the convolutions start as in the paper; the fully connected layers keep torch's start.",
        holds="Weights are from N(0, 0.01), the biases of layers 2, 4, 5, 6 and 7 are 1, and those of layers 1, 3 and "
        "8 are 0 (NIPS 2012, section 5).",
        property=starts_as_in_alexnets_paper,
        shows=START,
        specimen=lambda: Broken(10, hidden=64),
        repaired=lambda: Repaired(10, hidden=64),
        kept_by=("alexnet",),
        original=lambda it: it.run().AlexNet(10),
        on_meta=False,
    ),
    bug(
        name="two_groups",
        severity="note",
        bug="No convolution has groups.",
        holds="The second, fourth and fifth convolutions have two groups, one a GPU (NIPS 2012, section 3.5).",
        property=measures("groups", [1, 2, 1, 2, 2], *SIZE),
        shows="groups [1, 1, 1, 1, 1]",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("alexnet",),
        original=lambda it: it.run().AlexNet(),
    ),
]
