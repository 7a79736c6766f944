"""The residual branch ends in a ReLU, so that a block can only add.

ResNet's branch ends in a normalisation, and the ReLU stands behind the sum (section 3.2, figure 2). With another ReLU
before the sum, what a block adds is never negative, and the signal only grows from block to block. "Identity Mappings
in Deep Residual Networks" tried it (section 4.1, figure 4c, table 2): the error of ResNet-110 on CIFAR-10 rises from
6.61 % to 7.84 %.

Leave out the last activation of the branch.

Limits: blocks that are called residual, with a ReLU behind the sum as well. Without that one it is another design, as
Darknet's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """残差分支以 ReLU 结尾，一个块就只能往上加。

ResNet 的分支以归一化结尾，ReLU 放在相加之后（3.2 节，图 2）。
相加之前再来一个 ReLU，块所加的就永远不为负，信号逐块只增不减。
《Identity Mappings in Deep Residual Networks》试过这种做法
（4.1 节，图 4c，表 2）：ResNet-110 在 CIFAR-10 上的错误率从 6.61 % 升到 7.84 %。

应当去掉分支末尾的激活函数。

局限：只看名字表明是残差块、并且相加之后也有 ReLU 的；
相加之后没有的是另一种设计，例如 Darknet。
"""

_BLOCK = re.compile(r"resid|res_?net|res_?block|basic_?block|bottleneck", re.IGNORECASE)


@rule(
    "CNN411",
    Severity.RISK,
    Confidence.MEDIUM,
    en="this {activation} ends the residual branch of {block}, before the sum: what the block adds is never negative",
    zh="{block} 的残差分支在相加之前以这个 {activation} 结尾：块所加的永远不为负",
)
def activation_before_addition(program: Program) -> Iterator[Hit]:
    seen = set()
    for run in Analysis.of(program).runs:
        sums = [op for op in run.ops if op.kind == "add" and _is_of_block(op)]
        uses = flow.users(run.ops) if sums else {}
        for op in sums:
            branch = next((each for each in op.inputs if _is_branch(each, op)), None)
            other = next((each for each in op.inputs if each is not branch), None)
            behind = any(_is_relu(each) for each in flow.after(op, uses, ("identity", "dropout")))
            if branch is None or other is None or not behind or branch.node in seen:
                continue
            if _is_source(other, branch):
                seen.add(branch.node)
                yield Hit(flow.written(branch), {"activation": branch.name, "block": op.within[-1].of.name})


def _is_of_block(op: Op) -> bool:
    """Whether it is a sum of two in a block that is called residual."""
    return len(op.inputs) == 2 and bool(op.within) and bool(_BLOCK.search(op.within[-1].of.name))


def _is_relu(op: Op) -> bool:
    return op.name.lower().strip("_") == "relu"


def _is_branch(op: Op, addition: Op) -> bool:
    """Whether it is the ReLU behind a layer of the same block."""
    given = [each for each in flow.before(op, ("norm",)) if each.kind in ("norm", "conv")]
    return _is_relu(op) and op.within[-1:] == addition.within[-1:] and any(each.kind == "conv" for each in given)


def _is_source(shortcut: Op, branch: Op) -> bool:
    """Whether the branch begins where the shortcut does, itself or a projection of it."""
    way = [shortcut, *flow.before(shortcut, ("norm", "conv", "pool", "identity"))]
    return any(each in way for each in flow.back(branch))


_BLOCK_OF = """
import torch.nn as nn
class BasicBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
"""
VALID = (
    f"{_BLOCK_OF}        return self.relu(x + self.bn2(self.conv2(out)))\n",
    f"{_BLOCK_OF}        return x + self.relu(self.bn2(self.conv2(out)))  # as Darknet has it\n",
)
INVALID = (
    f"""{_BLOCK_OF}
        out = self.relu(self.bn2(self.conv2(out)))  # <- risk
        return self.relu(out + x)
""",
)
