"""A sigmoid is given to a loss that takes logits.

`BCEWithLogitsLoss` takes logits. Of a number between 0 and 1 its own sigmoid makes one between 0.5 and 0.73: the
network cannot say "no" any more, and the loss of a perfect one stays far from zero. `CrossEntropyLoss` takes logits
too, and applies a softmax: the loss of ten classes cannot fall below 1.46.

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

ZH = """把 sigmoid 的结果交给了以 logits 为输入的损失函数。

`BCEWithLogitsLoss` 需要的是 logits。输入若已在 0 到 1 之间，
它自己的 sigmoid 只能给出 0.5 到 0.73 之间的数：
网络再也说不出“不是”，即使全对，损失也远离零。
`CrossEntropyLoss` 同样需要 logits，它自己会做 softmax：
十个类别时损失降不到 1.46 以下。

应当返回 logits，或者改用 `BCELoss`。

局限：网络和损失函数必须在同一份文档里。
"""


@rule(
    "CNN403",
    Severity.BUG,
    Confidence.HIGH,
    en="a sigmoid is applied before {loss}, which takes logits and applies a {applies} itself",
    zh="sigmoid 之后又用了 {loss}，而后者需要的是 logits，自己会做一次 {applies}",
)
def sigmoid_before_logits_loss(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("loss"):
        given, takes = flow.judged(op), LOSSES.get(op.name, "")
        if given is not None and given.name.lower() == "sigmoid" and takes.startswith("logits"):
            applies = "softmax" if takes == "logits" else "sigmoid"
            yield Hit(given.where, {"loss": op.name, "applies": applies, "loss_line": program.place(op.node)})


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
    p = torch.sigmoid(net(x))  # <- bug
    criterion(p.squeeze(1), y).backward()
""",
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Linear(8, 10),
    nn.Sigmoid(),  # <- bug
)
nn.CrossEntropyLoss()(net(x), y).backward()
""",
)
