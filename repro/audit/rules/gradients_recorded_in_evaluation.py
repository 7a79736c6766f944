"""A network is evaluated while autograd records.

Each call keeps all intermediate results for a `backward` that never comes: evaluation takes a multiple of the memory
that it needs, and fails where the batch is chosen for the memory without them. `volatile=True`, which did this before
torch 0.4, has no effect any more. Where the output is detached at once, its memory is given back soon, and this is only
a note.

Put the loop under `with torch.no_grad():`, or the decorator `@torch.no_grad()` on the function.

Limits: it must be seen that the network is in eval mode; a caller that switches autograd off must be in the document.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.training import evaluations, mode
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """评估网络时仍在记录梯度。

每次调用都会为永远不会到来的 `backward` 保留全部中间结果：
评估占用的显存是所需的好几倍，批次按不记录梯度的显存来选时就会失败。
`volatile=True` 在 torch 0.4 之前有这个作用，现在已经无效。
如果输出马上被 detach，内存很快就会归还，这时只作提示。

把循环放到 `with torch.no_grad():` 之下，或给函数加上 `@torch.no_grad()`。

局限：必须能看出网络处于评估模式；关闭梯度的调用者也必须在同一份文档里。
"""


@rule(
    "CNN604",
    Severity.RISK,
    Confidence.MEDIUM,
    en="{network} is evaluated while gradients are recorded; use torch.no_grad()",
    zh="评估 {network} 时仍在记录梯度；应当使用 torch.no_grad()",
)
def gradients_recorded_in_evaluation(program: Program) -> Iterator[Hit]:
    without = {id(event.node) for events in Analysis.of(program).stretches for event in events if not event.grad}
    for events in Analysis.of(program).stretches:
        evaluating = {id(event) for event in evaluations(events)}
        modes: dict[Any, bool | None] = {}
        for event in events:
            if event.kind in ("train", "eval"):
                modes[event.key] = mode(event)
            recording = id(event) in evaluating and event.grad and id(event.node) not in without
            if recording and modes.get(event.key, True) is False:
                severity = Severity.NOTE if _detached(program, event.node) else None
                yield Hit(_volatile(program, event) or event.node, {"network": event.name}, severity)


def _volatile(program: Program, event: Event) -> ast.expr | None:
    """The `volatile=True` in a loop, which was to switch autograd off; the first there is."""
    keywords = [keyword for keyword in program.nodes(ast.keyword) if keyword.arg == "volatile"]
    return next((each.value for each in keywords if is_inside(each.value, event.rounds[-1].loop)), None)


def _detached(program: Program, call: ast.AST) -> bool:
    """Whether what a call gives is cut from its graph at once."""
    return any(node.value is call and node.attr in ("detach", "data") for node in program.nodes(ast.Attribute))


VALID = (
    """
import torch
def validate(net, loader, loss_fn):
    net.eval()
    return sum(loss_fn(net(x), y).item() for x, y in loader)
def test(net, loader):
    net.eval()
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()
    return right
with torch.no_grad():
    print(test(network, data))
""",
    """
import torch
@torch.no_grad()
def test(net, loader):
    net.eval()
    for x, y in loader:
        print(net(x).argmax(1) == y)
""",
)
INVALID = (
    """
import torch
def test(net, loader):
    net.eval()
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()  # <- risk
    return right
""",
    """
from torch.autograd import Variable
def test(net, loader):
    net.eval()
    for x, y in loader:
        x = Variable(x, volatile=True)  # <- risk
        out = net(x)
        print(out.max(1))
""",
)
