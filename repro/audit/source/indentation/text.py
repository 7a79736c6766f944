"""What the rest of a text tells of each of its statements: what comes later, and where a name is read again."""

from __future__ import annotations

import builtins
from bisect import bisect_right
from collections.abc import Sequence

from repro.audit.source.indentation.clue import TAKES, Clue, clue
from repro.audit.source.logical import statements

_BUILTIN = frozenset(dir(builtins))
_NOTHING: frozenset[str] = frozenset()
_DEFINES = {"def", "class", "decorator"}


class Text:
    """The statements of a text and what is known of them before the search.

    clues     of each statement
    border    for each statement the next one behind it that begins a definition, or the end
    follows   for each statement what is defined next behind it: a method, by its parameters, a def or a class
    leaves    for each statement whether a `return`, a `yield`, or a `break` or `continue` that no loop behind it can
              have, comes before the next definition
    needs     for each statement a clause behind it, such as `else`, that no statement between seems to take
    alive     for each statement the names read behind it, before they are bound again and before the next definition
    renewed   for each statement the names bound or changed behind it before they are read, likewise
    spaced    whether lines with nothing on them survived at all
    methods   what is called or read as an attribute of `self`
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.clues: list[Clue] = []
        blanks, comment = 0, False
        for statement in statements(lines):
            first = lines[statement.start].strip()
            if not first:
                blanks += 1
            elif first.startswith("#"):
                comment = True
            else:
                made = clue(lines, statement.start, statement.end)
                made.blanks, made.comment = blanks, comment
                self.clues.append(made)
                blanks, comment = 0, False
        self.spaced = any(each.blanks for each in self.clues)
        self._reads: dict[str, list[int]] = {}
        self._binds: dict[str, list[int]] = {}
        for index, each in enumerate(self.clues):
            for name in each.reads:
                self._reads.setdefault(name, []).append(index)
            for name in each.binds:
                self._binds.setdefault(name, []).append(index)
        self._others = [at for at, each in enumerate(self.clues) if each.kind == "class" or each.method]
        self.methods = {name.split(".")[1] for name in self._reads if name.startswith("self.")}
        same = _BUILTIN.union(*(each.binds for each in self.clues if each.kind in ("import", "def", "class")))
        for each in self.clues:
            each.reads = frozenset(name for name in each.reads if name.partition(".")[0] not in same)
        self.border = [0] * len(self.clues)
        self.leaves: list[frozenset[str]] = [_NOTHING] * len(self.clues)
        self.follows = [""] * len(self.clues)
        self.needs: list[Clue | None] = [None] * len(self.clues)
        self.alive = [_NOTHING] * len(self.clues)
        self.renewed = [_NOTHING] * len(self.clues)
        self._look_back()
        self._free: dict[int, frozenset[str]] = {}

    def _look_back(self) -> None:
        border, waiting = len(self.clues), list[Clue]()
        alive = renewed = _NOTHING
        follows, leaves = "", _NOTHING
        for index in range(len(self.clues) - 1, -1, -1):
            each = self.clues[index]
            self.border[index], self.alive[index], self.renewed[index] = border, alive, renewed
            self.follows[index], self.leaves[index] = follows, leaves
            if each.kind in ("for", "while"):
                leaves -= {"jump"}
            elif each.kind in _DEFINES:
                leaves = _NOTHING
            elif each.kind in ("jump", "return", "yield"):
                leaves |= {each.kind}
            if each.kind in ("def", "class"):
                follows = "method" if each.method else each.kind
            alive = each.reads | (alive - each.binds)
            renewed = (renewed | each.binds | each.changes) - each.reads
            if each.kind in _DEFINES:
                border, waiting = index, []
                alive = renewed = _NOTHING
            while waiting and each.opens and takes(each, waiting[-1]):
                waiting.pop()
            self.needs[index] = waiting[-1] if waiting else None
            if each.kind in TAKES and each.kind != "case":
                waiting.append(each)

    def called_soon(self, index: int) -> bool:
        """Whether what a statement defines is read before the next definition."""
        return _next(self._reads.get(self.clues[index].called), index) < self.border[index]

    def read_elsewhere(self, name: str, index: int) -> bool:
        """Whether a name is read behind the next definition before it is bound again."""
        again = _next(self._reads.get(name), self.border[index])
        return again < len(self.clues) and _next(self._binds.get(name), index) >= again

    def read_before(self, name: str, index: int) -> bool:
        """Whether a name is read before a statement."""
        return _next(self._reads.get(name), -1) < index

    def read_in_another(self, name: str, index: int) -> bool:
        """Whether a name is read behind the next class or method, which is hardly in a function that has the name."""
        return _next(self._reads.get(name), _next(self._others, index)) < len(self.clues)

    def free(self, index: int) -> frozenset[str]:
        """The names that a definition reads up to the next one and does not bind."""
        if index not in self._free:
            bound = set(self.clues[index].targets)
            found: set[str] = set()
            for each in self.clues[index + 1 : self.border[index]]:
                found |= each.reads - bound
                bound |= each.binds
            self._free[index] = frozenset(found)
        return self._free[index]


def _next(places: list[int] | None, index: int) -> int:
    """The first of some places behind a statement; far away if there is none."""
    at = bisect_right(places, index) if places else 0
    return places[at] if places and at < len(places) else 1 << 60


def takes(opener: Clue, clause: Clue) -> bool:
    """Whether a clause seems to go on after what a statement opens."""
    if opener.kind not in TAKES[clause.kind] or opener.kind in ("for", "while"):
        return False
    return clause.kind != "elif" or opener.head == clause.head
