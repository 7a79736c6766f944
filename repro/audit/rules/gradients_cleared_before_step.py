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

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.training import is_optimizer
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """优化器走一步的时候，梯度刚被清空，或者还没有算出来。

`step` 用的是上一次 `zero_grad` 之后 `backward` 算出的梯度。
如果 `zero_grad` 夹在两者之间，或者一轮里先 `zero_grad`、再 `step`、最后 `backward`，
那么每一步用到的梯度都不存在或全是零：网络什么也学不到，程序也不会报错。
如果顺序是 `step`、`zero_grad`、`backward`，每一步用的都是上一个批次的梯度：
能学，但晚一步，最后一个批次永远用不上。

正确的顺序是 `zero_grad`、`backward`、`step`。

局限：有多个优化器时，只看各优化器自己清空的梯度。
文本自己给 `.grad` 赋值的，不作判断。
"""


@rule(
    "CNN602",
    Severity.BUG,
    Confidence.HIGH,
    en="{what}; the order is zero_grad, backward, step",
    zh="{what}；顺序应当是 zero_grad、backward、step",
)
def gradients_cleared_before_step(program: Program) -> Iterator[Hit]:
    if any(node.attr == "grad" and isinstance(node.ctx, ast.Store) for node in program.nodes(ast.Attribute)):
        return  # gradients that were kept may be put back
    for events in Analysis.of(program).stretches:
        optimizers = {each.key for each in events if each.kind == "step" and is_optimizer(each)}
        cleared: dict[object, Event] = {}  # by optimizer, what cleared its gradients since the last backward
        for event in events:
            if event.kind == "backward":
                cleared = {}
            elif event.kind == "zero_grad" and (event.key in optimizers or len(optimizers) == 1):
                cleared.update(dict.fromkeys([event.key] if event.key in optimizers else optimizers, event))
            elif event.kind == "step" and event.key in optimizers and event.rounds and event.rounds[-1].number > 0:
                back = [each for each in _same_round(events, event) if each.kind == "backward"]
                late = all(events.index(each) > events.index(event) for each in back)
                if back and (event.key in cleared or late):
                    yield _hit(event, cleared.get(event.key), late)


def _hit(step: Event, cleared: Event | None, late: bool) -> Hit:
    """What is to be said of a step, by what cleared its gradients and whether `backward` comes behind it."""
    name = step.name or "optimizer"
    if cleared is None:
        en = f"{name}.step() comes before backward() in each round, and takes the gradients of the round before"
        what = Words(en, f"每一轮里 {name}.step() 都在 backward() 之前，用的是上一轮的梯度")
    elif late:
        en = f"{name}.step() stands between zero_grad() and backward(), and finds no gradients"
        what = Words(en, f"{name}.step() 夹在 zero_grad() 和 backward() 之间，这时没有梯度")
    else:
        clearing = cleared.name or "optimizer"
        en = f"{clearing}.zero_grad() stands between backward() and {name}.step(), which finds no gradients"
        what = Words(en, f"{clearing}.zero_grad() 夹在 backward() 和 {name}.step() 之间，后者已没有梯度可用")
    at = step if cleared is None or late else cleared
    return Hit(at.node, {"optimizer": name, "what": what}, None if cleared is not None else Severity.RISK)


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
    optimizer.zero_grad()  # <- bug
    optimizer.step()
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    loss = loss_fn(net(x), y)
    optimizer.step()  # <- bug
    loss.backward()
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    loss = loss_fn(net(x), y)
    optimizer.step()  # <- risk
    optimizer.zero_grad()
    loss.backward()
""",
)
