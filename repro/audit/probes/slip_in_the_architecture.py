"""A place where a network is not the paper's, and nobody can have meant it, or hardly anybody.

An activation or a shortcut that is missing, a width, a kernel or a group count that is other in one branch while all
others are the paper's, a block too few. The number of parameters can be exactly right, and the network learns, only
less well than the one that it is called after.

Limits: told from the deliberate departures by what is around it; a design of its own has no slips.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """网络有一处与论文不同，而且不会、或几乎不会是有意的。

少了激活或捷径、某个分支的宽度、卷积核或分组数与论文不同而其他都相同、少了一个块。
参数量可能完全正确，网络也能学，只是不如它所借名的那个。

局限：凭周围的情况与有意的改动区分；自成一体的设计无所谓笔误。
"""


_ADDED = ("extra", "extra branch", "extra addition")  # by who adds something to a network knowingly
_RULES = {"activation": ("CNN409", "CNN410"), "bare": ("CNN409", "CNN410"), "epsilon": ("CNN214",)}  # by kind


@probe(
    "CNN815",
    Severity.BUG,
    Confidence.MEDIUM,
    en="{told}; otherwise it is {network}",
    zh="{told}；其余部分是 {network}",
    confirms=("CNN214", "CNN409", "CNN410"),
    of_class=False,
)
def slip_in_the_architecture(subject: Subject) -> Iterator[Seen]:
    for each in () if subject.is_part else subject.departures:
        if each.severity is not Severity.NOTE:
            wanted = each.kind in _ADDED or (subject.is_dilated and each.kind in ("stride", "padding"))
            severity = Severity.NOTE if wanted else each.severity
            values = {"told": each.words, "network": each.compared_to}
            yield Seen(values, subject.place(each), severity, each.confidence, _RULES.get(each.kind, ()))


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
    del layers[11]
    return layers
class VGG(nn.Module):
    def __init__(self, depths):
        super().__init__()
        self.features = nn.Sequential(*plan(depths))
        self.head = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 1000))
    def forward(self, x):
        return self.head(self.features(x).flatten(1))  # <- bug

def vgg13():
    return VGG([2, 2, 2, 2, 2])
""",
)
