"""What holds of a network in train mode; one run forward and backward, and one forward, serve all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from repro import fill
from repro.graph import is_random, labelled
from tests.properties._property import Group
from tests.properties._watching import Operations, dropouts_heard

TRAIN = Group["Train"]("train mode")

# Standard deviations that the share of zeroed elements may be off: a correct rate is, once in 1.7 million.
DEVIATIONS = 5


@dataclass(frozen=True)
class Dropped:
    """What one dropout did: the share of elements that it zeroed, of how many, and the factor on the others."""

    share: float
    elements: int
    factor: float

    @classmethod
    def of(cls, given: torch.Tensor, returned: torch.Tensor) -> Dropped:
        """Of the elements that were not zero before."""
        alive = given != 0
        kept = alive & (returned != 0)
        elements = int(alive.sum())
        factor = float((returned[kept] / given[kept]).median()) if bool(kept.any()) else math.nan
        return cls(1 - int(kept.sum()) / max(elements, 1), elements, factor)


@dataclass
class Train:
    """A network in train mode: run forward and backward on as few images as it takes, and forward on one more.

    dropouts  the rates that its source has, in the order in which they run
    """

    network: nn.Module
    images: torch.Tensor
    dropouts: Sequence[float]

    @cached_property
    def more(self) -> list[torch.Tensor]:
        """What it returns for all images, heads included."""
        with torch.no_grad():
            return self._run(self.images)

    @cached_property
    def fewest(self) -> Backward:
        """The run on one image less, forward and backward."""
        dropped: list[Dropped] = []

        def note(_: str, given: torch.Tensor, returned: torch.Tensor) -> None:
            dropped.append(Dropped.of(given, returned))

        self.network.zero_grad()
        with dropouts_heard(self.network, note), Operations(is_random) as draws:
            outputs = self._run(self.images[:-1])
        scalar = sum((x * fill.cotangent(0, i, x)).sum() for i, x in enumerate(outputs))
        assert isinstance(scalar, torch.Tensor)
        scalar.backward()  # type: ignore[no-untyped-call]
        return Backward([x.detach() for x in outputs], dropped, draws.count)

    def _run(self, images: torch.Tensor) -> list[torch.Tensor]:
        torch.manual_seed(0)
        self.network.train()
        try:
            return [value for _, value in labelled(self.network(images.clone()))]
        except (ValueError, RuntimeError) as error:
            raise AssertionError(f"a batch of {len(images)} cannot be trained on: {error}") from error
        finally:
            self.network.eval()


@dataclass(frozen=True)
class Backward:
    """What a run forward and backward did; each parameter has its gradient.

    draws  how often it drew from a generator
    """

    outputs: list[torch.Tensor]
    dropped: list[Dropped]
    draws: int


@TRAIN.states("it trains on one image and on more: every output has a finite row for each, and no two are the same")
def trains_on_any_batch(run: Train) -> None:
    for outputs, images in ((run.fewest.outputs, len(run.images) - 1), (run.more, len(run.images))):
        for output in outputs:
            assert len(output) == images, f"{images} images in, {len(output)} rows out"
            assert bool(output.isfinite().all()), "an output is not finite"
            distinct = len({tuple(row.flatten().tolist()) for row in output})
            assert distinct == images, f"{distinct} different rows of {images} images"


@TRAIN.states("every parameter gets a gradient that is finite and not all zeros")
def every_parameter_gets_a_gradient(run: Train) -> None:
    assert run.fewest.outputs
    for key, parameter in run.network.named_parameters():
        assert parameter.grad is not None, f"{key} gets no gradient"
        assert bool(parameter.grad.isfinite().all()), f"the gradient of {key} is not finite"
        assert bool(parameter.grad.any()), f"the gradient of {key} is zero"


@TRAIN.states(
    "dropouts are as many as the source has, each with its rate, and scale what they keep; nothing else is random"
)
def dropout_has_its_rate(run: Train) -> None:
    dropped = run.fewest.dropped
    assert len(dropped) == len(run.dropouts), f"{len(dropped)} dropouts, expected {len(run.dropouts)}"
    assert run.fewest.draws == len(run.dropouts), f"{run.fewest.draws} random draws, expected {len(run.dropouts)}"
    for index, (found, rate) in enumerate(zip(dropped, run.dropouts, strict=True)):
        deviation = math.sqrt(rate * (1 - rate) / max(found.elements, 1))
        told = f"dropout {index}: {found.share:.3f} of {found.elements} elements zeroed, expected {rate}"
        assert found.elements > 100, f"dropout {index}: {found.elements} elements are too few to see a rate"
        assert abs(found.share - rate) <= DEVIATIONS * deviation, told
        assert math.isclose(found.factor, 1 / (1 - rate), rel_tol=1e-5), f"dropout {index}: kept x {found.factor}"
