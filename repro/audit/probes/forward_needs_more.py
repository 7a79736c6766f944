"""`net(x)` fails: the network's forward requires more than the images.

Whatever calls the network as every training loop does, a list of models or a summary too, stops with a TypeError. What
is a constant of the network belongs into `__init__`.

Limits: networks that are part of others, and those that can be built.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """`net(x)` 会报错：forward 除了图像还要求别的参数。

训练循环、模型对比、summary 都按 `net(x)` 调用，会以 TypeError 停下。
网络的常量应当放在 `__init__` 里。

局限：只看能够建立、又不是别的网络一部分的网络。
"""


@probe(
    "CNN804",
    Severity.RISK,
    Confidence.HIGH,
    en="called with images alone it fails: forward requires {names} too",
    zh="只输入图像会报错：forward 还要求 {names}",
    confirms=("CNN217",),
)
def forward_needs_more(subject: Subject) -> Iterator[Seen]:
    if subject.lacks and not subject.is_part and subject.size is not None:
        yield Seen({"names": ", ".join(subject.lacks)})


VALID = (
    """
import torch
from torch import nn
class Optional(nn.Module):
    def __init__(self, features=4):
        super().__init__()
        self.conv = nn.Conv2d(3, features, 3)
    def forward(self, x, features=4):
        return self.conv(x).mean((2, 3)).view(-1, features)
""",
)
INVALID = (
    """
import torch
from torch import nn
class Required(nn.Module):  # <- risk
    def __init__(self, features=4):
        super().__init__()
        self.conv = nn.Conv2d(3, features, 3)
    def forward(self, x, features):
        return self.conv(x).mean((2, 3)).view(-1, features)
""",
)
