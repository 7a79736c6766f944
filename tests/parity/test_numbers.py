"""The sentence for the worst of several verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from repro.budget import Verdict, agree, judge
from repro.errors import ReproError
from repro.parity.numbers import judged
from repro.parity.pair import Pair
from repro.result import Outcome

if TYPE_CHECKING:
    from tests.parity.conftest import MakePair

TRUTH = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)  # its spread is 1


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.conv(x)


@pytest.fixture
def some(pair: MakePair) -> Pair:
    return pair(Net, Net)


def off(amount: float) -> Verdict:
    """A float64 result with its last element off by this share of the limit."""
    actual = TRUTH.clone()
    actual[1, 1] += amount * 1e-10
    return agree(actual, TRUTH)


def test_one_tensor_is_not_named(some: Pair) -> None:
    result = judged(some, "forward.float64", {"output 0": off(0.5)}, "value", {})
    assert result.outcome is Outcome.PASS
    assert result.message == "largest difference 5.0e-11 of the spread, 1e-10 allowed"
    assert result.evidence["ratio"] == pytest.approx(0.5, rel=1e-4)
    assert (result.evidence["tensor"], result.evidence["failed"]) == ("output 0", [])


def test_of_several_that_pass_the_worst_is_told(some: Pair) -> None:
    verdicts = {"a": off(0.1), "b": off(0.5), "c": off(0.3)}
    result = judged(some, "forward.float64", verdicts, "gradient", {"more": 1})
    assert result.outcome is Outcome.PASS
    assert result.message.startswith("3 tensors; largest difference 5.0e-11 of the spread")
    assert result.evidence["tensor"] == "b"
    assert result.evidence["more"] == 1


def test_one_that_fails_is_enough_and_is_named_with_its_values(some: Pair) -> None:
    result = judged(some, "backward.float64", {"a": off(0.1), "b": off(7)}, "gradient", {})
    assert result.outcome is Outcome.FAIL
    assert result.message.startswith("gradient of b: largest difference 7.0e-10 of the spread, 1e-10 allowed; worst at")
    assert "worst at index [1, 1]: actual 1" in result.message
    assert result.evidence["failed"] == ["b"]


def test_of_several_that_fail_the_first_is_told_and_not_the_worst(some: Pair) -> None:
    constant = agree(torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    result = judged(some, "backward.float64", {"a": off(0.1), "b": constant, "c": off(1e6)}, "gradient", {})
    assert result.outcome is Outcome.FAIL
    assert result.message.startswith("gradient of b: every element is about 0: a comparison of constants proves")
    assert "worst at index" not in result.message
    assert result.message.endswith("; the first of 2 that differ")
    assert result.evidence["failed"] == ["b", "c"]


def test_a_reference_that_is_further_off_is_said_to_be(some: Pair) -> None:
    actual, reference = TRUTH.float(), (TRUTH + 2.0**-10).float()
    verdict = judge(actual, reference, TRUTH)
    result = judged(some, "forward.float32", {"output 0": verdict}, "value", {})
    assert result.outcome is Outcome.FAIL
    assert "either way, and the reference is 8.19e+03 times as far as we are" in result.message
    passing = judged(some, "forward.float32", {"output 0": judge(reference, reference, TRUTH)}, "value", {})
    assert passing.message == "1.00 times the reference's own distance from float64 (9.8e-04 of the spread), 4 allowed"


def test_nothing_to_compare_is_an_error(some: Pair) -> None:
    with pytest.raises(ReproError, match="there is no gradient to compare"):
        judged(some, "backward.float64", {}, "gradient", {})


def test_a_zero_passes_and_says_no_large_number(some: Pair) -> None:
    noise = 1e-17 * torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    verdict = agree(-noise, noise, 1e8 * noise.float())
    assert verdict.zero
    assert judged(some, "backward.float64", {"bias": verdict, "a": off(0.5)}, "gradient", {}).evidence["tensor"] == "a"
