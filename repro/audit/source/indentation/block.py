"""A block that is open while the search stands at a statement."""

from __future__ import annotations

from typing import NamedTuple

from repro.audit.source.indentation.clue import TAKES, Clue

# Kind of the statement that opens a block -> the column of the weights that the block has; `def` has two.
COLUMNS = {
    "if": "if",
    "elif": "if",
    "except": "if",
    "else": "else",
    "finally": "else",
    "case": "else",
    "for": "loop",
    "while": "loop",
    "with": "with",
    "try": "with",
    "match": "with",
    "class": "class",
    "module": "class",
}
_NOTHING: frozenset[str] = frozenset()


class Block(NamedTuple):
    """What is in a block so far.

    kind    of the statement that opens it
    column  of the weights
    opened  the index of that statement
    size    how many statements stand in it, those of blocks within it not counted
    jumps   whether nothing that follows in it is ever reached
    opener  the statement that opens it
    branch  the names that are bound in the branch before it, of which it is the other
    targets the names that its first statement binds for it
    updates whether its last statement binds what one before it reads
    bound   those that its statements bind
    changed those of what its statements change
    read    those that its statements read
    names   all of these, and the targets
    last    the index of the last statement in it
    """

    kind: str
    column: str
    opened: int
    opener: Clue
    size: int = 0
    jumps: bool = False
    updates: bool = False
    branch: frozenset[str] = _NOTHING
    targets: frozenset[str] = _NOTHING
    bound: frozenset[str] = _NOTHING
    changed: frozenset[str] = _NOTHING
    read: frozenset[str] = _NOTHING
    names: frozenset[str] = _NOTHING
    last: int = -1

    @classmethod
    def of(cls, clue: Clue, index: int, around: Block, before: Block | None) -> Block:
        """The block that a statement opens."""
        column = COLUMNS.get(clue.kind, "")
        if not column:
            column = "method" if around.kind == "class" else "function"
        branch = before.bound | before.changed if before and clue.kind in TAKES else _NOTHING
        return cls(clue.kind, column, index, clue, branch=branch, targets=clue.targets, names=clue.targets)

    def with_statement(self, clue: Clue, index: int) -> Block:
        """With one statement more."""
        return self._replace(
            size=self.size + 1,
            jumps=clue.jumps,
            updates=bool(clue.binds & self.read),
            bound=self.bound | clue.binds,
            changed=self.changed | clue.changes,
            read=self.read | clue.reads,
            names=self.names.union(clue.binds, clue.changes, clue.reads),
            last=index,
        )

    def with_block(self, block: Block) -> Block:
        """With what a block in it that has ended did to the names."""
        if block.kind in ("def", "class"):
            return self
        bound = self.bound | block.bound | block.targets
        changed, read = self.changed | block.changed, self.read | block.read
        return self._replace(bound=bound, changed=changed, read=read, names=self.names | block.names)


MODULE = Block("module", "class", -1, Clue(0, 0))
