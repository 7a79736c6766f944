"""Where a network departs from the paper's, in what people often change on purpose.

A batch normalisation that came later, no groups because there is one GPU, another head for fewer classes, a stem for
small images: each makes another network than the one whose numbers the paper prints, and none is a mistake. They are
listed once for each class, against the network that is nearest. Of networks that many tutorials have and no paper, such
as a LeNet with sigmoids and max pooling, that is said too.

Limits: networks that are near one of the catalog, or whose name says one.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.probe import Seen, Subject, probe

ZH = """网络与论文不同之处，都是人们常常有意改动的。

后来才有的批归一化、只有一块 GPU 所以不分组、类别少所以换了头部、
图像小所以换了开头：每一处都使它不再是论文里给出数字的那个网络，但都不算错。
每个类列一次，与最接近的网络对照。
有些网络许多教程都有、论文里却没有，例如用 sigmoid 和最大池化的 LeNet，也会说明。

局限：只看与目录里某个网络接近、或名字说出其中之一的网络。
"""


@probe(
    "CNN814",
    Severity.NOTE,
    Confidence.HIGH,
    en="{told}: {departures}",
    zh="与论文对照，{told}：{departures}",
)
def unlike_the_paper(subject: Subject) -> Iterator[Seen]:
    found = [each.words for each in subject.departures if each.severity is Severity.NOTE]
    found += [Words(f"it is in {subject.source}", f"它不在任何论文里（{subject.source}）")] * subject.source.startswith(
        "no paper"
    )
    if found and not subject.is_part:
        told = Words("; ".join(each.en for each in found), "；".join(each.zh for each in found))
        yield Seen({"told": subject.told, "departures": told})


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
class VGG(nn.Module):  # <- note
    def __init__(self, depths):
        super().__init__()
        self.features = nn.Sequential(*plan(depths))
        self.head = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, 1000))
    def forward(self, x):
        return self.head(self.features(x).flatten(1))

def vgg13():
    return VGG([2, 2, 2, 2, 2])
""",
)
