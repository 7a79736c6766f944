"""Which network a module is, whatever it is called, and where it departs from that.

A name is given by a proof or not at all. Mostly the proof is a digest: of the module's graph, and the same one is on
record for the network of that name (`repro.signatures`). It is of a text from which the graph could be made again, so
that equal texts are isomorphic graphs (`repro.certificate`), as far as 128 bits of BLAKE2 tell texts apart and the
record is that of the network, which the tests measure anew. Where no digest is on record the networks whose layers are
the most alike are built for the same classes, channels and input size, and their graphs compared.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from repro import models
from repro.canonical import canonical
from repro.certificate import digest
from repro.errors import ReproError, first_line
from repro.graph import Graph, TraceError, trace
from repro.mapping import match
from repro.parity.causes import Difference
from repro.parity.differences import differences
from repro.references import Size, resolve, without_values
from repro.signatures import BATCH, counted, equal, in_training, is_reference, likeness, signatures

# (channels, height, width) that tutorials build networks for, the commonest first.
SIZES: tuple[Size, ...] = tuple(
    (channels, side, side) for side in (224, 32, 28, 227, 299, 64, 96) for channels in (3, 1)
)
_COMPARED = 3  # networks, the most alike ones
_TRIED = 8  # of which some may not take images of that size
_FAR = 0.1  # how much less alike than the first of them one may be
_NEAR = 0.45  # how much alike two networks are at least of which one is said to be the other, altered


class IdentificationError(ReproError):
    """A module of which nothing can be said; the message says why."""


@dataclass(frozen=True)
class Identity:
    """What a module is.

    variant      the nearest network: its name in the catalog or, of one that is not there, the specification of a
                 library's, as `timm:resnet26`; empty if none is near
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
    """Say which network a module is, or is nearest to.

    sizes: (channels, height, width) of images to try, in this order. The module is left as it was, its values are not
    looked at. Raises IdentificationError if it takes none of the sizes, or returns no row of numbers for each image.
    """
    try:
        inspect.signature(module.forward).bind(torch.Tensor())
    except TypeError as error:
        raise IdentificationError(f"its forward takes something else than a batch of images: {error}") from None
    graph, size = _traced(module, sizes)
    return named(graph, size, lambda: trace(module, torch.empty(BATCH, *size, device="meta"), training=True))


def named(graph: Graph, size: Size, training: Callable[[], Graph]) -> Identity:
    """Say which network a traced module is, or is nearest to.

    graph: of eval mode, for two images of `size`. training: gives the graph of train mode for the same; asked for at
    most once, and it may raise TraceError. Raises IdentificationError if there is no row of numbers for each image.
    """
    returned = graph.shape(graph.returned[0])
    if len(returned) != 2 or returned[0] != BATCH:
        shape = "x".join(map(str, returned))
        raise IdentificationError(f"for {BATCH} images it returns {shape}, where a classifier returns {BATCH}xclasses")
    return _Subject(graph, size, returned[1], training).identity()


class _Subject:
    """A traced module, and what is asked of it."""

    def __init__(self, graph: Graph, size: Size, classes: int, training: Callable[[], Graph]) -> None:
        self.size = size
        self.classes = classes
        self.layers = counted(graph)
        self.graph = canonical(graph)
        self._training = training

    @functools.cached_property
    def trained(self) -> Graph | None:
        """The canonical graph of train mode; None where that fails, as auxiliary heads do on small images."""
        try:
            return canonical(self._training())
        except TraceError:
            return None

    def identity(self) -> Identity:
        """The network that it is proven to be or else the nearest one; of equally near ones the most alike."""
        alike = {name: likeness(self.layers, known.layers) for name, known in signatures().items()}
        same = sorted(equal(self.graph, self.classes, self.size), key=lambda name: (is_reference(name), -alike[name]))
        for name in same:
            if self._trains_as(name):
                return self._told(alike[name], name, ())
        best = Identity("", 0, (), max(alike.values()), self.size, self.classes)
        compared: list[str] = []
        for name in (same or _near(alike))[:_TRIED]:
            if len(compared) == _COMPARED or (compared and not same and alike[name] < alike[compared[0]] - _FAR):
                break
            # One that is on record for this size is not the same, or its digest would have said so.
            least = int(in_training(name, self.size) is not None)
            if best.variant and best.distance <= least:
                continue
            told = self._differences(name, same_in_eval=bool(same))
            if told is not None:
                compared.append(name)
                found = self._told(alike[name], name, tuple(told))
                best = found if not best.variant or found.distance < best.distance else best
        return best

    def _told(self, how_much: float, name: str, told: tuple[Difference, ...]) -> Identity:
        distance = sum(len(each.places) + len(each.rest) for each in told)
        return Identity(name, distance, told, how_much, self.size, self.classes)

    def _trains_as(self, name: str) -> bool:
        """Whether it is in train mode what a network is too, as far as both can be seen in it."""
        other = in_training(name, self.size)
        return other == "" or self.trained is None or digest(self.trained, self.classes) == other

    def _differences(self, name: str, same_in_eval: bool) -> list[Difference] | None:
        """From a network, in eval mode or else in train mode; None if that cannot be had for the same images."""
        if not same_in_eval:
            other = _counterpart(name, self.size, self.classes, training=False)
            if other is None:
                return None
            told = _compared(self.graph, other)
            if told:
                return told
        theirs = _counterpart(name, self.size, self.classes, training=True) if self.trained else None
        return _compared(self.trained, theirs) if self.trained and theirs else []


def _compared(one: Graph, other: Graph) -> list[Difference]:
    return [] if match(one, other) is not None else differences(one, other)


def _near(alike: Mapping[str, float]) -> list[str]:
    """The networks whose layers are alike, the most alike first; of libraries only one that is so more than all others.

    alike: how much of its layers a network has in common with each.
    """
    by_likeness = sorted(alike, key=lambda name: -alike[name])
    catalog = [name for name in by_likeness if not is_reference(name)]
    first = by_likeness[0]
    found = [first, *catalog] if alike[first] > alike[catalog[0]] else catalog
    return [name for name in found if alike[name] >= _NEAR]


def _traced(module: nn.Module, sizes: Sequence[Size]) -> tuple[Graph, Size]:
    """The graph for the first size that the module takes, and it."""
    errors = []
    for size in sizes:
        try:
            return trace(module, torch.empty(BATCH, *size, device="meta")), size
        except TraceError as error:
            errors.append(f"{'x'.join(map(str, size))}: {first_line(error)}")
    raise IdentificationError(f"it takes none of {len(sizes)} sizes of images; {errors[0]}")


@functools.lru_cache(maxsize=32)
def _counterpart(name: str, size: Size, classes: int, training: bool) -> Graph | None:
    """The canonical graph of a network for the same images and classes; None if it is not here or takes none such."""
    try:
        network = _built(name, classes, size[0])
        return canonical(trace(network, torch.empty(BATCH, *size, device="meta"), training=training))
    except (ReproError, ValueError):
        return None


@functools.lru_cache(maxsize=8)
def _built(name: str, classes: int, channels: int) -> nn.Module:
    with without_values():
        if is_reference(name):
            return resolve(f"{name}+num_classes={classes}+in_chans={channels}").build()
        return models.build(name, num_classes=classes, in_channels=channels)
