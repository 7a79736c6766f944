"""What is known of the networks that a module may turn out to be: a table of numbers, measured once.

Of each network of the catalog, and of each of torchvision and timm that is of these families and in no catalog: its
layers, counted by kind and width, and digests of its graph (`repro.certificate`) in eval and in train mode, for any
number of classes and of channels, at the sizes of images that most programs are written for. Networks of libraries that
differ from one of the catalog in training alone, as timm's do that leave dropout out, have no entry: they are called
what they are in the catalog, and the difference is told.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import torch
from torch import nn

from repro import models
from repro.canonical import canonical
from repro.certificate import digest
from repro.graph import Graph, TraceError, trace
from repro.layers import Layer, layers
from repro.references import Size, resolve, without_values

BATCH = 2  # of the traced images: above one, so that a program that mixes rows is seen to

_SIDES = (224, 32)  # of images, beside that which a network was made for
_FIRST = f"{_SIDES[0]}x{_SIDES[0]}"
_WEIGHTED = 3  # what a layer with weights counts in a likeness, where one without counts one
_TABLE = "signatures.json"

# Where the families of the catalog are in the libraries.
_TORCHVISION = re.compile(r"(alexnet|vgg|googlenet|inception|resnet|resnext|wide_resnet)")
_TIMM = "vgg inception_v3 inception_v4 inception_resnet_v2 xception xception_aligned resnet resnetv2 senet".split()


@dataclass(frozen=True)
class Signature:
    """What is known of one network.

    layers   kind and width -> how many
    digests  (height, width) as `224x224` -> digest in eval mode, and in train mode; the second is empty where training
             fails, as that of auxiliary heads does on small images
    """

    layers: Mapping[str, int]
    digests: Mapping[str, Sequence[str]]


@functools.cache
def signatures() -> Mapping[str, Signature]:
    """Those that were written down, by the name of a network in the catalog or by a specification of a reference."""
    found = json.loads(files("repro").joinpath(_TABLE).read_text("ascii"))
    return {name: Signature(**each) for name, each in found.items()}


@functools.cache
def _by_digest() -> Mapping[tuple[str, str], Sequence[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for name, signature in signatures().items():
        for side, (in_eval, _) in signature.digests.items():
            found.setdefault((side, in_eval), []).append(name)
    return found


def equal(graph: Graph, classes: int, size: Size) -> Sequence[str]:
    """The networks that have this canonical graph of eval mode at (channels, height, width); none where none is known.

    A name that this gives is proven: the digest of the network of that name is that of the graph (`repro.certificate`).
    """
    return _by_digest().get((sides(size), digest(graph, classes)), ())


def in_training(name: str, size: Size) -> str | None:
    """The digest of a network in train mode; empty if that fails at this size, None if it is not known."""
    found = signatures()[name].digests.get(sides(size))
    return found[1] if found else None


def sides(size: Size) -> str:
    """Height and width of (channels, height, width), as the table has them."""
    return "x".join(map(str, size[1:]))


def is_reference(name: str) -> bool:
    """Whether a name of the table is that of a library's network, not of the catalog's."""
    return ":" in name


def counted(graph: Graph) -> Counter[str]:
    """The layers of a traced network by kind and width; the last one with weights without its width."""
    rows = layers(graph)
    last = max((index for index, row in enumerate(rows) if row.multiply_adds), default=-1)
    return Counter(_token(row, index == last) for index, row in enumerate(rows))


def _token(row: Layer, is_last: bool) -> str:
    width = "" if is_last or not row.multiply_adds else f" {row.output[0] if row.output else 1}"
    return f"{row.kind}{width}"


def likeness(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """How much the layers of two networks have in common, from 0 to 1."""
    common = whole = 0
    for token in {*one, *other}:
        weight = _WEIGHTED if token.startswith(("conv", "linear")) else 1
        pair = one.get(token, 0), other.get(token, 0)
        common, whole = common + weight * min(pair), whole + weight * max(pair)
    return common / max(whole, 1)


def measured(name: str) -> Signature:
    """What the table is to hold of a network, by its name in the catalog or a specification of a reference.

    Raises ReproError for one that is not there, TraceError for one that does not take the first of its sizes.
    """
    if is_reference(name):
        source, sizes = resolve(name), [(3, _SIDES[0], _SIDES[0])]
    else:
        source, own = resolve(f"repro:{name}"), models.get(name).input_size
        sizes = [own, *((own[0], side, side) for side in _SIDES if side != own[1])]
    with without_values():
        network = source.build().eval()
    tokens = counted(_traced(network, sizes[0], training=False))
    found = {sides(size): _digests(network, size) for size in sizes}
    return Signature(dict(sorted(tokens.items())), {side: pair for side, pair in found.items() if pair[0]})


def _traced(network: nn.Module, size: Size, training: bool) -> Graph:
    return trace(network, torch.empty(BATCH, *size, device="meta"), training=training)


def _digests(network: nn.Module, size: Size) -> list[str]:
    """In eval and in train mode; empty for a mode in which it does not take the size."""
    found = ["", ""]
    with contextlib.suppress(TraceError):
        for index, training in enumerate((False, True)):
            graph = canonical(_traced(network, size, training))
            found[index] = digest(graph, graph.shape(graph.returned[0])[1])
    return found


def in_libraries() -> Iterator[str]:
    """Specifications of the networks of torchvision and timm that are of the catalog's families."""
    import timm
    import torchvision.models

    for name in torchvision.models.list_models(module=torchvision.models):
        if _TORCHVISION.match(name):
            yield f"torchvision:{name}"
    for module in _TIMM:
        yield from (f"timm:{name}" for name in timm.list_models(module=module) if not name.startswith("test_"))


def made() -> dict[str, Signature]:
    """The whole table, measured now: python -m repro.signatures > repro/signatures.json takes some minutes."""
    found = {name: measured(name) for name in models.catalog()}
    known = {digests[0] for signature in found.values() for digests in signature.digests.values()}
    references = {name: measured(name) for name in in_libraries()}
    return found | {name: each for name, each in references.items() if each.digests[_FIRST][0] not in known}


def written(found: Mapping[str, Signature]) -> str:
    """Signatures as they are written down, a line for each network."""
    lines = [f"  {json.dumps(name)}: {json.dumps(asdict(each))}" for name, each in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(written(made()))
