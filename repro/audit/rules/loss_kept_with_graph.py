"""Losses are added up together with the graphs that they were computed by.

`total += loss` keeps, for as long as `total` lives, what autograd recorded for every loss: memory grows with each
batch. Without a `backward` in the loop, as in an evaluation that records gradients, all intermediate results of all
batches stay.

Add up `loss.item()`, or `loss.detach()` where the value should stay on the GPU.

Fix: `.detach()` is added to a loss that went backward earlier in the same round: its graph is freed already.

Limits: nothing is said of a sum that itself goes backward, as with several losses, nor under `no_grad`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, appended
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.training import loss_of
from repro.audit.meaning.values import Event, Op, Tensor
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把损失连同算出它的计算图一起累加了。

只要 `total` 还在，`total += loss` 就会一直保留 autograd 为每个损失记录的内容，
内存随批次不断增长。如果循环里没有 `backward`，例如评估时仍在记录梯度，
那么所有批次的全部中间结果都会留下来。

应当累加 `loss.item()`；想让数值留在 GPU 上时用 `loss.detach()`。

修复：损失在同一轮里已经做过 `backward`（它的计算图已经释放）时，加上 `.detach()`。

局限：累加的和本身要做 `backward`（例如多个损失）时不报告，`no_grad` 之下也不报告。
"""


@rule(
    "CNN606",
    Severity.RISK,
    Confidence.HIGH,
    en="{total} adds up losses with their graphs, so memory grows with every batch; add loss.item()",
    zh="{total} 把损失连同计算图一起累加，内存会随批次增长；应当累加 loss.item()",
)
def loss_kept_with_graph(program: Program) -> Iterator[Hit]:
    for events in Analysis.of(program).stretches:
        for event in events:
            loss = loss_of(event.owner)
            if event.kind != "accumulate" or not event.grad or not event.name or loss is None:
                continue
            if not any(_goes_back(other, event, loss) for other in events):
                yield Hit(event.node, {"total": event.name})


def _goes_back(other: Event, event: Event, loss: Op) -> bool:
    """Whether it is the sum that goes backward, rather than each loss."""
    if other.kind != "backward":
        return False
    if other.name == event.name:
        return True
    return isinstance(other.owner, Tensor) and other.owner.op is not loss and _reaches(other.owner.op, loss)


def _reaches(op: Op, target: Op) -> bool:
    """Whether an operation uses the result of another one."""
    waiting, seen = [op], set()
    while waiting:
        each = waiting.pop()
        if each is target:
            return True
        if id(each) not in seen:
            seen.add(id(each))
            waiting += each.inputs
    return False


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The loss cut from its graph, where it has gone backward just before: that has freed the graph, so nothing can
    go backward through the sum. The sum stays a tensor.
    """
    if not isinstance(hit.at, ast.AugAssign):
        return
    loops = [each for each in program.nodes(ast.For, ast.While) if is_inside(hit.at, each)]
    gone = {
        ast.unparse(call.func.value)
        for call in program.nodes(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "backward" and not (call.args or call.keywords)
        if loops and is_inside(call, loops[-1]) and call.lineno < hit.at.lineno
    }
    value = hit.at.value
    for node in (value.left, value.right) if isinstance(value, ast.BinOp) else (value,):
        if isinstance(node, ast.Name) and node.id in gone:
            yield from appended(program, node, ".detach()")


VALID = (
    """
import torch.nn.functional as F
def train(net, loader, optimizer):
    total = 0
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total
""",
    """
import torch.nn.functional as F
def train(net, words, optimizer):
    loss = 0
    for x, y in words:
        loss += F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
""",
    """
import torch
import torch.nn.functional as F
def test(net, loader):
    total = 0
    with torch.no_grad():
        for x, y in loader:
            total += F.cross_entropy(net(x), y)
    return total
""",
    """
import torch.nn.functional as F
def test(net, loader):
    total = 0
    for x, y in loader:
        total += F.cross_entropy(net(x), y).detach() * len(x)
    return total
""",
)
INVALID = (
    """
import torch.nn.functional as F
def train(net, loader, optimizer):
    total = 0
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss  # <- risk
    return total
""",
    """
import torch.nn.functional as F
def test(net, loader):
    total = 0
    for x, y in loader:
        total += F.cross_entropy(net(x), y) * len(x)  # <- risk
    return total
""",
)
FIXED = (
    (
        """
import torch.nn.functional as F
def train(net, loader, optimizer):
    total = 0
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss * len(x)
    return total
def test(net, loader):
    total = 0
    for x, y in loader:
        total += F.cross_entropy(net(x), y)
    return total
""",
        """
import torch.nn.functional as F
def train(net, loader, optimizer):
    total = 0
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(x)
    return total
def test(net, loader):
    total = 0
    for x, y in loader:
        total += F.cross_entropy(net(x), y)
    return total
""",
    ),
)
