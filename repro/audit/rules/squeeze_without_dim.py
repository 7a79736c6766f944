"""A squeeze removes the batch as well, where it has one image.

`squeeze()` without a dimension removes every dimension of size 1. Behind a global pool that are the two sides of the
map, and with a batch of one image the batch, too: the result has one dimension less, and what follows fails or takes
classes for images. Behind a linear layer with one output it does the same. `squeeze(0)` removes nothing but the batch.

Write which dimensions are meant: `x.flatten(1)`, `x.squeeze(1)`, or `x.squeeze(-1).squeeze(-1)`.

Limits: said inside the forward of a network with convolutions, of the data that flows through it.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """批次只有一张图像时，squeeze 会把批次那一维也去掉。

不写维度的 `squeeze()` 去掉所有大小为 1 的维度。在全局池化之后，那是特征图的高和宽；
批次只有一张图像时，批次那一维也没了：结果少了一维，
后面要么报错，要么把类别当成图像。
接在只有一个输出的线性层之后也是如此；`squeeze(0)` 去掉的正是批次那一维。

应当写明要去掉的维度：`x.flatten(1)`、`x.squeeze(1)`，
或 `x.squeeze(-1).squeeze(-1)`。

局限：只针对含卷积的网络的 forward 里流过的数据。
"""


@rule(
    "CNN309",
    Severity.RISK,
    Confidence.HIGH,
    en="{call} removes the batch where it has one image; {instead}",
    zh="批次只有一张图像时，{call} 会把批次那一维去掉；{instead}",
)
def squeeze_without_dim(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("squeeze"):
        given, dims = op.inputs[0].shape, op.detail.get("arguments") or [op.detail.get("dim")]
        if not op.within or given is None or not any(each.kind == "conv" for each in flow.back(op)):
            continue
        one_output = len(given) == 2 and given[1] == 1
        if dims == [None] and (len(given) == 4 or one_output):
            instead = "squeeze(1)" if one_output else "flatten(1)"
            yield Hit(op.node, {"call": "squeeze()", "instead": Words(f"use {instead}", f"应当用 {instead}")})
        elif dims == [0] and len(given) in (2, 4):
            yield Hit(op.node, {"call": "squeeze(0)", "instead": Words("leave it out", "应当删掉它")})


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1)
    def forward(self, x):
        return self.pool(self.conv(x)).squeeze(3).squeeze(dim=2)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1)
    def forward(self, x):
        return self.pool(self.conv(x)).squeeze()  # <- risk
""",
    """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool, self.fc = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Linear(8, 1)
    def forward(self, x):
        x = self.pool(self.conv(x))
        first = x.squeeze(0)  # <- risk
        return torch.squeeze(self.fc(x.flatten(1))), first  # <- risk
""",
)
