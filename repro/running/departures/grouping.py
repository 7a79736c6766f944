"""Changes that have one cause, brought together: one thing at many layers, a block or a branch in one piece."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.running.departures.changes import Change
from repro.running.departures.names import role
from repro.running.departures.reading import JOINS, WEIGHTED, Part

_MANY = 4  # widths that are told one by one at most, less one
LARGE_EPSILON = 0.1  # the largest in any paper is 0.001


@dataclass(frozen=True)
class Cause:
    """One thing to tell.

    kind     of its changes, or: missing branch, extra branch (what is missing or extra with its sum or concatenation),
             missing addition, extra addition (a sum alone), projection (in a shortcut), auxiliary (classifiers), v1.5
             (the stride in another convolution of the blocks), scale (widths by one factor), widths (many of them),
             bare (neither normalisation nor activation)
    changes  in reading order; `changes[0]` is told by name
    """

    kind: str
    changes: tuple[Change, ...]

    @property
    def parts(self) -> list[Part]:
        """Where it is, by the names of the catalog."""
        return [change.part for change in self.changes]


def causes(found: Sequence[Change], here: Sequence[Part], there: Sequence[Part]) -> list[Cause]:
    """The causes of all changes, in the order of their first ones."""
    rest = list(found)
    told: list[Cause] = []
    for collect in (_bare, _dropout_elsewhere, _stride_elsewhere, _scale, _pieces):
        collected = collect(rest, here, there)
        used = {id(change) for cause in collected for change in cause.changes}
        rest = [change for change in rest if id(change) not in used]
        told += collected
    groups: dict[tuple[object, ...], list[Change]] = {}
    for change in rest:
        groups.setdefault(_key(change), []).append(change)
    told += _widths_together([Cause(changes[0].kind, tuple(changes)) for changes in groups.values()])
    position = {id(change): index for index, change in enumerate(found)}
    return sorted(told, key=lambda cause: position[id(cause.changes[0])])


def _key(change: Change) -> tuple[object, ...]:
    """What makes changes the same one. Widths and kernels differ from place to place: told place by place."""
    if change.kind in ("width", "kernel"):
        return change.kind, role(change.part), change.has == change.expected, change.has, change.expected
    if change.kind == "epsilon" and change.has[0] > LARGE_EPSILON:
        return change.kind, "large"
    if change.kind in ("dropout", "lrn", "softmax"):
        return change.kind, change.has is None, change.expected is None
    if change.kind in ("norm", "activation"):
        return change.kind, change.has, change.expected
    return change.kind, change.part.kind, change.has, change.expected


def _widths_together(told: Sequence[Cause]) -> list[Cause]:
    """Other widths at many places are a design, and one thing to tell."""
    widths = [cause for cause in told if cause.kind == "width"]
    if len(widths) < _MANY:
        return list(told)
    together = Cause("widths", tuple(change for cause in widths for change in cause.changes))
    return [cause for cause in told if cause.kind != "width"] + [together]


def _bare(found: Sequence[Change], *_: Sequence[Part]) -> list[Cause]:
    """A layer that lacks its normalisation and its activation at once lacks them for one reason."""
    lacking: dict[int, list[Change]] = {}
    for change in found:
        if change.kind in ("norm", "activation") and not change.has and change.here is not None:
            lacking.setdefault(id(change.part), []).append(change)
    both = [changes for changes in lacking.values() if len(changes) == 2]
    return [Cause("bare", tuple(change for changes in both for change in changes))] if both else []


def _dropout_elsewhere(found: Sequence[Change], *_: Sequence[Part]) -> list[Cause]:
    """As many dropouts as there should be, at other places."""
    dropouts = [change for change in found if change.kind == "dropout"]
    lost = sum(change.has is None for change in dropouts)
    extra = sum(change.expected is None for change in dropouts)
    return [Cause("dropout", tuple(dropouts))] if lost == extra > 0 and lost + extra == len(dropouts) else []


def _stride_elsewhere(found: Sequence[Change], *_: Sequence[Part]) -> list[Cause]:
    """Strides that one convolution has lost and the next one of the same block has got (arXiv:1706.02677, 5.1)."""
    strides = [change for change in found if change.kind == "stride"]
    moved: list[Change] = []
    for one, other in itertools.pairwise(strides):
        same_block = one.part.path.rpartition(".")[0] == other.part.path.rpartition(".")[0]
        if same_block and (one.has, one.expected) == (other.expected, other.has):
            moved += [one, other]
    return [Cause("v1.5", tuple(moved))] if moved else []


def _scale(found: Sequence[Change], _: Sequence[Part], there: Sequence[Part]) -> list[Cause]:
    """Most layers wider or narrower by one factor: a width multiplier."""
    widths = [change for change in found if change.kind == "width" and change.expected]
    factors = {change.has / change.expected for change in widths}
    weighted = sum(part.kind in WEIGHTED for part in there)
    return [Cause("scale", tuple(widths))] if len(factors) == 1 and len(widths) > max(2, weighted // 2) else []


def _pieces(found: Sequence[Change], here: Sequence[Part], there: Sequence[Part]) -> list[Cause]:
    """Parts that only one side has and that read each other, with the join that has one way less or more for it."""
    told: list[Cause] = []
    for kind, side in (("missing", there), ("extra", here)):
        alone = [change for change in found if change.kind == kind]
        for piece in _connected(alone, kind, side):
            parts = [_own(change, kind) for change in piece]
            if any(part.kind in WEIGHTED for part in parts) and all(part.beside for part in parts):
                told.append(Cause("auxiliary", tuple(piece)))
            elif [part.kind for part in parts] == ["add"]:
                moved = _activated_before(found, parts[0], side) if kind == "missing" else []
                told.append(Cause(f"{kind} addition", (*piece, *moved)))
            elif len(parts) == 1 and _is_projection(parts[0], side):
                told.append(Cause("projection", tuple(piece)))
            else:
                told.append(Cause(_shape_of(parts, kind), tuple(piece)))
    return _alike(told) if any(part.kind == "add" for part in there) else _with_their_sum(_alike(told))


def _with_their_sum(told: Sequence[Cause]) -> list[Cause]:
    """In a network without sums, what is extra is there to be added."""
    sums = [cause for cause in told if cause.kind == "extra addition"]
    extra = [cause for cause in told if sums and cause.kind.startswith("extra")]
    changes = tuple(change for cause in extra for change in cause.changes)
    return [cause for cause in told if cause not in extra] + [Cause("extra branch", changes)] * bool(sums)


def _activated_before(found: Sequence[Change], addition: Part, side: Sequence[Part]) -> list[Change]:
    """The activation of a missing addition, which now stands behind what it would have added."""
    read = {id(side[source]) for source in addition.sources if source >= 0}
    return [each for each in found if each.kind == "activation" and not each.expected and id(each.part) in read]


def _is_projection(part: Part, side: Sequence[Part]) -> bool:
    """Whether it is the only layer of a way that is added to another one."""
    index = next(i for i, each in enumerate(side) if each is part)
    added = any(each.kind == "add" and index in each.sources for each in side)
    forked = sum(part.sources[0] in each.sources for each in side) > 1
    return part.kind == "conv" and added and forked


def _shape_of(parts: Sequence[Part], kind: str) -> str:
    joins = [part for part in parts if part.kind in JOINS]
    return f"{kind} branch" if joins and any(part.kind in WEIGHTED for part in parts) else kind


def _own(change: Change, kind: str) -> Part:
    part = change.there if kind == "missing" else change.here
    assert part is not None
    return part


def _connected(alone: Sequence[Change], kind: str, side: Sequence[Part]) -> list[list[Change]]:
    """Those that read each other or are neighbours in one module."""
    number = {id(part): index for index, part in enumerate(side)}
    pieces: list[list[Change]] = []
    for change in alone:
        part = _own(change, kind)
        joined = [
            piece
            for piece in pieces
            if any(number[id(_own(each, kind))] in part.sources for each in piece)
            or _module(_own(piece[-1], kind)) == _module(part) != ""
        ]
        pieces = [piece for piece in pieces if not any(piece is each for each in joined)]
        pieces.append([each for piece in joined for each in piece] + [change])
    return pieces


def _module(part: Part) -> str:
    """The block or module that a part is in: its path up to the first number behind the stage's name."""
    names = part.path.removeprefix("backbone.").split(".")
    return ".".join(names[:2] if len(names) > 1 and names[1].isdigit() else names[:1])


def _alike(found: Iterable[Cause]) -> list[Cause]:
    """Pieces of one kind are one cause where there are several: blocks of a stage, shortcuts, auxiliary heads."""
    groups: dict[tuple[object, ...], list[Cause]] = {}
    for cause in found:
        first = cause.changes[0]
        place = role(first.near) if first.near is not None else ""
        shape = tuple((part.kind, part.kernel) for part in cause.parts)
        groups.setdefault((cause.kind, place, shape), []).append(cause)
    return [Cause(key[0], tuple(c for cause in group for c in cause.changes)) for key, group in groups.items()]  # type: ignore[arg-type]
