"""A counter goes on from epoch to epoch, and is divided by what one epoch has.

It is set to 0 before the loop over epochs, added to in the loop over batches, and divided by a length after each epoch:
in the second epoch the accuracy, or the mean loss, is the sum of two, in the tenth of ten. It grows without the network
getting any better.

Set it to 0 at the beginning of each epoch.

Limits: only a division by a length, in the same function; a counter whose divisor is counted along with it is the mean
of all epochs so far, and not reported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """计数器从一个 epoch 累加到下一个 epoch，却除以一个 epoch 的数量。

它在 epoch 的循环之前置零，在批次的循环里累加，每个 epoch 结束后除以某个长度：
第二个 epoch 的准确率或平均损失是两个 epoch 之和，第十个是十个之和。
网络没有变好，数字却一直在涨。

应当在每个 epoch 开始时置零。

局限：只看同一个函数里除以长度的情形；分母也一起累计的，
得到的是至今所有 epoch 的平均，不报告。
"""

_LISTS = (ast.List, ast.ListComp)


@rule(
    "CNN613",
    Severity.BUG,
    Confidence.HIGH,
    en="{counter} is not set to 0 in each epoch, and is divided by the length of one; it grows with every epoch",
    zh="{counter} 没有在每个 epoch 置零，却除以一个 epoch 的长度，会越加越大",
)
def counter_never_reset(program: Program) -> Iterator[Hit]:
    added = [
        (node, ast.unparse(node.target))
        for node in program.nodes(ast.AugAssign)
        if isinstance(node.op, ast.Add) and not isinstance(node.value, _LISTS)
    ]
    divisions = [node for node in program.nodes(ast.BinOp) if isinstance(node.op, ast.Div)]
    again = {id(node.left) for node in divisions}  # by the number of epochs, say
    quotients = [
        node for node in divisions if _is_length(node.right) and id(node) not in again and not _is_difference(node.left)
    ]
    loops = program.nodes(ast.For) if added and quotients else []
    for epochs in loops:
        trains = any(node.attr == "backward" and is_inside(node, epochs) for node in program.nodes(ast.Attribute))
        if not trains or not _is_range(epochs.iter):
            continue
        for batches in [each for each in loops if is_inside(each, epochs) and each is not epochs]:
            counters = {name for node, name in added if is_inside(node, batches)}
            for node in quotients:
                read = {each.id for each in ast.walk(node.left) if isinstance(each, ast.Name)} & counters
                if len(read) == 1 and is_inside(node, epochs) and not is_inside(node, batches):
                    (counter,) = read
                    if counter in _set_before(program, epochs) and counter not in _set_inside(program, epochs):
                        yield Hit(node, {"counter": counter})


def _is_length(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def _is_difference(node: ast.expr) -> bool:
    """Whether something is taken off, such as what the counter was before the epoch."""
    return any(isinstance(each, ast.Sub) for each in ast.walk(node))


def _is_range(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("range", "trange")


def _set_before(program: Program, loop: ast.For) -> set[str]:
    """The names that are set before a loop, in its function."""
    return {
        target.id
        for node in program.nodes(ast.Assign)
        if node.lineno < loop.lineno and program.symbol(node) == program.symbol(loop)
        if not isinstance(node.value, _LISTS)
        for each in node.targets
        for target in ast.walk(each)
        if isinstance(target, ast.Name)
    }


def _set_inside(program: Program, loop: ast.For) -> set[str]:
    """The names that are bound in a loop by other means than adding to them."""
    added = {id(node.target) for node in program.nodes(ast.AugAssign)}
    names = program.nodes(ast.Name)
    return {
        node.id for node in names if isinstance(node.ctx, ast.Store) and id(node) not in added and is_inside(node, loop)
    }


VALID = (
    """
import torch
for epoch in range(10):
    total = 0
    for x, y in loader:
        loss = loss_fn(net(x), y)
        loss.backward()
        total += loss.item()
    print(total / len(loader))
""",
    """
import torch
hits = 0
for rank in range(10):  # the hits of all ranks so far
    for x, y in loader:
        hits += (net(x).argsort(1)[:, -rank] == y).sum().item()
    print(hits / len(data))
""",
    """
import torch
right, seen = 0, 0
for epoch in range(10):
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()
        seen += len(y)
    print(right / seen)
""",
    """
import torch
total, seen, losses = 0, 0, []
for epoch in range(10):
    before = seen
    for x, y in loader:
        loss = loss_fn(net(x), y)
        loss.backward()
        total += loss.item()
        losses += [loss.item()]
        seen += 1
    print(total / len(loader) / (epoch + 1), (seen - before) / len(loader), sum(losses[-9:]) / len(loader))
""",
)
INVALID = (
    """
import torch
total = 0
for epoch in range(10):
    for x, y in loader:
        loss = loss_fn(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(total / len(loader))  # <- bug
""",
)
