"""A network that was built returns what a softmax or a sigmoid gives, and the loss is made for numbers before those.

CrossEntropyLoss takes a softmax itself. Of numbers between 0 and 1 that one makes nearly equal shares, so that the loss
of K classes lies between log(1 + (K - 1)/e) and that plus one, whatever the network answers, and its gradient is small
where the network is sure and wrong. The range is told for the number of classes of this very network.

Limits: says nothing by itself; where a rule has found the loss or its absence, it shows the consequence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_ENDS = {"_softmax": "softmax", "sigmoid": "sigmoid"}

ZH = """建成的网络返回的是 softmax 或 sigmoid 的结果，而损失函数要的是之前的数值。

CrossEntropyLoss 自己会做 softmax。对 0 到 1 之间的数再做一次，各类几乎均分，
所以 K 类的损失无论网络怎么回答都落在 log(1 + (K - 1)/e) 与它加一之间，
而且网络自信地答错时梯度很小。这里按这个网络的类别数给出这个范围。

局限：不单独报告；在规则找到损失函数之处，给出后果。
"""


@probe(
    "CNN809",
    Severity.RISK,
    Confidence.HIGH,
    en="it returns a {end} of {classes} classes: CrossEntropyLoss then lies between {lowest} and {highest}, whatever "
    "it answers; without that, it starts near {start} and can fall to 0",
    zh="它返回 {classes} 类的 {end}：无论怎么回答，CrossEntropyLoss 都在 {lowest} 与 {highest} 之间；"
    "去掉它，损失从 {start} 附近开始，可以降到 0",
    confirms=("CNN401", "CNN402", "CNN408"),
    alone=False,
)
def probabilities_returned(subject: Subject) -> Iterator[Seen]:
    graph = subject.run(subject.size).graph if subject.size is not None else None
    last = graph.node(graph.returned[0]) if graph else None
    if last is None or last.op not in _ENDS or len(last.shape) != 2 or last.shape[1] < 2:
        return
    classes = last.shape[1]
    lowest = math.log(math.e + classes - 1) - 1  # the right class has 1 and all others 0
    # With a sigmoid all others may have 1 and the right one 0; with a softmax one of them has.
    highest = lowest + 1 if last.op == "_softmax" else math.log(1 + (classes - 1) * math.e)
    values = {"end": _ENDS[last.op], "classes": classes, "start": round(math.log(classes), 2)}
    yield Seen({**values, "lowest": round(lowest, 2), "highest": round(highest, 2)}, subject.line_of(last.where))


VALID = (
    """
import torch
from torch import nn
class Logits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))
loss = nn.CrossEntropyLoss()
""",
)
INVALID = (
    """
import torch
from torch import nn
class Shares(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3)
    def forward(self, x):
        return torch.softmax(self.conv(x).mean((2, 3)), dim=1)  # <- bug
net, loss = Shares(), nn.CrossEntropyLoss()
def train(images, labels, optimizer):
    for _ in range(9):
        optimizer.zero_grad()
        loss(net(images), labels).backward()
        optimizer.step()
""",
)
