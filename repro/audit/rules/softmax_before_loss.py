"""A softmax, or its logarithm, is given to a loss that applies one itself.

`CrossEntropyLoss` takes logits: it applies `log_softmax` first. With a softmax in the network there are two, the second
of numbers between 0 and 1. It still learns, and poorly: the loss of ten classes cannot fall below 1.46, and the
gradients are small. Nothing fails, so nobody notices. `BCEWithLogitsLoss` takes logits too: it applies a
sigmoid first.

The logarithm of a softmax is harmless there: its log-softmax is itself. It is told as a note.

Return the logits. Where probabilities are wanted, apply the softmax there: in a `predict` method, or after the network.

Limits: the network and the loss must be in the same document, whose text must show that one's output reaches the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import LOSSES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把 softmax（或它的对数）的结果交给了自己会再做一次 softmax 的损失函数。

`CrossEntropyLoss` 需要的是 logits，它内部会先做 `log_softmax`。
网络里再写一个 softmax 就做了两次，而第二次的输入只在 0 到 1 之间。
训练不会报错，只是学得差：十个类别时损失降不到 1.46 以下，梯度也很小，
所以没有人注意到。`BCEWithLogitsLoss` 同样需要 logits，它内部会先做 sigmoid。

softmax 的对数在这里无害：对它再做一次 log_softmax 还是它自己，所以只作提示。

应当直接返回 logits；需要概率的地方再做 softmax，例如在 `predict` 方法里，或在网络之外。

局限：网络和损失函数必须在同一份文档里，并且从文本能看出前者的输出到达了后者。
"""


@rule(
    "CNN401",
    Severity.BUG,
    Confidence.HIGH,
    en="{softmax} is applied before {loss}, which applies a {applies} itself; return the logits",
    zh="{softmax} 之后又用了 {loss}，而后者自己会做一次 {applies}；应当返回 logits",
)
def softmax_before_loss(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("loss"):
        given = flow.judged(op)
        if given is None or not LOSSES.get(op.name, "").startswith("logits"):
            continue
        if given.kind in ("softmax", "log_softmax"):
            applies = "softmax" if LOSSES[op.name] == "logits" else "sigmoid"
            line = program.place(op.node)
            values = {"softmax": given.name, "loss": op.name, "applies": applies, "loss_line": line}
            yield Hit(given.where, values, Severity.NOTE if given.kind == "log_softmax" else None)


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 10)
    def forward(self, x):
        return self.fc(x)
    def predict(self, x):
        return self.forward(x).softmax(1)
net, criterion = Net(), nn.CrossEntropyLoss()
for x, y in loader:
    loss = criterion(net(x), y)
""",
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 10)
    def forward(self, x):
        return F.log_softmax(self.fc(x), dim=1)
net = Net()
for x, y in loader:
    F.nll_loss(net(x), y).backward()
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 10)
    def forward(self, x):
        return F.softmax(self.fc(x), dim=1)  # <- bug
net, criterion = Net(), nn.CrossEntropyLoss()
for x, y in loader:
    loss = criterion(net(x), y)
""",
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Linear(10, 10),
    nn.LogSoftmax(dim=1),  # <- note
)
def train(x, y):
    out = net(x)
    return nn.functional.cross_entropy(out, y)
train(images, labels)
""",
    """
import torch.nn as nn
import torch.nn.functional as F
net, criterion = nn.Linear(8, 3), nn.CrossEntropyLoss()
p = F.softmax(net(x), dim=1)  # <- bug
loss = criterion(target=F.one_hot(y).float(), input=p)
q = F.softmax(net(x), dim=1)  # <- bug
F.cross_entropy(target=y, input=q).backward()
""",
)
