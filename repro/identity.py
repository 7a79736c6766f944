"""Which network of the catalog a module is, whatever it is called, and where it departs from that.

The layers of a network, counted by kind and width, say which few networks it may be; with these its graph is compared,
each built for the same classes, channels and input size, so that a name is given by a proof or not at all.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import nn

from repro import models
from repro.canonical import canonical
from repro.errors import ReproError, first_line
from repro.graph import Graph, TraceError, trace
from repro.layers import Layer, layers
from repro.mapping import match
from repro.parity.causes import Difference
from repro.parity.differences import differences
from repro.references import Size

BATCH = 2  # of the traced images: above one, so that a program that mixes rows is seen to

# (channels, height, width) that tutorials build networks for, the commonest first.
SIZES: tuple[Size, ...] = tuple(
    (channels, side, side) for side in (224, 32, 28, 227, 299, 64, 96) for channels in (3, 1)
)
_COMPARED = 3  # networks, the most alike ones
_FAR = 0.06  # how much less alike than the first of them one may be
_NEAR = 0.45  # how much alike two networks are at least of which one is said to be the other, altered
_WEIGHTED = 3  # what a layer with weights counts in that, where one without counts one
_TABLE = "signatures.json"
_BEFORE = "my|our|the|custom|simple|build|make|get|create|net|network|model|pytorch|torch|cifar|imagenet"
_SYNONYMS = {"wideresnet": "wrn", "vggnet": "vgg", "inceptionv1": "googlenet"}


class IdentificationError(ReproError):
    """A module of which nothing can be said; the message says why."""


@dataclass(frozen=True)
class Identity:
    """What a module is.

    variant      the nearest network of the catalog; empty if none is near
    distance     operations that differ from it, in eval mode or, where none does, in train mode; 0: the same program
                 but for the number of classes and of input channels
    differences  in the order of the data, each a sentence by `str`; `here` is the module
    likeness     of their layers, from 0 to 1
    input_size   (channels, height, width) of the images that both were traced with
    classes      numbers that the module returns for an image
    """

    variant: str
    distance: int
    differences: tuple[Difference, ...]
    likeness: float
    input_size: Size
    classes: int


def identify(module: nn.Module, sizes: Sequence[Size] = SIZES) -> Identity:
    """Say which network of the catalog a module is, or is nearest to.

    sizes: (channels, height, width) of images to try, in this order. The module is left as it was, its values are not
    looked at. Raises IdentificationError if it takes none of the sizes, or returns no row of numbers for each image.
    """
    graph, size = _traced(module, sizes)
    returned = graph.shape(graph.returned[0])
    if len(returned) != 2 or returned[0] != BATCH:
        shape = "x".join(map(str, returned))
        raise IdentificationError(f"for {BATCH} images it returns {shape}, where a classifier returns {BATCH}xclasses")
    own = signature(graph)
    alike = sorted(((likeness(own, other), name) for name, other in signatures().items()), reverse=True)
    subject, trained = canonical(graph), functools.cache(lambda: _trained(module, size))
    found: list[Identity] = []
    best = Identity("", 0, (), alike[0][0], size, returned[1])
    for how_much, name in alike[:_COMPARED]:
        if how_much < max(_NEAR, alike[0][0] - _FAR) or (
            best.variant and best.distance == 0 and how_much < best.likeness
        ):
            break
        other = _counterpart(name, size, returned[1], training=False)
        if other is None:
            continue
        told = _told(subject, other)
        if not told and (mine := trained()) and (theirs := _counterpart(name, size, returned[1], training=True)):
            told = _told(mine, theirs)
        distance = sum(len(each.places) + len(each.rest) for each in told)
        found.append(Identity(name, distance, tuple(told), how_much, size, returned[1]))
        best = min(found, key=lambda each: (each.distance, -each.likeness))
    return best


def _traced(module: nn.Module, sizes: Sequence[Size]) -> tuple[Graph, Size]:
    """The graph for the first size that the module takes, and it."""
    errors = []
    for size in sizes:
        try:
            return trace(module, torch.empty(BATCH, *size, device="meta")), size
        except TraceError as error:
            errors.append(f"{'x'.join(map(str, size))}: {first_line(error)}")
    raise IdentificationError(f"it takes none of {len(sizes)} sizes of images; {errors[0]}")


def _trained(module: nn.Module, size: Size) -> Graph | None:
    """The canonical graph of train mode; None where that fails, as auxiliary heads do on small images."""
    try:
        return canonical(trace(module, torch.empty(BATCH, *size, device="meta"), training=True))
    except TraceError:
        return None


@functools.lru_cache(maxsize=32)
def _counterpart(name: str, size: Size, classes: int, training: bool) -> Graph | None:
    """The canonical graph of a network of the catalog for the same images and classes; None if it takes none such."""
    try:
        with torch.device("meta"):
            network = models.build(name, num_classes=classes, in_channels=size[0]).eval()
        return canonical(trace(network, torch.empty(BATCH, *size, device="meta"), training=training))
    except (TraceError, ValueError):
        return None


def _told(one: Graph, other: Graph) -> list[Difference]:
    return [] if match(one, other) is not None else differences(one, other)


def claimed(name: str) -> str:
    """The network that a name says, as `VGG_13`, `ResNet-50` or `MyAlexNet` does; empty if it says none."""
    plain = _plain(name)
    for written, ours in _SYNONYMS.items():
        plain = plain.replace(written, ours)
    said = [each for each in _named() if re.match(rf"(?:{_BEFORE})*{each}(?![0-9])", plain)]
    return _named()[max(said, key=len)] if said else ""


def keeps(claim: str, variant: str) -> bool:
    """Whether a network is one that a name may stand for: vgg16_bn is called VGG-16 too, and vgg19 is not."""
    return variant.startswith(claim) and not variant.removeprefix(claim)[:1].isdigit()


@functools.cache
def _named() -> dict[str, str]:
    """What the networks are called, without case and separators -> their names in the catalog."""
    found: dict[str, str] = {}
    for name, variant in models.catalog().items():
        for each in (name, *variant.aliases):
            found.setdefault(_plain(each), name)
    for name in models.catalog():  # ResNet-20 is for CIFAR, and is seldom called so
        found.setdefault(_plain(name.removesuffix("_cifar")), name)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def signature(graph: Graph) -> Counter[str]:
    """The layers of a traced network, counted by kind and width; the last one with weights without its width."""
    rows = layers(graph)
    last = max((index for index, row in enumerate(rows) if row.multiply_adds), default=-1)
    return Counter(_token(row, index == last) for index, row in enumerate(rows))


def _token(row: Layer, is_last: bool) -> str:
    width = "" if is_last or not row.multiply_adds else f" {row.output[0] if row.output else 1}"
    return f"{row.kind}{width}"


def likeness(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """How much two networks have in common, from 0 to 1."""
    common = whole = 0
    for token in {*one, *other}:
        weight = _WEIGHTED if token.startswith(("conv", "linear")) else 1
        pair = one.get(token, 0), other.get(token, 0)
        common, whole = common + weight * min(pair), whole + weight * max(pair)
    return common / max(whole, 1)


@functools.cache
def signatures() -> Mapping[str, Mapping[str, int]]:
    """Those of the catalog, as they were written down: to trace all of its networks takes a minute."""
    found: dict[str, dict[str, int]] = json.loads(files("repro").joinpath(_TABLE).read_text("ascii"))
    return found


def measured() -> Iterator[tuple[str, Counter[str]]]:
    """Those of the catalog, measured now: python -m repro.identity > repro/signatures.json."""
    for name, variant in models.catalog().items():
        with torch.device("meta"):
            network = models.build(name).eval()
        yield name, signature(trace(network, torch.empty(BATCH, *variant.input_size, device="meta")))


def table(found: Mapping[str, Mapping[str, int]]) -> str:
    """Signatures as they are written down, a line for each network."""
    lines = [f"  {json.dumps(name)}: {json.dumps(dict(sorted(each.items())))}" for name, each in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(table(dict(measured())))
