"""Making a golden, and for which size of input."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from itertools import chain

import torch

import repro
from repro import budget, models
from repro.errors import ReproError
from repro.golden.golden import Golden
from repro.golden.recording import DETAILED, NARROW, OTHERS, WIDE
from repro.golden.subject import Subject, distance, scale
from repro.graph import TraceError, digest
from repro.parity.network import Network, Stopwatch
from repro.references import Size, Source

ALL = slice(None)  # of the inputs
SMALLEST_MAP = 2  # to a side


def make(source: Source, size: Size, reason: str, command: str) -> Golden:
    """The golden of a network as it is now.

    reason: why it is made. command: what was called to make it. Raises ReproError for a network that cannot be run, or
    of which something is NaN or infinite.
    """
    subject = Subject(source, size)
    if subject.network.draws(size):
        raise ReproError(f"{source.spec} draws random numbers in eval mode: it has no outputs to be held still")
    found, again = subject.wide(WIDE[0], ALL), subject.wide(WIDE[1], OTHERS)
    # What has as many rows as there are inputs, and with fewer inputs has not fewer, has no row for each.
    names = [name for name in found.sums if name in again.sums]
    for name in names:
        off = distance(found.sums[name][OTHERS], again.sums[name], found.sizes[name], OTHERS)
        if bool((off > budget.FLOAT64_LIMIT).any()):
            raise ReproError(
                f"{source.spec}: what {name} makes of one image depends on the others in the batch, or on the threads; "
                f"expected a network that takes each by itself"
            )
    subject.keep(names)
    errors = {name: torch.zeros(len(subject.inputs), 2, dtype=torch.float64) for name in names}
    # Correct kernels differ in how near they come, and another number of images may have others.
    for way, some in chain.from_iterable(((way, ALL), (way, way.inputs)) for way in NARROW):
        for name, off in subject.narrow(way, some).items():
            errors[name][some] = torch.maximum(errors[name][some], off)
    for name in names:
        finite = found.sums[name].isfinite().all(1) & errors[name].isfinite().all(1)
        if not finite.all():
            kind = list(subject.inputs)[int(finite.to(torch.int8).argmin())]
            raise ReproError(f"{source.spec}: {name} holds NaN or infinity for the input {kind!r}; nothing to keep")
    return Golden(
        network=source.spec,
        size=size,
        elements=subject.elements,
        reason=reason,
        made={
            "command": command,
            "repro": repro.__version__,
            "torch": torch.__version__.partition("+")[0],
            "torchvision": version("torchvision").partition("+")[0],
            "device": f"cpu, {platform.machine()}",
        },
        weights=subject.weights(),
        inputs={name: digest(image) for name, image in subject.inputs.items()},
        returned=subject.returned,
        stages={name: found.described[name] for name in names},
        sums=torch.stack([found.sums[name] for name in names]),
        sizes=torch.stack([found.sizes[name] for name in names]),
        float32=torch.stack([errors[name] / scale(found.sizes[name])[:, None] for name in names]),
        outputs={key: row for key, row in found.outputs.items() if key.split()[-1] in list(subject.inputs)[DETAILED]},
    )


def golden_size(source: Source, given: Size | None) -> Size:
    """The size of input that a golden is made for: as given, or one that costs little.

    For a network of the catalog the smaller one that it is verified at, its sides halved as often as it runs on that
    and convolutions still see maps of 2x2, in which each of nine weights is felt.
    """
    if given is not None:
        return given
    library, _, name = source.spec.partition(":")
    if library != "repro":
        return source.input_size or (3, 224, 224)
    variant = models.get(name)
    size: Size = min(variant.input_size, variant.other_size, key=math.prod)
    network = Network(source, source.module(with_values=False), Stopwatch(), batch=1)
    while True:
        half = (size[0], size[1] // 2, size[2] // 2)
        try:
            graph = network.graph(half)
        except TraceError:
            return size
        convolved = [graph.shape(node.inputs[0])[2:] for node in graph.nodes if node.op == "convolution"]
        if min(map(min, convolved)) < SMALLEST_MAP:
            return size
        size = half
