"""`squeeze()` without a dimension removes the batch as well, where it has one image.

It removes every dimension of size 1. Behind a global pool that are the two sides of the map, and with a batch of one
image the batch, too: the result has one dimension less, and what follows fails or takes classes for images.

Write which dimensions are meant: `x.flatten(1)`, or `x.squeeze(-1).squeeze(-1)`.

Limits: said inside the forward of a network, of the data that flows through it.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`squeeze()` 不写维度,批次只有一张图像时会把批次那一维也去掉。

它去掉所有大小为 1 的维度。在全局池化之后,那是特征图的高和宽;
批次只有一张图像时,批次那一维也没了:结果少了一维,
后面要么报错,要么把类别当成图像。

应当写明要去掉的维度:`x.flatten(1)`,或 `x.squeeze(-1).squeeze(-1)`。

局限:只针对网络的 forward 里流过的数据。
"""


@rule(
    "CNN309",
    Severity.RISK,
    Confidence.HIGH,
    en="squeeze() also removes the batch where it has one image; use flatten(1)",
    zh="批次只有一张图像时,squeeze() 会把批次那一维也去掉;应当用 flatten(1)",
)
def squeeze_without_dim(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("squeeze"):
        if not op.within or op.detail.get("arguments") or "dim" in op.detail:
            continue
        given = op.inputs[0].shape
        if given is not None and len(given) == 4 and any(each.kind == "conv" for each in flow.back(op)):
            yield Hit(op.node)


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
        return self.pool(self.conv(x)).squeeze()  # <-
""",
)
