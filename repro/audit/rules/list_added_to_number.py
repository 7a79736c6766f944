"""A list, a tuple or a module is added to a name that stands for a number.

`layers = in_channels = 3` binds both names to 3, and `layers += [conv]` raises TypeError. It is what remains of two
statements, `layers = []` and `in_channels = 3`, when a text loses its brackets and line ends. `layers += conv, relu`
and `layers += nn.ReLU()` are what remains of the additions, and fail likewise.

Limits: a name that is bound once in its function, to a number that is written down, and added to there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.library import MODULES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把列表、元组或模块加到了一个代表数字的名字上。

`layers = in_channels = 3` 让两个名字都等于 3，
随后的 `layers += [conv]` 会抛出 TypeError。
文字丢失方括号和换行之后，`layers = []` 和 `in_channels = 3`
这两条语句就会变成这样；
剩下的 `layers += conv, relu` 和 `layers += nn.ReLU()` 同样会失败。

局限：只看在函数里只绑定过一次、值是写明的数字，并在那里被加上这些东西的名字。
"""


@rule(
    "CNN222",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is {number} here, and {what} is added to it in {line}",
    zh="{name} 在这里是 {number}，{line}却给它加上了 {what}",
)
def list_added_to_number(program: Program) -> Iterator[Hit]:
    told: set[int] = set()
    for addition in program.nodes(ast.AugAssign):
        what = _added(program, addition.value)
        if not what:
            continue
        name = addition.target.id if isinstance(addition.target, ast.Name) else None
        named = [
            n for n in program.nodes(ast.Assign) if any(isinstance(t, ast.Name) and t.id == name for t in n.targets)
        ]
        bound = [node for node in named if program.symbol(node) == program.symbol(addition)]
        match bound:
            case [ast.Assign(value=ast.Constant(value=int() | float() as number)) as only] if id(only) not in told:
                told.add(id(only))
                yield Hit(only, {"name": name, "number": number, "what": what, "line": program.place(addition)})


def _added(program: Program, value: ast.expr) -> str:
    """What is added, if it is nothing that can be added to a number: as it is written, but for what is in it."""
    match value:
        case ast.List():
            return "[...]"
        case ast.Tuple():
            return "(...)"
        case ast.Call(func=function) if (program.dotted(function) or "").removeprefix("torch.nn.") in MODULES:
            return f"{ast.unparse(function)}(...)"
    return ""


VALID = (
    """
import torch.nn as nn
def stack(widths):
    layers, channels = [], 3
    total = 0
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3)]
        total += width
        total += nn.functional.relu(width)
    return layers
""",
)
INVALID = (
    """
import torch.nn as nn
def stack(widths):
    layers = channels = 3  # <- bug
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3)]
        layers += [nn.ReLU()]
    return layers
""",
    """
import torch.nn as nn
def stack(widths, conv):
    layers = channels = 3  # <- bug
    for width in widths:
        layers += conv, nn.ReLU()
    return layers
def pooled(widths):
    layers = 0  # <- bug
    for width in widths:
        layers += nn.MaxPool2d(2)
    return layers
""",
)
