"""A classifier returns probabilities instead of logits.

Whoever trains it takes `CrossEntropyLoss`, which applies a softmax itself; then there are two. The training runs, and
learns slowly (see softmax-before-loss). torchvision's and timm's networks all return logits, and so does whoever
compares with them expect.

Return the result of the last linear layer, and apply the softmax where probabilities are read.

Limits: said of networks with convolutions; not where the text has a loss that takes probabilities, where logits are
returned as well, or of networks that are called a policy, an actor, a gate or an attention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import LOSSES
from repro.audit.meaning.values import Tensor
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """分类网络返回的是概率，而不是 logits。

训练它的人会用 `CrossEntropyLoss`，后者自己会再做一次 softmax，于是做了两次。
训练照样进行，只是学得慢（见 softmax-before-loss）。
torchvision 和 timm 的网络都返回 logits，使用者也这样预期。

应当返回最后一个线性层的结果，在需要概率的地方再做 softmax。

局限：只针对含卷积的网络。文本里有以概率为输入的损失、同时还返回 logits，
或网络名为策略（policy）、actor、gate、attention 的，不报告。
"""

_ON_PURPOSE = re.compile(r"polic|actor|critic|agent|gate|gating|router|attention|attn", re.IGNORECASE)


@rule(
    "CNN402",
    Severity.RISK,
    Confidence.MEDIUM,
    en="{network} returns a softmax; CrossEntropyLoss, with which classifiers are trained, applies one itself",
    zh="{network} 返回 softmax 的结果；训练分类器用的 CrossEntropyLoss 自己会做一次 softmax",
)
def softmax_in_forward(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    losses = [op for op in analysis.ops("loss") if op.name in LOSSES]
    takes = {LOSSES[op.name] for op in losses} | {LOSSES[each.short] for each in analysis.layers(*LOSSES)}
    if takes and not any(what.startswith("logits") for what in takes):
        return
    seen = {
        given.where for given in map(flow.judged, losses) if given is not None
    }  # softmax-before-loss tells of those
    for network, value in analysis.returned():
        if not isinstance(value, Tensor) or value.op.kind != "softmax" or value.op.within[:1] != (network,):
            continue
        softmax = value.op
        if softmax.where in seen or _ON_PURPOSE.search(network.of.name):
            continue
        seen.add(softmax.where)
        if any(each.kind == "conv" for each in flow.back(softmax)):
            yield Hit(softmax.where, {"network": network.of.name}, None, Confidence.HIGH if takes else None)


_NETWORK = """
import torch.nn as nn
import torch.nn.functional as F
class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 28)
        self.fc = nn.Linear(8, 10)
    def forward(self, x):
        x = self.fc(F.relu(self.conv(x)).flatten(1))
        return {returned}
"""
VALID = (
    _NETWORK.format(name="Net", returned="x"),
    _NETWORK.format(name="Net", returned="F.log_softmax(x, dim=1)"),
    _NETWORK.format(name="Net", returned="x, F.softmax(x, dim=1)"),
    _NETWORK.format(name="PolicyNet", returned="F.softmax(x, dim=1)"),
    _NETWORK.format(name="Net", returned="F.softmax(x, dim=1)") + "criterion = nn.MSELoss()",
)
INVALID = (_NETWORK.format(name="Net", returned="F.softmax(x, dim=1)  # <- risk"),)
