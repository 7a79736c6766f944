"""The network takes images of the sizes that its head fits, and refuses others with an error.

The first linear layer behind the convolutions fits one map. The paper's networks are like that, and nothing is wrong
with it as long as the size is said; an adaptive pooling in front of that layer takes every size.

Limits: square images of sides between 28 and 299 that data sets have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_SIDES = (28, 32, 64, 96, 224, 227, 299)
_OF_A_VIEW = re.compile("is invalid for input of size")  # which other batches may pass: `rows_merged`

ZH = """网络只接受头部适合的尺寸，其他尺寸的图像会报错。

卷积之后的第一个线性层只适合一种特征图。论文里的网络就是这样，
只要写明尺寸就没有问题；在这一层之前放自适应池化，则任意尺寸都可以。

局限：只试边长 28 到 299、常见数据集里的正方形图像。
"""


@probe(
    "CNN807",
    Severity.NOTE,
    Confidence.HIGH,
    en="of square images it takes those of side {taken} alone, and refuses {refused}",
    zh="正方形图像中它只接受边长 {taken} 的，拒绝 {refused}",
    confirms=("CNN306",),
)
def fixed_input_size(subject: Subject) -> Iterator[Seen]:
    if subject.size is None or subject.is_part:
        return
    sides = sorted({*_SIDES, subject.size[1]})
    runs = {side: subject.run((subject.size[0], side, side)) for side in sides}
    taken = [side for side, ran in runs.items() if ran.graph is not None]
    refused = [side for side, ran in runs.items() if ran.graph is None and not _OF_A_VIEW.search(ran.error)]
    if taken and any(
        side > taken[0] for side in refused
    ):  # what is too small for its poolings is no matter of the head
        yield Seen({"taken": ", ".join(map(str, taken)), "refused": ", ".join(map(str, refused))})


VALID = (
    """
import torch
from torch import nn
class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 30)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 10)
    def forward(self, x):
        return self.fc(self.pool(self.conv(x)).flatten(1))
""",
)
INVALID = (
    """
import torch
from torch import nn
class Flat(nn.Module):  # <- note
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, stride=4)
        self.fc = nn.Linear(4 * 7 * 7, 10)
    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))
""",
)
