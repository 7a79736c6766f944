"""Weights that each side brings: equal bit for bit, or told as somebody who ports them would want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from repro.mapping import MappingError
from repro.parity.values import values
from repro.result import Outcome, Result

if TYPE_CHECKING:
    from tests.parity.conftest import MakePair, State

SIZE = (4, 6, 6)


class Net(nn.Module):
    """Defined in another order than it is read, with three layers of one shape."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.third = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.first = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(x)).relu()
        x = self.third(self.second(x).relu())
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


class Renamed(nn.Module):
    """The same network under other names; a map of one pixel is read by a convolution in place of the linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.b = nn.BatchNorm2d(4)
        self.c = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.d = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.e = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.b(self.a(x)).relu()
        x = self.d(self.c(x).relu())
        return self.e(x.mean((2, 3), keepdim=True)).flatten(1)  # type: ignore[no-any-return]


NAMES = {"first": "a", "norm": "b", "second": "c", "third": "d", "fc": "e"}


def state() -> State:
    torch.manual_seed(0)
    found = {key: torch.randn_like(x) if x.is_floating_point() else x for key, x in Net().state_dict().items()}
    return {key: x.abs() if key.endswith("var") else x for key, x in found.items()}


def renamed(ours: State) -> State:
    """Our weights as the other network has them."""
    found = {f"{NAMES[key.partition('.')[0]]}.{key.partition('.')[2]}": x.clone() for key, x in ours.items()}
    return {**found, "e.weight": found["e.weight"][:, :, None, None]}


def told(pair: MakePair, theirs: State, ours: State | None = None) -> Result:
    return values(pair(Net, Net, SIZE, state=state() if ours is None else ours, expected=theirs))


def differing(result: Result) -> dict[str, str]:
    """What is said of each key that differs, in that order."""
    assert result.check == "values"
    assert result.outcome is Outcome.FAIL
    found: dict[str, Any] = result.evidence["different"]
    key, how = next(iter(found.items()))
    assert result.message.startswith(f"{key} {how['how']}")
    more = f"; the first that the network reads of {len(found)} that differ" if len(found) > 1 else ""
    assert result.message.endswith(how["how"] + more)
    return {key: each["how"] for key, each in found.items()}


def test_equal_weights_pass(pair: MakePair) -> None:
    result = told(pair, state())
    assert (result.outcome, result.message) == (Outcome.PASS, "10 tensors are equal in every element")


def test_equal_weights_under_other_names_and_in_another_shape_pass(pair: MakePair) -> None:
    result = values(pair(Net, Renamed, SIZE, state=state(), expected=renamed(state())))
    assert (result.outcome, result.message) == (Outcome.PASS, "10 tensors are equal in every element")


@pytest.mark.control("values")
def test_one_element_is_told_with_its_place_and_both_values(pair: MakePair) -> None:
    theirs = state()
    theirs["second.weight"] = theirs["second.weight"].clone()
    theirs["second.weight"][1, 2, 0, 1] = 7.5
    theirs["second.weight"][0, 0, 0, 0] += 1e-6
    actual = float(state()["second.weight"][1, 2, 0, 1])
    assert differing(told(pair, theirs)) == {
        "second.weight": "differs from the reference's second.weight in 2 of 144 elements, most at [1, 2, 0, 1]: "
        f"actual {actual:.9g}, expected 7.5"
    }


@pytest.mark.control("values")
@pytest.mark.parametrize("key", ["first.weight", "norm.bias", "norm.running_mean", "fc.bias"])
def test_the_last_bit_of_any_tensor_counts(pair: MakePair, key: str) -> None:
    theirs = state()
    flat = theirs[key].clone().view(-1)
    flat[-1] = torch.nextafter(flat[-1], torch.tensor(torch.inf))
    theirs[key] = flat.view(theirs[key].shape)
    how = differing(told(pair, theirs))
    assert how.keys() == {key}
    assert " in 1 of " in how[key]


@pytest.mark.control("values")
def test_a_counter_counts(pair: MakePair) -> None:
    theirs = {**state(), "norm.num_batches_tracked": torch.tensor(3)}
    how = differing(told(pair, theirs))["norm.num_batches_tracked"]
    assert how.endswith("in 1 of 1 elements, most at []: actual 0, expected 3")


@pytest.mark.control("values")
def test_swapped_tensors_are_both_named(pair: MakePair) -> None:
    theirs = state()
    theirs["first.weight"], theirs["third.weight"] = theirs["third.weight"], theirs["first.weight"]
    assert differing(told(pair, theirs)) == {
        one: f"and {other} are swapped: each holds what the reference has in place of the other"
        for one, other in (("first.weight", "third.weight"), ("third.weight", "first.weight"))
    }


@pytest.mark.control("values")
def test_a_tensor_that_stands_twice_is_told_and_not_as_swapped(pair: MakePair) -> None:
    ours = state()
    ours["first.weight"] = ours["third.weight"].clone()
    found = differing(told(pair, state(), ours))
    assert found == {"first.weight": "holds the values of the reference's third.weight"}


@pytest.mark.control("values")
def test_three_tensors_in_a_circle_are_not_swapped(pair: MakePair) -> None:
    ours, keys = state(), ["first.weight", "second.weight", "third.weight"]
    ours.update(zip(keys, [state()[key] for key in (keys[1], keys[2], keys[0])], strict=True))
    found = differing(told(pair, state(), ours))
    assert [text.removeprefix("holds the values of the reference's ") for text in found.values()] == [
        *keys[1:],
        keys[0],
    ]


@pytest.mark.control("values")
@pytest.mark.parametrize(
    ("key", "dimensions"), [("fc.weight", (0, 1)), ("first.weight", (0, 1)), ("first.weight", (2, 3))]
)
def test_exchanged_dimensions_are_told(pair: MakePair, key: str, dimensions: tuple[int, int]) -> None:
    ours = state()
    ours[key] = ours[key].transpose(*dimensions).contiguous()
    one, other = dimensions
    assert differing(told(pair, state(), ours)) == {
        key: f"is the reference's {key} with dimensions {one} and {other} exchanged"
    }


@pytest.mark.control("values")
@pytest.mark.parametrize(
    ("key", "dimensions"), [("first.weight", (2, 3)), ("first.weight", (1,)), ("fc.bias", (0,)), ("fc.weight", (0, 1))]
)
def test_flipped_dimensions_are_told(pair: MakePair, key: str, dimensions: tuple[int, ...]) -> None:
    ours = state()
    ours[key] = ours[key].flip(dimensions)
    along = " and ".join(map(str, dimensions))
    assert differing(told(pair, state(), ours)) == {key: f"is the reference's {key} flipped along dimension {along}"}


@pytest.mark.control("values")
def test_scaled_weights_are_told_by_their_worst_element(pair: MakePair) -> None:
    theirs = {**state(), "fc.weight": state()["fc.weight"] * 2}
    worst = int(theirs["fc.weight"].abs().argmax())
    how = differing(told(pair, theirs))["fc.weight"]
    assert f"in 16 of 16 elements, most at [{worst // 4}, {worst % 4}]" in how


@pytest.mark.control("values")
def test_the_first_is_the_first_that_the_network_reads(pair: MakePair) -> None:
    theirs = {key: x + 1 if key.endswith(("weight", "bias")) else x for key, x in state().items()}
    order = list(differing(told(pair, theirs)))
    assert [key for key in order if "norm" not in key] == [
        "first.weight",
        "second.weight",
        "third.weight",
        *[key for key in order if key.startswith("fc.")],
    ]
    assert order[0] == "first.weight"
    assert {*order[1:3]} == {"norm.weight", "norm.bias"}


@pytest.mark.control("values")
def test_another_name_is_told_of_the_reference_and_ours_of_us(pair: MakePair) -> None:
    theirs = renamed(state())
    theirs["e.weight"], theirs["a.weight"] = theirs["e.weight"].clone(), theirs["c.weight"]
    theirs["e.weight"][3, 1] += 1
    result = values(pair(Net, Renamed, SIZE, state=state(), expected=theirs))
    found = differing(result)
    assert list(found) == ["first.weight", "fc.weight"]
    assert found["fc.weight"].startswith("differs from the reference's e.weight in 1 of 16 elements, most at [3, 1, 0")
    assert found["first.weight"].startswith("differs from the reference's a.weight in 144 of 144 elements")
    assert [each["reference"] for each in result.evidence["different"].values()] == ["a.weight", "e.weight"]


@pytest.mark.control("values")
def test_what_is_not_a_number_equals_nothing(pair: MakePair) -> None:
    both = {**state(), "fc.bias": torch.tensor([1.0, torch.nan, 3.0, 4.0])}
    how = differing(told(pair, {key: x.clone() for key, x in both.items()}, both))["fc.bias"]
    assert "in 1 of 4 elements, most at [1]: actual nan, expected nan" in how


@pytest.mark.control("values")
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_value_that_is_not_finite_on_one_side_is_the_worst(pair: MakePair, value: float) -> None:
    theirs = {**state(), "fc.bias": state()["fc.bias"] + torch.tensor([9.0, 0.0, 0.0, 0.0])}
    ours = {**state(), "fc.bias": state()["fc.bias"] + torch.tensor([0.0, 0.0, value, 0.0])}
    how = differing(told(pair, theirs, ours))["fc.bias"]
    assert f"in 2 of 4 elements, most at [2]: actual {value}, expected " in how


def test_infinity_on_both_sides_is_no_difference(pair: MakePair) -> None:
    ours = {**state(), "fc.bias": torch.tensor([1.0, torch.inf, 3.0, 4.0])}
    theirs = {**state(), "fc.bias": torch.tensor([1.0, torch.inf, 3.0, 5.0])}
    assert "in 1 of 4 elements, most at [3]" in differing(told(pair, theirs, ours))["fc.bias"]


@pytest.mark.control("values")
def test_a_constant_is_nobodys(pair: MakePair) -> None:
    theirs = {**state(), "fc.bias": torch.zeros(4)}
    ours = {**theirs, "norm.weight": torch.zeros(4)}
    assert "fc.bias" not in differing(told(pair, theirs, ours))["norm.weight"]


def test_another_shape_is_refused_before_values_are_compared(pair: MakePair) -> None:
    ours = {**state(), "fc.bias": torch.zeros(5)}
    with pytest.raises(MappingError, match=r"fc.bias has shape \(5,\); the map expects \(4,\)"):
        told(pair, state(), ours)
