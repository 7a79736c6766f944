"""`self.train` is asked for the mode of a network: it is a method, and always true.

The mode is `self.training`. `if self.train:` takes the same branch in evaluation as in training, and
`F.dropout(x, training=self.train)` always drops.

Fix: `self.train` becomes `self.training` in networks all of whose bases are known.

Limits: networks that do not set an attribute of this name themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, renamed
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用 `self.train` 判断网络的模式：它是一个方法，永远为真。

模式应看 `self.training`。`if self.train:` 在评估时走的分支与训练时相同，
`F.dropout(x, training=self.train)` 则永远会随机置零。

修复：基类全部已知的网络里，把 `self.train` 改成 `self.training`。

局限：自己设置了同名属性的网络不作判断。
"""


@rule(
    "CNN219",
    Severity.BUG,
    Confidence.HIGH,
    en="self.{name} is a method and always true; the mode of the network is self.training",
    zh="self.{name} 是方法，永远为真；网络的模式是 self.training",
)
def method_as_flag(program: Program) -> Iterator[Hit]:
    attributes = Attributes.of(program)
    asked = {id(each) for each in _asked(program)}
    for kind in Analysis.of(program).classes():
        for name in ("train", "eval"):
            if attributes.first_written(kind, name) is None:
                found = attributes.read(kind.node).get(name, ())
                yield from (Hit(node, {"name": name}) for node in found if id(node) in asked)


def _asked(program: Program) -> Iterator[ast.expr]:
    """The expressions that are asked whether they are true."""
    for node in program.nodes(ast.If, ast.IfExp):
        yield node.test
    for negation in program.nodes(ast.UnaryOp):
        yield negation.operand
    for operation in program.nodes(ast.BoolOp):
        yield from operation.values
    for keyword in program.nodes(ast.keyword):
        if keyword.arg == "training":
            yield keyword.value


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """`self.training`, where no base of another file can have set the attribute."""
    node = hit.at
    assert isinstance(node, ast.Attribute)
    around = [each for each in Analysis.of(program).classes() if is_inside(node, each.node)]
    if node.attr == "train" and all(each.is_known for each in around):
        yield from renamed(program, node, "training")


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        self.train(not self.training)
        return x if self.training else x * 2
class Stage(nn.Module):
    def __init__(self, train):
        super().__init__()
        self.train = train
    def forward(self, x):
        return x if self.train else x * 2
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        x = F.dropout(x, training=self.train)  # <- bug
        if not self.train:  # <- bug
            x = x * 2
        return x if self.train else x.softmax(1)  # <- bug
""",
)
FIXED = (
    (
        """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        return x if self.train else x.softmax(1)
class Other(Base, nn.Module):
    def forward(self, x):
        return x if self.train else x.softmax(1)
""",
        """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        return x if self.training else x.softmax(1)
class Other(Base, nn.Module):
    def forward(self, x):
        return x if self.train else x.softmax(1)
""",
    ),
)
