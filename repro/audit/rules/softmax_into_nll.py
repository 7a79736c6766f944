"""A softmax goes into `NLLLoss`, which takes logarithms of probabilities.

The loss is then minus the probability of the right class, between -1 and 0. It falls, so it looks like training; its
gradient vanishes where the network is surely wrong, which is where it should be largest.

Take `log_softmax` instead of `softmax`, or give the logits to `CrossEntropyLoss`.

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

ZH = """把 softmax 的结果交给了 `NLLLoss`，而它需要的是概率的对数。

这样损失等于正确类别的概率取负，在 -1 到 0 之间。它会下降，看上去像在训练；
可是在网络错得最确定的地方，本应最大的梯度却消失了。

应当用 `log_softmax` 代替 `softmax`，或者把 logits 交给 `CrossEntropyLoss`。

局限：网络和损失函数必须在同一份文档里。
"""


@rule(
    "CNN405",
    Severity.BUG,
    Confidence.HIGH,
    en="{loss} takes log-probabilities and is given a softmax; apply log_softmax instead",
    zh="{loss} 需要对数概率，得到的却是 softmax 的结果；应当用 log_softmax",
)
def softmax_into_nll(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("loss"):
        given = flow.judged(op)
        if given is not None and given.kind == "softmax" and LOSSES.get(op.name) == "log-probabilities":
            yield Hit(given.where, {"loss": op.name, "loss_line": program.place(op.node)})


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Linear(8, 10), nn.LogSoftmax(dim=1))
nn.NLLLoss()(net(x), y).backward()
""",
    """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Linear(8, 10), nn.Softmax(dim=1))
nn.NLLLoss()(torch.log(net(x)), y).backward()
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Linear(8, 10),
    nn.Softmax(dim=1),  # <- bug
)
nn.NLLLoss()(net(x), y).backward()
""",
)
