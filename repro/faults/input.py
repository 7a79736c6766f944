"""Faults in front of the network: what its caller does to an image. The network expects normalised RGB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from repro.faults._fault import Fault, Subject, kind
from repro.faults._plant import rewiring

# Means and deviations of ImageNet as torchvision documents them; TensorFlow's Inception family has 0.5 for all.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _prepared(subject: Subject, prepare: Callable[[Tensor], Tensor], op: str, detail: str) -> Fault:
    fault = subject.at(("", op, 0), detail, side="actual")
    return replace(fault, plant=rewiring("", lambda forward, x: forward(prepare(x))))


def _channels(subject: Subject) -> int:
    shape = subject.graph.input_shapes[0]
    return shape[1] if len(shape) == 4 else 0


@kind("input BGR")
def bgr(subject: Subject) -> Iterator[Fault]:
    """Blue first, as OpenCV reads and Caffe expects."""
    if _channels(subject) == 3:
        yield _prepared(subject, lambda x: x.flip(1), "flip", "RGB -> BGR")


@kind("input normalisation")
def normalisation(subject: Subject) -> Iterator[Fault]:
    """An image normalised with 0.5 and 0.5 where the network expects ImageNet's constants, as one affine step."""

    def otherwise(x: Tensor) -> Tensor:
        mean, deviation = (torch.tensor(values).view(3, 1, 1).to(x) for values in (MEAN, DEVIATION))
        return (x * deviation + mean - 0.5) / 0.5

    if _channels(subject) == 3:
        yield _prepared(subject, otherwise, "mul", f"mean {MEAN} and deviation {DEVIATION} -> 0.5 and 0.5")


@kind("input scale")
def scale(subject: Subject) -> Iterator[Fault]:
    """Pixels from 0 to 255 where 0 to 1 is meant: ToTensor forgotten."""
    if _channels(subject):
        yield _prepared(subject, lambda x: x * 255, "mul", "times 255")


@kind("input transposed")
def transposed(subject: Subject) -> Iterator[Fault]:
    """Width before height, as PIL's size is written."""
    if _channels(subject):
        yield _prepared(subject, lambda x: x.transpose(2, 3), "transpose", "height and width exchanged")
