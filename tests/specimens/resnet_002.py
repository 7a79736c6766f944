"""The ResNet of document 002: its basic block swallows options. Its bottleneck is v1.5, says so, and is right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._originals import Original
from tests.specimens._properties import heeds


class Swallowing(nn.Module):
    """A block of two convolutions that takes every keyword there is, and reads none."""

    def __init__(self, channels: int, filters: int, stride: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + self.shortcut(x))


class Refusing(Swallowing):
    """The same block, which has one width and no groups, and says so (arXiv:1512.03385, Figure 5)."""

    def __init__(self, channels: int, filters: int, stride: int, groups: int, width_per_group: int) -> None:
        if groups != 1 or width_per_group != 64:
            raise ValueError(f"groups={groups}, width_per_group={width_per_group}: a block of two has 1 and 64")
        super().__init__(channels, filters, stride)


class Small(nn.Module):
    """Two stages of one block each; the options are the block's."""

    def __init__(self, block: Callable[..., nn.Module], groups: int = 1, width_per_group: int = 64) -> None:
        super().__init__()
        options = {"groups": groups, "width_per_group": width_per_group}
        self.stages = nn.Sequential(block(3, 8, 1, **options), block(8, 16, 2, **options))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.stages(x).mean((2, 3)))
        return x


def resnet18(it: Original) -> Callable[..., nn.Module]:
    """The document's ResNet of two blocks a stage, which is ResNet-18."""
    run = it.run()
    return lambda **options: run.ResNet(run.BasicBlock, [2, 2, 2, 2], **options)


OPTIONS = {"groups": 32, "width_per_group": 4}

bug = partial(Bug, document="002", snippet="ResNet")

BUGS = [
    bug(
        name="every_option_is_heeded",
        severity="bug",
        bug="BasicBlock's **kwargs swallow groups and width_per_group: ResNet-18 has 11,689,512 parameters whatever "
        "they are.",
        holds="Every option changes the network, or is refused.",
        property=heeds(3, 64, 64),
        shows="accepted and ignored: groups, width_per_group",
        specimen=lambda: (lambda **options: Small(Swallowing, **options), OPTIONS),
        repaired=lambda: (lambda **options: Small(Refusing, **options), OPTIONS),
        kept_by=("resnet18",),
        ours=lambda resnet18: (resnet18, {"num_classes": 10, "in_channels": 1}),  # the options that it has
        original=lambda it: (resnet18(it), OPTIONS),
    ),
]
