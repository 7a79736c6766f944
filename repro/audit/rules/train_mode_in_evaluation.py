"""A network is evaluated in train mode.

In train mode dropout drops, and batch normalisation uses the statistics of the batch and goes on changing its running
ones: the accuracy is not that of the network, depends on the batch size, and evaluating changes the network.

Call `eval()` before the evaluation and `train()` before the next epoch. `no_grad` does not do that: it only stops the
recording of gradients.

Where autograd records in that loop, something else than an evaluation may be meant, and it is a risk; where the layers
of the network are in another file, a note.

Limits: it must be seen in the document that the network was trained before, and that it is called in a loop that does
not train it. Nothing is said of a network without dropout and batch normalisation, nor where the text sets train mode
for it and speaks of dropout, Monte Carlo or uncertainty there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.training import differs_by_mode, evaluations, mode
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """评估网络时，它还处在训练模式。

训练模式下 dropout 会随机丢弃，批归一化用的是当前批次的统计量，
还会继续改动滑动平均：得到的准确率不是这个网络的，
会随批次大小变化，而且评估本身就改变了网络。

评估前调用 `eval()`，下一轮训练前再调用 `train()`。
`no_grad` 不起这个作用，它只是不再记录梯度。

如果循环里仍在记录梯度，也许并不是评估，这时算风险；
网络的各层写在别的文件里时，只作提示。

局限：必须能从文档看出之前训练过这个网络，并且是在一个不训练它的循环里调用。
没有 dropout 和批归一化的网络不报告；
文本专门为此设了训练模式，并且提到 dropout、蒙特卡洛或不确定性的，也不报告。
"""

_ON_PURPOSE = re.compile(
    r"(?<![a-z])mc(?![a-z])|monte|bayes|uncertain|stochastic|dropout|蒙特卡洛|不确定|贝叶斯", re.IGNORECASE
)


@rule(
    "CNN603",
    Severity.BUG,
    Confidence.HIGH,
    en="{network} is evaluated in train mode, which matters to dropout and batch normalisation; call {network}.eval()",
    zh="评估时 {network} 还处在训练模式，会影响 dropout 和批归一化；应当先调用 {network}.eval()",
)
def train_mode_in_evaluation(program: Program) -> Iterator[Hit]:
    for events in Analysis.of(program).stretches:
        evaluating = {id(event) for event in evaluations(events)}
        modes: dict[Any, bool | None] = {}
        trained = False
        since: dict[Any, Event] = {}  # by network, what set its mode since the last training
        for event in events:
            if event.kind in ("train", "eval"):
                modes[event.key] = mode(event)
                since[event.key] = event
            elif event.kind == "backward":
                trained = True
                since = {}
            if id(event) not in evaluating or not trained:
                continue
            unused = any(node.value is event.node for node in program.nodes(ast.Expr))
            differs = differs_by_mode(event.owner)
            if unused or not modes.get(event.key, True) or differs is False:
                continue
            if event.key in since and _says_why(program, since[event.key], event):
                continue
            if differs is None:
                yield Hit(event.node, {"network": event.name}, Severity.NOTE, Confidence.LOW)
            elif event.grad:
                yield Hit(event.node, {"network": event.name}, Severity.RISK, Confidence.MEDIUM)
            else:
                yield Hit(event.node, {"network": event.name})


def _says_why(program: Program, *events: Event) -> bool:
    """Whether the text around speaks of what train mode is wanted for."""
    rows = program.text.split("\n")
    lines = [getattr(event.node, "lineno", 1) for event in events]
    around = [row for line in lines for row in rows[max(0, line - 3) : line + 1]]
    return any(map(_ON_PURPOSE.search, (*around, *(program.symbol(event.node) for event in events))))


_NETWORK = """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer, loss_fn = torch.optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
def train():
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
"""
VALID = (
    _NETWORK
    + """
def test():
    net.eval()
    with torch.no_grad():
        for x, y in others:
            right = (net(x).argmax(1) == y).sum()
for epoch in range(10):
    train()
    test()
""",
    _NETWORK.replace("nn.BatchNorm1d(8), ", "")
    + """
train()
with torch.no_grad():
    for x, y in others:
        right = (net(x).argmax(1) == y).sum()
""",
    _NETWORK
    + """
train()
with torch.no_grad():
    for x, y in others:
        net(x)  # only the running statistics are wanted
""",
    _NETWORK
    + """
train()
net.train()  # keeps dropout active: samples of Monte Carlo dropout
with torch.no_grad():
    for _ in range(50):
        samples.append(net(x).softmax(1))
""",
)
INVALID = (
    _NETWORK
    + """
def test():
    with torch.no_grad():
        for x, y in others:
            right = (net(x).argmax(1) == y).sum()  # <- bug
for epoch in range(10):
    train()
    test()
""",
    _NETWORK
    + """
def test():
    net.train()
    with torch.no_grad():
        for x, y in others:
            right = (net(x).argmax(1) == y).sum()  # <- bug
train()
test()
""",
    _NETWORK
    + """
train()
for x, y in others:
    right = (net(x).argmax(1) == y).sum()  # <- risk
""",
)
