"""The mechanism on random small networks: what must hold of it does, and is seen not to where a fault is planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import Phase, find, given, settings
from torch import Tensor, nn

from tests.properties._mechanism import PROPERTIES, Property, pair_of
from tests.properties._watching import Operations
from tests.strategies import (
    Activation,
    Altered,
    Blueprint,
    Changed,
    Concatenation,
    Convolution,
    Dropout,
    Head,
    Normalisation,
    Pooling,
    Residual,
    Size,
    Step,
    after,
    blueprints,
    plain,
    reworded,
    walk,
)

MAP, CARRIED, INVERTIBLE, CHECKS, REFLEXIVE, SYMMETRIC, STEP, FAULT, TENSOR, DIVERGENCE = PROPERTIES

EXAMPLES = settings().max_examples  # of the profile
some, few = settings(max_examples=EXAMPLES // 3), settings(max_examples=EXAMPLES // 6)


@some
@given(MAP.cases())
def test_two_styles_of_any_network_map(case: Blueprint) -> None:
    MAP.check(case)


@few
@given(CARRIED.cases())
def test_weights_that_are_carried_over_give_the_same_outputs(case: Blueprint) -> None:
    CARRIED.check(case)


@few
@given(INVERTIBLE.cases())
def test_the_key_map_is_invertible(case: Blueprint) -> None:
    INVERTIBLE.check(case)


@few
@given(CHECKS.cases())
def test_all_checks_pass_on_two_styles(case: Blueprint) -> None:
    CHECKS.check(case)


@few
@given(REFLEXIVE.cases())
def test_compare_is_reflexive(case: Blueprint) -> None:
    REFLEXIVE.check(case)


@few
@given(SYMMETRIC.cases())
def test_compare_is_symmetric(case: Blueprint | Changed | Altered) -> None:
    SYMMETRIC.check(case)


@few
@given(STEP.cases())
def test_an_operation_changed_at_a_step_is_reported_there(case: Changed) -> None:
    STEP.check(case)


@few
@given(FAULT.cases())
def test_a_fault_planted_in_a_layer_is_reported_there(case: tuple[Blueprint, int]) -> None:
    FAULT.check(case)


@few
@given(TENSOR.cases())
def test_a_changed_tensor_is_named(case: Altered) -> None:
    TENSOR.check(case)


@few
@given(DIVERGENCE.cases())
def test_a_changed_tensor_is_where_the_numbers_part(case: Altered) -> None:
    DIVERGENCE.check(case)


# What they are seen to fail on

SEARCH = settings(max_examples=200, database=None, phases=[Phase.generate])


@pytest.mark.parametrize("each", PROPERTIES, ids=lambda each: each.name)
def test_every_property_is_seen_to_fail_on_its_fault(each: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    def violated(case: Any) -> bool:
        """Only by the fault; where the property does not hold without it, the search ends with that."""
        with monkeypatch.context() as patch:
            each.plant(patch)
            try:
                each.check(case)
            except AssertionError:
                failed = True
            else:
                failed = False
        each.check(case)
        return failed

    find(each.cases(), violated, settings=SEARCH, random=Random(0))


def test_every_property_has_the_test_that_it_names() -> None:
    tests = [name for name in globals() if name.startswith("test_")]
    assert [each.test for each in PROPERTIES] == tests[: len(PROPERTIES)]


# What the networks are drawn for


def rounds_up(step: Pooling, size: Size) -> bool:
    return after(step, size) != after(replace(step, up=False), size)


FEATURES: dict[str, Callable[[Step, Size], bool]] = {
    "a convolution in groups": lambda step, _: isinstance(step, Convolution) and step.groups > 1,
    "an oblong kernel": lambda step, _: isinstance(step, Convolution) and step.kernel[0] != step.kernel[1],
    "a stride": lambda step, _: isinstance(step, Convolution) and step.stride > 1,
    "a bias": lambda step, _: isinstance(step, Convolution) and step.bias,
    "no bias": lambda step, _: isinstance(step, Convolution) and not step.bias,
    "a normalisation by the batch": lambda step, _: isinstance(step, Normalisation) and not step.groups,
    "a normalisation by groups": lambda step, _: isinstance(step, Normalisation) and step.groups > 1,
    "an activation": lambda step, _: isinstance(step, Activation),
    "a maximum": lambda step, _: isinstance(step, Pooling) and step.kind == "max",
    "an average": lambda step, _: isinstance(step, Pooling) and step.kind == "avg",
    "a pooling that rounds up": lambda step, size: isinstance(step, Pooling) and rounds_up(step, size),
    "dropped elements": lambda step, _: isinstance(step, Dropout) and not step.channels,
    "dropped channels": lambda step, _: isinstance(step, Dropout) and step.channels,
    "a shortcut": lambda step, _: isinstance(step, Residual) and not step.shortcut,
    "a projection": lambda step, _: isinstance(step, Residual) and bool(step.shortcut),
    "two branches": lambda step, _: isinstance(step, Concatenation) and len(step.branches) == 2,
    "three branches": lambda step, _: isinstance(step, Concatenation) and len(step.branches) == 3,
    "flattened maps": lambda step, _: isinstance(step, Head) and not step.average,
    "averaged maps": lambda step, _: isinstance(step, Head) and step.average,
    "hidden layers": lambda step, _: isinstance(step, Head) and bool(step.hidden),
}

# Of these networks, at least so many have each of them.
NETWORKS, FEW = 100, 5


@cache
def drawn() -> list[Blueprint]:
    """The same networks each time."""
    found: list[Blueprint] = []

    @settings(max_examples=NETWORKS, derandomize=True, database=None, phases=[Phase.generate])
    @given(blueprints())
    def collect(blueprint: Blueprint) -> None:
        found.append(blueprint)

    collect()
    return found


def test_the_networks_have_what_they_are_drawn_for() -> None:
    networks = drawn()
    seen: Counter[str] = Counter()
    for blueprint in networks:
        steps = [(step, size) for _, step, size in walk(blueprint)]
        seen.update(name for name, has in FEATURES.items() if any(has(step, size) for step, size in steps))
        seen["layers in another order"] += blueprint.order != tuple(sorted(blueprint.order))
        seen["several spellings"] += len(set(blueprint.spellings)) > 1
        seen["regrouped sums"] += blueprint.regrouped
        seen["six steps and more"] += len(steps) >= 6
    rare = {name: seen[name] for name in (*FEATURES, *seen) if seen[name] < FEW}
    assert not rare, f"of {len(networks)} networks"


def test_the_two_styles_are_two() -> None:
    moved = in_place = 0
    for blueprint in drawn()[: NETWORKS // 3]:
        found = pair_of(plain(blueprint), reworded(blueprint), blueprint.size)
        assert not set(found.subject.module.state_dict()) & set(found.reference.module.state_dict())
        moved += any(entry.steps for entry in found.keys.entries)
        in_place += written_over(found.reference.module, blueprint.size) > written_over(
            found.subject.module, blueprint.size
        )
    assert moved >= FEW
    assert in_place >= FEW


def written_over(module: nn.Module, size: Size) -> int:
    """How many operations of a run write over a tensor."""
    writes = Operations(lambda operation: operation._schema.is_mutable)
    with writes:
        module.eval()(torch.zeros(2, *size))
    return writes.count


def test_sizes_are_those_that_torch_computes() -> None:
    for blueprint in drawn():
        with torch.device("meta"):
            module = plain(blueprint)
        seen: dict[str, Size] = {}
        for path, _, _ in walk(blueprint):
            module.get_submodule(path).register_forward_pre_hook(partial(note, seen, path))
        module(torch.empty(2, *blueprint.size, device="meta"))
        assert seen == {path: size for path, _, size in walk(blueprint)}


def note(seen: dict[str, Any], path: str, _: nn.Module, inputs: tuple[Tensor]) -> None:
    seen[path] = tuple(inputs[0].shape[1:])
