"""The network fails on images of every size that was tried.

Two layers do not fit each other, something is called with too few arguments, or a name is missing in a line that only
forward reaches.

Limits: networks that begin with a convolution of one or three channels and are part of no other; the sides tried are
those of the usual data sets, and the one that the first linear layer fits, if there is one up to 1024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """试过的各种尺寸的图像，网络都会报错。

两层接不上、调用时少了参数，或者只有 forward 才会执行到的一行里少了名字。

局限：只看以一或三个通道的卷积开头、又不是别的网络一部分的网络；
试的边长是常见数据集的，以及第一个线性层恰好适合的那一种（不超过 1024）。
"""


_NO_FAULT = re.compile("TooLongError|Long, Int")  # it takes time, or takes words


@probe(
    "CNN805",
    Severity.BUG,
    Confidence.HIGH,
    en="it fails on images of every size that was tried; of {size}: {error}",
    zh="试过的各种尺寸的图像都会报错；{size} 的图像：{error}",
    confirms=("CNN110", "CNN205", "CNN303", "CNN310", "CNN312"),
)
def fails_on_images(subject: Subject) -> Iterator[Seen]:
    channels = subject.image_channels
    if subject.module is None or subject.size is not None or subject.is_part or channels not in (1, 3):
        return
    ran = subject.run((channels, 224, 224))
    if _NO_FAULT.search(ran.error):
        return
    if ran.graph is None and not (subject.lacks and ", ".join(subject.lacks) and "required positional" in ran.error):
        yield Seen({"size": f"{channels}x224x224", "error": subject.why_not((channels, 224, 224))}, ran.line or None)


VALID = (
    """
import torch
from torch import nn
class Fitting(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 38 * 38, 10)
    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))
class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(300, 4, 3)
    def forward(self, x):
        return self.conv(x).mean(2)
""",
)
INVALID = (
    """
import torch
from torch import nn
class Unfitting(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.next = nn.Conv2d(3, 4, 3), nn.Conv2d(8, 4, 3)
    def forward(self, x):
        x = self.conv(x)
        return self.next(x).mean((2, 3))  # <- bug
""",
)
