"""Faults of convolutions: their constants, their alignment, their bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import nn

from repro.faults._fault import Fault, Subject, kind
from repro.faults._plant import Change, Deed, both, changing, rewiring, setting

Pair = tuple[int, int]


def _convolutions(subject: Subject) -> Iterator[tuple[str, nn.Conv2d, tuple[int, ...]]]:
    """Plain convolutions with their input's shape; not those on maps of one pixel, where most of this is nothing."""
    for path, conv in subject.modules(nn.Conv2d):
        shape = subject.source(subject.places[path, "convolution", 0]).shape
        if type(conv) is nn.Conv2d and not isinstance(conv.padding, str) and min(shape[2:]) > 1:
            yield path, conv, shape


def _rebuilt(path: str, **changes: Any) -> Deed:
    """Replace a convolution by one built with other arguments; its weight has another shape then."""

    def plant(network: nn.Module) -> None:
        conv = network.get_submodule(path)
        assert isinstance(conv, nn.Conv2d)
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
        arguments = {name: getattr(conv, name) for name in names} | {"bias": conv.bias is not None} | changes
        network.set_submodule(path, nn.Conv2d(**arguments, device=conv.weight.device, dtype=conv.weight.dtype))

    return plant


@kind("convolution stride")
def stride(subject: Subject) -> Iterator[Fault]:
    """A stride of 2 forgotten, or one too many; small-image ResNets drop that of the first layer on purpose."""
    for path, conv, _ in _convolutions(subject):
        new = (1, 1) if max(conv.stride) > 1 else (2, 2)
        one_pixel = subject.places[path, "convolution", 0].shape[2:] == (1, 1)
        if not one_pixel and subject.resizable(path, "convolution"):
            fault = subject.at((path, "convolution", 0), f"stride {conv.stride} -> {new}")
            yield replace(fault, plant=setting(path, stride=new))


@kind("stride moved")
def stride_moved(subject: Subject) -> Iterator[Fault]:
    """The stride of a block in another of its convolutions: ResNet v1 against v1.5 (torchvision, NVIDIA)."""
    run = [found for found in _convolutions(subject) if subject.only(found[0], "convolution")]
    for (path, conv, _), (other, following, _) in pairwise(run):
        if conv.stride != following.stride and path.rpartition(".")[0] == other.rpartition(".")[0]:
            detail = f"stride {conv.stride} -> {following.stride}, exchanged with {other}"
            deed = both(setting(path, stride=following.stride), setting(other, stride=conv.stride))
            yield replace(subject.at((path, "convolution", 0), detail), plant=deed)


@kind("convolution padding")
def padding(subject: Subject) -> Iterator[Fault]:
    """Padding forgotten or added; AlexNet has 2 in its first layer in torchvision and none in the paper."""
    for path, conv, _ in _convolutions(subject):
        assert isinstance(conv.padding, tuple)
        new = (conv.padding[0] - 1, conv.padding[1] - 1) if min(conv.padding) > 0 else (1, 1)
        if subject.resizable(path, "convolution"):
            fault = subject.at((path, "convolution", 0), f"padding {conv.padding} -> {new}")
            yield replace(fault, plant=setting(path, padding=new))


@kind("convolution alignment")
def alignment(subject: Subject) -> Iterator[Fault]:
    """The padding of one side on the other: "SAME" in TensorFlow pads an even total below and to the right."""
    for path, conv, _ in _convolutions(subject):
        assert isinstance(conv.padding, tuple)
        height, width = conv.padding
        if height and width and conv.padding_mode == "zeros":

            def shifted(call: Change, x: Any, *rest: Any, height: int = height, width: int = width) -> Any:
                weight, bias, stride, _, *others = rest
                x = F.pad(x, (width - 1, width + 1, height - 1, height + 1))
                return call(x, weight, bias, stride, (0, 0), *others)

            fault = subject.at(
                (path, "convolution", 0), f"padding {conv.padding} all round -> one less before, one more after"
            )
            yield replace(fault, plant=changing(path, "conv2d", 0, shifted))


@kind("convolution dilation")
def dilation(subject: Subject) -> Iterator[Fault]:
    """A dilated kernel, padded to keep the size: the backbones of segmentation networks (DeepLab) have them."""
    for path, conv, _ in _convolutions(subject):
        assert isinstance(conv.padding, tuple)
        if conv.dilation == (1, 1) and min(conv.kernel_size) > 1 and all(k % 2 for k in conv.kernel_size):
            padding = tuple(p + k // 2 for p, k in zip(conv.padding, conv.kernel_size, strict=True))
            detail = f"dilation (1, 1) -> (2, 2), padding {conv.padding} -> {padding}"
            deed = setting(path, dilation=(2, 2), padding=padding)
            yield replace(subject.at((path, "convolution", 0), detail), plant=deed)


@kind("convolution groups")
def groups(subject: Subject) -> Iterator[Fault]:
    """Groups forgotten or invented: ResNeXt against ResNet, the two GPUs of AlexNet. Changes a weight's shape."""
    for path, conv, _ in _convolutions(subject):
        new = 1 if conv.groups > 1 else 2
        if conv.in_channels % new == conv.out_channels % new == 0:
            fault = subject.at((path, "convolution", 0), f"groups {conv.groups} -> {new}")
            yield replace(fault, plant=_rebuilt(path, groups=new))


@kind("kernel size")
def kernel_size(subject: Subject) -> Iterator[Fault]:
    """Another kernel, padded to keep the size: torchvision's GoogLeNet has 3x3 for 5x5. Changes a weight's shape."""
    for path, conv, _ in _convolutions(subject):
        assert isinstance(conv.padding, tuple)
        sizes = tuple(zip(conv.kernel_size, conv.padding, strict=True))
        larger = max(conv.kernel_size) == 1
        kernel = tuple(k + 2 if larger else k - 2 if k > 2 else k for k, _ in sizes)
        padding = tuple(p + 1 if larger else p - 1 if k > 2 else p for k, p in sizes)
        if min(padding) >= 0 and kernel != conv.kernel_size:
            fault = subject.at((path, "convolution", 0), f"kernel {conv.kernel_size} -> {kernel}")
            yield replace(fault, plant=_rebuilt(path, kernel_size=kernel, padding=padding))


@kind("kernel orientation")
def orientation(subject: Subject) -> Iterator[Fault]:
    """1x7 for 7x1: the figures of Inception-v4 and its release disagree on it. Changes a weight's shape."""
    for path, conv, _ in _convolutions(subject):
        assert isinstance(conv.padding, tuple)
        if conv.kernel_size != conv.kernel_size[::-1]:
            fault = subject.at((path, "convolution", 0), f"kernel {conv.kernel_size} -> {conv.kernel_size[::-1]}")
            yield replace(fault, plant=_rebuilt(path, kernel_size=conv.kernel_size[::-1], padding=conv.padding[::-1]))


@kind("kernel flipped")
def flipped(subject: Subject) -> Iterator[Fault]:
    """A true convolution, as MATLAB's and Theano's, where a correlation is meant."""
    for path, conv, _ in _convolutions(subject):
        if max(conv.kernel_size) > 1:

            def turned(call: Change, x: Any, weight: Any, *rest: Any) -> Any:
                return call(x, weight.flip(2, 3), *rest)

            fault = subject.at((path, "flip", 0), "kernel turned by 180 degrees", side="actual")
            yield replace(fault, plant=changing(path, "conv2d", 0, turned))


@kind("convolution bias missing")
def bias_missing(subject: Subject) -> Iterator[Fault]:
    """`bias=False` where there is one: VGG with batch normalisation keeps its biases. Takes a key away."""
    for path, conv, _ in _convolutions(subject):
        if conv.bias is not None:
            fault = subject.at((path, "convolution", 0), "bias -> none")
            yield replace(fault, plant=setting(path, bias=None))


@kind("convolution bias added")
def bias_added(subject: Subject) -> Iterator[Fault]:
    """`bias=False` forgotten before a batch normalisation, as in the first layer of Caffe's ResNet-50. Adds a key."""
    for path, conv, _ in _convolutions(subject):
        if conv.bias is None:
            fault = subject.at((path, "convolution", 0), "no bias -> a bias")
            yield replace(fault, plant=_biased(path))


def _biased(path: str) -> Deed:
    def plant(network: nn.Module) -> None:
        weight = network.get_parameter(f"{path}.weight")
        setting(path, bias=nn.Parameter(weight.new_zeros(weight.shape[0])))(network)

    return plant


@kind("convolution instance reused")
def reused(subject: Subject) -> Iterator[Fault]:
    """`self.conv1` called where `self.conv2` is meant; both have the same shape, so nothing complains."""
    yield from exchanged(subject, "convolution", [(path, conv) for path, conv, _ in _convolutions(subject)])


def exchanged(subject: Subject, op: str, run: list[tuple[str, Any]]) -> Iterator[Fault]:
    """For each pair of modules that follow each other and are alike: the second one runs in place of the first."""
    for (path, module), (other, following) in pairwise(run):
        if repr(module) == repr(following):
            fault = subject.at((path, op, 0), f"{other} runs in place of {path}")
            yield replace(fault, plant=_instead(path, other))


def _instead(path: str, other: str) -> Deed:
    def plant(network: nn.Module) -> None:
        module = network.get_submodule(path)
        # In a tuple it is no child, so no key changes, and a deep copy of the network holds its own.
        module.__dict__["instead"] = (network.get_submodule(other),)
        rewiring(path, lambda forward, x: forward.args[0].instead[0](x))(network)

    return plant
