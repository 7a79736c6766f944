"""Faults of activations: missing, doubled, moved, another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch.nn.functional as F

from repro.faults._fault import Fault, Subject, kind
from repro.faults._plant import both, changing, skip
from repro.faults.joining import residuals

_ACTIVATIONS = ("relu", "sigmoid", "tanh", "silu", "gelu")


@kind("activation missing")
def missing(subject: Subject) -> Iterator[Fault]:
    """An activation forgotten; with weights still shaped alike, only the values tell."""
    for place, node in subject.operations(*_ACTIVATIONS):
        yield replace(subject.at(place, f"{node.op} left out"), plant=changing(*place, skip))


@kind("activation doubled")
def doubled(subject: Subject) -> Iterator[Fault]:
    """A ReLU after a block that ends in one: superfluous, and harmless."""
    for (path, op, occurrence), _ in subject.operations("relu"):
        yield replace(
            subject.at((path, op, occurrence + 1), "relu twice", side="actual"),
            equivalent="relu(relu(x)) is relu(x)",
            modes=frozenset(),
            plant=changing(path, op, occurrence, lambda call, x, *rest, **named: call(call(x, *rest, **named))),
        )


@kind("activation before the addition")
def before_addition(subject: Subject) -> Iterator[Fault]:
    """relu(residual) + x for relu(residual + x): no value of a block then ever falls (He et al. 2016, section 4.1)."""
    for residual in residuals(subject):
        path, op, occurrence = residual.place
        readers = subject.consumers[residual.node.origin]
        if len(readers) == 1 and readers[0].op == "relu":
            after = next(place for place, node in subject.operations("relu") if node is readers[0])
            early = changing(path, op, occurrence, residual.changed(F.relu))
            fault = subject.at(after, "moved before the addition, onto the residual")
            yield replace(fault, plant=both(early, changing(*after, skip)))


@kind("activation replaced")
def replaced(subject: Subject) -> Iterator[Fault]:
    """Another activation: leaky for plain ReLU, the hyperbolic tangent for the sigmoid and back."""
    others = {"relu": F.leaky_relu, "sigmoid": F.tanh, "tanh": F.sigmoid}
    for place, node in subject.operations(*others):
        other = others[node.op]
        fault = subject.at(place, f"{node.op} -> {other.__name__}")
        yield replace(fault, plant=changing(*place, lambda _, x, *__, other=other, **___: other(x)))
