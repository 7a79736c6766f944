"""Where a failed check of numbers is said to begin to fail, and what is said when no place can be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from repro.errors import ReproError
from repro.parity import locate
from repro.parity.check import made
from repro.parity.locate import UNSEEN, located, written_over
from repro.parity.pair import Pair
from repro.result import Outcome, Result

if TYPE_CHECKING:
    from tests.parity.conftest import MakePair, State

SIZE = (2, 6, 6)
NUMBERS = ["forward.float64", "backward.float64", "train.float64"]


class Net(nn.Module):
    """The healthy network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.conv1(x).tanh())
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


class Hooked(Net):
    """A gradient that is doubled on its way."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x).tanh()
        if x.requires_grad:
            x.register_hook(lambda gradient: 2 * gradient)  # type: ignore[no-untyped-call]
        return self.fc(self.conv2(x).mean((2, 3)))  # type: ignore[no-any-return]


class Written(Net):
    """What a layer has kept is written over, unseen by autograd."""

    def written(self, x: torch.Tensor) -> None:
        x.data.mul_(1.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x) + 1
        y = self.conv2(x)
        self.written(x)
        return self.fc(y.mean((2, 3)))  # type: ignore[no-any-return]


class Clean(Written):
    def written(self, x: torch.Tensor) -> None: ...


class InPlace(Written):
    def written(self, x: torch.Tensor) -> None:
        x.mul_(1)


class InTraining(Written):
    def written(self, x: torch.Tensor) -> None:
        if self.training:
            super().written(x)


def state() -> State:
    torch.manual_seed(0)
    return {key: tensor.detach().clone() for key, tensor in Net().state_dict().items()}


@pytest.fixture
def wrong_weight(pair: MakePair) -> Pair:
    """One element of the second layer is not the reference's."""
    theirs = state()
    theirs["conv2.weight"] = theirs["conv2.weight"].clone()
    theirs["conv2.weight"][1, 2, 0, 0] += 1
    return pair(Net, Net, SIZE, state=state(), expected=theirs)


@pytest.mark.parametrize("check", NUMBERS)
def test_a_wrong_weight_is_in_the_message_and_in_the_evidence(wrong_weight: Pair, check: str) -> None:
    result = made(wrong_weight, check)
    assert result.outcome is Outcome.FAIL
    phase = "forward" if check.startswith("forward") else "backward"
    assert f". {phase} in float64 parts at convolution of conv2 (parity/test_locate.py:" in result.message
    assert "conv2.weight differs from the reference's conv2.weight in 1 of 144 elements" in result.message
    assert result.evidence["divergence"]["at"]["key"] == "conv2.weight"
    assert result.evidence["divergence"]["at"]["subject"]["module"] == "conv2"
    assert {"ratio", "tensor"} <= result.evidence.keys(), "what there was before is still there"


def test_the_precision_of_the_check_is_that_of_the_search(wrong_weight: Pair) -> None:
    failed = wrong_weight.result("forward.float32", Outcome.FAIL, "too far", {"ratio": 9.0})
    result = located(wrong_weight, failed)
    assert result.message.startswith("too far. forward in float32 parts at convolution of conv2 (")
    assert result.evidence["divergence"]["dtype"] == "float32"


def test_nobody_asks_for_the_place_and_none_is_looked_for(wrong_weight: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "divergence", lambda *_: pytest.fail("it was looked for"))
    result = made(wrong_weight, "forward.float64", placed=False)
    assert result.outcome is Outcome.FAIL
    assert "parts at" not in result.message
    assert "divergence" not in result.evidence


def test_what_no_graph_shows_is_told_as_unseen(pair: MakePair) -> None:
    found = pair(Hooked, Net, SIZE)
    assert made(found, "forward.float64").outcome is Outcome.PASS
    for check in ("backward.float64", "train.float64"):
        result = made(found, check)
        assert result.outcome is Outcome.FAIL
        assert result.message.endswith(UNSEEN)
        assert not {"divergence", "lost"} & result.evidence.keys()


@pytest.mark.parametrize("check", NUMBERS)
def test_nothing_is_added_to_a_pass(pair: MakePair, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    for name in ("divergence", "written_over"):
        monkeypatch.setattr(locate, name, lambda *_: pytest.fail("there is no place to look for"))
    result = made(pair(Net, Net, SIZE), check)
    assert result.outcome is Outcome.PASS
    assert located(pair(Net, Net, SIZE), result) is result


@pytest.mark.parametrize(
    ("check", "outcome", "evidence"),
    [
        ("structure", Outcome.FAIL, {}),
        ("mapping", Outcome.FAIL, {}),
        ("values", Outcome.FAIL, {}),
        ("train.structure", Outcome.FAIL, {}),
        ("initialisation", Outcome.FAIL, {}),
        ("backward.float64", Outcome.SKIP, {}),
        ("forward.float64", Outcome.ERROR, {}),
        ("backward.float64", Outcome.FAIL, {"missing": ["no gradient reaches 'fc.bias'"]}),  # it is told already
    ],
)
def test_what_has_no_place_or_says_it_already_is_left_alone(
    wrong_weight: Pair, check: str, outcome: Outcome, evidence: dict[str, Any]
) -> None:
    result = wrong_weight.result(check, outcome, "as it is", evidence)
    before = copy.deepcopy(result)
    assert located(wrong_weight, result) is result
    assert result == before


@pytest.mark.parametrize("network", [Written, InPlace])
@pytest.mark.parametrize("check", ["backward.float64", "train.float64"])
def test_a_value_that_is_written_over_is_told_with_its_layer(
    pair: MakePair, network: Callable[[], nn.Module], check: str
) -> None:
    ending = (
        ". A value that conv2 kept {} for backward is written over, in place or through .data, before backward comes "
        "to it"
    )
    for found, side in ((pair(network, Clean, SIZE), "here"), (pair(Clean, network, SIZE), "there")):
        result = made(found, check)
        assert result.outcome is Outcome.FAIL
        assert result.message.endswith(ending.format(side))
        assert result.evidence["lost"] == ["conv2"]


def test_a_value_that_is_written_over_in_training_only_is_told_as_that(pair: MakePair) -> None:
    found = pair(InTraining, Clean, SIZE)
    assert made(found, "backward.float64").outcome is Outcome.PASS
    assert "A value that conv2 kept here" in made(found, "train.float64").message


def test_nothing_is_written_over_in_ordinary_networks(pair: MakePair) -> None:
    assert written_over(pair(Clean, Clean, SIZE), training=False) is None
    assert written_over(pair(Hooked, Net, SIZE), training=True) is None


def test_runs_go_on_with_the_weights_they_had(pair: MakePair) -> None:
    found = pair(InTraining, Clean, SIZE)
    before = {key: tensor.clone() for key, tensor in found.ours.state(torch.float32).items()}
    written_over(found, training=True)
    assert all(torch.equal(before[key], tensor) for key, tensor in found.ours.state(torch.float32).items())
    assert not found.subject.module.training
    assert made(found, "forward.float32").outcome is Outcome.PASS


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_not_taken_for_written_over(pair: MakePair, value: float) -> None:
    theirs = state()
    theirs["conv1.weight"] = theirs["conv1.weight"].clone()
    theirs["conv1.weight"][0, 0, 0, 0] = value
    result = made(pair(Net, Net, SIZE, state=state(), expected=theirs), "backward.float64")
    assert result.outcome is Outcome.FAIL
    assert "written over" not in result.message


@pytest.mark.parametrize("check", ["backward.float64", "train.float64"])
def test_backward_finds_where_a_value_that_is_not_finite_comes_from(pair: MakePair, check: str) -> None:
    theirs = state()
    theirs["conv1.weight"] = theirs["conv1.weight"].clone()
    theirs["conv1.weight"][0, 0, 0, 0] = torch.nan
    result = made(pair(Net, Net, SIZE, state=state(), expected=theirs), check)
    assert result.evidence["divergence"]["at"]["key"] == "conv1.weight"


def test_a_place_that_cannot_be_found_is_no_error(wrong_weight: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Any:
        raise ReproError("there is no kernel for this")

    failed: Result = made(wrong_weight, "forward.float64", placed=False)
    monkeypatch.setattr(locate, "divergence", refuse)
    result = made(wrong_weight, "forward.float64")
    assert result.message == f"{failed.message}; the place could not be found: there is no kernel for this"
    assert (result.outcome, result.evidence) == (Outcome.FAIL, failed.evidence)
