"""Faults of normalisations: response, batch and group normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from repro.faults._fault import EVAL, TRAIN, Fault, Subject, kind
from repro.faults._plant import Change, both, changing, setting, skip
from repro.faults.convolution import exchanged

_OP_OF: dict[type[nn.Module], str] = {
    _BatchNorm: "native_batch_norm",
    nn.GroupNorm: "native_group_norm",
    nn.LayerNorm: "native_layer_norm",
}


def _norms(subject: Subject, *types: type[nn.Module]) -> Iterator[tuple[str, Any, str]]:
    """The modules with their operation, which runs once."""
    for path, norm in subject.modules_of_training(*types):
        op = next(op for kind_of_norm, op in _OP_OF.items() if isinstance(norm, kind_of_norm))
        yield path, norm, op


@kind("response normalisation alpha")
def alpha(subject: Subject) -> Iterator[Fault]:
    """The alpha of the paper multiplies a sum, torch's a mean: copied over, it is n times too small."""
    for path, norm in subject.modules(nn.LocalResponseNorm):
        new = norm.alpha / norm.size
        fault = subject.at((path, "mul", 1), f"alpha {norm.alpha:g} -> {new:g}")
        yield replace(fault, plant=setting(path, alpha=new))


@kind("response normalisation k")
def k(subject: Subject) -> Iterator[Fault]:
    """k = 1, which torch and Caffe have where nothing is said, for the k = 2 of the paper."""
    for path, norm in subject.modules(nn.LocalResponseNorm):
        new = 1.0 if norm.k != 1 else 2.0
        yield replace(subject.at((path, "add", 0), f"k {norm.k:g} -> {new:g}"), plant=setting(path, k=new))


@kind("response normalisation beta")
def beta(subject: Subject) -> Iterator[Fault]:
    """Another exponent: a square root is tempting."""
    for path, norm in subject.modules(nn.LocalResponseNorm):
        fault = subject.at((path, "pow", 0), f"beta {norm.beta:g} -> 0.5")
        yield replace(fault, plant=setting(path, beta=0.5))


@kind("response normalisation size")
def size(subject: Subject) -> Iterator[Fault]:
    """The n of the paper read as a radius, as TensorFlow's depth_radius is one."""
    for path, norm in subject.modules(nn.LocalResponseNorm):
        new = 2 * norm.size + 1
        fault = subject.at((path, "constant_pad_nd", 0), f"size {norm.size} -> {new}")
        yield replace(fault, plant=setting(path, size=new))


@kind("normalisation missing")
def missing(subject: Subject) -> Iterator[Fault]:
    """A normalisation built and never called; its keys are there, so a checkpoint still loads."""
    function = {"native_batch_norm": "batch_norm", "native_group_norm": "group_norm"}
    for path, _, op in _norms(subject, _BatchNorm, nn.GroupNorm):
        fault = subject.at((path, op, 0), "not called")
        yield replace(fault, plant=changing(path, function[op], 0, skip))


@kind("response normalisation missing")
def response_missing(subject: Subject) -> Iterator[Fault]:
    """Left out, as torchvision's AlexNet does: VGG (section 4.1) found it to be of no use."""
    for path, _ in subject.modules(nn.LocalResponseNorm):
        fault = subject.at((path, "mul", 0), "not called")
        yield replace(fault, plant=changing(path, "local_response_norm", 0, skip))


@kind("normalisation eps")
def eps(subject: Subject) -> Iterator[Fault]:
    """TensorFlow's 1e-3 for torch's 1e-5 or back: a port that forgets it is off by little and in every layer."""
    for path, norm, op in _norms(subject, *_OP_OF):
        new = 1e-5 if norm.eps == 1e-3 else 1e-3
        yield replace(subject.at((path, op, 0), f"eps {norm.eps:g} -> {new:g}"), plant=setting(path, eps=new))


@kind("batch normalisation momentum")
def momentum(subject: Subject) -> Iterator[Fault]:
    """Keras's momentum is what is kept, torch's what is taken: 0.9 for 0.1."""
    for path, norm, op in _norms(subject, _BatchNorm):
        if norm.momentum is not None and norm.track_running_stats:
            new = round(1 - norm.momentum, 12)
            fault = subject.at((path, op, 0), f"momentum {norm.momentum:g} -> {new:g}", modes=TRAIN)
            yield replace(fault, plant=setting(path, momentum=new))


@kind("batch normalisation instance reused")
def reused(subject: Subject) -> Iterator[Fault]:
    """`self.bn2` called where `self.bn1` is meant; both have the same width, so nothing complains."""
    run = [(path, norm) for path, norm in subject.modules(nn.BatchNorm2d)]
    yield from exchanged(subject, "native_batch_norm", run)


@kind("group normalisation groups")
def groups(subject: Subject) -> Iterator[Fault]:
    """Half as many groups: 16 channels in a group against 32 groups are both in the paper (Table 3)."""
    for path, norm in subject.modules(nn.GroupNorm):
        new = norm.num_groups // 2
        if new and norm.num_channels % new == 0:
            fault = subject.at((path, "native_group_norm", 0), f"groups {norm.num_groups} -> {new}")
            yield replace(fault, plant=setting(path, num_groups=new))


@kind("variance used as deviation")
def variance_as_deviation(subject: Subject) -> Iterator[Fault]:
    """Division by the variance in a normalisation written by hand, or a variance where a deviation is stored."""

    def divided(call: Change, x: Any, mean: Any, variance: Any, *, training: bool, **rest: Any) -> Any:
        return call(x, mean, variance if training else variance * variance, training=training, **rest)

    for path, norm in subject.modules(_BatchNorm):
        if norm.running_var is not None:
            fault = subject.at((path, "mul", 0), "divides by the variance", side="actual", modes=EVAL)
            yield replace(fault, plant=changing(path, "batch_norm", 0, divided))


@kind("batch statistics in eval mode")
def batch_statistics(subject: Subject) -> Iterator[Fault]:
    """`track_running_stats=False`, or TensorFlow's `training=True` left in: a row's output depends on the others."""

    def of_the_batch(call: Change, x: Any, mean: Any, variance: Any, *, training: bool, **rest: Any) -> Any:
        statistics = (mean, variance) if training else (None, None)
        return call(x, *statistics, training=True, **rest)

    for path, norm in subject.modules(_BatchNorm):
        if norm.running_var is not None:
            fault = subject.at((path, "native_batch_norm", 0), "running statistics -> those of the batch", modes=EVAL)
            yield replace(fault, plant=changing(path, "batch_norm", 0, of_the_batch))


@kind("batch normalisation frozen")
def frozen(subject: Subject) -> Iterator[Fault]:
    """A normalisation that stays in eval mode while the rest trains, as detectors freeze their backbone's."""

    def running(call: Change, *tensors: Any, **rest: Any) -> Any:
        return call(*tensors, **{**rest, "training": False})

    for path, norm in subject.modules_of_training(_BatchNorm):
        if norm.running_var is not None:
            fault = subject.at((path, "native_batch_norm", 0), "statistics of the batch -> running ones", modes=TRAIN)
            yield replace(fault, plant=changing(path, "batch_norm", 0, running))


@kind("buffer not updated")
def not_updated(subject: Subject) -> Iterator[Fault]:
    """Running statistics written to a copy that nobody keeps, as a functional port does that drops the new state."""

    def on_copies(call: Change, x: Any, mean: Any, variance: Any, **rest: Any) -> Any:
        return call(x, mean.clone(), variance.clone(), **rest)

    for path, norm in subject.modules_of_training(_BatchNorm):
        if norm.running_mean is not None:
            yield Fault(
                path=path,
                key=f"{path}.running_mean",
                modes=TRAIN,
                training=True,
                detail="the update is lost",
                plant=changing(path, "batch_norm", 0, on_copies),
            )


@kind("normalisation after activation")
def after_activation(subject: Subject) -> Iterator[Fault]:
    """ReLU before batch normalisation: both orders are in use, one is this network's."""
    for (path, _, occurrence), node in subject.operations("relu"):
        norm = subject.source(node)
        if (
            norm.op == "native_batch_norm"
            and len(subject.consumers[norm.origin]) == 1
            and subject.only(norm.path, norm.op)
        ):
            # The report may say that the ReLU came too early; that is where the two programs part.
            fault = subject.at((path, "relu", occurrence), f"moved before {norm.path}")
            early = changing(norm.path, "batch_norm", 0, lambda call, x, *rest, **named: call(x.relu(), *rest, **named))
            yield replace(fault, plant=both(early, changing(path, "relu", occurrence, skip)))
