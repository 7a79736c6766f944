"""A layer is given another number of channels or features than it was made for.

torch refuses it when the network is called, so this code never ran as it stands. Either a number is wrong, or a name
refers to something else than was meant, such as an input that was overwritten before the shortcut took it.

Limits: only numbers that the text decides are compared: channels, and features where the text says the image size.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """一个层得到的通道数或特征数，与建立它时写的不同。

网络一调用，torch 就会报错，所以这段代码照原样从未运行过。
要么是某个数写错了，要么是某个名字指的不是想要的东西，
例如输入在捷径分支用到之前已经被覆盖。

局限：只比较文本能够确定的数：通道数，以及文本写明图像尺寸时的特征数。
"""

# Module -> the dimension of its input that an argument of it says.
_TAKES = {
    "Conv2d": (1, "in_channels"),
    "ConvTranspose2d": (1, "in_channels"),
    "BatchNorm1d": (1, "num_features"),
    "BatchNorm2d": (1, "num_features"),
    "Linear": (-1, "in_features"),
}
_WHAT = {
    "in_channels": Words("channels", "通道"),
    "num_features": Words("channels", "通道"),
    "in_features": Words("features", "特征"),
}


@rule(
    "CNN303",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} is made for {expected} {what} and is given {actual}",
    zh="{layer} 是为 {expected} 个 {what} 建立的，得到的却是 {actual} 个",
)
def layer_does_not_fit(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    seen = set()
    for op in analysis.ops("conv", "norm", "linear"):
        if op.name not in _TAKES or op.layer is None or not op.inputs or flow.written(op) in seen:
            continue
        dim, what = _TAKES[op.name]
        given, expected = op.inputs[0].shape, op.detail.get(what)
        if given is None or len(given) < (4 if op.name.endswith("2d") else 2):  # one image may come without a batch
            continue
        if not isinstance(expected, int) or given[dim] in (None, expected):
            continue
        if not analysis.is_certain:
            return
        values = {"layer": op.name, "expected": expected, "actual": given[dim], "what": _WHAT[what]}
        seen.add(flow.written(op))
        yield Hit(flow.written(op), values)


VALID = (
    """
import torch
import torch.nn as nn
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 30 * 30, 10))
net(torch.randn(2, 3, 32, 32))
""",
    """
import torch
import torch.nn as nn
conv, fc = nn.Conv2d(3, 8, 3), nn.Linear(4, 2)
conv(torch.randn(3, 32, 32))
fc(torch.randn(4, 6).T)
conv(torch.stack([torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)]).sum(0))
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3),  # <- bug
)
net(images)
""",
    """
import torch
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.Flatten(),
    nn.Linear(8 * 28 * 28, 10),  # <- bug
)
net(torch.randn(1, 3, 32, 32))
""",
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 16, 3, padding=1)
        self.shortcut = nn.Conv2d(8, 16, 1)
    def forward(self, x):
        x = self.conv(x).relu()
        return x + self.shortcut(x)  # <- bug
""",
    """
import torch.nn as nn
never_called = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.BatchNorm2d(16),  # <- bug
    nn.ReLU(),
)
""",
)
