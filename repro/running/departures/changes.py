"""What differs between two networks, part by part, before anything is said or judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from repro.running.departures.pairing import Pair
from repro.running.departures.reading import POOLS, WEIGHTED, Part

# What makes a network another one, where the rest are habits of whoever wrote it.
STRUCTURAL = ("width", "kernel", "stride", "padding", "groups", "missing", "extra")


@dataclass(frozen=True)
class Change:
    """One thing that differs at one part.

    kind   width, kernel, stride, padding, groups, bias, norm, epsilon, activation, dropout, lrn, pool, edge, softmax,
           missing (only the network of the catalog has the part), extra (only the other one has it)
    here   the part of the network in question, and what it has; None if it has no such part
    there  of the network of the catalog
    near   of a part that the catalog's has not: the one of the catalog's before it
    """

    kind: str
    here: Part | None
    there: Part | None
    has: Any = None
    expected: Any = None
    near: Part | None = None

    @property
    def part(self) -> Part:
        """The part by which it is named: that of the catalog, if there is one."""
        found = self.there or self.here
        assert found is not None
        return found


def changes(here: Sequence[Part], there: Sequence[Part], paired: Sequence[Pair]) -> list[Change]:
    """Everything that differs, in reading order."""
    found: list[Change] = []
    near: Part | None = None
    for i, j in paired:
        one, other = None if i is None else here[i], None if j is None else there[j]
        near = other or near
        if one is not None and other is not None:
            found += _between(one, other)
        else:
            found.append(Change("extra" if one else "missing", one, other, near=near))
    return found


def _between(here: Part, there: Part) -> Iterator[Change]:
    def told(kind: str, has: Any, expected: Any) -> Iterator[Change]:
        if has != expected:
            yield Change(kind, here, there, has, expected)

    if here.kind in WEIGHTED:
        yield from told("width", here.width, there.width)
        yield from told("bias", here.bias, there.bias)
    if here.kind == "conv":
        yield from told("kernel", here.kernel, there.kernel)
        yield from told("stride", here.stride, there.stride)
        yield from told("groups", here.groups, there.groups)
        if here.kernel == there.kernel:  # padding goes with the kernel
            yield from told("padding", here.padding, there.padding)
    if here.kind in POOLS or there.kind in POOLS:
        same = (here.kind, here.kernel, here.stride) == (there.kind, there.kernel, there.stride)
        if not same:
            yield from told("pool", _window(here), _window(there))
        if same or _window(here) == _window(there):
            yield from told("edge", (here.padding, here.ceil), (there.padding, there.ceil))
    if here.kind == "add":
        yield from told("branches", len(here.sources), len(there.sources))
    norms = [part.norm.name if part.norm else "" for part in (here, there)]
    yield from told("norm", *norms)
    if here.norm and there.norm and norms[0] == norms[1]:
        yield from told("epsilon", here.norm.detail, there.norm.detail)
    yield from told("activation", here.activation, there.activation)
    for kind, name in (("lrn", "LRN"), ("dropout", "dropout"), ("softmax", "softmax"), ("softmax", "log-softmax")):
        yield from told(kind, here.has(name), there.has(name))


def _window(part: Part) -> tuple[Any, ...]:
    return (part.kind, "whole") if part.whole else (part.kind, part.kernel, part.stride)
