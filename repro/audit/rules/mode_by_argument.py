"""`forward` asks an argument of the constructor whether it trains, rather than `self.training`.

The answer is then fixed when the network is made: `eval()` does not change it. A network made for training goes on
returning its auxiliary outputs in evaluation, one made for testing cannot be trained further.

Ask `self.training`, which `train()` and `eval()` set.

Limits: attributes that `__init__` takes from a parameter, and that `forward` compares with a word for training.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`forward` 按构造时的参数判断是否在训练，而不是看 `self.training`。

这样在建立网络时就已经定死：`eval()` 改变不了它。
为训练而建的网络，评估时仍会返回辅助输出；为测试而建的网络，无法接着训练。

应当看 `self.training`，它由 `train()` 和 `eval()` 设置。

局限：只看 `__init__` 从参数取得、
并且 `forward` 拿来与表示训练的词比较的属性。
"""

_WORDS = frozenset({"train", "training", "test", "testing", "eval", "val", "inference"})


@rule(
    "CNN225",
    Severity.RISK,
    Confidence.MEDIUM,
    en="self.{name} stays as {network} was made: eval() does not change it; ask self.training",
    zh="self.{name} 在建立 {network} 时就已定死，eval() 改变不了它；应当看 self.training",
)
def mode_by_argument(program: Program) -> Iterator[Hit]:
    asked = [(node, name) for node in program.nodes(ast.Compare) if (name := _asked(node))]
    for kind in Analysis.of(program).classes() if asked else ():
        methods = {each.name: each for each in kind.node.body if isinstance(each, ast.FunctionDef)}
        init, forward = methods.get("__init__"), methods.get("forward")
        if init is None or forward is None:
            continue
        kept = {name for each in init.body for name in _kept(each, init)}
        told: set[str] = set()
        for node, name in asked:
            if is_inside(node, forward) and name in kept - told:
                told.add(name)
                yield Hit(node, {"name": name, "network": kind.name})


def _asked(node: ast.Compare) -> str:
    """name, of `self.name == "train"`."""
    match node:
        case ast.Compare(
            left=ast.Attribute(value=ast.Name("self"), attr=name),
            ops=[ast.Eq() | ast.NotEq()],
            comparators=[ast.Constant(value=str() as word)],
        ) if word.lower() in _WORDS:
            return name
    return ""


def _kept(statement: ast.stmt, init: ast.FunctionDef) -> Iterator[str]:
    """The attribute that a statement sets to a parameter."""
    parameters = {each.arg for each in (*init.args.args, *init.args.kwonlyargs)}
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=name)], value=ast.Name(source)):
            if source in parameters:
                yield name


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, mode="max"):
        super().__init__()
        self.mode, self.stage = mode, "train"
        self.fc, self.aux = nn.Linear(2, 2), nn.Linear(2, 2)
    def forward(self, x):
        if self.training and self.mode == "max":
            return self.fc(x), self.aux(x)
        return self.fc(x)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, stage="train"):
        super().__init__()
        self.stage = stage
        self.fc, self.aux = nn.Linear(2, 2), nn.Linear(2, 2)
    def forward(self, x):
        if self.stage == "train":  # <- risk
            return self.fc(x), self.aux(x)
        return self.fc(x)
""",
)
