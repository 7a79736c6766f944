"""The network that is built is another one than its name says.

What it computes is held against the networks of the catalog, whatever its layers are called: VGG_13 that is built from
the list of VGG-11 is VGG-11, however its function is named. Numbers that are compared with the paper's are then those
of another network.

Limits: names that say a network of the catalog or of torchvision and timm; what departs in many places is near none.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """建成的网络和名字说的不是同一个。

这里把它实际计算的内容与目录里的网络对照，不看各层叫什么：
用 VGG-11 的配置建出来的 VGG_13，就是 VGG-11，不管函数叫什么名字。
拿它的结果去和论文里的数字比，比的是另一个网络。

局限：名字要说出目录、torchvision 或 timm 里的某个网络；处处不同的网络与哪个都不接近。
"""


@probe(
    "CNN802",
    Severity.BUG,
    Confidence.HIGH,
    en="misnamed: {told}",
    zh="名不副实：{told}",
    confirms=("CNN501", "CNN505", "CNN506"),
    of_class=False,
)
def not_what_it_is_called(subject: Subject) -> Iterator[Seen]:
    if subject.keeps_its_name is False and not subject.is_part:
        yield Seen({"told": subject.misnamed, "claims": subject.claim, "identified": subject.identified})


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

def vgg13():  # <- bug
    return VGG([1, 1, 2, 2, 2])
""",
)
