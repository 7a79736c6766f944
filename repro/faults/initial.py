"""Faults of initialisation: what training starts from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from repro.faults._fault import INITIAL, Fault, Subject, kind

ENOUGH = 500  # elements: of fewer, the spread says little


def _started(key: str, change: Callable[[Tensor], object], detail: str) -> Fault:
    def start(network: nn.Module) -> None:
        with torch.no_grad():
            change(network.get_parameter(key))

    return Fault(path=key.rpartition(".")[0], key=key, modes=INITIAL, detail=detail, start=start)


def _weights(subject: Subject) -> Iterator[tuple[str, Tensor]]:
    for path, module in subject.modules_of_training(nn.Conv2d, nn.Linear):
        weight = module.get_parameter("weight")
        if weight.numel() >= ENOUGH:
            yield f"{path}.weight", weight


@kind("initial deviation")
def deviation(subject: Subject) -> Iterator[Fault]:
    """A variance taken for a deviation or back: VGG prints a variance of 0.01, most implementations have std=0.01."""
    for key, _ in _weights(subject):
        yield _started(key, lambda weight: weight.mul_(2), "twice the deviation")


@kind("initial fan")
def fan(subject: Subject) -> Iterator[Fault]:
    """fan_out for fan_in: torchvision's ResNets have the one, the paper the other."""
    for key, weight in _weights(subject):
        fan_in, fan_out = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
        if fan_in != fan_out:
            factor = math.sqrt(fan_in / fan_out)
            scaled = partial(Tensor.mul_, other=factor)
            yield _started(key, scaled, f"fan_in {fan_in} -> fan_out {fan_out}")


@kind("initial distribution")
def distribution(subject: Subject) -> Iterator[Fault]:
    """Uniform for normal or back, at the same deviation."""

    def other(weight: Tensor) -> None:
        spread = float(weight.std())
        kurtosis = float(((weight - weight.mean()) / spread).pow(4).mean())  # 1.8 of a uniform, 3 of a normal variable
        weight.normal_(0, spread) if kurtosis < 2.2 else weight.uniform_(-math.sqrt(3) * spread, math.sqrt(3) * spread)

    for key, _ in _weights(subject):
        yield _started(key, other, "another distribution of the same deviation")


@kind("initial weights zero")
def zero(subject: Subject) -> Iterator[Fault]:
    """A layer that starts at zero: all its units stay alike."""
    for key, _ in _weights(subject):
        yield _started(key, lambda weight: weight.zero_(), "zero")


@kind("initial default")
def default(subject: Subject) -> Iterator[Fault]:
    """torch's own initialisation left in one layer that an initialiser forgot, as one by isinstance does."""
    for key, _ in _weights(subject):
        initialise = lambda weight: nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        yield _started(key, initialise, "torch's default, uniform with deviation 1/sqrt(3 fan_in)")


@kind("initial weights equal")
def equal(subject: Subject) -> Iterator[Fault]:
    """Two layers that start with the same numbers: `[layer] * 2` copied, or a seed set twice."""
    run = list(_weights(subject))
    for index, (key, weight) in enumerate(run):
        source = next((name for name, earlier in run[:index] if earlier.shape == weight.shape), None)
        if source is not None:

            def start(network: nn.Module, key: str = key, source: str = source) -> None:
                with torch.no_grad():
                    network.get_parameter(key).copy_(network.get_parameter(source))

            yield Fault(path=key.rpartition(".")[0], key=key, modes=INITIAL, detail=f"those of {source}", start=start)


@kind("initial bias")
def bias(subject: Subject) -> Iterator[Fault]:
    """A constant bias of another value: Caffe's examples start at 0.1, 0.2 and 1."""
    for path, module in subject.modules_of_training(nn.Conv2d, nn.Linear):
        if module.bias is not None:
            yield _started(f"{path}.bias", lambda values: values.fill_(0.5), "0.5")


@kind("initial scale")
def scale(subject: Subject) -> Iterator[Fault]:
    """Zero for one or back: timm's ResNets start the last scale of a block at zero, torchvision's at one."""
    for path, norm in subject.modules_of_training(_BatchNorm, nn.GroupNorm):
        if getattr(norm, "weight", None) is not None:
            yield _started(f"{path}.weight", lambda values: values.neg_().add_(1), "1 - itself")
