"""A softmax normalises over the batch, not over the classes.

With `dim=0` the probabilities of one class sum to 1 over the images: what an image gets depends on which images stand
beside it, and with a batch of one every class has probability 1.

Limits: said where the text shows that the first dimension is the batch: behind a linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """softmax 沿批次归一化,而不是沿类别。

写 `dim=0`,同一类别在各张图像上的概率之和为 1:
一张图像的结果取决于它旁边是哪些图像;批次只有一张时,每个类别的概率都是 1。

局限:只有从文本看得出第一维是批次(在线性层之后)时才报告。
"""


@rule(
    "CNN308",
    Severity.BUG,
    Confidence.HIGH,
    en="{softmax} normalises over dimension 0, which is the batch here; the classes are dimension 1",
    zh="{softmax} 沿第 0 维归一化,而这里第 0 维是批次;类别是第 1 维",
)
def softmax_over_the_batch(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("softmax", "log_softmax"):
        given = op.inputs[0].shape if op.inputs else None
        others = op.detail.get("arguments") or [None]
        if given is not None and len(given) == 2 and 0 in (op.detail.get("dim"), others[0]) and op.within:
            yield Hit(op.where, {"softmax": op.name})


VALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
    def forward(self, x):
        return F.softmax(self.fc(self.conv(x).mean((2, 3))), dim=1)
""",
    """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 10)
    def forward(self, x):
        return self.fc(x).T.softmax(dim=0).T
Net()(torch.ones(4, 8))
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
    def forward(self, x):
        return F.softmax(self.fc(self.conv(x).mean((2, 3))), dim=0)  # <-
""",
)
