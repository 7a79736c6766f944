"""What is written down of torch's modules and functions, held against the torch that is installed."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch.nn import functional

from repro.audit.meaning.library import CONTAINERS, FUNCTIONS, LOSSES, MODULES


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_has_the_parameters_that_are_written_down(name: str) -> None:
    declared = list(inspect.signature(getattr(torch.nn, name)).parameters.values())
    if [each.name for each in declared] == [
        "args",
        "kwargs",
    ]:  # it has no __init__, or Identity's, which takes anything
        declared = []
    behind = MODULES[name].parameters[len(declared) :]  # what a later torch has added
    assert (*(each.name for each in declared), *behind) == MODULES[name].parameters
    assert set(behind) <= {"bias"}
    assert sum(each.default is each.empty for each in declared) == MODULES[name].required


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_one_of_torch(name: str) -> None:
    assert any(hasattr(place, name) for place in (torch, functional, torch.Tensor))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_loss_is_one_of_torch(name: str) -> None:
    assert hasattr(torch.nn, name) or hasattr(functional, name)
    assert (MODULES[name].kind if name in MODULES else FUNCTIONS[name]) == "loss"


def test_containers_are_modules_of_torch_without_an_operation_of_their_own() -> None:
    assert all(issubclass(getattr(torch.nn, name), torch.nn.Module) for name in CONTAINERS)
    assert not CONTAINERS & MODULES.keys()
