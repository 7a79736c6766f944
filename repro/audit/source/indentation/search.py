"""The most likely depth of every statement: a beam search over the blocks that are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log1p

from repro.audit.source.indentation.block import MODULE, Block
from repro.audit.source.indentation.clue import TAKES
from repro.audit.source.indentation.evidence import evidence
from repro.audit.source.indentation.text import Text
from repro.audit.source.indentation.weights import WEIGHTS

WIDTH = 12  # readings that are kept at each statement
DEEPEST = 20  # blocks within one another; what opens more is no program
WORSE = 7.0  # nats by which a reading that is kept may be less likely than the best
DOUBTFUL = 1.0  # nats by which another place may be less likely than the chosen one, to be told
WORTH_A_LOOK = 3.0  # nats by which it may be so by the statement alone; what comes behind may speak for it
AHEAD = 4  # statements behind it that are asked
HOPELESS = 14.0  # nats below which no other place is thought of
IMPOSSIBLE = 25.0  # nats for what Python does not allow; a broken text may be so


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the statements up to one of them.

    blocks    that are open, the module first
    waits     whether the last statement opened a block, or decorates the next one
    score     logarithm of how likely it is
    depth     of the last statement
    previous  the same, one statement before
    """

    blocks: tuple[Block, ...]
    waits: str
    score: float
    depth: int
    previous: Reading | None

    def depths(self) -> list[int]:
        """Of all statements."""
        found = []
        reading: Reading | None = self
        while reading and reading.previous:
            found.append(reading.depth)
            reading = reading.previous
        return found[::-1]


START = Reading((MODULE,), "", 0.0, 0, None)


def depths(text: Text) -> list[int]:
    """The depth of each statement, by the most likely reading."""
    readings = [START]
    for index in range(len(text.clues)):
        readings = following(text, index, readings)
    return readings[0].depths()


def following(text: Text, index: int, readings: Sequence[Reading]) -> list[Reading]:
    """The most likely readings with one statement more, the best first."""
    found: list[tuple[float, Reading, int]] = []
    best = -inf
    for reading in readings:
        for count, likely in choices(text, index, reading, best - WORSE - reading.score):
            found.append((reading.score + likely, reading, count))
            best = max(best, reading.score + likely)
    kept: list[Reading] = []
    seen: set[tuple[tuple[int, int], ...]] = set()
    for score, reading, count in sorted(found, key=lambda each: -each[0]):
        if score < best - WORSE or len(kept) == WIDTH:
            break
        *around, block = reading.blocks[: len(reading.blocks) - count]
        key = (*((each.opened, each.size) for each in around), (block.opened, block.size + 1))
        if key not in seen:
            seen.add(key)
            kept.append(after(text, index, reading, count, score))
    return kept


def choices(text: Text, index: int, reading: Reading, least: float = -inf) -> Iterator[tuple[int, float]]:
    """How many blocks a statement may end, and the logarithm of how likely that is, down to the least."""
    clue, blocks = text.clues[index], reading.blocks
    if reading.waits and not (reading.waits == "block" and clue.kind in TAKES and clue.kind != "case"):
        yield 0, 0.0
        return
    if clue.main:
        yield len(blocks) - 1, 0.0
        return
    if clue.kind in TAKES and not any(block.kind in TAKES[clue.kind] for block in blocks):
        yield 0, -IMPOSSIBLE
        return
    likely = 0.0
    for count in range(len(blocks)):
        level = len(blocks) - 1 - count
        odds = log_odds(text, index, blocks, level) if level else -IMPOSSIBLE
        stays = likely - _softplus(odds)
        if clue.kind in TAKES and not (count and blocks[level + 1].kind in TAKES[clue.kind]):
            stays -= IMPOSSIBLE
        yield count, stays
        likely -= _softplus(-odds)
        if blocks[level].kind == "try" and clue.kind not in TAKES:
            likely -= IMPOSSIBLE
        if likely < least:
            return


def log_odds(text: Text, index: int, blocks: Sequence[Block], level: int) -> float:
    """Of a statement's ending the block at a level."""
    weights = WEIGHTS[blocks[level].column]
    return sum(weights.get(each, 0.0) for each in evidence(text, index, blocks, level))


def after(text: Text, index: int, reading: Reading, count: int, score: float) -> Reading:
    """The reading with one statement more, which ends so many blocks."""
    clue = text.clues[index]
    blocks = list(reading.blocks)
    ended = None
    for _ in range(count):
        ended = blocks.pop()
        blocks[-1] = blocks[-1].with_block(ended)
    blocks[-1] = blocks[-1].with_statement(clue, index)
    depth = len(blocks) - 1
    if clue.opens and len(blocks) < DEEPEST:
        blocks.append(Block.of(clue, index, blocks[-1], ended))
    waits = "block" if clue.opens else "definition" if clue.kind == "decorator" else ""
    return Reading(tuple(blocks), waits, score, depth, reading)


def _softplus(x: float) -> float:
    """log(1 + exp(x)), where exp would not fit either."""
    return x + log1p(exp(-x)) if x > 0 else log1p(exp(x))


def doubts(text: Text, chosen: Sequence[int]) -> Iterator[tuple[int, int, bool]]:
    """The statements that might as well stand elsewhere, what is before them being as it is.

    Each with the one that opens the block in question, and whether it might as well be in that block; if not, behind.
    """
    reading = START
    for index, depth in enumerate(chosen):
        found = {len(reading.blocks) - 1 - count: likely for count, likely in choices(text, index, reading, -HOPELESS)}
        taken = after(text, index, reading, len(reading.blocks) - 1 - depth, found.get(depth, -HOPELESS))
        others = [other for other in found if other != depth and found[other] > taken.score - WORTH_A_LOOK]
        if others:
            enough = _ahead(text, index, taken) - DOUBTFUL
        for other in others:
            made = after(text, index, reading, len(reading.blocks) - 1 - other, found[other])
            if _ahead(text, index, made) > enough:
                yield index, reading.blocks[other if other > depth else other + 1].opened, other > depth
        reading = replace(taken, score=0.0, previous=None)


def _ahead(text: Text, index: int, reading: Reading) -> float:
    """How likely a reading is by the best that the next statements can make of it."""
    readings = [reading]
    for later in range(index + 1, min(index + 1 + AHEAD, len(text.clues))):
        readings = following(text, later, readings)
    return readings[0].score
