"""A pair: whose weights are compared, on what, and that each run is made once."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from repro.parity.check import check as all_checks
from repro.parity.convert import map_state_dict
from repro.parity.pair import SHARE, Pair, Plan, channels_last
from repro.result import Outcome
from tests.parity.conftest import SIZE, Check, MakeNetwork, MakePair, Net, Renamed, Strided


def test_given_weights_are_the_ones_compared_with(check: Check) -> None:
    torch.manual_seed(0)
    state = {key: tensor.detach().clone() for key, tensor in Net().state_dict().items()}
    assert check(Net, Renamed, state=state).unpassed == {}
    state["fc.bias"][1] = math.nan
    results = check(Net, Renamed, state=state)
    assert results.unpassed["forward.float64"] == "fail"
    assert not {"structure", "mapping"} & results.unpassed.keys()


def test_one_subject_serves_several_references_and_runs_once(network: MakeNetwork) -> None:
    subject, plan = network(Net), Plan((SIZE,), ((SIZE, 3),), (SIZE, 3))
    ours, seconds, structures = None, [], []
    for build in (Renamed, Strided, Net):
        pair = Pair(subject, network(build), plan, ours=ours)
        results = list(all_checks(pair))
        structures.append(results[0].outcome)
        assert {result.outcome for result in results[1:]} <= {results[0].outcome, Outcome.SKIP, Outcome.PASS}
        if ours is None:
            ours = pair.ours
            assert subject.stopwatch.seconds > 0
        seconds.append(subject.stopwatch.seconds)
    assert structures == [Outcome.PASS, Outcome.FAIL, Outcome.PASS]
    assert len(set(seconds)) == 1, "the subject has run again"


def test_a_tensor_in_no_state_dict_keeps_its_value(check: Check) -> None:
    class Hidden(Net):
        offset: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("offset", torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), persistent=False)

        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) + self.offset

    assert check(Hidden, Hidden).unpassed == {}


class Branches(nn.Module):
    """Two branches that are equal in eval mode, and a dropout in the second; at the width of `Net`."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc((self.one(x) + nn.functional.dropout(self.two(x), 0.3, self.training)).mean((2, 3)))


class Exchanged(Branches):
    def forward(self, x: torch.Tensor) -> Any:
        return self.fc((nn.functional.dropout(self.one(x), 0.3, self.training) + self.two(x)).mean((2, 3)))


@pytest.mark.parametrize("reference", [Branches, Exchanged])
def test_of_branches_that_are_equal_in_eval_mode_train_mode_tells_which_is_which(
    check: Check, reference: type[Branches]
) -> None:
    results = check(Branches, reference)
    assert results.unpassed == {}
    keys = results["mapping"].evidence["keys"]
    assert keys["two.weight"] == ("two.weight" if reference is Branches else "one.weight")


def test_weights_of_branches_that_are_equal_in_eval_mode_are_carried_over_by_train_mode() -> None:
    source, target = Branches(), Exchanged()
    found = map_state_dict(source, target, torch.zeros(3, *SIZE))
    assert torch.equal(found["one.weight"], source.two.weight)
    assert torch.equal(found["two.weight"], source.one.weight)


# --- runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_run_is_made_once_and_kept(pair: MakePair, dtype: torch.dtype) -> None:
    found = pair(Net, Renamed)
    for runs in (found.ours, found.theirs):
        if dtype is torch.float32:  # which follows the sides that float64 took
            assert runs.gradients(torch.float64)
            assert runs.trained(torch.float64, SIZE)
        made = runs.forwards(dtype), runs.gradients(dtype), runs.trained(dtype, SIZE)
        seconds = runs.network.stopwatch.seconds
        again = runs.forwards(dtype), runs.gradients(dtype), runs.trained(dtype, SIZE)
        assert all(one is other for one, other in zip(made, again, strict=True))
        assert runs.network.stopwatch.seconds == seconds


def test_the_order_of_the_runs_changes_nothing(pair: MakePair) -> None:
    one, other = pair(Net, Renamed).ours, pair(Net, Renamed).ours
    before = one.forwards(torch.float64), one.gradients(torch.float64)
    other.trained(torch.float64, SIZE)  # which changes weights and running statistics, of a copy
    after = other.forwards(torch.float64), other.gradients(torch.float64)
    assert all(torch.equal(a, b) for x, y in zip(before[0], after[0], strict=True) for a, b in zip(x, y, strict=True))
    assert before[1].parameters.keys() == after[1].parameters.keys()
    for key, gradient in before[1].parameters.items():
        expected = after[1].parameters[key]
        assert gradient is not None
        assert expected is not None
        assert torch.equal(gradient, expected), key


def test_a_step_moves_the_parameters_by_a_share_of_their_size(pair: MakePair) -> None:
    runs = pair(Net, Renamed).ours
    found = runs.trained(torch.float64, SIZE).state
    keys = [key for key, _ in Net().named_parameters()]
    before = torch.cat([runs.state(torch.float64)[key].flatten() for key in keys])
    after = torch.cat([found[key].flatten() for key in keys])
    share = float((after - before).norm() / before.norm())
    assert SHARE / 4 < share < SHARE * 4
    assert math.log2(runs.rate).is_integer()


class Picky(Net):
    """Has a head in training that needs more than 9 columns."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Conv2d(2, 2, (1, 10))

    def forward(self, x: torch.Tensor) -> Any:
        logits = self.fc(self.features(x))
        return (logits, self.aux(x).mean((2, 3))) if self.training else logits


def test_where_the_other_size_cannot_be_trained_on_the_first_is(network: MakeNetwork) -> None:
    sizes = (2, 12, 12), (2, 8, 8)
    pair = Pair(network(Picky, sizes[0]), network(Picky, sizes[0]), Plan(sizes, ((sizes[1], 1),), (sizes[1], 3)))
    assert pair.training_size == sizes[0]
    results = {result.check: result for result in all_checks(pair)}
    assert results["train.float64"].evidence["input"] == [3, *sizes[0]]
    assert {result.outcome for name, result in results.items() if name != "initialisation"} == {Outcome.PASS}
    assert Pair(network(Net), network(Net), Plan(sizes, (), (sizes[1], 3))).training_size == sizes[1]


# --- weights of the reference's own ------------------------------------------------------------------------------


@pytest.mark.control("values")
def test_another_value_in_the_references_own_weights_fails_the_values(check: Check) -> None:
    torch.manual_seed(0)
    state = {key: tensor.detach().clone() for key, tensor in Net().state_dict().items()}
    assert check(Net, Net, state=state, expected=dict(state)).unpassed == {}
    other = {**state, "fc.bias": state["fc.bias"] + torch.tensor([0, 0, 0, 1e-3, 0])}
    results = check(Net, Net, state=state, expected=other)
    assert {"structure", "mapping", "train.structure"} <= set(results.passed)
    assert results.unpassed["values"] == "fail"
    assert results["values"].message.startswith("fc.bias differs from the reference's fc.bias in 1 of 5 elements")


# --- other kernels -----------------------------------------------------------------------------------------------


def test_runs_again_are_in_channels_last(pair: MakePair) -> None:
    made = pair(Net, Renamed)
    weights = [x for x in made.ours.relaid.state(torch.float32).values() if x.ndim == 4]
    assert weights
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in weights)
    both = made.again(lambda ours, theirs: (ours.gradients(torch.float32), theirs.gradients(torch.float32)))
    assert both is not None
    usual = made.ours.gradients(torch.float32)
    assert both[0].parameters.keys() == usual.parameters.keys()
    for key, gradient in usual.parameters.items():
        assert gradient is not None
        torch.testing.assert_close(both[0].parameters[key], gradient, rtol=1e-3, atol=1e-4)
    assert made.ours.forwards(torch.float32), "the usual runs go on with their own weights"


def test_runs_that_take_turns_on_one_module_have_their_own_weights(pair: MakePair) -> None:
    made, alone = pair(Net, Renamed), pair(Net, Renamed)
    assert made.ours.relaid.network is made.ours.network
    made.ours.gradients(torch.float64)
    made.ours.relaid.forwards(torch.float32)
    for found, expected in zip(made.ours.forwards(torch.float64), alone.ours.forwards(torch.float64), strict=True):
        assert all(map(torch.equal, found, expected))


def test_weights_that_are_in_channels_last_are_run_again_in_order(pair: MakePair) -> None:
    torch.manual_seed(0)
    state = {key: channels_last(tensor.detach()) for key, tensor in Net().state_dict().items()}
    made = pair(Net, Renamed, state=state)
    again = made.ours.relaid.state(torch.float32)
    assert any(not x.is_contiguous() for x in made.ours.state(torch.float32).values())
    assert all(x.is_contiguous() for x in again.values())
    assert all(torch.equal(x, state[key]) for key, x in again.items())


def test_a_program_that_does_not_run_in_channels_last_is_not_run_again(pair: MakePair) -> None:
    made = pair(Net, Renamed)

    def refuse(*_: Any) -> None:
        raise RuntimeError("view size is not compatible")

    assert made.again(lambda ours, theirs: 1) == 1
    made.reference.module.register_forward_pre_hook(refuse)
    assert made.again(lambda ours, theirs: theirs.gradients(torch.float32)) is None
