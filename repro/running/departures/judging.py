"""What is a slip, and what somebody wanted.

A tutorial departs from a paper on purpose more often than by mistake: it has smaller images, other classes, a batch
normalisation that came later, no groups because it has one GPU. A slip is told from that by what is around it.

1.  Habits are notes wherever they are: normalisation, bias, dropout, response normalisation, the kind and the edge of a
    pooling, one activation for another, the stride of a bottleneck in either convolution, all widths by one factor,
    the widths of the head, auxiliary classifiers. Each is common in libraries, and none breaks what the network is.
    So are the ways in which a shortcut gets its channels (arXiv:1512.03385, section 3.3): nothing, or a projection.
2.  The stem goes with the size of the images. If its first convolution or its poolings are other ones, whatever is
    different in it is an adaptation, and so is the padding of its convolutions. But a first convolution of 1x1 sees no
    neighbours at all, on images of any size.
3.  Some things nobody wants: a layer without the activation that the paper has there, so that it and the next layer
    are one linear map; a shortcut that is not added, or a sum in a network that has none; a 1x1 convolution with
    groups, whose channels then never meet where the paper has a 1x1 so that they do; an epsilon of the order of the
    variance that it guards.
4.  A width, a kernel, a stride, a padding or a group count is a slip where it is other in few places (at most a tenth
    of the layers, and not at the same place of every block) of a network that otherwise is the paper's. Who changes a
    design changes it everywhere. In a network of less than ten layers one is already more than a tenth: there it has
    to be the only departure.
5.  Layers, branches and blocks that are missing or extra are judged so too, whole blocks only in a network that is
    called by its depth: any number of blocks makes a network, but not the one that the name says.
6.  Of a network that departs in more than a quarter of its layers nothing is a slip. It is a design of its own, and
    merely called after another.

Severity says this; confidence is medium, as intent is a guess, and high where one thing is all that differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repro.audit.finding import Confidence, Severity
from repro.running.departures.changes import STRUCTURAL, Change
from repro.running.departures.grouping import LARGE_EPSILON, Cause
from repro.running.departures.names import role
from repro.running.departures.reading import POOLS, WEIGHTED, Part

_OWN_DESIGN = 0.25  # of the layers
_FEW = 10  # one layer in as many
_PIECES = ("missing", "extra", "missing branch", "extra branch")

Judgement = tuple[Severity, Confidence]
_NOTE: Judgement = (Severity.NOTE, Confidence.HIGH)


@dataclass(frozen=True)
class Court:
    """What a cause is judged by.

    there      the parts of the network of the catalog
    causes     all of them
    is_called  whether the network is called by the name of that one
    """

    there: Sequence[Part]
    causes: Sequence[Cause]
    is_called: bool

    def judge(self, cause: Cause) -> Judgement:
        """By the rules above."""
        suspect = self._never_wanted(cause) or self._structural(cause)
        if not suspect or self._is_own_design:
            return _NOTE
        return Severity.BUG, Confidence.HIGH if self._is_alone else Confidence.MEDIUM

    def _never_wanted(self, cause: Cause) -> bool:
        first = cause.changes[0]
        if cause.kind in ("activation", "bare"):
            return any(not change.has and not self._moved(change) for change in cause.changes)
        if cause.kind == "epsilon":
            return any(change.has[0] > LARGE_EPSILON for change in cause.changes)
        if cause.kind == "groups" and first.here is not None:
            return first.has > first.expected == 1 and set(first.here.kernel) == {1}
        if cause.kind == "kernel" and first.part is self._weighted[0]:
            return set(first.has) == {1}
        adds = cause.kind in ("extra addition", "extra branch") and any(part.kind == "add" for part in cause.parts)
        return cause.kind == "missing addition" or (adds and not self._has_additions)

    def _structural(self, cause: Cause) -> bool:
        if cause.kind not in STRUCTURAL and cause.kind not in _PIECES:
            return False
        first = cause.changes[0]
        if cause.kind == "kernel" and first.has == first.expected[::-1]:  # 1x7 and 7x1: in the other order
            return False
        weighted = [part for part in cause.parts if part.kind in WEIGHTED]
        if not weighted or all(_in_head(part) for part in weighted):
            return False
        if (self._adapts_stem or cause.kind == "padding") and all(id(part) in self._stem for part in weighted):
            return False
        if cause.kind in _PIECES and any(part.kind == "add" for part in cause.parts) and not self.is_called:
            return False
        if cause.kind == "groups" and self._drops_groups(cause):
            return False
        return self._is_rare(cause, len(weighted))

    def _is_rare(self, cause: Cause, places: int) -> bool:
        if len(self._weighted) < _FEW:
            return self._is_alone
        if cause.kind in _PIECES:
            return places <= max(3, len(self._weighted) // _FEW) and not self._everywhere(cause)
        same = sum(each.kind == cause.kind and role(each.parts[0]) == role(cause.parts[0]) for each in self.causes)
        return same <= 2 and places <= max(1, len(self._weighted) // _FEW) and not self._everywhere(cause)

    def _everywhere(self, cause: Cause) -> bool:
        """Whether it is at the same place of every block."""
        first = cause.changes[0]
        place = role(first.near if first.kind == "extra" and first.near is not None else first.part)
        alike = sum(role(part) == place for part in self.there)
        return alike > 1 and len(cause.changes) >= alike

    def _drops_groups(self, cause: Cause) -> bool:
        """Whether none of the paper's grouped convolutions has groups."""
        grouped = {id(part) for part in self._weighted if part.groups > 1}
        return grouped <= {id(change.part) for change in cause.changes if change.has == 1}

    @property
    def _is_alone(self) -> bool:
        return len(self.causes) == 1

    def _moved(self, lost: Change) -> bool:
        """Whether the activation stands before or behind the place that it should be at, where the paper has none."""
        if lost.there is None or lost.kind != "activation":
            return lost.kind != "activation"
        index = next(i for i, part in enumerate(self.there) if part is lost.there)
        beside = {id(self.there[source]) for source in lost.there.sources if source >= 0}
        beside |= {id(part) for part in self.there if index in part.sources}
        return any(
            change.kind == "activation" and bool(change.has) and not change.expected and id(change.part) in beside
            for cause in self.causes
            for change in cause.changes
        )

    @property
    def _weighted(self) -> list[Part]:
        return [part for part in self.there if part.kind in WEIGHTED and not part.beside]

    @property
    def _has_additions(self) -> bool:
        return any(part.kind == "add" for part in self.there)

    @property
    def _stem(self) -> set[int]:
        """What comes before the ways part for the first time; without that, the first layer and its pooling."""
        read = [source for part in self.there for source in part.sources]
        ends = [index for index in range(len(self.there)) if read.count(index) > 1]
        if not ends:
            weighted = [index for index, part in enumerate(self.there) if part.kind in WEIGHTED]
            ends = [weighted[1] - 1] if len(weighted) > 1 else [0]
        return {id(part) for part in self.there[: ends[0] + 1]}

    @property
    def _adapts_stem(self) -> bool:
        stem, first = self._stem, self._weighted[0]
        return any(
            (change.part is first and change.kind in ("kernel", "stride"))
            or (id(change.part) in stem and change.part.kind in POOLS and change.kind in ("pool", "missing"))
            for cause in self.causes
            for change in cause.changes
        )

    @property
    def _is_own_design(self) -> bool:
        stem = self._stem if self._adapts_stem else set()
        touched = {
            id(change.part)
            for cause in self.causes
            if cause.kind not in ("scale", "v1.5", "auxiliary", "projection") and not self._never_wanted(cause)
            for change in cause.changes
            if _counts(change) and id(change.part) not in stem
        }
        body = [part for part in self._weighted if not _in_head(part)]
        return len(touched) > _OWN_DESIGN * max(len(body), 1) and len(self.causes) > 1


def _counts(change: Change) -> bool:
    if change.kind not in STRUCTURAL or change.part.kind not in WEIGHTED or _in_head(change.part):
        return False
    return change.kind != "groups" or change.has > change.expected


def _in_head(part: Part) -> bool:
    return part.beside or part.kind == "linear" or (part.kind in POOLS and part.whole)
