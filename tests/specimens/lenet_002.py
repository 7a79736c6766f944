"""The LeNet of document 002: sigmoids and max pooling on 28x28 images, as its text says; and view(-1, 256)."""

from __future__ import annotations

import torch
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
    """It takes 28x28; of any other size it makes rows of 256 numbers out of whatever there is."""

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


# Proc. IEEE 86(11), Table I: the maps of S2 that each map of C3 reads.
READ = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()


class LeNet5(nn.Module):
    """The network of 1998 as far as its parameters go, with logits where the paper has distances from bitmaps."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.ModuleList(nn.Conv2d(len(maps), 1, 5) for maps in READ)
        self.scales = nn.ParameterList(torch.ones(maps, 1, 1) for maps in (6, 16))
        self.shifts = nn.ParameterList(torch.zeros(maps, 1, 1) for maps in (6, 16))
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.bitmaps = nn.Buffer(torch.ones(10, 84))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s2 = torch.tanh(nn.functional.avg_pool2d(torch.tanh(self.c1(x)), 2) * self.scales[0] + self.shifts[0])
        c3 = torch.cat([conv(s2[:, [*map(int, maps)]]) for conv, maps in zip(self.c3, READ, strict=True)], 1)
        s4 = torch.tanh(nn.functional.avg_pool2d(torch.tanh(c3), 2) * self.scales[1] + self.shifts[1])
        f6 = torch.tanh(self.f6(torch.tanh(self.c5(s4)).flatten(1)))
        return f6 @ self.bitmaps.T


BUGS = [
    Bug(
        name="rows_are_images",
        document="002",
        snippet="LeNet",
        severity="risk",
        bug="view(-1, 256) makes rows of 256 numbers whatever the size of the image, so that images of 32x32 are "
        "cut up "
        "and their pieces joined.",
        holds="There are as many rows out as images in, or the size is refused.",
        property=keeps_the_batch(16, 1, 32, 32),
        shows="16 images of 1x32x32 in, 25 rows out",
        specimen=Broken,
        repaired=Repaired,
        kept_by=("lenet5",),
        original=lambda it: it.run().Net(),
    ),
    Bug(
        name="the_parameters_of_lenet_5",
        document="002",
        snippet="LeNet",
        severity="note",
        bug="The text calls it LeNet-5, and it is not that of the paper: C3 reads all maps, the poolings have no "
        "parameters "
        "and take maxima, the images are 28x28.",
        holds="LeNet-5 has 60,000 trainable parameters (Proc. IEEE 86(11), section II.B).",
        property=has_parameters(60_000),
        shows="44,426 parameters; 60,000 expected",
        specimen=Broken,
        repaired=LeNet5,
        kept_by=("lenet5",),
        original=lambda it: it.run().Net(),
    ),
]
