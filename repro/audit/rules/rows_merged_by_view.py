"""A view with a fixed number of columns lets the batch take what is left over.

`x.view(-1, 9216)` says how long a row is and leaves it to torch how many rows there are. With images of another size
the map has another number of values, and they are spread over more or fewer rows: 36 images of 224x224 come out of a
head for 227x227 as 25 rows. Nothing fails where the product happens to divide; the rows then mix images.

Say where the batch is instead: `torch.flatten(x, 1)` or `x.view(x.size(0), -1)`. Another size is then refused by the
linear layer with a clear message.

Limits: not reported behind an adaptive or global pool, which gives every size the same map.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.values import Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """view 固定了列数，剩下的都归到批次那一维。

`x.view(-1, 9216)` 规定了一行有多长，有几行则由 torch 去算。
换一种尺寸的图像，特征图的元素个数变了，就会被分成更多或更少的行：
为 227x227 设计的网络，输入 36 张 224x224 的图像，输出是 25 行。
只要除得尽就不会报错，而每一行里混着几张图像。

应当写明批次那一维：`torch.flatten(x, 1)` 或 `x.view(x.size(0), -1)`。
这样尺寸不对时，线性层会给出清楚的错误信息。

局限：前面有自适应池化或全局池化的不报告，那时特征图的大小与输入无关。
"""

_SPATIAL = ("conv", "pool", "norm", "lrn", "activation", "sigmoid", "dropout", "identity", "pad", "add", "mul", "cat")


@rule(
    "CNN301",
    Severity.RISK,
    Confidence.HIGH,
    en="view(-1, {columns}) mixes the images of a batch where the input has another size; flatten from dimension 1",
    zh="view(-1, {columns}) 在输入尺寸不同时会把一个批次里的图像混在一起；应当从第 1 维起展平",
)
def rows_merged_by_view(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("view"):
        columns = _columns(op) or _given_columns(program, op)
        if columns is not None and op.inputs and _depends_on_the_size(op.inputs[0]):
            yield Hit(op.node, {"columns": columns})


def _columns(op: Op) -> int | None:
    """K of `view(-1, K)`."""
    sizes = op.detail.get("arguments", [])
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = sizes[0]
    match list(sizes):
        case [-1, int() as columns] if columns > 0 and op.name in ("view", "reshape"):
            return columns
    return None


def _given_columns(program: Program, op: Op) -> str | None:
    """The name of K where it is handed to the function, so that it cannot come from the map either."""
    match op.node:
        case ast.Call(args=[ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.Name(name)]):
            around = [each for each in program.named if is_inside(op.node, each)]
            arguments = around[-1].args if around and not isinstance(around[-1], ast.ClassDef) else None
            if arguments is not None and any(each.arg == name for each in (*arguments.args, *arguments.kwonlyargs)):
                return name
    return None


def _depends_on_the_size(op: Op) -> bool:
    """Whether it is a map of features, and a larger image makes it larger."""
    maps = [op, *flow.before(op, _SPATIAL)]
    if any(each.kind == "pool" and "adaptive" in each.name.lower() for each in maps):
        return False
    return any(each.kind == "conv" for each in maps) and (op.shape is None or len(op.shape) == 4)


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        self.fc = nn.Linear(32, 10)
    def forward(self, x):
        return self.fc(self.features(x).view(-1, 32))
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(32, 10)
    def forward(self, x):
        x = self.features(x).relu()
        return self.fc(x.view(x.size(0), 32))
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.width = width
        self.conv = nn.Conv2d(3, width, 3)
        self.fc = nn.Linear(width, 10)
    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv(x)), 30)
        return self.fc(x.view(-1, self.width))  # <- risk
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.fc = nn.Linear(8 * 5 * 5, 10)
    def forward(self, x):
        out = self.features(x)
        out = out.reshape((-1, 8 * 5 * 5))  # <- risk
        return self.fc(out)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.fc = nn.Linear(200, 10)
    def forward(self, x, features):
        return self.fc(self.features(x).view(-1, features))  # <- risk
""",
)
