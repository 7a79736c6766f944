"""A map has become smaller than the window that is laid over it.

torch refuses it ("Output size is too small"). The network was made for larger images than the text gives it: every
stride and pool halves the map, and five of them leave nothing of a 28x28 image.

Limits: said where the text itself says the size of the images that go in.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """特征图已经比要放上去的窗口还小。

torch 会报错（"Output size is too small"）。
这个网络是为更大的图像设计的：每个步幅和池化都把特征图减半，
28x28 的图像经过五次就什么也不剩了。

局限：只有文本自己写明了输入图像的尺寸时才报告。
"""


@rule(
    "CNN310",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} is given a map of {height}x{width}, smaller than its window",
    zh="{layer} 得到的特征图只有 {height}x{width}，比它的窗口还小",
)
def pooled_to_nothing(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    for op in analysis.ops("conv", "pool"):
        given = op.inputs[0].shape if op.inputs else None
        if op.shape is None or given is None or len(given) != 4 or len(op.shape) != 4 or min(_known(given[2:])) < 1:
            continue
        if min(_known(op.shape[2:])) < 1 and analysis.is_certain:
            yield Hit(op.where, {"layer": op.name, "height": given[2], "width": given[3]})


def _known(sides: tuple[int | None, ...]) -> list[int]:
    return [1 if side is None else side for side in sides]


VALID = (
    """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.Conv2d(8, 8, 5), nn.MaxPool2d(2))
net(torch.rand(1, 1, 28, 28))
""",
)
INVALID = (
    """
import torch
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(1, 8, 11, 4),
    nn.MaxPool2d(3, 2),
    nn.Conv2d(8, 8, 3),  # <- bug
)
net(torch.rand(1, 1, 28, 28))
""",
)
