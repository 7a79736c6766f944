"""Faults of the backward pass: the outputs are right, what is learnt from them is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from repro.faults._fault import GRADIENT, Fault, Subject, kind
from repro.faults._plant import Change, changing, rewiring
from repro.faults.joining import residuals

_FUNCTION_OF = {nn.Conv2d: ("conv2d", "convolution"), nn.Linear: ("linear", "addmm")}


def _layers(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """(path, function, operation) of the convolutions and linear layers that run once."""
    for path, module in subject.modules(nn.Conv2d, nn.Linear):
        function, op = _FUNCTION_OF.get(type(module), ("", ""))
        if op and subject.only(path, op):
            yield path, function, op


def _fault(key: str, detail: str) -> Fault:
    return Fault(path=key.rpartition(".")[0], key=key, modes=GRADIENT, detail=detail)


@kind("branch detached")
def detached(subject: Subject) -> Iterator[Fault]:
    """A stray detach(), or a tensor taken through .data or numpy: nothing above it learns from this branch."""
    for residual in residuals(subject):
        key = subject.nearest_parameter(subject.source(residual.node, residual.branch))
        if key:
            change = residual.changed(Tensor.detach)
            yield replace(_fault(key, "the residual is detached"), plant=changing(*residual.place, change))

    def first(call: Change, branches: Any, *rest: Any, **named: Any) -> Any:
        return call([branches[0].detach(), *branches[1:]], *rest, **named)

    for place, node in subject.operations("cat"):
        key = subject.nearest_parameter(subject.source(node))
        if key:
            yield replace(_fault(key, "the first branch is detached"), plant=changing(*place, first))


@kind("activation detached")
def activation_detached(subject: Subject) -> Iterator[Fault]:
    """The same in a network without branches: everything above stays as it started."""
    for place, node in subject.operations("relu", "sigmoid", "tanh"):
        key = subject.nearest_parameter(node)
        if key:
            change = lambda call, x, *rest, **named: call(x, *rest, **named).detach()
            yield replace(_fault(key, f"{node.op} is detached"), plant=changing(*place, change))


@kind("parameter frozen")
def frozen(subject: Subject) -> Iterator[Fault]:
    """requires_grad left off after fine-tuning."""
    for path, _, _ in _layers(subject):

        def plant(network: nn.Module, path: str = path) -> None:
            network.get_parameter(f"{path}.weight").requires_grad_(False)

        yield replace(_fault(f"{path}.weight", "requires_grad is off"), plant=plant)


@kind("gradient doubled")
def doubled(subject: Subject) -> Iterator[Fault]:
    """A hook that scales one parameter's gradient, or one that is registered twice."""

    def hooked(call: Change, x: Any, weight: Tensor, *rest: Any) -> Any:
        weight = weight.view_as(weight)
        if weight.requires_grad:
            weight.register_hook(lambda gradient: 2 * gradient)  # type: ignore[no-untyped-call]
        return call(x, weight, *rest)

    for path, function, _ in _layers(subject):
        yield replace(_fault(f"{path}.weight", "its gradient times 2"), plant=changing(path, function, 0, hooked))


@kind("gradient doubled from here up")
def doubled_above(subject: Subject) -> Iterator[Fault]:
    """A layer whose backward accumulates twice: all that lies above it learns twice as fast."""

    def hooked(forward: Change, x: Any) -> Any:
        y = forward(x)
        if y.requires_grad:
            y.register_hook(lambda gradient: 2 * gradient)
        return y

    for path, _, _ in _layers(subject):
        yield replace(_fault(f"{path}.weight", "the gradient of its output times 2"), plant=rewiring(path, hooked))


def _written_after(subject: Subject, change: Change, detail: str) -> Iterator[Fault]:
    """`change` for each layer whose input nothing else reads, so that writing into it later alters no output."""
    for path, function, op in _layers(subject):
        node = subject.places[path, op, 0]
        read = subject.source(node, 1 if op == "addmm" else 0)
        if read.op not in ("input", "view") and len(subject.consumers[read.origin]) == 1:
            yield replace(_fault(f"{path}.weight", detail), plant=changing(path, function, 0, change))


@kind("in-place write after use")
def written(subject: Subject) -> Iterator[Fault]:
    """A layer's input overwritten in place after the layer has kept it for backward: autograd raises."""

    def change(call: Change, x: Tensor, *rest: Any) -> Any:
        y = call(x, *rest)
        x.mul_(1)
        return y

    yield from _written_after(subject, change, "its input is written into, times 1; backward raises")


@kind("silent write after use")
def silently_written(subject: Subject) -> Iterator[Fault]:
    """The same through .data, which autograd does not see: the gradient is silently wrong."""

    def change(call: Change, x: Tensor, *rest: Any) -> Any:
        y = call(x, *rest)
        x.data.mul_(1.5)
        return y

    yield from _written_after(subject, change, "its input is written into through .data, times 1.5")
