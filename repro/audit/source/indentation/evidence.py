"""What speaks for or against a statement's ending a block: the rows of the weights that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.audit.source.indentation.block import Block
from repro.audit.source.indentation.clue import TAKES, numbered
from repro.audit.source.indentation.text import Text, takes


def evidence(text: Text, index: int, blocks: Sequence[Block], level: int) -> Iterator[str]:
    """The evidence for a statement's ending the block at a level, those within it being ended."""
    clue = text.clues[index]
    block = blocks[level]
    yield "any"
    yield from _of_the_block(text, index, blocks, level)
    yield f"kind:{clue.kind}"
    if clue.kind in ("def", "class", "decorator"):
        if level < len(blocks) - 1:
            yield "def:ends one"
        yield from _of_a_definition(text, index, block)
    yield from _of_what_is_around(text, index, block)
    if block.kind != "class":
        yield from _of_names(text, index, blocks, level)


def _of_the_block(text: Text, index: int, blocks: Sequence[Block], level: int) -> Iterator[str]:
    block = blocks[level]
    yield f"size:{block.size if block.size < 4 else '4-7' if block.size < 8 else '8-'}"
    if block.size == 1:
        yield f"second:{text.clues[index].kind}"
        yield f"alone:{text.clues[block.last].kind}"
    if text.clues[block.last].begins:
        yield "block:begins"
    if block.jumps:
        yield "block:jumps"
    if level < len(blocks) - 1:
        yield f"block:holds:{blocks[level + 1].column}"
    if blocks[level - 1].column not in ("class", "method"):
        yield f"block:in:{blocks[level - 1].column}"
    if "jump" in text.leaves[index] and block.column == "loop" and text.clues[index].kind not in ("for", "while"):
        loops = sum(each.column == "loop" for each in blocks)
        yield "needed:for a jump" if loops == 1 else "needed:for a jump too"
    if block.kind == "def" and text.leaves[index] - {"jump"} and text.clues[index].kind not in ("def", "decorator"):
        yield "needed:for a return"
    if (block.bound | block.changed) & (block.opener.guards | block.opener.denies):
        yield "test:answered"
    elif block.opener.test and block.column == "if":
        size = "" if block.size > 1 else ":1:opens" if text.clues[index].opens else ":1"
        yield f"test:{block.opener.test}{size}"
        if any((block.opener.guards | block.opener.denies) & each.targets for each in blocks[:level]):
            yield f"test:parameter{size}"
    if block.updates:
        yield "block:updates"
    clue, need = text.clues[index], text.needs[index]
    if clue.kind == "elif":
        yield "clause:alike" if clue.head == block.opener.head else "clause:unlike"
    if clue.kind in TAKES and index + 1 < len(text.clues):
        branch = text.clues[index + 1].binds | text.clues[index + 1].changes
        inner = blocks[level + 1] if level < len(blocks) - 1 else None
        if not branch & (block.bound | block.changed):
            yield "clause:branch unlike"
        else:
            yield "clause:branch alike outside" if inner else "clause:branch alike"
        if inner and branch & (inner.bound | inner.changed):
            yield "clause:branch taken"
    elif need and takes(block.opener, need):
        takers = [each for each in blocks if each.size and takes(each.opener, need)]
        yield "needed:only" if takers[0] is block else "needed:first" if takers[-1] is block else "needed:too"


def _of_a_definition(text: Text, index: int, block: Block) -> Iterator[str]:
    while text.clues[index].kind == "decorator" and index + 1 < len(text.clues):
        yield "def:method" if text.clues[index].method else "def:decorated"
        index += 1
    clue = text.clues[index]
    if clue.kind == "decorator":
        return
    if clue.method:
        yield "def:method"
    if clue.called.startswith("__") and clue.called.endswith("__"):
        yield "def:special"
    if clue.called in text.methods:
        yield "def:called on self"
    if text.called_soon(index):
        yield "def:read soon"
    elif text.read_elsewhere(clue.called, index):
        yield "def:read later"
    if text.read_before(clue.called, block.opened):
        yield "def:read before the block"
    if text.read_in_another(clue.called, index):
        yield "def:read in another"
    if block.kind == "def":
        free = text.free(index)
        if free & block.targets:
            yield "def:reads parameters"
        if free & block.bound:
            yield "def:reads locals"


def _of_what_is_around(text: Text, index: int, block: Block) -> Iterator[str]:
    clue = text.clues[index]
    last = index + 1 == len(text.clues)
    if text.spaced:
        yield f"blanks:{min(clue.blanks, 2)}"
        if block.opener.blanks and not clue.blanks:
            yield "blanks:before the block"
        if not clue.blanks and (last or text.clues[index + 1].blanks):
            yield "blanks:behind"
    if clue.comment:
        yield "comment"
    yield f"rest:{min(text.border[index] - index, 4)}"
    if block.column in ("class", "method", "function"):
        yield f"follows:{text.follows[index]}"
    if last or text.border[index] == index + 1:
        yield "next:ends"
        if clue.kind == "return":
            yield "next:ends:return"
    else:
        if clue.kind in ("return", "raise"):
            yield "next:goes on"
        yield f"next:{text.clues[index + 1].kind}"
    if clue.kind == "for":
        yield f"over:{clue.test}"
    if clue.head == text.clues[index - 1].head != clue.kind:
        yield "previous:same"
    elif clue.kind == text.clues[index - 1].kind:
        yield "previous:alike"
    if text.clues[index - 1].binds & clue.reads:
        yield "previous:read"
    if block.opened > 0:
        before = text.clues[block.opened - 1]
        if clue.head == before.head != clue.kind:
            yield "before:same"
        elif clue.kind == before.kind:
            yield "before:alike"
    if clue.opens and clue.kind == block.opener.kind:
        if clue.head == block.opener.head:
            yield "opener:same"
        elif numbered(clue, block.opener):
            yield "opener:numbered"
    if numbered(clue, text.clues[index - 1]):
        yield "previous:numbered"


def _of_names(text: Text, index: int, blocks: Sequence[Block], level: int) -> Iterator[str]:
    clue, block, around = text.clues[index], blocks[level], blocks[:level]
    reads, writes = clue.reads, clue.binds | clue.changes
    if clue.kind == "if":
        yield from _of_a_condition(text, index, block)
    if clue.opens and index + 1 < len(text.clues):
        following = text.clues[index + 1]
        reads = reads | (following.reads - clue.targets)
        if following.kind == "return" and following.reads & (block.changed | block.bound):
            yield "next:return changed"
        if (clue.targets | following.targets) & block.targets:
            yield "binds:targets"
    elif clue.kind in ("assign", "attribute"):
        yield from _of_a_chain(text, index, block)
    if "self" in clue.reads:
        yield "self"
    if reads & block.targets:
        yield "reads:targets"
    elif block.kind == "for" and not block.targets & block.read:
        yield "block:targets unread"
    touched = reads & (block.bound | block.changed)
    own = touched - _known(touched, around)
    if own:
        yield "reads:own"
    if len(own) < len(touched):
        filled = not touched & block.bound
        if clue.binds & touched & block.changed - block.bound:
            yield "binds:filled"
        yield "changes:changed" if writes & touched else "reads:filled" if filled else "reads:changed"
        if clue.kind == "return":
            yield "returns:changed"
    if not touched and not reads & block.targets:
        yield "reads:also" if reads & block.read - {"self"} else "reads:nothing of it"
    opener = block.opener
    if reads & opener.guards:
        yield "reads:guarded"
        if any(name.rpartition(".")[0] in opener.guards for name in reads):
            yield f"reads:part of guarded:{opener.test}"
    if reads & opener.denies:
        yield "reads:denied"
    if writes & (opener.guards | opener.denies):
        yield "binds:asked"
    if (reads - opener.guards - opener.denies - {"self"}) & opener.reads:
        yield "reads:asked"
    carried = (clue.binds & block.read) - clue.reads
    if carried:
        yield "binds:read" if carried & text.alive[index] else "binds:read before only"
    elif clue.binds & block.bound:
        yield "binds:bound"
    elif clue.binds and not clue.binds & text.alive[index] and not any("." in name for name in clue.binds):
        yield "binds:in vain"
    yield from _of_a_loop(text, index, blocks, level)
    if block.column == "loop" and (text.renewed[index] & block.read) - block.bound - block.targets - writes:
        yield "later:carried"
    names = (reads | writes) - {"self"}
    inner, outer = len(names & block.names), len(names & blocks[level - 1].names)
    if all(names.isdisjoint(each.names) and names.isdisjoint(each.opener.reads) for each in blocks):
        yield "tied:nothing opens" if clue.opens and not clue.called else "tied:nothing"
    elif inner != outer:
        yield "tied:inner" if inner > outer else "tied:outer"
    if block.branch:
        yield from _of_the_other_branch(text, index, block, reads, writes)
    if clue.binds and not clue.opens:
        known = _known(clue.binds, around)
        if known:
            yield "binds:known anew" if known & clue.reads else "binds:known"
        elif clue.kind != "attribute":
            yield "binds:new"
        if any(name.isupper() for name in clue.binds):
            yield "binds:constant"
        if any(text.read_elsewhere(name, index) for name in clue.binds - text.alive[index]):
            yield "binds:for others"
    alive = text.alive[index] - clue.binds - clue.targets
    if alive & block.targets:
        soon = index + 1 < len(text.clues) and text.clues[index + 1].reads & block.targets
        yield "later:targets soon" if soon else "later:targets"
    later = alive & block.bound
    if later - _known(later, around):
        yield "later:own"


def _of_a_condition(text: Text, index: int, block: Block) -> Iterator[str]:
    """What a condition asks again that the one around it has asked."""
    clue, opener = text.clues[index], block.opener
    if clue.enough & opener.holds:
        yield "asks:in vain"
    elif clue.holds & opener.holds:
        yield "asks:more"
    elif (clue.guards | clue.denies) & opener.guards:
        yield "asks:guarded"
    elif (clue.guards | clue.denies) & opener.denies:
        yield "asks:denied"
    elif any(name.rpartition(".")[0] in opener.guards for name in clue.guards | clue.denies):
        yield "asks:part of guarded"


def _of_a_chain(text: Text, index: int, block: Block) -> Iterator[str]:
    """`x = f(x)`, time and again: before the block, in it, and behind the statement."""
    clue = text.clues[index]
    own = clue.binds & clue.reads
    if not own:
        return
    before, last = text.clues[block.opened - 1] if block.opened > 0 else clue, text.clues[block.last]
    within = own & last.binds & last.reads
    if within and block.last == index - 1:
        yield "chain:in both" if own & before.binds and before is not clue else "chain:in it"
    elif own & before.binds and before is not clue:
        yield "chain:around"
    if index + 1 < len(text.clues) and own & text.clues[index + 1].binds & text.clues[index + 1].reads:
        yield "chain:goes on"


def _of_a_loop(text: Text, index: int, blocks: Sequence[Block], level: int) -> Iterator[str]:
    """What a statement binds and nothing behind it reads is for the next time round, if the loop has read it before."""
    clue = text.clues[index]
    left = clue.binds - clue.reads - text.alive[index]
    loops = [each for each, block in enumerate(blocks[: level + 1]) if block.column == "loop"]
    if left and loops:
        inside = left & blocks[level].read
        outside = left & frozenset().union(*(block.read for block in blocks[loops[-1] : level]))
        if inside and not outside:
            yield "carried:inside"
        elif outside:
            yield "carried:both" if inside else "carried:outside"


def _of_the_other_branch(
    text: Text, index: int, block: Block, reads: frozenset[str], writes: frozenset[str]
) -> Iterator[str]:
    missing = block.branch - block.bound - block.changed
    if writes & block.branch:
        yield "branch:binds" if writes & missing else "branch:binds again"
    if reads & (block.bound | block.changed) & block.branch:
        yield "branch:reads"
    if missing & text.renewed[index]:
        yield "branch:misses"
    if not missing:
        yield "branch:complete"


def _known(names: frozenset[str], blocks: Sequence[Block]) -> frozenset[str]:
    """Those of some names that are bound in one of some blocks."""
    unknown = names
    for block in blocks:
        if not unknown:
            break
        unknown = unknown - block.bound - block.targets
    return names - unknown
