"""Many differences, one cause: what was moved, what is missing in one piece, and what is the same at many places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repro.graph import Graph, Node
from repro.mapping import leaf

# Operations that are missing at one place and extra at another were moved, if so many others at most lie between.
_NEAR = 6


@dataclass(frozen=True)
class Side:
    """One node of one side, as a reader would look for it.

    origin  its index in the graph as traced
    node    its index in the canonical graph
    """

    op: str
    path: str
    where: str
    shape: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]
    attributes: tuple[tuple[str, Any], ...]
    origin: int = -1
    node: int = -1

    def __str__(self) -> str:
        line = f" ({self.where})" if self.where else ""
        return f"{self.path or 'the root module'}{line}"


@dataclass(frozen=True)
class Difference:
    """One cause of inequality.

    kind    `operation`, `attributes`, `weights`, `constant`, `dtype`, `wiring`, `sharing`, `training`, `moved`,
            `missing` (only the first has it) or `extra` (only the second has it)
    detail  what differs, as `name actual here, expected there`
    places  module paths on each side where the same difference stands, the first one first
    rest    of operations that are missing or extra in one piece, those after the first
    """

    kind: str
    detail: str
    first: Side | None
    second: Side | None
    places: tuple[tuple[str, str], ...]
    rest: tuple[Side, ...] = ()

    def __str__(self) -> str:
        sides = [f"{name} {side}" for name, side in (("here", self.first), ("there", self.second)) if side is not None]
        more = len(self.places) - 1
        again = f"; and at {more} more place{'s' if more > 1 else ''}" if more > 0 else ""
        return "; ".join(filter(None, (self.detail, ", ".join(sides)))) + again


def side(graph: Graph, index: int) -> Side:
    """A node as a side of a report."""
    node = graph.nodes[index]
    shapes = weights(graph, node)
    return Side(node.op.lstrip("_"), node.path, node.where, node.shape, shapes, node.attributes, node.origin, index)


def weights(graph: Graph, node: Node) -> tuple[tuple[int, ...], ...]:
    """The shapes of the parameters and buffers that a node reads."""
    below = (graph.node(edge) for edge in node.inputs)
    return tuple(operand.shape for operand in below if leaf(graph, operand) is not None)


def causes(found: Sequence[Difference], first: Graph, second: Graph, partner: Mapping[int, int]) -> list[Difference]:
    """One entry for each cause of these differences, which are in dataflow order."""
    return _repeated(_pieces(_moved(list(found), first, second, partner), first, second))


def _moved(found: list[Difference], first: Graph, second: Graph, partner: Mapping[int, int]) -> list[Difference]:
    """An operation that is missing here and extra close by, with equal attributes and weights, is in another place."""
    told: list[Difference] = []
    used: set[int] = set()
    for i, one in enumerate(found):
        if i in used:
            continue
        near = range(i + 1, min(i + 1 + _NEAR, len(found)))
        j = next((j for j in near if j not in used and _same_elsewhere(one, found[j])), None)
        if j is None:
            told.append(one)
            continue
        used.add(j)
        here, there = one.first or found[j].first, one.second or found[j].second
        if here is not None and there is not None:
            passed = _passed(here.node, there.node, first, second, partner)
            rest = [] if passed is None else [side(first, passed)]
            detail = f"{here.op} and {rest[0].op} in the other order" if rest else f"{here.op} in another place"
            told.append(Difference("moved", detail, here, there, ((here.path, there.path),), tuple(rest)))
    return told


def _passed(here: int, there: int, first: Graph, second: Graph, partner: Mapping[int, int]) -> int | None:
    """What the moved operation reads or is read by in the first graph, and the other way round in the second."""
    before, after = _neighbours(first, here)
    before_there, after_there = _neighbours(second, there)
    passed = [i for i in before if partner.get(i) in after_there]
    return next(iter(passed + [i for i in after if partner.get(i) in before_there]), None)


def _neighbours(graph: Graph, index: int) -> tuple[list[int], list[int]]:
    """What a node reads and by what it is read, weights left out."""
    before = [e.node for e in graph.nodes[index].inputs if leaf(graph, graph.node(e)) is None]
    after = [i for i, node in enumerate(graph.nodes) if any(edge.node == index for edge in node.inputs)]
    return before, after


def _same_elsewhere(one: Difference, other: Difference) -> bool:
    if {one.kind, other.kind} != {"missing", "extra"}:
        return False
    x, y = one.first or one.second, other.first or other.second
    return x is not None and y is not None and (x.op, x.attributes, x.weights) == (y.op, y.attributes, y.weights)


def _pieces(found: list[Difference], first: Graph, second: Graph) -> list[Difference]:
    """Operations that only one side has, and that read each other, are one piece."""
    for kind, graph, own in (
        ("missing", first, lambda difference: difference.first),
        ("extra", second, lambda difference: difference.second),
    ):
        found = _joined(found, kind, graph, own)
    return found


def _joined(
    found: list[Difference], kind: str, graph: Graph, own: Callable[[Difference], Side | None]
) -> list[Difference]:
    member = {side.node: i for i, d in enumerate(found) if d.kind == kind and (side := own(d)) is not None}
    piece = {i: i for i in member.values()}
    for node, i in member.items():
        for edge in graph.nodes[node].inputs:
            if edge.node in member:
                old, new = sorted((piece[i], piece[member[edge.node]]), reverse=True)
                piece = {j: new if p == old else p for j, p in piece.items()}
    told = []
    for i, difference in enumerate(found):
        if piece.get(i, i) != i:
            continue
        sides = [side for j, p in piece.items() if p == i and (side := own(found[j])) is not None]
        if len(sides) > 1:
            names = [side.op for side in sides]
            all_of_them = ", ".join(names[:-1]) + f" and {names[-1]}"
            text = all_of_them if len(names) < 6 else f"{len(names)} operations, {names[0]} to {names[-1]},"
            detail = f"{text} here, nothing there" if kind == "missing" else f"nothing here, {text} there"
            difference = replace(difference, detail=detail, rest=tuple(sides[1:]))
        told.append(difference)
    return told


def _repeated(found: list[Difference]) -> list[Difference]:
    """The same change at several places, or in several blocks of different width, is one entry."""
    groups: dict[tuple[str, str], Difference] = {}
    for difference in found:
        by_shape = difference.kind in ("weights", "wiring")
        key = difference.kind, re.sub(r"\d+", "#", difference.detail) if by_shape else difference.detail
        if key in groups:
            places = tuple(dict.fromkeys(groups[key].places + difference.places))
            groups[key] = replace(groups[key], places=places)
        else:
            groups[key] = difference
    return list(groups.values())
