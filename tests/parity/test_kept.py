"""Values kept for backward and written over: found whichever way, and nothing else taken for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from repro.parity.kept import overwritten

Write = Callable[[torch.Tensor], Any]

WRITES: dict[str, Write] = {
    "in place": lambda x: x.mul_(2),
    "in place, with the same values": lambda x: x.mul_(1),
    "through .data": lambda x: x.data.mul_(2),
    "of one element, through .data": lambda x: x.data.view(-1)[3].add_(1),
    "through detach": lambda x: x.detach().zero_(),
    "without gradients": lambda x: torch.no_grad()(x.zero_)(),
}


class Net(nn.Module):
    """Two layers with an activation, and what is done between and after them."""

    def __init__(
        self,
        activation: nn.Module | None = None,
        between: Write = lambda x: x,
        after: Write = lambda x: x,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.activation = activation or nn.Sigmoid()
        self.second = nn.Linear(4, 3)
        self.between, self.after = between, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.activation(self.first(x))
        self.between(x)
        y: torch.Tensor = self.second(x)
        self.after(x)
        return y


def images() -> torch.Tensor:
    return torch.linspace(-1, 1, 8).view(2, 4)


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_write_after_use_is_found_where_the_value_was_kept(write: Write) -> None:
    torch.manual_seed(0)
    network = Net(after=write)
    assert overwritten(network, images()) == ["activation", "second"]  # its output, and what the layer has read


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_only_who_kept_it_is_named(write: Write) -> None:
    torch.manual_seed(0)
    assert overwritten(Net(nn.GELU(), after=write), images()) == ["second"]  # backward of GELU reads its input
    assert overwritten(Net(between=write), images()) == ["activation"]  # before the second layer has read it


def test_a_value_that_the_root_keeps_is_the_roots() -> None:
    class Root(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            y = x * x
            x.data.zero_()
            return self.second(y)  # type: ignore[no-any-return]

    assert overwritten(Root(), images()) == [""]


def test_modules_are_named_in_their_order_and_once() -> None:
    network = nn.Sequential(Net(after=lambda x: x.data.zero_()), nn.Linear(3, 4), Net(after=lambda x: x.zero_()))
    assert overwritten(network, images()) == ["0.activation", "0.second", "2.activation", "2.second"]


CLEAN = {
    "nothing written": Net(),
    "activation in place": Net(nn.ReLU(inplace=True)),
    "what nobody kept": nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.ReLU(inplace=True), nn.Dropout(0.5)),
    "running statistics": nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Linear(4, 2)),
    "written before it is kept": nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Tanh()),
    "a layer that runs twice": nn.Sequential(*[nn.Linear(4, 4), nn.ReLU(inplace=True)] * 2),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("network", CLEAN.values(), ids=list(CLEAN))
def test_ordinary_networks_write_over_nothing(network: nn.Module, training: bool) -> None:
    network = network.train(training)
    assert overwritten(network, images()) == []
    network(images().requires_grad_()).sum().backward()  # as autograd finds


def test_the_input_is_left_as_it_is_and_no_gradient_with_it() -> None:
    network, x = Net(after=lambda x: x.data.zero_()), images()
    overwritten(network, x)
    assert torch.equal(x, images())
    assert not x.requires_grad
    assert [parameter.grad for parameter in network.parameters()] == [None] * 4
    with torch.no_grad():
        assert overwritten(network, x) == ["activation", "second"], "gradients are switched on where they are off"


def test_a_network_may_write_into_its_input() -> None:
    network = nn.Sequential(nn.ReLU(inplace=True), Net())
    assert overwritten(network, images()) == []


def test_a_value_that_is_not_a_number_is_not_written_over() -> None:
    network = Net()
    network.first.weight.data[0, 0] = torch.nan
    assert overwritten(network, images()) == []


def hooks() -> list[int]:
    from torch.nn.modules import module

    return [len(module._global_forward_pre_hooks), len(module._global_forward_hooks)]


class Failing(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        super().forward(x)
        raise ValueError("no luck")


@pytest.mark.parametrize("network", [Failing(), nn.Sequential(nn.Linear(4, 4), Failing())])
def test_nothing_stays_behind_when_a_forward_raises(network: nn.Module) -> None:
    before = hooks()
    with pytest.raises(ValueError, match="no luck"):
        overwritten(network, images())
    assert hooks() == before
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (x,), lambda packed: packed[0]):
        Net()(images()).sum().backward()  # the hooks on what is kept are others' again
    assert overwritten(Net(), images()) == []


def test_a_module_that_fails_and_is_caught_does_not_shift_the_names() -> None:
    class Trying(Net):
        def __init__(self) -> None:
            super().__init__(after=lambda x: x.data.zero_())
            self.failing = Failing()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                self.failing(x)
            except ValueError:
                x = x * 1
            return super().forward(x)

    assert overwritten(Trying(), images()) == ["activation", "second"]
    assert hooks() == [0, 0]
