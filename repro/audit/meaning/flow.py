"""Along the flow of data: what an operation is given, and what takes its result."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from repro.audit.meaning.values import Op


def before(op: Op, passing: Collection[str]) -> Iterator[Op]:
    """What an operation is given, and, as long as that is of these kinds, what that is given in turn."""
    while op.inputs:
        op = op.inputs[0]
        yield op
        if op.kind not in passing:
            return


def users(ops: Iterable[Op]) -> dict[Op, list[Op]]:
    """The operations that take the result of each."""
    found: dict[Op, list[Op]] = {}
    for op in ops:
        for given in op.inputs:
            found.setdefault(given, []).append(op)
    return found


def after(op: Op, uses: Mapping[Op, Sequence[Op]], passing: Collection[str]) -> Iterator[Op]:
    """The first operations behind one, on every way, that are none of these kinds."""
    waiting = [op]
    while waiting:
        for use in uses.get(waiting.pop(), ()):
            if use.kind in passing:
                waiting.append(use)
            else:
                yield use


def back(op: Op) -> Iterator[Op]:
    """Everything on the way from an operation to the input, by what each is given first."""
    while op.inputs:
        op = op.inputs[0]
        yield op


def written(op: Op) -> ast.AST:
    """Where an operation is written down: its module, if it stands in one row with what it is given; else its call."""
    return op.where if op.inputs and op.node is op.inputs[0].node else op.node


def judged(loss: Op) -> Op | None:
    """What a loss is given to judge, past what changes nothing of it."""
    return next((each for each in before(loss, _UNCHANGED) if each.kind not in _UNCHANGED), None)


_UNCHANGED = ("identity", "view", "flatten", "squeeze", "dropout")
