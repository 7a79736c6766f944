"""A sigmoid is given to a loss that applies one itself.

`BCEWithLogitsLoss` takes logits. Of a number between 0 and 1 its own sigmoid makes one between 0.5 and 0.73: the
network cannot say "no" any more, and the loss of a perfect one stays far from zero.

Return the logits, or take `BCELoss`.

Limits: the network and the loss must be in the same document.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import LOSSES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把 sigmoid 的结果交给了自己会再做一次 sigmoid 的损失函数。

`BCEWithLogitsLoss` 需要的是 logits。输入若已在 0 到 1 之间,
它自己的 sigmoid 只能给出 0.5 到 0.73 之间的数:
网络再也说不出"不是",即使全对,损失也远离零。

应当返回 logits,或者改用 `BCELoss`。

局限:网络和损失函数必须在同一份文档里。
"""


@rule(
    "CNN403",
    Severity.BUG,
    Confidence.HIGH,
    en="a sigmoid is applied before {loss}, which applies one itself",
    zh="sigmoid 之后又用了 {loss},而后者自己会做一次 sigmoid",
)
def sigmoid_before_logits_loss(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("loss"):
        given = flow.judged(op)
        if given is not None and given.name.lower() == "sigmoid" and LOSSES.get(op.name, "").startswith("logits of"):
            yield Hit(given.where, {"loss": op.name, "loss_line": program.place(op.node).line})


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
loss = nn.BCELoss()(net(x), y)
""",
)
INVALID = (
    """
import torch
import torch.nn as nn
net = nn.Linear(8, 1)
criterion = nn.BCEWithLogitsLoss()
for x, y in loader:
    p = torch.sigmoid(net(x))  # <-
    criterion(p.squeeze(1), y).backward()
""",
)
