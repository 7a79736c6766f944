"""A training loop never clears the gradients.

`backward` adds to the gradients that are there. Without `zero_grad` each step goes along the sum of all gradients since
the program began: a momentum of one, which overshoots, and grows with the number of batches. Nothing fails.

Call `optimizer.zero_grad()` once for each `step`, before `backward` or behind `step`. Clearing only every few batches,
together with the step, is how gradients are accumulated on purpose; that is right, and nothing is said of it.

Limits: it must be seen that the loop goes around more than once, and what clears gradients must not be hidden in a
function of another file that is given the optimizer or the network. An optimizer that each round makes anew is passed
over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside, leaves_out
from repro.audit.meaning.training import is_optimizer, networks
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """训练循环里从来不清空梯度。

`backward` 会把新梯度加到已有的梯度上。没有 `zero_grad`，
每一步走的都是开始训练以来全部梯度之和：
相当于系数为 1 的动量，步子越走越大。程序不会报错。

每次 `step` 都应配一次 `optimizer.zero_grad()`，放在 `backward` 之前或 `step` 之后。
每隔几个批次连同 `step` 一起清空，是有意的梯度累积，没有问题，也不会报告。

局限：必须能看出循环不止一轮；清空梯度的代码不能藏在别的文件里、
以优化器或网络为参数的函数中。每轮重新建立的优化器不作判断。
"""


@rule(
    "CNN601",
    Severity.BUG,
    Confidence.HIGH,
    en="{optimizer}.step() runs in a loop that never clears the gradients: they add up; call {optimizer}.zero_grad()",
    zh="循环里调用了 {optimizer}.step()，却从不清空梯度，梯度会一直累加；应当调用 {optimizer}.zero_grad()",
)
def gradients_never_cleared(program: Program) -> Iterator[Hit]:
    every = Analysis.of(program).stretches
    if not any(event.kind == "step" for events in every for event in events):
        return
    if any(node.attr == "grad" and isinstance(node.ctx, ast.Store) for node in program.nodes(ast.Attribute)):
        return
    uncalled = {id(node.value) for node in program.nodes(ast.Expr)}
    named = [node for node in program.nodes(ast.Attribute) if node.attr in ("zero_grad", "zero_")]
    clearing = [node for node in named if id(node) not in uncalled]
    cleared = {id(around.loop) for events in every for e in events if e.kind == "zero_grad" for around in e.rounds}
    for events in every:
        known = networks(events)
        for step in events:
            if step.kind != "step" or not is_optimizer(step) or not step.rounds or step.rounds[-1].number == 0:
                continue
            assert isinstance(step.node, ast.Call)
            loop = step.rounds[-1].loop
            same = [each for each in events if each.rounds and each.rounds[-1].loop is loop]
            goes_back = any(each.kind == "backward" for each in same)
            in_text = any(is_inside(node, loop) for node in clearing)
            anew = any(each.kind == "make" and each.owner is step.owner for each in same)
            elsewhere = any(_takes(each, known | {step.name}) for each in same)
            if not goes_back or step.node.args or in_text or anew or elsewhere:
                continue
            if id(loop) not in cleared and not leaves_out(program, loop):
                yield Hit(step.node, {"optimizer": step.name or "optimizer"})


def _takes(event: Event, names: set[object]) -> bool:
    """Whether a function of which nothing is known is given the optimizer or the network."""
    given = event.node.args if event.kind == "call" and isinstance(event.node, ast.Call) else []
    return any(isinstance(each, ast.Name) and each.id in names for each in given)


VALID = (
    """
import torch
for x, y in loader:
    ...
    loss.backward()
    optimizer.step()
""",
    """
import torch
net, loss_fn = torch.nn.Linear(4, 2), torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for i, (x, y) in enumerate(loader):
    loss = loss_fn(net(x), y) / 4
    loss.backward()
    if (i + 1) % 4 == 0:
        optimizer.step()
        optimizer.zero_grad()
""",
    """
import torch
def update(net, optimizer, loss):
    net.zero_grad()
    loss.backward()
    optimizer.step()
for x, y in loader:
    update(net, optimizer, loss_fn(net(x), y))
""",
    """
import torch
from training import prepare
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    prepare(optimizer)
    loss_fn(net(x), y).backward()
    optimizer.step()
""",
    """
import torch
for precision in precisions:
    loss_fn(net(x), y).backward()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.step()
""",
)
INVALID = (
    """
import torch
net, loss_fn = torch.nn.Linear(4, 2), torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(10):
    for x, y in loader:
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()  # <- bug
""",
    """
import torch
def train(net, loader, optimizer, loss_fn):
    optimizer.zero_grad()
    for x, y in loader:
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()  # <- bug
""",
    """
import torch
def train(net, loader, optimizer, loss_fn):
    for x, y in loader:
        optimizer.zero_grad
        loss_fn(net(x), y).backward()
        optimizer.step()  # <- bug
""",
)
