"""An argument that changes nothing: the network is the same whatever is given.

The network is built a second time with another value. Where its layers, the shapes of its weights and what it computes
in train mode are the same, the argument is ignored, or overwritten by a number that stands in the code. Who passes it
believes to have another network.

By itself it is a note: a class may keep a rate of learning, or a margin, for others.

Limits: arguments with a number as their value; the names of some say that they are about initial values or messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_OTHERWISE = re.compile(
    "init|std|gain|seed|pretrain|progress|verbose|debug|print|inplace|memory|checkpoint|weights?$|img|image|size|device"
)
_MOST = 6  # arguments that are tried: each is another network to build

ZH = """有的参数不起作用：无论给什么值，网络都一样。

这里换一个值再建一次网络。如果各层、权重的形状、训练模式下的计算都没有变，
这个参数就是被忽略了，或者被代码里写死的数覆盖了。
传它的人会以为得到了另一个网络。

单独出现时只作提示：类里也可能替别处存着学习率、间隔之类的值。

局限：只试值为数字的参数；名字说明是初始值或提示信息的不试。
"""


@probe(
    "CNN813",
    Severity.NOTE,
    Confidence.MEDIUM,
    en="{argument} makes no difference: with {value} and with {other} it is the same network",
    zh="{argument} 不起作用：取 {value} 和取 {other} 是同一个网络",
    confirms=("CNN206", "CNN207", "CNN220"),
    of_class=False,
)
def argument_without_effect(subject: Subject) -> Iterator[Seen]:
    if subject.module is None or subject.size is None or subject.is_part or not list(subject.module.parameters()):
        return
    tried = [(name, value) for name, value in subject.arguments().items() if not _OTHERWISE.search(name)]
    numbers = [(name, value) for name, value in tried if isinstance(value, int | float)]
    for name, value in numbers[:_MOST]:
        other = _other(value)
        changed = subject.again(**{name: other})
        if changed is not None and changed.module is not None and subject.is_same(changed):
            yield Seen({"argument": name, "value": value, "other": other}, about=name)


def _other(value: float) -> Any:
    if isinstance(value, bool):
        return not value
    return value * 2 or 1 if isinstance(value, int) else value / 2 or 0.5


VALID = (
    """
import torch
from torch import nn
class Told(nn.Module):
    def __init__(self, num_classes=10, rate=0.5, groups=1):
        super().__init__()
        self.conv, self.rate = nn.Conv2d(3, 4, 3), rate
        self.mix = nn.Conv2d(4, num_classes, 1, groups=groups)
    def forward(self, x):
        x = nn.functional.dropout(self.conv(x), self.rate, self.training)
        return self.mix(x).mean((2, 3))
""",
)
INVALID = (
    """
import torch
from torch import nn
class Untold(nn.Module):  # <- note
    def __init__(self, num_classes=10, rate=0.5):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 1000)
    def forward(self, x):
        return self.fc(nn.functional.dropout(self.conv(x).mean((2, 3)), 0.5, self.training))
""",
)
