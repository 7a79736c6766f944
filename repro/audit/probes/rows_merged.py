"""Images of another size come out as another number of rows, without an error.

`view(-1, K)` takes the number of rows from the number of values. Where the map in front of it has another size than K
stands for, a batch whose values can be divided by K comes out as rows that belong to no image: the loss compares them
with the labels of others, or fails with a message about sizes far away from the cause. The network is run with batches
that can be divided, and the rows are counted.

Limits: images of the usual sizes, and batches of at most 64.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Size, Subject, probe

_SIDES = (28, 32, 64, 96, 224, 227, 299)
_LARGEST = 64  # images of a batch
_REFUSED = re.compile(r"shape '\[-1, (\d+)\]' is invalid for input of size (\d+)")

ZH = """换一种尺寸的图像，输出的行数就变了，而且不报错。

`view(-1, K)` 按元素总数推算行数。前面的特征图与 K 不符时，
只要整批的元素总数能被 K 整除，得到的行就不再对应任何一张图像：
损失会拿它们和别的图像的标签去比，或者在很远的地方报尺寸不符。
这里用恰好能整除的批次运行网络，数一数输出有几行。

局限：只试常见的图像尺寸，批次不超过 64 张。
"""


@probe(
    "CNN806",
    Severity.RISK,
    Confidence.HIGH,
    en="{batch} images of {size} go in, and {rows} rows come out",
    zh="输入 {batch} 张 {size} 的图像，输出 {rows} 行",
    confirms=("CNN301",),
)
def rows_merged(subject: Subject) -> Iterator[Seen]:
    if subject.size is None or subject.is_part:
        return
    own = subject.size[1]
    for side in sorted(_SIDES, key=lambda each: max(each, own) / min(each, own)):
        size = (subject.size[0], side, side)
        batch = _batch(subject, size)
        rows = subject.run(size, batch).rows if batch else None
        if rows is not None and rows != batch:
            yield Seen({"batch": batch, "size": "x".join(map(str, size)), "rows": rows})
            return


def _batch(subject: Subject, size: Size) -> int:
    """The fewest images whose values can be divided by what is asked of them; 0 if there are none."""
    ran = subject.run(size, batch=2)
    if ran.rows is not None:
        return 2
    refused = _REFUSED.search(ran.error)
    if refused is None:
        return 0
    wanted, of_one = int(refused[1]), int(refused[2]) // 2
    fewest = wanted // math.gcd(wanted, of_one)
    return fewest if 1 < fewest <= _LARGEST else 0


VALID = (
    """
import torch
from torch import nn
class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, stride=4)
        self.fc = nn.Linear(4 * 7 * 7, 10)
    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))
""",
    """
import torch
from torch import nn
class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 10)
    def forward(self, x):
        return self.fc(self.pool(self.conv(x)).view(-1, 4))
""",
)
INVALID = (
    """
import torch
from torch import nn
class Merging(nn.Module):  # <- risk
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, stride=4)
        self.fc = nn.Linear(4 * 7 * 7, 10)
    def forward(self, x):
        return self.fc(self.conv(x).view(-1, 4 * 7 * 7))
""",
)
