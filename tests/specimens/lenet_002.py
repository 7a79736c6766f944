"""The LeNet of document 002: sigmoids and max pooling on 28x28 images, as its text says; and view(-1, 256)."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._properties import has_parameters, keeps_the_batch


def features() -> nn.Sequential:
    """Two 5x5 convolutions, each with a sigmoid and a max pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.MaxPool2d(2)
    )


def head() -> nn.Sequential:
    """The fully connected layers, for a last map of 4x4."""
    return nn.Sequential(
        nn.Linear(256, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)
    )  # fmt: skip


class Broken(nn.Module):
    """It takes 28x28; of images of another size it makes rows of 256 numbers where their numbers divide by that."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = features(), head()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).view(-1, 256))
        return x


class Repaired(Broken):
    """It takes 28x28 and refuses what has another last map."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.features(x).flatten(1))
        return x


# Proc. IEEE 86(11), Table I: the maps of S2 that each map of C3 reads, by how many they are.
THREE = "012 123 234 345 045 015".split()
FOUR = "0123 1234 2345 0345 0145 0125 0134 1245 0235".split()


def squashed(x: torch.Tensor) -> torch.Tensor:
    return 1.7159 * torch.tanh(2 / 3 * x)  # appendix A


class LeNet5(nn.Module):
    """The network of 1998 (section II.B), with trainable poolings and ten bitmaps that are not trained."""

    bitmaps: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.three = nn.Conv2d(18, 6, 5, groups=6)
        self.four = nn.Conv2d(36, 9, 5, groups=9)
        self.six = nn.Conv2d(6, 1, 5)
        self.scales = nn.ParameterList(torch.ones(maps, 1, 1) for maps in (6, 16))
        self.shifts = nn.ParameterList(torch.zeros(maps, 1, 1) for maps in (6, 16))
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.register_buffer("bitmaps", torch.ones(10, 84))

    def pooled(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        return squashed(self.scales[layer] * F.avg_pool2d(x, 2, divisor_override=1) + self.shifts[layer])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s2 = self.pooled(squashed(self.c1(x)), 0)
        maps = s2.chunk(6, 1)
        three, four = (torch.cat([maps[int(read)] for read in "".join(reads)], 1) for reads in (THREE, FOUR))
        c3 = squashed(torch.cat([self.three(three), self.four(four), self.six(s2)], 1))
        f6 = squashed(self.f6(squashed(self.c5(self.pooled(c3, 1))).flatten(1)))
        return (f6.unsqueeze(1) - self.bitmaps).square().sum(2)


bug = partial(Bug, document="002", snippet="LeNet")

BUGS = [
    bug(
        name="rows_are_images",
        severity="risk",
        bug="view(-1, 256) mixes images: one of 32x32 has 400 features, so that one image crashes and 16 silently "
        "become 25 rows. view(x.size(0), -1) or flatten(1) keeps the batch.",
        holds="There are as many rows out as images in, or the size is refused.",
        property=keeps_the_batch(16, 1, 32, 32),
        shows="16 images of 1x32x32 in, 25 rows out",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("lenet5",),
        original=lambda it: it.run().Net(),
    ),
    bug(
        name="the_parameters_of_lenet_5",
        severity="note",
        bug="The text calls it LeNet-5, and it is not that of the paper: C3 reads all maps, the poolings have no "
        "parameters and take maxima, the images are 28x28.",
        holds="LeNet-5 has 60,000 trainable parameters (Proc. IEEE 86(11), section II.B).",
        property=has_parameters(60_000),
        shows="44,426 parameters; 60,000 expected",
        specimen=Broken,
        repaired=LeNet5,
        kept_by=("lenet5",),
        original=lambda it: it.run().Net(),
    ),
]
