"""The VGG that the documents mean, repaired: it is told by its arguments which of them."""

from __future__ import annotations

import torch
from torch import nn

# Convolutions in each of the five blocks, by the number in the name (arXiv:1409.1556, Table 1: A, B, D, E).
REPEATS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def convolutions(
    repeats: tuple[int, ...], channels: int, width: int, norm: bool = False, bias: bool = True
) -> nn.Sequential:
    """Five blocks of 3x3 convolutions, `width` filters in the first (64 in Table 1), a max pooling after each."""
    layers: list[nn.Module] = []
    for block, count in enumerate(repeats):
        for _ in range(count):
            filters = width * min(2**block, 8)
            layers.append(nn.Conv2d(channels, filters, 3, padding=1, bias=bias))
            layers += [nn.BatchNorm2d(filters), nn.ReLU()] if norm else [nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Logits of images of any size from 32x32 on; with `side` 1, of 32x32 only.

    side: of the last map, to which an average pooling brings every other size where it is 7. hidden: width of the first
    two fully connected layers.
    """

    def __init__(
        self,
        depth: int,
        classes: int = 1000,
        *,
        channels: int = 3,
        width: int = 64,
        hidden: int = 4096,
        side: int = 7,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.features = convolutions(REPEATS[depth], channels, width, norm)
        self.pool = nn.AdaptiveAvgPool2d(7) if side == 7 else nn.Identity()
        self.head = nn.Sequential(
            nn.Linear(8 * width * side * side, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(self.pool(self.features(x)).flatten(1))
        return x
