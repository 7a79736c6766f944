"""One norm layer is applied in two places of a network.

A BatchNorm keeps running statistics of what it is given. Behind two convolutions it mixes those of both: in training
each batch is normalised by its own, in evaluation by a mean that fits neither. Layers without a state, such as ReLU,
may be used as often as one likes.

Limits: two calls of one norm in the same run of `forward`, behind different layers with weights. A part that is applied
to several inputs as a whole, as in a siamese network, is meant.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.library import MODULES
from repro.audit.meaning.parts import WITH_WEIGHTS
from repro.audit.meaning.values import Layer, Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """同一个归一化层用在了网络的两处。

BatchNorm 会记录输入的滑动统计量。接在两个卷积后面，
就把两者的统计量混在一起：训练时每个批次用自己的统计量，
评估时用的均值却与哪一个都不符。
ReLU 之类没有状态的层，用多少次都可以。

局限：只看同一次 `forward` 中，接在不同的带权重的层后面的两次调用。
把某个部分整体用于多个输入（如孪生网络）视为有意。
"""


@rule(
    "CNN210",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} is used again behind another layer; its first use is in {line}",
    zh="{layer} 在另一个层之后又用了一次；第一次用在{line}",
)
def shared_norm(program: Program) -> Iterator[Hit]:
    first: dict[tuple[int, tuple[int, ...]], tuple[ast.Call, Layer]] = {}
    for op in Analysis.of(program).ops("norm"):
        source = _source(op)
        if op.layer is None or source is None or not isinstance(op.node, ast.Call):
            continue
        if not isinstance(op.node.func, ast.Attribute):
            continue
        key = id(op.layer), tuple(map(id, op.within))
        call, before = first.setdefault(key, (op.node, source))
        if call is not op.node and before is not source and call.lineno != op.node.lineno:
            evidence = {"layer": ast.unparse(op.node.func), "line": program.place(call)}
            yield Hit(op.node, evidence, None if op.layer.short.startswith("Batch") else Severity.NOTE)


def _source(op: Op) -> Layer | None:
    """The layer with weights that a norm stands behind."""
    before = op.inputs[0] if op.inputs else None
    while before is not None and before.kind in ("activation", "dropout", "pool", "identity") and before.inputs:
        before = before.inputs[0]
    layer = before.layer if before is not None else None
    return layer if layer is not None and MODULES[layer.short].kind in WITH_WEIGHTS else None


VALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3)
        self.conv2 = nn.Conv2d(3, 3, 3)
        self.bn1 = nn.BatchNorm2d(3)
        self.bn2 = nn.BatchNorm2d(3)
        self.relu = nn.ReLU()
    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))
class Twins(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Block()
    def forward(self, x, y):
        return self.part(x) - self.part(y)
""",
)
INVALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3)
        self.conv2 = nn.Conv2d(3, 3, 3)
        self.bn = nn.BatchNorm2d(3)
    def forward(self, x):
        x = self.bn(self.conv1(x)).relu()
        return self.bn(self.conv2(x))  # <- bug
""",
)
