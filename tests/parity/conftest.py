"""What the tests of the checks share: two modules checked against each other, every check made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from repro.parity import check as checks
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan
from repro.references import Size, Source
from repro.result import Outcome, Result

SIZE = (2, 8, 8)

Build = Callable[[], nn.Module]
State = dict[str, torch.Tensor]


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
