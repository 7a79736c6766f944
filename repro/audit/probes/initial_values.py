"""Some parameters begin as the paper says, and others of the same network do not.

AlexNet's paper has weights of a normal distribution of deviation 0.01 and biases of one in some layers, fully connected
ones among them (NIPS 25, section 5). Who sets a part of these and leaves the rest to torch has read the passage and
missed a line of it. Values that are torch's own throughout are nothing to speak of.

Limits: networks near one of the catalog whose paper says how they begin, of at most 70 million parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_NAMED = 4  # parameters

ZH = """有些参数的初始值照论文设了，同一个网络的另一些却没有。

AlexNet 的论文（NIPS 25，第 5 节）里，权重取标准差 0.01 的正态分布，
若干层的偏置为 1，其中包括全连接层。只设了一部分、其余留给 torch 的，
是读到了这一段却漏了一行。全部用 torch 默认值的不作提示。

局限：只看与目录里某个网络接近、论文写明了初始值、参数不超过 7000 万的网络。
"""


@probe(
    "CNN818",
    Severity.NOTE,
    Confidence.MEDIUM,
    en="{others} parameters begin as in the paper ({locus}), and {count} are left to torch: {names}",
    zh="有 {others} 个参数的初始值照论文（{locus}）设了，另外 {count} 个留给了 torch：{names}",
)
def initial_values(subject: Subject) -> Iterator[Seen]:
    kept, other, locus = subject.begins
    if kept and other and not subject.is_part:
        names = ", ".join(other[:_NAMED]) + (", …" if len(other) > _NAMED else "")
        yield Seen({"count": len(other), "others": len(kept), "locus": locus, "names": names})


VALID = (
    """
import torch
from torch import nn
def alexnet(begun=False):
    def unit(*layers):
        return layers
    layers = [
        *unit(nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2), nn.MaxPool2d(3, 2)),
        *unit(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU()),
        *unit(nn.LocalResponseNorm(5, 5e-4, 0.75, 2), nn.MaxPool2d(3, 2)),
        *unit(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *unit(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *unit(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *unit(nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()),
        nn.Linear(4096, 10),
    ]
    return nn.Sequential(*layers)
""",
)
INVALID = (
    """
import torch
from torch import nn
def alexnet():  # <- note
    def unit(*layers):
        return layers
    layers = [
        *unit(nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2), nn.MaxPool2d(3, 2)),
        *unit(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU()),
        *unit(nn.LocalResponseNorm(5, 5e-4, 0.75, 2), nn.MaxPool2d(3, 2)),
        *unit(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *unit(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *unit(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *unit(nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()),
        nn.Linear(4096, 10),
    ]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, 0.01)
    return nn.Sequential(*layers)
""",
)
