"""Two layers with weights follow each other with nothing nonlinear between them.

Two linear maps in a row are one linear map: without an activation the second layer adds parameters and no depth. The
network trains, and its parameter count is exactly right, so nobody notices; it is the most frequent defect of
published tutorials of these networks.

Put the activation after the layer (after its normalisation, if it has one). The papers have one after every layer but
the last: AlexNet (section 3.1), VGG (section 2.1), GoogLeNet (section 5), ResNet (section 3.4).

Limits: layers that are left linear on purpose are not reported: depthwise and factorised (1xN, Nx1) pairs, the linear
bottlenecks of MobileNetV2, shortcuts, the code of an autoencoder, transposed convolutions, and whatever also goes
through an activation on another way, or has elements set between the two (`h[h < 0] = 0`). It is a risk where a sum
takes the result as well. Two networks one behind the other are two. A function that is not in the text is taken to be
an activation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.operations import pair
from repro.audit.meaning.values import Instance, Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """两个带权重的层首尾相接，中间没有任何非线性。

两个线性变换相连还是一个线性变换：没有激活函数，后一层只增加参数，不增加深度。
网络照样能训练，参数量也完全正确，所以没有人注意到；
在公开的这类教程里，这是最常见的错误。

应当在前一层之后（有归一化就在归一化之后）加上激活函数。
论文中除最后一层外每层之后都有：AlexNet（3.1 节）、VGG（2.1 节）、
GoogLeNet（第 5 节）、ResNet（3.4 节）。

局限：有意保持线性的不报告：逐通道卷积、拆开的 1xN 与 Nx1 卷积、
MobileNetV2 的线性瓶颈、捷径分支、自编码器的编码、转置卷积，
以及在另一条路上经过激活函数的，两层之间改写过元素的（`h[h < 0] = 0`）。
结果同时参与求和的只算风险；
前后相接的两个网络分别看待。
文本之外的函数一律当作激活函数。
"""

_PASSING = ("norm", "dropout", "identity", "pool", "flatten", "view", "squeeze")
_WEIGHTS = ("conv", "linear")


@rule(
    "CNN409",
    Severity.BUG,
    Confidence.HIGH,
    en="no activation between this {first} and the {second} of {line}: together they are one linear map",
    zh="这个 {first} 与{line}的 {second} 之间没有激活函数，合起来只是一个线性变换",
)
def missing_activation(program: Program) -> Iterator[Hit]:
    seen = set()
    analysis = Analysis.of(program)
    active = [op.within for op in analysis.ops("activation", "sigmoid")]
    for run in analysis.runs:
        users = flow.users(run.ops)
        for second in run.ops:
            if second.kind not in _WEIGHTS:
                continue
            between = list(flow.before(second, _PASSING))
            if not between or between[-1].kind not in _WEIGHTS or any(map(_is_layer_norm, between)):
                continue
            first = between[-1]
            if first.within[:1] != second.within[:1] or _is_waist(first, second):
                continue
            if first.where in seen or _is_meant(first) or _is_meant(second) or _is_bottleneck(first):
                continue
            uses = {use.kind for use in flow.after(first, users, _PASSING)}
            if not uses <= {*_WEIGHTS, "add"}:
                continue
            if _is_left_out(first, active) or not _fits(first, second) or _is_written_into(program, first, second):
                continue
            seen.add(first.where)
            values = {"first": first.name, "second": second.name, "line": program.place(second.where)}
            if any(within[:1] == first.within[:1] for within in active):
                shared = "add" in uses  # the trunk of residual blocks, which EDSR leaves linear on purpose
                yield Hit(first.where, values, *((Severity.RISK, Confidence.MEDIUM) if shared else ()))
            elif run.steps >= 0:  # nothing in it is nonlinear: a demonstration, perhaps
                yield Hit(first.where, values, Severity.RISK, Confidence.MEDIUM)


def _is_left_out(op: Op, active: list[tuple[Instance, ...]]) -> bool:
    """Whether its class can have an activation behind it, by an argument, and this instance has none."""
    if not op.within:
        return False
    inside = [within[-1] for within in active if within]
    kind, instance = op.within[-1].of.node, op.within[-1]  # another run has another class of the same text
    return any(each.of.node is kind for each in inside) and not any(each is instance for each in inside)


def _fits(first: Op, second: Op) -> bool:
    """Whether the second takes the channels of the first; else another defect is in the way."""
    made, taken = first.detail.get("out_channels"), second.detail.get("in_channels")
    return made == taken or not isinstance(made, int) or not isinstance(taken, int)


def _is_written_into(program: Program, first: Op, second: Op) -> bool:
    """Whether elements are set between two calls, which may be the activation."""
    start, end = (getattr(op.node, "lineno", 0) for op in (first, second))
    targets = [each.targets[0] for each in program.nodes(ast.Assign)]
    targets += [each.target for each in program.nodes(ast.AugAssign)]
    return any(isinstance(each, ast.Subscript) and start <= each.lineno <= end for each in targets)


def _is_waist(first: Op, second: Op) -> bool:
    """Whether what is between two linear layers is narrower than both sides: a code, or a matrix of low rank."""
    if first.kind != "linear" or second.kind != "linear":
        return False
    given, code = first.detail.get("in_features"), first.detail.get("out_features")
    made = second.detail.get("out_features")
    return isinstance(given, int) and isinstance(code, int) and isinstance(made, int) and code < min(given, made)


def _is_layer_norm(op: Op) -> bool:
    return op.kind == "norm" and not op.name.startswith(("BatchNorm", "GroupNorm"))


def _is_meant(op: Op) -> bool:
    """Whether a layer is one that often stands next to another with nothing between."""
    if op.detail.get("groups", 1) != 1 or op.name.startswith("ConvTranspose"):  # the latter enlarges: FCN, section 3.3
        return True
    sides = pair(op.detail.get("kernel_size"))
    return sides is not None and sides[0] != sides[1]


def _is_bottleneck(op: Op) -> bool:
    """Whether it closes a depthwise separable convolution, whose result MobileNetV2 leaves linear (section 3.2)."""
    given = [each for each in flow.before(op, (*_PASSING, "activation", "mul")) if each.kind == "conv"]
    return any(each.detail.get("groups", 1) != 1 for each in given)


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3))
net(images)
""",
    """
import torch.nn as nn
class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 32))
    def forward(self, x):
        return self.layers(x)
class D(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    def forward(self, x):
        return self.layers(x)
D()(G()(noise))
""",
    """
import torch.nn as nn
net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3), nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 64))
net(images)
""",
    """
import torch.nn as nn
head = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 21, 1), nn.ConvTranspose2d(21, 21, 4, 2))
head(images)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 32), nn.Linear(32, 10)
        self.act = nn.ReLU()
    def forward(self, x):
        h = self.fc1(self.act(x))
        h[h < 0] = 0
        return self.fc2(h)
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(3, 8, 3),  # <- bug
    nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8, 8),  # <- bug
    nn.Dropout(),
    nn.Linear(8, 8),
)
net(images)
""",
)
