"""Parameters that nothing of what the network returns depends on.

A layer that is made and not called, or whose result is dropped, is saved, counted and never trained. Often another one
was meant in its place.

Limits: what forward does with the first image size that the network takes, in eval mode and in train mode.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_SHOWN = 3  # layers that are named

ZH = """有些参数对网络的返回值毫无影响。

建了却没有调用、或者结果被丢掉的层，会保存、会计入参数量，却永远得不到训练。
往往是该用它的地方用了别的层。

局限：只看网络对它接受的第一种图像尺寸，在 eval 和训练模式下的运行。
"""


@probe(
    "CNN812",
    Severity.NOTE,
    Confidence.HIGH,
    en="nothing that it returns depends on the {count} parameters of {layers}",
    zh="它返回的结果与 {layers} 的 {count} 个参数都无关",
    confirms=("CNN204",),
)
def parameters_without_effect(subject: Subject) -> Iterator[Seen]:
    if subject.module is None or subject.size is None:
        return
    idle: set[str] | None = None
    for training in (False, True):
        ran = subject.run(subject.size, training=training)
        if ran.graph is None:
            return
        idle = ran.idle if idle is None else idle & ran.idle
    shapes = dict(subject.module.named_parameters())
    found = [name for name in shapes if name in (idle or ())]
    owners = list(dict.fromkeys(name.rpartition(".")[0] or name for name in found))
    if owners:
        told = ", ".join(owners[:_SHOWN]) + (", …" if len(owners) > _SHOWN else "")
        yield Seen({"layers": told, "count": f"{sum(shapes[name].numel() for name in found):,}"})


VALID = (
    """
import torch
from torch import nn
class Auxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.aux = nn.Conv2d(3, 4, 3), nn.Linear(4, 10), nn.Linear(4, 10)
    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return (self.fc(x), self.aux(x)) if self.training else self.fc(x)
""",
)
INVALID = (
    """
import torch
from torch import nn
class Idle(nn.Module):  # <- note
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)
    def forward(self, x):
        x = self.conv(x)
        self.norm(x)
        return self.fc(x.mean((2, 3)))
""",
)
