"""What rules about training loops ask of the events of a program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from repro.audit.meaning.library import MODULES
from repro.audit.meaning.parts import parts
from repro.audit.meaning.values import Event, Instance, Layer, Made, Op, Tensor

_OF_NETWORKS = frozenset({"train", "eval", "parameters"})
_SCHEDULERS = "torch.optim.lr_scheduler."


def is_optimizer(event: Event) -> bool:
    """Whether the owner of a method is an optimizer, known as one or called one."""
    if isinstance(event.owner, Made):
        return event.owner.kind.startswith("torch.optim.") and not is_scheduler(event)
    last = event.name.rpartition(".")[2].lower()
    return "opt" in last or last in ("sgd", "adam", "trainer")


def is_scheduler(event: Event) -> bool:
    """Whether the owner of a method sets the learning rate of an optimizer."""
    if isinstance(event.owner, Made) and event.owner.kind.startswith("torch.optim."):
        return event.owner.kind.startswith(_SCHEDULERS)
    return "sched" in event.name.lower()


def networks(events: list[Event]) -> set[Any]:
    """What stands for the networks: whose mode is set, or whose parameters are asked for."""
    return {event.key for event in events if event.kind in _OF_NETWORKS and event.name}


def training_loops(events: list[Event]) -> set[int]:
    """The ids of the loops that go backward in each round."""
    return {id(event.rounds[-1].loop) for event in events if event.kind == "backward" and event.rounds}


def evaluations(events: list[Event]) -> Iterator[Event]:
    """The calls of a network in a loop that does not train it."""
    known, training = networks(events), training_loops(events)
    for event in events:
        if event.kind == "call" and event.rounds and event.key in known:
            around = {id(each.loop) for each in event.rounds[-1:]}
            if not around & training:
                yield event


def mode(event: Event) -> bool | None:
    """Whether a call of `train` or `eval` sets train mode; None if that is not known."""
    call = event.node
    if event.kind == "eval":
        return False
    given = [*call.args, *(keyword.value for keyword in call.keywords)] if isinstance(call, ast.Call) else []
    if not given:
        return True
    return bool(given[0].value) if isinstance(given[0], ast.Constant) else None


def differs_by_mode(network: Any) -> bool | None:
    """Whether a network has a dropout or a batch normalisation; None if that is not known."""
    if isinstance(network, Made) and network.kind.startswith("torchvision.models."):
        return None if network.short.startswith("vit") else True  # all but those have either, or drop whole blocks
    if not isinstance(network, Instance | Layer):
        return None
    found = [part.short for part in parts(network) if isinstance(part, Layer) and part.short in MODULES]
    return any(short.startswith("BatchNorm") or MODULES[short].kind == "dropout" for short in found)


def loss_of(value: Any) -> Op | None:
    """The loss that a value is, or a multiple of it; None if it is not the result of one."""
    op = value.op if isinstance(value, Tensor) else value
    while isinstance(op, Op) and op.kind == "mul" and op.inputs:
        op = op.inputs[0]
    return op if isinstance(op, Op) and op.kind == "loss" else None
