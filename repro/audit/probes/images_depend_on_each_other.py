"""In eval mode the answer for one image depends on which others are in the batch.

Somewhere the dimension of the batch is taken for another one: a softmax over it, a mean, a normalisation with the
statistics of the batch, a view that moves values from one image to the next. The network is built with the values that
it gives itself, and the same image goes through it twice, beside two others.

Limits: networks that a few seconds are enough for; a difference of one part in ten thousand is taken for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

ZH = """eval 模式下，一张图像的答案取决于同一批里还有哪些图像。

某处把批次那一维当成了别的维：在它上面做 softmax、求平均、
用整批的统计量归一化，或者用 view 把数值从一张图像挪到下一张。
这里按网络自己的初始值建立网络，让同一张图像和两张不同的图像各过一次。

局限：只试几秒内能运行完的网络；万分之一以内的差别当作舍入。
"""


@probe(
    "CNN811",
    Severity.BUG,
    Confidence.HIGH,
    en="in eval mode an image gets another answer when another one is beside it in the batch",
    zh="eval 模式下，同一批里换一张别的图像，这张图像的答案就变了",
    confirms=("CNN301", "CNN302", "CNN308"),
)
def images_depend_on_each_other(subject: Subject) -> Iterator[Seen]:
    if subject.is_part or subject.size is None:
        return
    ran = subject.run(subject.size)
    if ran.rows == 2 and not subject.draws(subject.size) and subject.rows_apart() is False:
        yield Seen()


VALID = (
    """
import torch
from torch import nn
class OverClasses(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 10, 3), nn.BatchNorm2d(10)
    def forward(self, x):
        return torch.softmax(self.norm(self.conv(x)).mean((2, 3)), dim=1)
""",
)
INVALID = (
    """
import torch
from torch import nn
class OverImages(nn.Module):  # <- bug
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3)
    def forward(self, x):
        return torch.softmax(self.conv(x).mean((2, 3)), dim=0)
""",
    """
import torch
from torch import nn
class OfTheBatch(nn.Module):  # <- bug
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 10, 3), nn.BatchNorm2d(10, track_running_stats=False)
    def forward(self, x):
        return self.norm(self.conv(x)).mean((2, 3))
""",
)
