"""A small network, and a folder with its golden."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from repro.golden.golden import Golden
from repro.golden.making import make
from repro.references import Source

SIZE = (3, 12, 11)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.relu(self.norm(self.conv(x)))
        return x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.blocks = nn.Sequential(Block(), Block())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.pool(self.blocks(self.stem(x))).flatten(1))
        return x


def source(*changes: object, network: type[nn.Module] = Net) -> Source:
    """Where the network is to be had from, after changes to it."""

    def build() -> nn.Module:
        module = network()
        for change in changes:
            assert callable(change)
            change(module)
        return module

    return Source("net (Net)", build, on_meta=False)


@pytest.fixture(scope="session")
def golden() -> Golden:
    return make(source(), SIZE, "the first one", "a test")


@pytest.fixture
def folder(golden: Golden, tmp_path: Path) -> Path:
    golden.save(tmp_path / "golden", "net")
    return tmp_path / "golden"
