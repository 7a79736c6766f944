"""Batch normalisation is given one value per channel and image, so that a batch of one image has nothing to normalise.

Behind a linear layer, or where the map has become 1x1, the mean of a batch of one is the value itself. torch refuses
it in training: "Expected more than 1 value per channel". It happens to whoever tries the network on one image before
`eval()`, and at the end of an epoch where one image is left over.

Use `drop_last=True` in the loader of the training set, or leave the normalisation out there.

Limits: a 1x1 map is seen where the text says the size of the images or pools to it, or where the head fits few sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning import sizes
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Class, Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """批归一化的输入在每个通道、每张图像上只有一个值，批次只有一张图像时无从归一化。

在线性层之后，或特征图已经变成 1x1 时，一张图像的均值就是它自己。
训练模式下 torch 会报错："Expected more than 1 value per channel"。
没有先调用 `eval()` 就拿一张图像试网络时会遇到，
一个 epoch 最后只剩下一张图像时也会遇到。

应当在训练集的 DataLoader 里写 `drop_last=True`，或者在这里不用归一化。

局限：只有文本写明了图像尺寸、池化到 1x1，
或网络只接受一种尺寸时，才看得出特征图是 1x1。
"""


@rule(
    "CNN305",
    Severity.RISK,
    Confidence.HIGH,
    en="the {norm} of {line} has one value per channel{size}: training fails with a batch of one image",
    zh="{line}的 {norm} {size}每个通道只有一个值：批次只有一张图像时训练会报错",
)
def batch_norm_of_one(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    seen: set[Class | None] = set()
    for op, head, side in (*((op, op, 0) for op in analysis.ops("norm")), *_at_their_size(analysis)):
        network = op.within[0].of if op.within else None
        if not op.name.startswith("BatchNorm") or network in seen or not _has_one_value(op):
            continue
        seen.add(network)
        size = Words(f" on images of {side}x{side}", f"在 {side}x{side} 的图像上") if side else Words("", "在这里")
        values = {"norm": op.name, "line": program.place(op.where), "side": side or None, "size": size}
        confidence = None if op.name == "BatchNorm1d" else Confidence.MEDIUM
        yield Hit(head.where, values, None, confidence)


def _at_their_size(analysis: Analysis) -> Iterator[tuple[Op, Op, int]]:
    """The normalisations of networks that take images of one size, with the head and the smallest side that it fits."""
    heads = sizes.fixed_heads(analysis)
    if heads and analysis.is_certain:
        for head, network in heads.items():
            for side in sizes.fitting(analysis, head, network)[:1]:
                yield from ((op, head, side) for op in analysis.trace(network, side) if op.kind == "norm")


def _has_one_value(op: Op) -> bool:
    shape = op.inputs[0].shape if op.inputs else None
    return shape is not None and (len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)))


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10))
net(images)
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32, 16),
    nn.BatchNorm1d(16),  # <- risk
    nn.ReLU(),
    nn.Linear(16, 10),
)
net(images)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 28)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)  # <- risk
    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).flatten(1))
""",
)
