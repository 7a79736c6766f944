"""In eval mode the network draws random numbers: the same image gives another answer each time.

A dropout that was written as a function takes its default, `training=True`, and does not know about `eval()`. Every
accuracy that is measured then is that of a damaged network. `F.dropout(x, training=self.training)`, or the module.

By itself it is a note: a sampled code or a dropout that stays on may be wanted.

Limits: what forward runs for the first image size that it takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """eval 模式下网络仍在取随机数：同一张图像每次的答案都不一样。

以函数形式写的 dropout 取默认值 `training=True`，`eval()` 对它不起作用。
这样测出的准确率都是残缺网络的。应当写
`F.dropout(x, training=self.training)`，或者用模块。

单独出现时只作提示：从分布里采样、有意保留的 dropout 都有人要。

局限：只看网络对它接受的第一种图像尺寸所运行的部分。
"""


@probe(
    "CNN810",
    Severity.NOTE,
    Confidence.HIGH,
    en="in eval mode it draws random numbers ({operation}): the same image gives another answer each time",
    zh="eval 模式下它仍在取随机数（{operation}）：同一张图像每次的答案都不一样",
    confirms=("CNN209",),
)
def not_deterministic(subject: Subject) -> Iterator[Seen]:
    if subject.size is not None and (drawn := subject.draws(subject.size)):
        yield Seen({"operation": drawn[0]}, subject.line_of(drawn[1]))


VALID = (
    """
import torch
from torch import nn
class Told(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        return nn.functional.dropout(self.conv(x).mean((2, 3)), 0.5, self.training)
""",
)
INVALID = (
    """
import torch
from torch import nn
class Untold(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        return nn.functional.dropout(self.conv(x).mean((2, 3)))  # <- note
""",
)
