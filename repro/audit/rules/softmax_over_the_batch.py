"""A softmax normalises over the batch, not over the classes.

With `dim=0` the probabilities of one class sum to 1 over the images: what an image gets depends on which images stand
beside it, and with a batch of one every class has probability 1.

Limits: said where the text shows that the first dimension is the batch: behind a linear layer. A softmax whose result
weighs something else, as attention weighs the instances of a bag, is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """softmax 沿批次归一化，而不是沿类别。

写 `dim=0`，同一类别在各张图像上的概率之和为 1：
一张图像的结果取决于它旁边是哪些图像；批次只有一张时，每个类别的概率都是 1。

局限：只有从文本看得出第一维是批次（在线性层之后）时才报告。
结果用来给别的张量加权的（例如对一袋实例的注意力），不报告。
"""

_PASSING = ("permute", "view", "identity", "dropout", "squeeze", "flatten")
_PRODUCTS = frozenset({"matmult", "mm", "matmul", "bmm", "einsum"})


@rule(
    "CNN308",
    Severity.BUG,
    Confidence.HIGH,
    en="{softmax} normalises over dimension 0, which is the batch here; the classes are dimension 1",
    zh="{softmax} 沿第 0 维归一化，而这里第 0 维是批次；类别是第 1 维",
)
def softmax_over_the_batch(program: Program) -> Iterator[Hit]:
    for run in Analysis.of(program).runs:
        over_rows = [op for op in run.ops if op.kind in ("softmax", "log_softmax") and _is_over_rows(op)]
        uses = flow.users(run.ops) if over_rows else {}
        for op in over_rows:
            if not any(_is_weighed(use, op) for use in flow.after(op, uses, _PASSING)):
                yield Hit(op.where, {"softmax": op.name})


def _is_over_rows(op: Op) -> bool:
    """Whether a softmax in a network goes along the first of two dimensions."""
    given, others = op.inputs[0].shape if op.inputs else None, op.detail.get("arguments") or [None]
    return bool(op.within) and given is not None and len(given) == 2 and 0 in (op.detail.get("dim"), others[0])


def _is_weighed(use: Op, softmax: Op) -> bool:
    """Whether a product takes something else besides the result of a softmax."""
    product = use.kind == "mul" or use.name in _PRODUCTS
    return product and any(softmax not in (given, *flow.back(given)) for given in use.inputs)


VALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
    def forward(self, x):
        return F.softmax(self.fc(self.conv(x).mean((2, 3))), dim=1)
""",
    """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 10)
    def forward(self, x):
        return self.fc(x).T.softmax(dim=0).T
Net()(torch.ones(4, 8))
""",
    """
import torch
import torch.nn as nn
import torch.nn.functional as F
class AttentionPool(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.score, self.head = nn.Linear(64, 32), nn.Linear(32, 1), nn.Linear(32, 2)
    def forward(self, bag):
        h = torch.relu(self.encode(bag.view(-1, 64)))
        first = F.softmax(self.score(h), dim=0)
        second = torch.softmax(self.score(h), 0).transpose(0, 1)
        return self.head((first * h).sum(0) + torch.mm(second, h) + first.T @ h)
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
    def forward(self, x):
        return F.softmax(self.fc(self.conv(x).mean((2, 3))), dim=0)  # <- bug
""",
)
