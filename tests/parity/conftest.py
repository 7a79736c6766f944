"""What the tests of the checks share: a network, the same in other words, and two checked against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from repro.parity import check as checks
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan
from repro.references import Size, Source
from repro.result import Outcome, Result

SIZE = (2, 8, 8)
OTHER = (2, 12, 9)

Build = Callable[[], nn.Module]
State = dict[str, torch.Tensor]


class Net(nn.Module):
    """The subject of most tests."""

    stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, self.stride, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 5)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        x = self.pool(x)
        return x.flatten(1)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.fc(self.features(x))
        return x


class Renamed(nn.Module):
    """The same network: other names, other order of definition, other words for the same operations."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 5)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding="same")
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(F.relu(self.norm(self.first(x)), inplace=True))
        x = self.head(x.mean(dim=(-2, -1)))
        return x


class Strided(Net):
    stride = 2


class Checked(dict[str, Result]):
    """The results of one pair by check."""

    @property
    def passed(self) -> list[str]:
        """The checks that passed."""
        return [name for name, result in self.items() if result.outcome is Outcome.PASS]

    @property
    def unpassed(self) -> dict[str, str]:
        """check -> outcome of the rest, but for `initialisation` where nothing is declared, as outside the catalog."""
        undeclared = self["initialisation"].message.startswith("nothing is declared")
        return {
            name: result.outcome.value
            for name, result in self.items()
            if name not in self.passed and not (name == "initialisation" and undeclared)
        }


def _network(build: Build, size: Size = SIZE, note: str = "") -> Network:
    return Network.of(Source(build.__name__, build, on_meta=False, note=note), size, Stopwatch())


def _pair(
    subject: Build,
    reference: Build,
    *sizes: Size,
    limit: tuple[Size, str] | None = None,
    state: State | None = None,
    expected: State | None = None,
) -> Pair:
    """Forwards on one and three images of each size, backward on three of the first."""
    sizes = sizes or (SIZE,)
    cases = tuple((size, batch) for size in sizes for batch in (1, 3))
    plan = Plan(sizes, cases, (sizes[0], 3), state=state, expected=expected)
    return Pair(_network(subject, sizes[0]), _network(reference, sizes[0]), plan, limit)


def _check(
    subject: Build,
    reference: Build,
    *sizes: Size,
    limit: tuple[Size, str] | None = None,
    state: State | None = None,
    expected: State | None = None,
) -> Checked:
    found = list(checks.check(_pair(subject, reference, *sizes, limit=limit, state=state, expected=expected)))
    assert [result.check for result in found] == [
        name for name in checks.CHECKS if name != "values" or expected is not None
    ]
    return Checked({result.check: result for result in found})


MakeNetwork = Callable[..., Network]
MakePair = Callable[..., Pair]
Check = Callable[..., Checked]


@pytest.fixture(scope="session")
def network() -> MakeNetwork:
    """(build, size, note) -> the network under examination."""
    return _network


@pytest.fixture(scope="session")
def pair() -> MakePair:
    """(subject, reference, *sizes) -> the pair, unchecked."""
    return _pair


@pytest.fixture(scope="session")
def check() -> Check:
    """(subject, reference, *sizes) -> the results by check."""
    return _check
