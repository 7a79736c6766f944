"""Structure, in eval mode and in train mode: what is equal, what is not, and where that is said to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.parity.pair import Pair, Plan
from repro.parity.structure import structure, train_structure
from repro.result import Outcome
from tests.parity.conftest import OTHER, SIZE, Build, Check, MakeNetwork, Net, Renamed


@pytest.mark.control("structure")
def test_a_wrong_stride_fails_the_structure_at_both_module_paths_and_the_rest_is_skipped(check: Check) -> None:
    class WrittenHere(Net):
        def features(self, x: torch.Tensor) -> torch.Tensor:
            return self.pool(self.conv2(self.bn1(self.conv1(x)).relu())).flatten(1)  # type: ignore[no-any-return]

    class RenamedAndStrided(Renamed):
        def __init__(self) -> None:
            super().__init__()
            self.second = nn.Conv2d(4, 4, 3, 2, padding=1)

    results = check(WrittenHere, RenamedAndStrided)
    assert results.unpassed["structure"] == "fail"
    assert results.passed == []
    assert "convolution stride 1 here, 2 there" in results["structure"].message
    assert "different for 3x2x8x8" in results["structure"].message
    first = results["structure"].evidence["differences"][0]
    assert (first["subject"]["module"], first["reference"]["module"]) == ("conv2", "second")
    assert "test_structure.py:" in first["subject"]["line"]
    assert results["mapping"].message == "not made: the structures differ"


def test_a_size_at_which_two_networks_part_is_named(check: Check) -> None:
    class Average(Net):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool2d(8)  # type: ignore[assignment]

    assert check(Average, Net, SIZE).unpassed == {}
    results = check(Average, Net, SIZE, (2, 8, 15))
    assert results.unpassed["structure"] == "fail"
    assert results.passed == []
    assert results["structure"].message.startswith("equal for 3x2x8x8, but different for 3x2x8x15: ")


class Flat(nn.Module):
    """Keeps the rows of a batch apart."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.flatten(1))


class Mixed(Flat):
    """Of the same shapes, with rows made of several images: features first, the batch after them."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.transpose(0, 1).reshape(-1, 32))


class Torn(Flat):
    """The `view(-1, K)` of tutorials: on images of twice K elements, twice as many rows."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.view(-1, 32))


class Halves(Flat):
    """Two rows an image, and their mean: one row an image."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.view(-1, 2, 32)).mean(1)


def test_mixing_the_rows_of_a_batch_fails_the_structure(check: Check) -> None:
    assert check(Flat, Flat, (2, 4, 4)).unpassed == {}
    assert check(Mixed, Flat, (2, 4, 4))["structure"].outcome is Outcome.FAIL


def test_a_view_that_tears_rows_is_the_flattening_only_at_the_size_it_was_written_for(check: Check) -> None:
    assert check(Torn, Flat, (2, 4, 4)).unpassed == {}
    assert check(Torn, Halves, (2, 8, 4))["structure"].outcome is Outcome.FAIL
    assert check(Halves, Halves, (2, 8, 4)).unpassed == {}


def test_other_outputs_fail_the_structure(check: Check) -> None:
    class Twice(Net):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.fc(self.features(x))
            return x, x

    assert check(Twice, Net)["structure"].message.endswith(": 2 outputs here, 1 there")


def test_an_amendment_of_the_reference_is_told(network: MakeNetwork) -> None:
    amended = network(Net, note="with its stride moved")
    result = structure(Pair(network(Net), amended, Plan((SIZE,), (), (SIZE, 3))))
    assert result.evidence["amended"] == "with its stride moved"
    assert result.message.endswith(" (with its stride moved)")


def test_a_kernel_in_no_state_dict_is_compared(check: Check) -> None:
    class Blurred(nn.Module):
        kernel: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3)
            self.register_buffer(
                "kernel", torch.tensor([[0.25, 0.5], [0.0, 0.25]]).expand(2, 1, 2, 2), persistent=False
            )

        def forward(self, x: torch.Tensor) -> Any:
            return F.conv2d(self.conv(x), self.kernel, groups=2)

    class Sharpened(Blurred):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = self.kernel.flip(3)

    assert check(Blurred, Blurred).unpassed == {}
    assert check(Blurred, Sharpened)["structure"].outcome is Outcome.FAIL


def test_numbers_written_in_the_forward_are_compared(check: Check) -> None:
    class Shifted(Net):
        shifts: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)

        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) + torch.tensor(self.shifts, dtype=x.dtype)

    class ShiftedOtherwise(Shifted):
        shifts = (1.0, 2.0, 3.0, 4.0, 6.0)

    assert check(Shifted, Shifted).unpassed == {}
    assert check(Shifted, ShiftedOtherwise)["structure"].outcome is Outcome.FAIL


def test_tied_weights_are_compared(check: Check) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(2, 2, 3, padding=1) for _ in range(2))
            self.two.weight = self.one.weight

        def forward(self, x: torch.Tensor) -> Any:
            return self.two(self.one(x).relu())

    class Untied(Tied):
        def __init__(self) -> None:
            super().__init__()
            self.two = nn.Conv2d(2, 2, 3, padding=1)

    assert check(Tied, Tied).unpassed == {}
    assert check(Tied, Untied)["structure"].outcome is Outcome.FAIL


class Fixed(Net):
    """Equal to `Net` on 8x8 images only."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)  # type: ignore[assignment]


def test_a_declared_limit_is_checked_and_told(check: Check) -> None:
    results = check(Net, Fixed, limit=((2, 8, 15), "a fixed window"))
    assert results.unpassed == {}
    assert results["structure"].message.endswith("3x2x8x8; not for 3x2x8x15: a fixed window")
    stop = results["structure"].evidence["stops_at"]
    assert stop["input"] == [3, 2, 8, 15]
    assert stop["why"] == "a fixed window"
    assert stop["differences"]


def test_a_declared_limit_that_is_none_fails(check: Check) -> None:
    results = check(Net, Renamed, limit=(OTHER, "a fixed window"))
    assert results["structure"].outcome is Outcome.FAIL
    assert results["structure"].message.endswith(
        "; and for 3x2x12x9 too, where the catalog says it is not: a fixed window"
    )


# --- train mode --------------------------------------------------------------------------------------------------


class Trained(nn.Module):
    """A stem, two branches, dropout and an auxiliary head; each method is a place for a fault."""

    rate = 0.25
    momentum = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4, momentum=self.momentum)
        self.branch = nn.Conv2d(4, 4, 1)
        self.fc, self.aux = nn.Linear(4, 5), nn.Linear(4, 5)

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(x)
        return x

    def join(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.branch(x).tanh()
        return x

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.rate, self.training)

    def heads(self, x: torch.Tensor) -> Any:
        return (self.fc(self.drop(x)), self.aux(x)) if self.training else self.fc(x)

    def forward(self, x: torch.Tensor) -> Any:
        return self.heads(self.join(self.normed(self.conv(x)).relu()).mean((2, 3)))


class OtherRate(Trained):
    rate = 0.5


class NoDropout(Trained):
    def drop(self, x: torch.Tensor) -> torch.Tensor:
        return x


class DropoutOfChannels(Trained):
    def join(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout2d(super().join(x), self.rate, self.training)

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        return x


class DropoutAfterTheHead(Trained):
    def heads(self, x: torch.Tensor) -> Any:
        return (self.drop(self.fc(x)), self.aux(x)) if self.training else self.fc(x)


class DropoutInBothHeads(Trained):
    def heads(self, x: torch.Tensor) -> Any:
        return (self.fc(self.drop(x)), self.aux(self.drop(x))) if self.training else self.fc(x)


class OneDropoutForBothHeads(Trained):
    def heads(self, x: torch.Tensor) -> Any:
        dropped = self.drop(x)
        return (self.fc(dropped), self.aux(dropped)) if self.training else self.fc(x)


class OtherMomentum(Trained):
    momentum = 0.01


class Detached(Trained):
    def join(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.branch(x.detach() if self.training else x).tanh()
        return x


class AuxiliaryFirst(Trained):
    def heads(self, x: torch.Tensor) -> Any:
        return super().heads(x)[::-1] if self.training else super().heads(x)


class NoAuxiliary(Trained):
    def heads(self, x: torch.Tensor) -> Any:
        return self.fc(self.drop(x))


class StatisticsFrozen(Trained):
    """Normalises by the batch in training, and leaves its statistics as they were."""

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        mean, variance = self.bn.running_mean, self.bn.running_var
        assert mean is not None
        assert variance is not None
        if self.training:
            mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(x, mean, variance, self.bn.weight, self.bn.bias, self.training, self.momentum)


class StatisticsSwapped(Trained):
    """Keeps the mean where eval mode reads the variance, and the variance where it reads the mean."""

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        mean, variance = self.bn.running_mean, self.bn.running_var
        if self.training:
            mean, variance = variance, mean
        return F.batch_norm(x, mean, variance, self.bn.weight, self.bn.bias, self.training, self.momentum)


class NormedByTheRunningStatistics(Trained):
    """Evaluates its normalisation in training: what fine-tuning code does on purpose."""

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias)


@pytest.mark.control("train.structure")
@pytest.mark.parametrize(
    "wrong",
    [
        OtherRate,
        NoDropout,
        DropoutOfChannels,
        DropoutAfterTheHead,
        DropoutInBothHeads,
        OneDropoutForBothHeads,
        OtherMomentum,
        Detached,
        AuxiliaryFirst,
        NoAuxiliary,
        StatisticsFrozen,
        StatisticsSwapped,
        NormedByTheRunningStatistics,
    ],
)
def test_what_is_wrong_in_training_only_fails_there_only(check: Check, wrong: Build) -> None:
    for results in (check(wrong, Trained), check(Trained, wrong)):
        assert results.unpassed == {"train.structure": "fail", "train.float64": "skip", "train.float32": "skip"}
        assert results["train.structure"].message.startswith("different for 3x2x8x8: ")


def test_one_dropout_for_two_heads_is_not_one_for_each(check: Check) -> None:
    for one, other in ((DropoutInBothHeads, OneDropoutForBothHeads), (OneDropoutForBothHeads, DropoutInBothHeads)):
        assert check(one, other)["train.structure"].outcome is Outcome.FAIL
        assert check(one, one).unpassed == {}


def test_what_is_proved_of_training_is_said(check: Check) -> None:
    result = check(Trained, Trained)["train.structure"]
    assert result.message == "proved equal for every input of shape 3x2x8x8: 2 outputs, 3 buffers updated"
    assert result.evidence == {"proved_for": [[3, 2, 8, 8]], "outputs": 2, "updated": 3}
    assert check(Flat, Flat, (2, 4, 4))["train.structure"].message.endswith(": 1 output")


class ByHand(Trained):
    """The same in other words."""

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.empty_like(x).bernoulli_(1 - self.rate).div_(1 - self.rate) if self.training else x


class Fused(Trained):
    def drop(self, x: torch.Tensor) -> torch.Tensor:
        return torch.native_dropout(x, self.rate, self.training)[0]


@pytest.mark.parametrize("spelling", [ByHand, Fused])
def test_dropout_is_one_thing_however_it_is_spelled(check: Check, spelling: Build) -> None:
    assert check(spelling, Trained).unpassed == {}
    assert check(Trained, spelling).unpassed == {}


def test_the_difference_in_training_is_named(check: Check) -> None:
    assert "dropout p 0.5 here, 0.25 there" in check(OtherRate, Trained)["train.structure"].message
    assert "moving_average momentum 0.01 here, 0.1 there" in check(OtherMomentum, Trained)["train.structure"].message
    assert "stop" in check(Detached, Trained)["train.structure"].message


def test_a_difference_in_training_that_the_catalog_knows_is_no_failure(network: MakeNetwork) -> None:
    plan = Plan((SIZE,), (), (SIZE, 3))
    result = train_structure(Pair(network(NoDropout), network(Trained), plan, untrained="it has no dropout"))
    assert (result.outcome, result.message) == (Outcome.SKIP, "not claimed: it has no dropout")


@pytest.mark.control("train.structure")
def test_a_difference_in_training_that_is_none_fails(network: MakeNetwork) -> None:
    plan = Plan((SIZE,), (), (SIZE, 3))
    result = train_structure(Pair(network(Trained), network(ByHand), plan, untrained="it has no dropout"))
    assert result.outcome is Outcome.FAIL
    assert result.message == "equal for 3x2x8x8, where the catalog says it is not: it has no dropout"
