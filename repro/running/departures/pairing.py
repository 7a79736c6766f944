"""Which part of a network stands for which of another: the cheapest alignment of their parts, in reading order."""

from __future__ import annotations

from collections.abc import Sequence

from repro.running.departures.reading import POOLS, WEIGHTED, Part

Pair = tuple[int | None, int | None]

_OTHER_KIND = 9.0  # never paired: leaving both alone costs less
_ALONE = {"conv": 2.0, "linear": 2.0, "max": 1.0, "average": 1.0}
_JOIN = 1.5  # an addition or a concatenation alone
_LONG = 700  # parts; two networks as long as that are aligned within a band
_BAND = 120


def pairs(here: Sequence[Part], there: Sequence[Part]) -> list[Pair]:
    """Every part of both once: with its partner, or with None."""
    start = 0
    while start < min(len(here), len(there)) and _cost(here[start], there[start]) == 0:
        start += 1
    end = 0
    while end < min(len(here), len(there)) - start and _cost(here[-1 - end], there[-1 - end]) == 0:
        end += 1
    inner = _aligned(here[start : len(here) - end], there[start : len(there) - end])
    same: list[Pair] = [(i, i) for i in range(start)]
    shifted = [(None if i is None else i + start, None if j is None else j + start) for i, j in inner]
    tail: list[Pair] = [(len(here) - k, len(there) - k) for k in range(end, 0, -1)]
    return [*same, *shifted, *tail]


def distance(here: Sequence[Part], there: Sequence[Part], paired: Sequence[Pair]) -> float:
    """What an alignment costs."""
    total = 0.0
    for i, j in paired:
        if i is not None and j is not None:
            total += _cost(here[i], there[j])
        else:
            total += _alone(here[i] if i is not None else there[j])  # type: ignore[index]
    return total


def _aligned(here: Sequence[Part], there: Sequence[Part]) -> list[Pair]:
    """Needleman and Wunsch's alignment."""
    rows, columns = len(here), len(there)
    band = max(rows, columns) if max(rows, columns) < _LONG else abs(rows - columns) + _BAND
    far = float("inf")
    alone_here, alone_there = [_alone(x) for x in here], [_alone(y) for y in there]
    best = [[far] * (columns + 1) for _ in range(rows + 1)]
    step = [[0] * (columns + 1) for _ in range(rows + 1)]  # 0: both, 1: here alone, 2: there alone
    best[0][0] = 0.0
    for i in range(rows + 1):
        for j in range(max(0, i - band), min(columns, i + band) + 1):
            if i and j:
                cost = best[i - 1][j - 1] + _cost(here[i - 1], there[j - 1])
                if cost < best[i][j]:
                    best[i][j], step[i][j] = cost, 0
            if i and best[i - 1][j] + alone_here[i - 1] < best[i][j]:
                best[i][j], step[i][j] = best[i - 1][j] + alone_here[i - 1], 1
            if j and best[i][j - 1] + alone_there[j - 1] < best[i][j]:
                best[i][j], step[i][j] = best[i][j - 1] + alone_there[j - 1], 2
    found: list[Pair] = []
    i, j = rows, columns
    while i or j:
        way = step[i][j]
        i, j = i - (way != 2), j - (way != 1)
        found.append((i if way != 2 else None, j if way != 1 else None))
    return found[::-1]


def _alone(part: Part) -> float:
    return _ALONE.get(part.kind, _JOIN)


def _cost(here: Part, there: Part) -> float:
    """How unlikely it is that one stands for the other; 0 of parts that are told apart by their names only."""
    if here.kind != there.kind:
        return 0.7 if here.kind in POOLS and there.kind in POOLS else _OTHER_KIND
    cost = 0.3 * (here.beside != there.beside)
    if here.kind in WEIGHTED:
        cost += (
            0.6 * (here.width != there.width) + 0.3 * (here.inputs != there.inputs) + 0.1 * (here.bias != there.bias)
        )
    if here.kind == "linear":
        return cost + _after(here, there)
    cost += 1.0 * (here.kernel != there.kernel) + 0.4 * (here.stride != there.stride)
    cost += 0.2 * (here.padding != there.padding) + 0.4 * (here.groups != there.groups)
    cost += 0.5 * (len(here.sources) != len(there.sources))
    return cost + _after(here, there)


def _after(here: Part, there: Part) -> float:
    return 0.2 * len({x.name for x in here.after} ^ {x.name for x in there.after})
