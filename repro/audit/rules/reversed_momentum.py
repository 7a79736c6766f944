"""A batch normalisation is given the momentum of another library.

In torch `momentum` is the weight of the new batch: 0.1 keeps nine tenths of the running statistics. TensorFlow and
Keras count the other way round, and their 0.9 or 0.99 means the same as torch's 0.1 or 0.01. With 0.9 here, the
statistics that evaluation uses are nearly those of the last batch, and its accuracy jumps up and down.

Write 1 minus the number.

Limits: numbers from 0.9 up to 1 that the text decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """给批归一化的 momentum 是另一个库的写法。

在 torch 里，`momentum` 是新批次所占的权重：0.1 表示保留九成的滑动统计量。
TensorFlow 和 Keras 的定义正相反，它们的 0.9 或 0.99
相当于 torch 的 0.1 或 0.01。这里写 0.9，
评估时用的统计量就几乎只是最后一个批次的，准确率会忽高忽低。

应当写 1 减去这个数。

局限：只看文本能够确定的、从 0.9 到 1 的数。
"""

_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")


@rule(
    "CNN224",
    Severity.RISK,
    Confidence.HIGH,
    en="momentum={momentum} keeps little but the last batch: torch weighs the new batch by it; {instead:g} is meant",
    zh="momentum={momentum} 几乎只保留最后一个批次：torch 用它给新批次加权；本意应是 {instead:g}",
)
def reversed_momentum(program: Program) -> Iterator[Hit]:
    for layer in Analysis.of(program).layers(*_NORMS):
        momentum = layer.arguments.get("momentum")
        if isinstance(momentum, float) and 0.9 <= momentum < 1:
            yield Hit(layer.call, {"momentum": momentum, "instead": round(1 - momentum, 6)})


VALID = (
    """
import torch.nn as nn
nn.BatchNorm2d(8), nn.BatchNorm2d(8, momentum=0.01), nn.BatchNorm2d(8, momentum=None), nn.BatchNorm1d(8, 1e-3, 0.1)
""",
)
INVALID = (
    """
import torch.nn as nn
def block(width, keep=0.99):
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width, momentum=0.9),  # <- risk
        nn.BatchNorm2d(width, 1e-3, keep),  # <- risk
    )
""",
)
