"""Faults of dropout: its rate, its place, its mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import nn

from repro.faults._fault import EVAL, TRAIN, Fault, Place, Subject, kind
from repro.faults._plant import Change, both, changing, setting, skip
from repro.graph import Node


def _dropouts(subject: Subject) -> Iterator[tuple[Place, nn.Dropout, Node, Node]]:
    """The place of the draw in the graph of train mode, the module, its input and its result."""
    if subject.training is None:
        return
    nodes = subject.training.nodes
    modules = dict(subject.network.named_modules())
    for place, draw in subject.training_places.items():
        dropout = modules[place[0]]
        if draw.op == "bernoulli" and type(dropout) is nn.Dropout and dropout.p > 0:
            result = next(node for node in nodes[draw.origin :] if node.op == "mul" and node.path == draw.path)
            dropped = next(
                subject.training.node(edge) for edge in result.inputs if subject.training.node(edge).path != place[0]
            )
            yield place, dropout, dropped, result


@kind("dropout rate")
def rate(subject: Subject) -> Iterator[Fault]:
    """What is kept for what is dropped: the keep_prob of TensorFlow 1 is the other share."""
    for path in dict.fromkeys(place[0] for place, *_ in _dropouts(subject)):
        dropout = subject.network.get_submodule(path)
        assert isinstance(dropout, nn.Dropout)
        new = 0.2 if dropout.p == 0.5 else round(1 - dropout.p, 12)
        fault = subject.at((path, "bernoulli", 0), f"rate {dropout.p} -> {new}", modes=TRAIN)
        yield replace(fault, plant=setting(path, p=new))


@kind("dropout missing")
def missing(subject: Subject) -> Iterator[Fault]:
    """A dropout built and not called, or called on one of two layers."""
    for place, dropout, _, _ in _dropouts(subject):
        fault = subject.at(place, f"rate {dropout.p} -> none", modes=TRAIN)
        yield replace(fault, plant=changing(place[0], "dropout", place[2], skip))


@kind("dropout place")
def moved(subject: Subject) -> Iterator[Fault]:
    """After a layer for before it: torchvision's AlexNet has its dropouts elsewhere than the author's."""
    for place, dropout, _, result in _dropouts(subject):
        assert subject.training is not None
        after = next(
            (node for node in subject.training.nodes if node.op == "addmm" and _reads(subject, node, result)), None
        )
        if after is not None and (after.path, "addmm", 1) not in subject.training_places:
            fault = subject.at(place, f"moved behind {after.path}", modes=TRAIN)
            removed = changing(place[0], "dropout", place[2], skip)
            yield replace(fault, plant=both(removed, _late(after.path, dropout.p)))


def _late(path: str, p: float) -> Any:
    def plant(network: nn.Module) -> None:
        module = network.get_submodule(path)
        changing(path, "linear", 0, lambda call, *args: F.dropout(call(*args), p, module.training))(network)

    return plant


def _reads(subject: Subject, node: Node, source: Node) -> bool:
    """Whether a linear layer reads `source`, as it is or flattened."""
    assert subject.training is not None
    operand = subject.training.node(node.inputs[1])
    return operand is source or (operand.op == "view" and subject.training.node(operand.inputs[0]) is source)


@kind("dropout in eval mode")
def in_eval(subject: Subject) -> Iterator[Fault]:
    """F.dropout(x) without `training=self.training`, whose default is to drop, always."""

    def always(call: Change, x: Any, **rest: Any) -> Any:
        return call(x, **{**rest, "training": True})

    for place, _, _, _ in _dropouts(subject):
        path, op, occurrence = place
        yield Fault(
            path=path,
            op=op,
            side="actual",
            modes=EVAL,
            detail="drops in eval mode too",
            plant=changing(path, "dropout", occurrence, always),
        )


@kind("dropout of channels")
def of_channels(subject: Subject) -> Iterator[Fault]:
    """Dropout2d for Dropout on a map: whole channels go."""
    for place, dropout, dropped, _ in _dropouts(subject):
        if len(dropped.shape) == 4 and dropped.shape[2:] != (1, 1):
            fault = subject.at(place, f"elements -> channels, rate {dropout.p}", modes=TRAIN)
            by_channel = lambda _, x, p, training, **__: F.dropout2d(x, p, training)
            yield replace(fault, plant=changing(place[0], "dropout", place[2], by_channel))


@kind("dropout not rescaled")
def not_rescaled(subject: Subject) -> Iterator[Fault]:
    """The halves that are left not doubled, as in the paper, where it is testing that halves (AlexNet, section 4.2)."""
    for place, dropout, _, _ in _dropouts(subject):

        def unscaled(call: Change, x: Any, *, p: float, training: bool, **rest: Any) -> Any:
            y = call(x, p=p, training=training, **rest)
            return y * (1 - p) if training else y

        after = (place[0], "mul", place[2] + 1)  # each dropout before it, and this one, ends in a multiplication
        fault = subject.at(after, f"not divided by {1 - dropout.p:g}", side="actual", modes=TRAIN)
        yield replace(fault, plant=changing(place[0], "dropout", place[2], unscaled))
