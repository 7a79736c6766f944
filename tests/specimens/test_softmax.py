"""A softmax before cross entropy: the loss it starts from, the gradient, the least loss, and a short training."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from tests.specimens.softmax import LAGGING, LEARNT, WEAKER, least_loss, run


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_no_output_of_a_softmax_has_less_than_the_least_loss(classes: int) -> None:
    certain = F.one_hot(torch.tensor([0]), classes).double()  # all of it on the right class
    assert F.cross_entropy(certain, torch.tensor([0])).item() == pytest.approx(least_loss(classes))
    some = F.softmax(100 * torch.randn(1000, classes, dtype=torch.float64), dim=1)
    assert F.cross_entropy(some, some.argmax(1), reduction="none").min() >= least_loss(classes) - 1e-12


def test_both_start_at_the_loss_of_chance() -> None:
    assert run(softmax=False).first == pytest.approx(math.log(10), abs=0.05)
    assert run(softmax=True).first == pytest.approx(math.log(10), abs=0.05)


def test_the_gradient_is_weaker_by_far() -> None:
    assert run(softmax=False).gradient > WEAKER * run(softmax=True).gradient


def test_the_same_training_learns_without_it_and_lags_with_it() -> None:
    plain, doubled = run(softmax=False), run(softmax=True)
    assert plain.accuracy > LEARNT
    assert doubled.accuracy < LAGGING
    assert plain.last < least_loss(10) < doubled.last
