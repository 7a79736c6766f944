"""The line that made a module, and of a block that is wrong once, the line that calls it."""

from __future__ import annotations

import copy

import pytest

from repro.running.definitions import run
from repro.running.origins import followed, line_of, origins

TEXT = """\
import torch
from torch import nn
class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)
        self.norm = nn.BatchNorm2d(width)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = Unit(8)
        self.b = Unit(9)
        self.rest = nn.Sequential(*[Unit(8) for _ in range(2)])
net = Net()
"""


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[int, ...]]:
    with followed():
        defined = run(TEXT, "")
    assert not defined.failures
    return origins(copy.deepcopy(defined.get("net")))


@pytest.mark.parametrize(
    ("affected", "line"),
    [
        (["a.conv", "b.conv", "rest.0.conv", "rest.1.conv"], 6),
        (["b.conv"], 12),
        (["rest.0.conv", "rest.1.conv"], 13),
        (["a.conv", "b.conv"], 11),
        (["b.norm"], 12),
        (["nothing"], 0),
    ],
)
def test_the_line_is_the_innermost_that_made_only_these(
    made: dict[str, tuple[int, ...]], affected: list[str], line: int
) -> None:
    assert line_of(affected, made) == line


def test_modules_are_made_as_before_afterwards() -> None:
    with followed():
        pass
    made = run(TEXT, "")
    assert set(origins(made.get("net")).values()) == {()}
