"""A network goes on training in eval mode, because only the beginning of the program sets train mode.

`eval()` inside the loop over epochs, for the evaluation, with `train()` before that loop: from the second epoch on
dropout does not drop, and batch normalisation uses and keeps the statistics of the first epoch. Nothing fails.

Call `train()` at the beginning of each epoch.

Limits: it must be seen that the first epoch is in train mode; batch normalisation that is frozen from the beginning is
never reported. If the layers of the network are in another file, it is only a risk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.training import differs_by_mode, mode
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络后来一直在评估模式下训练，因为只在程序开头设过训练模式。

为了评估，在每个 epoch 的循环里调用了 `eval()`，而 `train()` 写在循环之前：
从第二个 epoch 起 dropout 不再丢弃，批归一化一直沿用第一个 epoch 的统计量。
程序不会报错。

应当在每个 epoch 开始时调用 `train()`。

局限：必须能看出第一个 epoch 处于训练模式；从一开始就冻结的批归一化不会报告。
网络的各层写在别的文件里时，只算风险。
"""


@rule(
    "CNN605",
    Severity.BUG,
    Confidence.HIGH,
    en="{network}.eval() is never followed by {network}.train(): from the next epoch on it trains in eval mode",
    zh="{network}.eval() 之后没有再调用 {network}.train()：从下一个 epoch 起都在评估模式下训练",
)
def train_mode_not_restored(program: Program) -> Iterator[Hit]:
    for events in Analysis.of(program).stretches:
        last: dict[Any, Event] = {}  # by network, what set its mode
        before: set[Any] = set()  # networks that were trained in train mode
        called: dict[Any, Event] = {}
        for event in events:
            if event.kind in ("train", "eval"):
                last[event.key] = event
            elif event.kind == "call":
                called[event.key] = event
            elif event.kind == "backward" and event.rounds:
                for key in [key for key, call in called.items() if call.rounds[-1:] == event.rounds[-1:]]:
                    setting = last.get(key)
                    if setting is None or mode(setting):
                        before.add(key)
                    elif mode(setting) is False and key in before and differs_by_mode(setting.owner) is not False:
                        sure = differs_by_mode(setting.owner)
                        weaker = (None, None) if sure else (Severity.RISK, Confidence.MEDIUM)
                        yield Hit(setting.node, {"network": setting.name}, *weaker)


_NETWORK = """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer, loss_fn = torch.optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
"""
_BODY = """
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
"""
VALID = (
    _NETWORK
    + """
for epoch in range(10):
    net.train()
"""
    + _BODY
    + """
    net.eval()
    evaluate(net)
""",
    _NETWORK
    + """
net.eval()  # its statistics are frozen
for epoch in range(10):
"""
    + _BODY,
    _NETWORK.replace("nn.BatchNorm1d(8), ", "")
    + """
for epoch in range(10):
"""
    + _BODY
    + """
    net.eval()
""",
)
INVALID = (
    _NETWORK
    + """
net.train()
for epoch in range(10):
"""
    + _BODY
    + """
    net.eval()  # <- bug
    evaluate(net)
""",
)
