"""A network or its factory takes a parameter that nothing reads.

Whoever passes `pretrained=True` gets random weights, whoever passes `num_classes=10` a network of 1000 classes, and
nothing says so: that is a risk. It is a note otherwise: variants of one block often share their parameters, and not
each of them needs all.

Limits: `__init__` of networks, and functions that make one. Decorated functions, `*args`, `**kwargs`, names that begin
with an underscore and bodies that do nothing are passed over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.scopes import Parameters
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络或它的工厂函数接受一个参数，却没有任何地方读取它。

传入 `pretrained=True` 的人得到的是随机权重，
传入 `num_classes=10` 的人得到的是 1000 类的网络，
而且没有任何提示：这算风险。其余只作提示：
同一种模块的几个变体常共用参数，并不是每个都需要。

局限：只看网络的 `__init__` 和建立网络的函数。带装饰器的函数、
`*args`、`**kwargs`、以下划线开头的名字，以及空函数体，不作判断。
"""

_ASKED = re.compile(r"pre_?trained|weights|(?:num|n|nb)_?class(?:es)?|class(?:es)?_?num|classes")


@rule(
    "CNN207",
    Severity.NOTE,
    Confidence.HIGH,
    en="{function} takes {parameter} and does nothing with it",
    zh="{function} 接受 {parameter}，却没有用它做任何事",
)
def ignored_parameter(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    kinds = Analysis.of(program).classes()
    for kind in kinds:
        for node in kind.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                for parameter in _ignored(program, node):
                    yield Hit(parameter, {"function": kind.name, "parameter": parameter.arg})
    names = {kind.name for kind in kinds} | set(_of_torchvision(program))
    makers = {node.lineno for node in program.nodes(ast.Name) if node.id in names}
    for node in program.tree.body:
        if isinstance(node, ast.FunctionDef) and not makers.isdisjoint(range(node.lineno, (node.end_lineno or 0) + 1)):
            yield from _in_factory(program, node)


def _of_torchvision(program: Program) -> Iterator[str]:
    """The classes that derive from a network of torchvision."""
    for kind in program.nodes(ast.ClassDef):
        if any((program.dotted(base) or "").startswith("torchvision.models.") for base in kind.bases):
            yield kind.name


def _in_factory(program: Program, function: ast.FunctionDef) -> Iterator[Hit]:
    for parameter in _ignored(program, function):
        severity = (
            Severity.RISK if _ASKED.fullmatch(parameter.arg) and not _passed(program, parameter.arg, function) else None
        )
        yield Hit(parameter, {"function": function.name, "parameter": parameter.arg}, severity)


def _ignored(program: Program, function: ast.FunctionDef) -> Iterator[ast.arg]:
    """The parameters that a function has, and does not read, though it does something."""
    if function.decorator_list or all(isinstance(each, ast.Pass | ast.Expr | ast.Raise) for each in function.body):
        return
    unread = Parameters.of(program).unread(function)
    declared = function.args
    for each in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs):
        if each.arg in unread and not each.arg.startswith("_") and each.arg not in ("self", "cls"):
            yield each


def _passed(program: Program, name: str, function: ast.FunctionDef) -> bool:
    """Whether a function gives something else a keyword of a name."""
    rows = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    return any(each.arg == name and each.lineno in rows for each in program.nodes(ast.keyword))


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, num_classes, width=2, *_, **kwargs):
        super().__init__()
        def make():
            return nn.Linear(width, num_classes)
        self.fc = make()
    def forward(self, x):
        return self.fc(x)
class Base(nn.Module):
    def __init__(self, num_classes):
        raise NotImplementedError
def net(pretrained=False):
    if pretrained:
        raise ValueError("no weights")
    return Net(10)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, num_classes=10, drop_rate=0.5):  # <- note
        super().__init__()
        self.fc = nn.Linear(512, num_classes)
    def forward(self, x):
        return self.fc(x)
def net(pretrained=False):  # <- risk
    return Net()
""",
)
