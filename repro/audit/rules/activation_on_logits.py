"""A ReLU stands behind the last linear layer, where the logits should be.

A logit below zero says that a class is unlikely. Cut off at zero, all unlikely classes are the same, and where every
logit is negative the image gives no gradient at all: classes die, and never come back.

Return the result of the last linear layer as it is.

Limits: without a loss in the text it is said, as a risk, of networks with convolutions whose last layer has as many
outputs as there are classes. A ReLU before a global pool is Network in Network's, and right.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import LOSSES
from repro.audit.meaning.values import Op, Tensor
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """最后一个线性层之后还有 ReLU，而那里本该是 logits。

小于零的 logit 表示这个类别不太可能。截断在零上，不可能的类别就分不出高低；
若一张图像的 logit 全为负，它就完全没有梯度：有的类别从此学不会。

最后一个线性层的结果应当原样返回。

局限：文本里没有损失函数时，只报告含卷积、
且最后一层输出个数就是类别数的网络，并且只算作风险。
全局池化之前的 ReLU 是 Network in Network 的做法，是对的。
"""

_CLASSES = (10, 100, 1000)  # of MNIST and CIFAR-10, CIFAR-100, and ImageNet


@rule(
    "CNN408",
    Severity.BUG,
    Confidence.HIGH,
    en="{activation} is applied to the logits: what is below zero, and its gradient, is lost",
    zh="对 logits 用了 {activation}：小于零的部分连同它的梯度都丢了",
)
def activation_on_logits(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    seen = set()
    for op in analysis.ops("loss"):
        given = flow.judged(op)
        if given is not None and LOSSES.get(op.name, "").startswith("logits") and _cuts_logits(given):
            seen.add(given.node)
            yield Hit(flow.written(given), {"activation": given.name})
    losses = [*(op.name for op in analysis.ops("loss")), *(layer.short for layer in analysis.layers(*LOSSES))]
    trained = any(LOSSES.get(name, "").startswith("logits") for name in losses)
    severity = None if trained else Severity.RISK  # without a loss the outputs may be meant as features
    for network, value in analysis.returned():
        if not isinstance(value, Tensor) or value.op.within[:1] != (network,) or value.op.node in seen:
            continue
        if _cuts_logits(value.op) and _has_classes(value.op):
            seen.add(value.op.node)
            yield Hit(flow.written(value.op), {"activation": value.op.name}, severity, Confidence.MEDIUM)


def _cuts_logits(op: Op) -> bool:
    cuts = op.name.lower().strip("_") in ("relu", "relu6") and len(op.inputs) == 1
    return cuts and any(each.kind == "linear" for each in flow.before(op, ("norm", "dropout", "identity")))


def _has_classes(op: Op) -> bool:
    """Whether it is what a network for images says of classes."""
    shape = op.shape
    return shape is not None and shape[-1] in _CLASSES and any(each.kind == "conv" for each in flow.back(op))


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Conv2d(192, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
nn.CrossEntropyLoss()(net(x), y).backward()
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 28)
        self.fc = nn.Linear(6, 10)
    def forward(self, x):
        x = F.relu(self.conv(x)).flatten(1)
        return F.relu(self.fc(x))  # <- risk
""",
    """
import torch.nn as nn
import torch.nn.functional as F
net = nn.Linear(8, 3)
out = F.relu(net(x))  # <- bug
F.cross_entropy(out, y).backward()
""",
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Linear(8, 3),
    nn.ReLU(),  # <- bug
)
nn.CrossEntropyLoss()(net(x), y).backward()
""",
)
