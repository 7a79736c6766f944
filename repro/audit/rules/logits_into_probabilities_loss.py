"""The result of a layer goes straight into a loss that takes probabilities, or their logarithms.

`BCELoss` refuses numbers outside of 0 and 1. `NLLLoss` refuses nothing: given logits it is minus the logit of the right
class, falls without end, and the network learns to make one number large.

Take `BCEWithLogitsLoss` and `CrossEntropyLoss`, which take logits, or apply `sigmoid` and `log_softmax` first.

Limits: the network and the loss must be in the same document.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import LOSSES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """层的输出直接交给了需要概率（或对数概率）的损失函数。

`BCELoss` 的输入超出 0 到 1 就会报错。`NLLLoss` 则来者不拒：
输入若是 logits，它就等于正确类别的 logit 取负，可以一直降下去，
网络学会的只是把某个数变得很大。

应当改用以 logits 为输入的 `BCEWithLogitsLoss` 和 `CrossEntropyLoss`，
或者先做 `sigmoid`、`log_softmax`。

局限：网络和损失函数必须在同一份文档里。
"""

_TAKES = {"probabilities": Words("probabilities", "概率"), "log-probabilities": Words("log-probabilities", "对数概率")}


@rule(
    "CNN404",
    Severity.BUG,
    Confidence.HIGH,
    en="{loss} takes {takes} and is given the result of {layer}",
    zh="{loss} 需要的是 {takes}，得到的却是 {layer} 的输出",
)
def logits_into_probabilities_loss(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("loss"):
        given, takes = flow.judged(op), LOSSES.get(op.name, "")
        if given is not None and given.kind in ("linear", "conv") and takes in _TAKES:
            yield Hit(op.node, {"loss": op.name, "takes": _TAKES[takes], "layer": given.name})


VALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
net = nn.Linear(8, 10)
F.nll_loss(F.log_softmax(net(x), dim=1), y).backward()
nn.BCELoss()(net(x).sigmoid(), y).backward()
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 10))
criterion = nn.NLLLoss()
for x, y in loader:
    loss = criterion(net(x), y)  # <- bug
""",
)
