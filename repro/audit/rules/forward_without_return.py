"""`forward` computes something and returns nothing.

A function without `return` gives None, and whatever uses the result of the network fails on it: "'NoneType' object has
no attribute ...", or a loss that wants a tensor. The last line of the method was left out, or is indented too far.

Limits: said where the text uses what the network returns, or where the last thing that `forward` does is to give a name
a value that nothing reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import leaves_out
from repro.audit.meaning.values import Instance
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`forward` 算出了结果，却没有返回。

没有 `return` 的函数返回 None，用到网络输出的地方就会失败：
"'NoneType' object has no attribute ..."，或者损失函数报错说需要张量。
多半是漏写了方法的最后一行，或者它缩进得太深。

局限：只有文本用到了网络的返回值，
或者 `forward` 做的最后一件事是给一个再也没有人读的名字赋值时，才报告。
"""


@rule(
    "CNN223",
    Severity.RISK,
    Confidence.MEDIUM,
    en="{network}.forward returns nothing, so that the network gives None",
    zh="{network}.forward 没有返回值，调用网络得到的是 None",
)
def forward_without_return(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    analysis = Analysis.of(program)
    statements = {id(node.value) for node in program.nodes(ast.Expr)}
    used = [what.of for call, what in analysis.calls() if isinstance(what, Instance) and id(call) not in statements]
    for kind in analysis.classes():
        forward = next((n for n in kind.node.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None)
        if forward is None or forward.decorator_list or not _ends_without(forward) or leaves_out(program, forward):
            continue
        needed = any(kind in each.ancestors and each.find("forward") == kind.find("forward") for each in used)
        if needed or _loses(forward.body[-1]):
            yield Hit(forward, {"network": kind.name})


def _ends_without(forward: ast.FunctionDef) -> bool:
    """Whether a function does something, and never returns a value."""
    if isinstance(forward.body[-1], ast.Return):
        return False
    inside = list(_own(forward))
    returns = any(isinstance(n, ast.Return) and n.value is not None for n in inside)
    elsewhere = any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Raise) for n in inside)
    return not (returns or elsewhere) and any(isinstance(n, ast.Call) for n in inside)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What a function consists of, without the functions in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _loses(last: ast.stmt) -> bool:
    """Whether what a last statement computes goes to a name."""
    match last:
        case ast.Assign(targets=[ast.Name()], value=ast.Call(ast.Attribute(attr=name))):
            return not name.endswith("_")  # which works in place
        case ast.For(body=[*_, inner]) | ast.With(body=[*_, inner]):
            return _loses(inner)
    return False


VALID = (
    """
import torch
import torch.nn as nn
class Clamp(nn.Module):
    def forward(self, module):
        with torch.no_grad():
            for p in module.parameters():
                p = p.clamp_(-1, 1)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        x = self.fc(x)
        ...
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        for _ in range(3):
            x = self.fc(x)
        return x
class Base(nn.Module):
    def forward(self, x):
        raise NotImplementedError
class Shown(nn.Module):
    def forward(self, x):
        print(x.shape)
class Later(nn.Module):
    def forward(self, x):
        ...
y = Net()(x)
Shown()(y)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(2, 2), nn.Linear(2, 2)
    def forward(self, x):  # <- risk
        x = self.fc1(x).relu()
        x = self.fc2(x)
""",
    """
import torch.nn as nn
class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):  # <- risk
        self.out = self.fc(x)
loss = nn.MSELoss()(Kept()(x), y)
""",
)
