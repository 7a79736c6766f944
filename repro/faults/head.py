"""Faults between the last map and the outputs: flattening, the last layer, auxiliary heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from repro.faults._fault import TRAIN, Fault, Place, Subject, kind
from repro.faults._plant import Change, changing, rewiring, setting
from repro.graph import Node


def _last(subject: Subject) -> Iterator[str]:
    """The module that computes the logits, if it runs once."""
    node = subject.graph.node(subject.graph.returned[0])
    while node.op == "view":
        node = subject.source(node)
    module = subject.network.get_submodule(node.path)
    if node.path and not list(module.children()) and subject.only(node.path, node.op):
        yield node.path


@kind("softmax at the end")
def softmax(subject: Subject) -> Iterator[Fault]:
    """Probabilities where a loss wants logits: CrossEntropyLoss applies its own softmax, and learns slowly."""
    for path in _last(subject):
        fault = subject.at((path, "_softmax", 0), "logits -> probabilities", side="actual")
        yield replace(fault, plant=rewiring(path, lambda forward, x: forward(x).softmax(1)))


@kind("activation on the logits")
def activation(subject: Subject) -> Iterator[Fault]:
    """A ReLU after the last linear layer too: no logit can be negative."""
    for path in _last(subject):
        if (path, "addmm", 0) in subject.places:
            fault = subject.at((path, "relu", 0), "relu on the logits", side="actual")
            yield replace(fault, plant=rewiring(path, lambda forward, x: F.relu(forward(x))))


@kind("linear bias missing")
def bias_missing(subject: Subject) -> Iterator[Fault]:
    """A linear layer with `bias=False`. Takes a key away."""
    for path, linear in subject.modules_of_training(nn.Linear):
        if linear.bias is not None:
            yield replace(subject.at((path, "addmm", 0), "bias -> none"), plant=setting(path, bias=None))


def _flattened(subject: Subject) -> Iterator[tuple[Place, Node, int]]:
    """Where a map becomes rows: the place of the reshape, the map and which call of `flatten` it is."""
    seen: dict[str, int] = {}
    for place, node in subject.operations("view"):
        source = subject.source(node)
        if len(source.shape) == 4 and len(node.shape) == 2 and node.shape[0] == source.shape[0]:
            yield place, source, seen.setdefault(place[0], 0)
            seen[place[0]] += 1


def _before_flatten(subject: Subject, change: Any, op: str, detail: str, trivial: Any) -> Iterator[Fault]:
    for (path, _, _), source, occurrence in _flattened(subject):
        fault = subject.at((path, op, 0), detail, side="actual")
        reason = trivial(source.shape)
        if reason:
            fault = replace(fault, equivalent=reason, modes=frozenset())
        reshaped = lambda call, x, *rest, **named: call(change(x), *rest, **named)
        yield replace(fault, plant=changing(path, "flatten", occurrence, reshaped))


@kind("flatten order")
def flatten_order(subject: Subject) -> Iterator[Fault]:
    """Channels last before the first linear layer: TensorFlow's order, which its weights expect."""
    yield from _before_flatten(
        subject,
        lambda x: x.permute(0, 2, 3, 1),
        "permute",
        "channels first -> channels last",
        lambda shape: "the map is one pixel" if shape[2] * shape[3] == 1 else "",
    )


@kind("flatten transposed")
def flatten_transposed(subject: Subject) -> Iterator[Fault]:
    """Columns before rows: MATLAB's order."""
    yield from _before_flatten(
        subject,
        lambda x: x.transpose(2, 3),
        "transpose",
        "height and width exchanged",
        lambda shape: "the map is one pixel wide" if min(shape[2:]) == 1 else "",
    )


@kind("rows mixed")
def rows_mixed(subject: Subject) -> Iterator[Fault]:
    """A reshape that knows the sizes and not the order: view(-1, n) after a transpose makes rows of several images."""
    yield from _before_flatten(
        subject,
        lambda x: x.transpose(0, 1).reshape(x.shape),
        "transpose",
        "batch and channels exchanged before the reshape",
        lambda _: "",
    )


def _auxiliary(subject: Subject) -> Iterator[Place]:
    """The last operation of the first auxiliary output, that of train mode alone."""
    if subject.training is not None and len(subject.training.returned) > len(subject.graph.returned) == 1:
        node = subject.training.node(subject.training.returned[1])
        yield next(place for place, there in subject.training_places.items() if there is node)


@kind("auxiliary heads swapped")
def swapped(subject: Subject) -> Iterator[Fault]:
    """The outputs of two heads in each other's place: torchvision's GoogLeNet returns the later head first."""

    def exchanged(forward: Change, x: Tensor) -> Any:
        outputs = forward(x)
        return outputs if isinstance(outputs, Tensor) else type(outputs)(outputs[0], outputs[2], outputs[1])

    for place in _auxiliary(subject):
        assert subject.training is not None
        if len(subject.training.returned) == 3:
            fault = subject.at(place, "the two auxiliary outputs exchanged", modes=TRAIN)
            yield replace(fault, plant=rewiring("", exchanged))


@kind("auxiliary head missing")
def missing(subject: Subject) -> Iterator[Fault]:
    """Train mode that returns the logits alone: the heads are there and learn nothing."""

    def logits(forward: Change, x: Tensor) -> Any:
        outputs = forward(x)
        return outputs if isinstance(outputs, Tensor) else outputs[0]

    for place in _auxiliary(subject):
        yield replace(subject.at(place, "not returned", modes=TRAIN), plant=rewiring("", logits))
