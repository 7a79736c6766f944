"""A batch of one image stops the network in train mode.

A batch normalisation of one value per channel has nothing to normalise with: torch raises "Expected more than 1 value
per channel when training". It happens with the last batch of an epoch when one image is left over, which is a matter
of the data set's size. `drop_last=True` keeps it away; so does no normalisation in that place.

Limits: tried with the first image size that the network takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """训练模式下，批次只有一张图像时网络会报错。

每个通道只有一个值，批归一化就无从归一化，torch 会报错：
"Expected more than 1 value per channel when training"。
一个 epoch 最后恰好剩下一张图像时就会发生，全看数据集有多大。
写 `drop_last=True`，或者在这里不用归一化，就不会出现。

局限：只用网络接受的第一种图像尺寸来试。
"""


@probe(
    "CNN808",
    Severity.RISK,
    Confidence.HIGH,
    en="with one image of {size} in train mode it fails: {error}",
    zh="训练模式下输入一张 {size} 的图像会报错：{error}",
    confirms=("CNN305",),
)
def fails_with_one_image(subject: Subject) -> Iterator[Seen]:
    if subject.size is None or subject.is_part or subject.run(subject.size, training=True).graph is None:
        return
    ran = subject.run(subject.size, batch=1, training=True)
    if ran.graph is None and "more than 1 value per channel" in ran.error:
        error = ran.error[ran.error.index("Expected more than 1") :].splitlines()[0]
        yield Seen({"size": "x".join(map(str, subject.size)), "error": error}, ran.line or None)


VALID = (
    """
import torch
from torch import nn
class Early(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 10)
    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))
""",
)
INVALID = (
    """
import torch
from torch import nn
class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 5), nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 10)
    def forward(self, x):
        return self.fc(self.norm(self.conv(x).mean((2, 3))))  # <- risk
""",
)
