"""The gradients are cleared, or not yet computed, when the optimizer steps.

A step needs the gradients of a `backward` since the last `zero_grad`. With `zero_grad` between the two, or with `step`
before `backward` in a round that begins with `zero_grad`, all gradients are absent or zero at each step: the network
never learns, and nothing fails. With `step`, `zero_grad`, `backward` in this order each step uses the batch before;
that learns, one step late, and the last batch is never used.

The order is `zero_grad`, `backward`, `step`.

Limits: with several optimizers only what an optimizer clears itself is followed. Nothing is said of a text that
sets `.grad` itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.training import is_optimizer
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """优化器走一步的时候,梯度刚被清空,或者还没有算出来。

`step` 用的是上一次 `zero_grad` 之后 `backward` 算出的梯度。
如果 `zero_grad` 夹在两者之间,或者一轮里先 `zero_grad`、再 `step`、最后 `backward`,
那么每一步用到的梯度都不存在或全是零:网络什么也学不到,程序也不会报错。
如果顺序是 `step`、`zero_grad`、`backward`,每一步用的都是上一个批次的梯度:
能学,但晚一步,最后一个批次永远用不上。

正确的顺序是 `zero_grad`、`backward`、`step`。

局限:有多个优化器时,只看各优化器自己清空的梯度。
文本自己给 `.grad` 赋值的,不作判断。
"""


@rule(
    "CNN602",
    Severity.BUG,
    Confidence.HIGH,
    en="{optimizer}.step() comes before the gradients of its own round; the order is zero_grad, backward, step",
    zh="{optimizer}.step() 用不到本轮算出的梯度;顺序应当是 zero_grad、backward、step",
)
def gradients_cleared_before_step(program: Program) -> Iterator[Hit]:
    if any(node.attr == "grad" and isinstance(node.ctx, ast.Store) for node in program.nodes(ast.Attribute)):
        return  # gradients that were kept may be put back
    for events in Analysis.of(program).stretches:
        optimizers = {each.key for each in events if each.kind == "step" and is_optimizer(each)}
        empty: dict[object, bool] = {}  # by optimizer, whether there are no gradients
        for event in events:
            if event.kind == "backward":
                empty = dict.fromkeys(optimizers, False)
            elif event.kind == "zero_grad" and (event.key in optimizers or len(optimizers) == 1):
                empty.update(dict.fromkeys([event.key] if event.key in optimizers else optimizers, True))
            elif event.kind == "step" and event.key in optimizers and event.rounds and event.rounds[-1].number > 0:
                back = [each for each in _same_round(events, event) if each.kind == "backward"]
                late = all(events.index(each) > events.index(event) for each in back)
                if back and (empty.get(event.key) or late):
                    severity = None if empty.get(event.key) else Severity.RISK
                    yield Hit(event.node, {"optimizer": event.name or "optimizer"}, severity)


def _same_round(events: list[Event], event: Event) -> list[Event]:
    return [each for each in events if each.rounds and each.rounds[-1] is event.rounds[-1]]


VALID = (
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    loss = loss_fn(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
""",
    """
import torch
first = torch.optim.Adam(critic.parameters())
second = torch.optim.Adam(maker.parameters())
for x in loader:
    critic.zero_grad()
    critic_loss(x).backward()
    first.step()
    maker.zero_grad()
    maker_loss(x).backward()
    second.step()
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    loss_fn(net(x), y).backward()
    kept = [p.grad.clone() for p in net.parameters()]
    optimizer.zero_grad()
    for p, g in zip(net.parameters(), kept):
        p.grad = g
    optimizer.step()
""",
)
INVALID = (
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    loss = loss_fn(net(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()  # <-
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    loss = loss_fn(net(x), y)
    optimizer.step()  # <-
    loss.backward()
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    loss = loss_fn(net(x), y)
    optimizer.step()  # <-
    optimizer.zero_grad()
    loss.backward()
""",
)
