"""Two maps with different numbers of channels are added.

torch refuses to add them when the network is called. A shortcut around layers that change the number of channels
needs a projection, or zeros where the new channels are (ResNet, section 3.3).

Limits: only numbers of channels that the text decides are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """两个通道数不同的特征图相加。

网络一调用，torch 就会报错。捷径跨过了改变通道数的层时，
需要一个投影，或者在新增的通道上补零（ResNet，3.3 节）。

局限：只比较文本能够确定的通道数。
"""


@rule(
    "CNN312",
    Severity.BUG,
    Confidence.HIGH,
    en="a map of {left} channels is added to one of {right}",
    zh="把 {left} 个通道的特征图与 {right} 个通道的相加",
)
def unequal_addition(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    seen = set()
    for op in analysis.ops("add"):
        shapes = [each.shape for each in op.inputs if each.shape is not None and len(each.shape) == 4]
        if len(shapes) != 2 or op.node in seen:
            continue
        left, right = shapes[0][1], shapes[1][1]
        differ = left is not None and right is not None and left != right and 1 not in (left, right)
        if differ and analysis.is_certain:
            seen.add(op.node)
            yield Hit(op.node, {"left": left, "right": right})


_BLOCK = """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(8, channels, 3, padding=1)
        self.entry = nn.Conv2d(3, 8, 3, padding=1)
    def forward(self, x):
        x = self.entry(x)
        return x + self.conv(x)
"""
VALID = (f"{_BLOCK}Block(8)",)
INVALID = (f"{_BLOCK.rstrip()}  # <- bug\nBlock(16)",)
