"""Faults of values: a state_dict ported with one mistake. The program is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from repro.faults._fault import EVAL, VALUES, Fault, Subject, kind

State = MutableMapping[str, Tensor]

STORED = EVAL | {"values"}  # running statistics are not read in train mode


def _weights(subject: Subject) -> Iterator[tuple[str, Tensor]]:
    """The weights of the convolutions and linear layers that eval mode runs, in its order."""
    for path, module in subject.modules(nn.Conv2d, nn.Linear):
        yield f"{path}.weight", module.get_parameter("weight")


def _altered(key: str, change: Callable[[Tensor], Tensor], detail: str, modes: frozenset[str] = VALUES) -> Fault:
    def alter(state: State) -> None:
        state[key] = change(state[key].clone())

    return Fault(path=key.rpartition(".")[0], key=key, modes=modes, detail=detail, alter=alter)


def off_by(key: str, relative: float, index: int | None = None) -> Fault:
    """One element of one tensor, times 1 + `relative`.

    index: into the flattened tensor; its middle if None.
    """

    def changed(tensor: Tensor) -> Tensor:
        flat = tensor.view(-1)
        flat[flat.numel() // 2 if index is None else index] *= 1 + relative
        return tensor

    return _altered(key, changed, f"one element times 1 + {relative:g}")


@kind("weight element")
def element(subject: Subject) -> Iterator[Fault]:
    """One number of millions off by a thousandth: a bit lost on a disk, a patch that went too far."""
    for key, _ in _weights(subject):
        yield off_by(key, 1e-3)


@kind("weights swapped")
def swapped(subject: Subject) -> Iterator[Fault]:
    """Two tensors of one shape in each other's place, as a port by shape or by order of definition can have them."""
    run = list(_weights(subject))
    for index, (key, weight) in enumerate(run):
        other = next((name for name, later in run[index + 1 :] if later.shape == weight.shape), None)
        if other is not None:

            def alter(state: State, key: str = key, other: str = other) -> None:
                state[key], state[other] = state[other], state[key]

            yield Fault(
                path=key.rpartition(".")[0], key=key, modes=VALUES, detail=f"exchanged with {other}", alter=alter
            )


@kind("weight transposed")
def transposed(subject: Subject) -> Iterator[Fault]:
    """Inputs for outputs: TensorFlow stores (in, out) and torch (out, in), which a square weight does not show."""
    for key, weight in _weights(subject):
        if weight.shape[0] == weight.shape[1] > 1:
            yield _altered(key, lambda w: w.transpose(0, 1).contiguous(), "inputs and outputs exchanged")


@kind("kernel rotated")
def rotated(subject: Subject) -> Iterator[Fault]:
    """Height for width: MATLAB and Fortran store columns first."""
    for key, weight in _weights(subject):
        if weight.ndim == 4 and weight.shape[2] == weight.shape[3] > 1:
            yield _altered(key, lambda w: w.transpose(2, 3).contiguous(), "height and width exchanged")


@kind("kernel stored flipped")
def stored_flipped(subject: Subject) -> Iterator[Fault]:
    """The kernels of a library that convolves truly (Theano), taken over as they are."""
    for key, weight in _weights(subject):
        if weight.ndim == 4 and max(weight.shape[2:]) > 1:
            yield _altered(key, lambda w: w.flip(2, 3), "kernel turned by 180 degrees")


@kind("first weight BGR")
def first_bgr(subject: Subject) -> Iterator[Fault]:
    """The first kernels of a Caffe network, which reads blue first, in a program that reads red first."""
    key, weight = next(_weights(subject), ("", torch.empty(0)))
    if weight.ndim == 4 and weight.shape[1] == 3:
        yield _altered(key, lambda w: w.flip(1), "input channels in reverse")


@kind("last layer scaled")
def last_scaled(subject: Subject) -> Iterator[Fault]:
    """Logits times a constant: every class stays where it was, and so does the accuracy."""
    *_, (key, _) = _weights(subject)
    yield _altered(key, lambda w: w * 1.1, "times 1.1")


@kind("half precision")
def half(subject: Subject) -> Iterator[Fault]:
    """A weight that has been through 16 bits."""
    for key, _ in _weights(subject):
        yield _altered(key, lambda w: w.half().to(w.dtype), "rounded to half precision")


@kind("scale and shift swapped")
def scale_and_shift(subject: Subject) -> Iterator[Fault]:
    """Gamma for beta: two vectors of one length whose names differ from library to library."""
    for path, norm in subject.modules(_BatchNorm, nn.GroupNorm, nn.LayerNorm):
        if getattr(norm, "weight", None) is not None and getattr(norm, "bias", None) is not None:

            def alter(state: State, weight: str = f"{path}.weight", bias: str = f"{path}.bias") -> None:
                state[weight], state[bias] = state[bias], state[weight]

            yield Fault(path=path, key=f"{path}.weight", modes=VALUES, detail="exchanged with the bias", alter=alter)


@kind("deviation stored for variance")
def stored_deviation(subject: Subject) -> Iterator[Fault]:
    """Running deviations where torch keeps variances; some libraries keep the inverse deviation."""
    for path, norm in subject.modules(_BatchNorm):
        if norm.running_var is not None:
            yield _altered(f"{path}.running_var", torch.sqrt, "the deviation", STORED)


@kind("statistics not loaded")
def not_loaded(subject: Subject) -> Iterator[Fault]:
    """Buffers left as built: a port that walks over parameters() and forgets them."""
    for path, norm in subject.modules(_BatchNorm):
        if norm.running_mean is not None:
            yield _altered(f"{path}.running_mean", torch.zeros_like, "zero", STORED)
