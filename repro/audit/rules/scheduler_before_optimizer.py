"""The scheduler of the learning rate steps before the optimizer does.

Since torch 1.1 `scheduler.step()` belongs behind `optimizer.step()`. At the beginning of an epoch it skips the first
learning rate of the schedule: every drop comes one epoch early. torch warns once, and goes on.

Call it at the end of the epoch.

Limits: a call that is given the epoch, or that stands under a condition, is not judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.training import is_optimizer, is_scheduler
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """学习率调度器先于优化器走了一步。

从 torch 1.1 起，`scheduler.step()` 应当放在 `optimizer.step()` 之后。
写在每个 epoch 的开头，会跳过第一个学习率，
此后每次衰减都早一个 epoch。torch 只警告一次，然后继续运行。

应当在每个 epoch 结束时调用。

局限：传入了 epoch 的调用，以及写在条件里的调用，不作判断。
"""


@rule(
    "CNN608",
    Severity.RISK,
    Confidence.HIGH,
    en="{scheduler}.step() comes before the first optimizer.step(); the first learning rate is skipped",
    zh="{scheduler}.step() 先于第一次 optimizer.step()，第一个学习率被跳过了",
)
def scheduler_before_optimizer(program: Program) -> Iterator[Hit]:
    conditions = program.nodes(ast.If)
    for events in Analysis.of(program).stretches:
        steps = [each for each in events if each.kind == "step" and each.rounds]
        first = next((each for each in steps if is_optimizer(each) or is_scheduler(each)), None)
        if first is None or not is_scheduler(first) or not isinstance(first.node, ast.Call) or first.node.args:
            continue
        loop = first.rounds[-1].loop
        trains = any(is_optimizer(each) and loop in [around.loop for around in each.rounds] for each in steps)
        around = [each for each in conditions if is_inside(first.node, each)]
        if trains and not any(loop.lineno < each.lineno for each in around):
            yield Hit(first.node, {"scheduler": first.name or "scheduler"})


VALID = (
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
for epoch in range(90):
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
    scheduler.step()
""",
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
for epoch in range(90):
    if epoch >= warm_up:
        scheduler.step()
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
""",
)
INVALID = (
    """
import torch
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
for epoch in range(90):
    scheduler.step()  # <- risk
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
""",
)
