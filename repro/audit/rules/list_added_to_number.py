"""A list is added to a name that stands for a number.

`layers = in_channels = 3` binds both names to 3, and `layers += [conv]` raises TypeError. It is what remains of two
statements, `layers = []` and `in_channels = 3`, when a text loses its brackets and line ends.

Limits: a name that is bound once in its function, to a number that is written down, and added to there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把列表加到了一个代表数字的名字上。

`layers = in_channels = 3` 让两个名字都等于 3,
随后的 `layers += [conv]` 会抛出 TypeError。
文字丢失方括号和换行之后,`layers = []` 和 `in_channels = 3`
这两条语句就会变成这样。

局限:只看在函数里只绑定过一次、值是写明的数字,并在那里被加上列表的名字。
"""


@rule(
    "CNN222",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is {number} here, and a list is added to it in line {line}",
    zh="{name} 在这里是 {number},第 {line} 行却给它加上了列表",
)
def list_added_to_number(program: Program) -> Iterator[Hit]:
    additions = [node for node in program.nodes(ast.AugAssign) if isinstance(node.value, ast.List)]
    told: set[int] = set()
    for addition in additions:
        name = addition.target.id if isinstance(addition.target, ast.Name) else None
        named = [
            n for n in program.nodes(ast.Assign) if any(isinstance(t, ast.Name) and t.id == name for t in n.targets)
        ]
        bound = [node for node in named if program.symbol(node) == program.symbol(addition)]
        match bound:
            case [ast.Assign(value=ast.Constant(value=int() | float() as number)) as only] if id(only) not in told:
                told.add(id(only))
                yield Hit(only, {"name": name, "number": number, "line": program.place(addition).line})


VALID = (
    """
import torch.nn as nn
def stack(widths):
    layers, channels = [], 3
    total = 0
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3)]
        total += width
    return layers
""",
)
INVALID = (
    """
import torch.nn as nn
def stack(widths):
    layers = channels = 3  # <-
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3)]
        layers += [nn.ReLU()]
    return layers
""",
)
