"""The sum of the last residual block goes into the classifier with no activation behind it.

Every sum of a ResNet is followed by a ReLU. Where the activations stand in front of the layers (pre-activation), the
sum of the last block has none yet, so that one more normalisation and ReLU are needed before the global pool
("Identity Mappings in Deep Residual Networks", section 4.1 and its appendix). Without them the classifier gets sums
of linear maps that were never normalised.

Limits: said of networks that are called residual; linear bottlenecks are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """最后一个残差块的和直接进了分类器，后面没有激活函数。

ResNet 的每个和之后都有 ReLU。激活放在各层之前（pre-activation）时，
最后一个块的和还没有经过激活，所以全局池化之前要再加一次归一化和 ReLU
（《Identity Mappings in Deep Residual Networks》4.1 节及附录）。
少了它们，分类器得到的是从未归一化过的线性变换之和。

局限：只针对名字表明是残差网络的；线性瓶颈不报告。
"""

_TO_HEAD = ("pool", "flatten", "view", "squeeze", "mean", "dropout", "identity")


@rule(
    "CNN410",
    Severity.BUG,
    Confidence.HIGH,
    en="{network} classifies the sum of its last block as it is, with no normalisation or activation behind it",
    zh="{network} 直接对最后一个块的和分类：最后一次相加之后没有归一化，也没有激活",
)
def bare_residual_output(program: Program) -> Iterator[Hit]:
    seen = set()
    for op in Analysis.of(program).ops("linear"):
        if not op.within or not re.search(r"res_?net|pre_?act|resnext", op.within[0].of.name, re.IGNORECASE):
            continue
        way = list(flow.before(op, _TO_HEAD))
        pooled = any(each.kind in ("pool", "mean") for each in way[:-1])
        if not pooled or way[-1].kind != "add" or way[-1].within == op.within or op.node in seen:
            continue
        seen.add(op.node)
        yield Hit(way[-2].node, {"network": op.within[0].of.name})


_NETWORK = """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
    def forward(self, x):
        return x + self.conv(self.bn(x).relu())
class PreActResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(), Block())
        self.bn, self.fc = nn.BatchNorm2d(8), nn.Linear(8, 10)
    def forward(self, x):
        x = self.blocks(self.conv(x))
"""
VALID = (f"{_NETWORK}        return self.fc(self.bn(x).relu().mean((2, 3)))\n",)
INVALID = (f"{_NETWORK}        return self.fc(x.mean((2, 3)))  # <- bug\n",)
