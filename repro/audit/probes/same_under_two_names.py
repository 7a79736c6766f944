"""Two functions whose names say different networks build the same one.

A list that was copied and not changed is the usual reason: VGG_13 with the numbers of VGG_11. Both are built, and what
they compute in train mode is compared operation by operation.

Limits: names that say networks of the catalog; the two must be made by the same classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """两个函数的名字说的是不同的网络，建出来的却是同一个。

多半是复制了配置却忘了改：VGG_13 用了 VGG_11 的数字。
这里把两个都建出来，逐个运算地比较它们在训练模式下的计算。

局限：名字要说出目录里的网络，而且两者由同样的类建成。
"""


@probe(
    "CNN803",
    Severity.BUG,
    Confidence.HIGH,
    en="{symbol} and {other} of {line} are one network: {parameters} parameters each, and the same operations",
    zh="{symbol} 与{line}的 {other} 是同一个网络：参数都是 {parameters} 个，运算也相同",
    confirms=("CNN502",),
    of_class=False,
)
def same_under_two_names(subject: Subject) -> Iterator[Seen]:
    if subject.module is None or not subject.claim:
        return
    for other in subject.others:
        if other.symbol == subject.symbol:
            return
        if other.claim and other.claim != subject.claim and subject.is_same(other):
            count = sum(each.numel() for each in subject.module.parameters())
            values = {"symbol": subject.symbol, "other": other.symbol, "line": other.line}
            yield Seen({**values, "parameters": f"{count:,}"})
            return


VALID = (
    """
import torch
from torch import nn
def plan(depths):
    layers, channels = [], 3
    for depth, width in zip(depths, (64, 128, 256, 512, 512)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers
class VGG(nn.Module):
    def __init__(self, depths):
        super().__init__()
        self.features = nn.Sequential(*plan(depths))
        self.head = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 1000))
    def forward(self, x):
        return self.head(self.features(x).flatten(1))

def vgg11():
    return VGG([1, 1, 2, 2, 2])
def vgg13():
    return VGG([2, 2, 2, 2, 2])
""",
)
INVALID = (
    """
import torch
from torch import nn
def plan(depths):
    layers, channels = [], 3
    for depth, width in zip(depths, (64, 128, 256, 512, 512)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers
class VGG(nn.Module):
    def __init__(self, depths):
        super().__init__()
        self.features = nn.Sequential(*plan(depths))
        self.head = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 1000))
    def forward(self, x):
        return self.head(self.features(x).flatten(1))

def vgg11():
    return VGG([1, 1, 2, 2, 2])
def vgg13():  # <- bug
    return VGG([1, 1, 2, 2, 2])
""",
)
