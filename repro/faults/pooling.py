"""Faults of poolings: what they take, where their windows lie, how they round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from repro.faults._fault import Fault, Place, Subject, kind
from repro.faults._plant import Change, rewiring, setting
from repro.graph import Node

_OPS = ("max_pool2d_with_indices", "avg_pool2d", "mean", "_adaptive_avg_pool2d", "adaptive_avg_pool2d")

Pooling = nn.MaxPool2d | nn.AvgPool2d


def _poolings(subject: Subject) -> Iterator[tuple[Place, Node, Pooling]]:
    """The windowed poolings that are modules, one module once."""
    for path, pool in subject.modules(nn.MaxPool2d, nn.AvgPool2d):
        for op in ("max_pool2d_with_indices", "avg_pool2d"):
            if (path, op, 0) in subject.places:
                yield (path, op, 0), subject.places[path, op, 0], pool


def _number(value: Any) -> int:
    """Of a size that is given once or for each side: all ours are square."""
    return int(value[0] if isinstance(value, tuple) else value)


@kind("pooling kind")
def pooling_kind(subject: Subject) -> Iterator[Fault]:
    """Maximum for average or back: tutorials give LeNet a max pooling; the global pooling is not always an average."""
    for path, pool in subject.modules_of_training(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d):
        if isinstance(pool, nn.AdaptiveAvgPool2d):
            change, detail = _global_maximum(pool.output_size), "average -> maximum"
        elif isinstance(pool, nn.MaxPool2d):
            change, detail = _average(pool), "maximum -> average"
        else:
            change, detail = _maximum(pool), "average -> maximum"
        operations = [
            place for place in (*subject.places, *subject.training_places) if place[0] == path and place[1] in _OPS
        ]
        node = subject.places.get(operations[0]) if operations else None
        if operations and (node is None or subject.source(node).shape[2:] != (1, 1)):
            yield replace(subject.at(operations[0], detail), plant=rewiring(path, change))


def _global_maximum(size: Any) -> Change:
    return lambda _, x: F.adaptive_max_pool2d(x, size)


def _average(pool: nn.MaxPool2d) -> Change:
    return lambda _, x: F.avg_pool2d(x, pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)


def _maximum(pool: nn.AvgPool2d) -> Change:
    return lambda _, x: F.max_pool2d(x, pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode)


@kind("pooling alignment")
def alignment(subject: Subject) -> Iterator[Fault]:
    """Every window one pixel off: TensorFlow and Caffe pad other sides than torch."""
    for (path, _, _), node, pool in _poolings(subject):
        if _number(pool.kernel_size) >= _number(pool.padding) + 2 and min(subject.source(node).shape[2:]) > 1:
            filler = float("-inf") if isinstance(pool, nn.MaxPool2d) else 0.0

            def shifted(forward: Change, x: Tensor, filler: float = filler) -> Any:
                return forward(F.pad(x, (1, -1, 1, -1), value=filler))

            fault = subject.at((path, "constant_pad_nd", 0), "windows moved up and left by one pixel", side="actual")
            yield replace(fault, plant=rewiring(path, shifted))


@kind("pooling padding")
def padding(subject: Subject) -> Iterator[Fault]:
    """Padding forgotten or added: cuda-convnet and Caffe round up instead, and ports pad to make up for it."""
    for place, _, pool in _poolings(subject):
        old = _number(pool.padding)
        new = 0 if old else 1
        if new <= _number(pool.kernel_size) // 2 and subject.resizable(place[0], place[1]):
            yield replace(subject.at(place, f"padding {old} -> {new}"), plant=setting(place[0], padding=new))


@kind("pooling stride")
def stride(subject: Subject) -> Iterator[Fault]:
    """Another stride: torch takes the kernel's size where none is given, other libraries take 1."""
    for place, _, pool in _poolings(subject):
        old = _number(pool.stride)
        new = 1 if old > 1 else 2
        if subject.resizable(place[0], place[1]):
            yield replace(subject.at(place, f"stride {old} -> {new}"), plant=setting(place[0], stride=new))


@kind("pooling window")
def window(subject: Subject) -> Iterator[Fault]:
    """2x2 for 3x3 or back at the same stride: overlapping pooling is AlexNet's, torchvision's GoogLeNet has both."""
    for place, _, pool in _poolings(subject):
        old = _number(pool.kernel_size)
        new = 3 if old == 2 else old - 1
        if new > 0 and _number(pool.padding) <= new // 2:
            deed = setting(place[0], kernel_size=new, stride=pool.stride)
            yield replace(subject.at(place, f"window {old} -> {new}"), plant=deed)


@kind("ceil_mode")
def ceil_mode(subject: Subject) -> Iterator[Fault]:
    """Sizes rounded down for up or back: Caffe and cuda-convnet round up. Nothing at sizes that divide."""
    for place, _, pool in _poolings(subject):
        path, op, _ = place
        sizes = [
            subject.source(node).shape[2:]
            for (where, name, _), node in subject.places.items()
            if (where, name) == (path, op)
        ]
        kernel, step, pad = (_number(value) for value in (pool.kernel_size, pool.stride, pool.padding))
        adds = any(
            _windows(n, kernel, step, pad, True) != _windows(n, kernel, step, pad, False) for s in sizes for n in s
        )
        fault = subject.at(place, f"ceil_mode {pool.ceil_mode} -> {not pool.ceil_mode}")
        if not adds:
            fault = replace(fault, equivalent="adds no window at this size", modes=frozenset())
        yield replace(fault, plant=setting(path, ceil_mode=not pool.ceil_mode))


def _windows(length: int, kernel: int, step: int, pad: int, up: bool) -> int:
    """How many windows fit; rounded up, none may start in the padding after the end (torch's rule)."""
    span = length + 2 * pad - kernel
    if not up:
        return span // step + 1
    count = -(-span // step) + 1
    return count - 1 if (count - 1) * step >= length + pad else count


@kind("count_include_pad")
def count_include_pad(subject: Subject) -> Iterator[Fault]:
    """Averages that count their padding: torch does and TensorFlow does not; torchvision's Inception-v3 differs so."""
    for place, _, pool in _poolings(subject):
        if isinstance(pool, nn.AvgPool2d) and pool.divisor_override is None:
            old = pool.count_include_pad
            fault = subject.at(place, f"count_include_pad {old} -> {not old}")
            if not _number(pool.padding):
                fault = replace(fault, equivalent="there is no padding to count", modes=frozenset())
            yield replace(fault, plant=setting(place[0], count_include_pad=not old))
