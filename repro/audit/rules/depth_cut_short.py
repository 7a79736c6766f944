"""A depth is divided into blocks, and the division leaves a remainder that is dropped.

Networks of 6n+2 or 6n+4 layers are made from a depth by `(depth - 4) // 6`. A depth of another form gives the next
smaller network without a word: with 50, one of 46 layers, under the name of 50.

Check it first: `assert (depth - 4) % 6 == 0`.

Limits: a parameter that is called a depth or a number of layers, whose default leaves a remainder, in a function that
does not look at the remainder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.interpreter import defaults
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用深度除以每块的层数，余数被悄悄丢掉了。

6n+2 或 6n+4 层的网络，由 `(depth - 4) // 6` 从深度算出块数。
深度若不是这种形式，得到的就是小一号的网络，而且没有任何提示：
写 50，搭出来的是 46 层，名字却还是 50。

应当先检查：`assert (depth - 4) % 6 == 0`。

局限：只看名字表示深度或层数、默认值除不尽的参数，并且函数里没有检查余数。
"""

_DEPTH = re.compile(r"(?:n_?|num_?)?(?:depth|layers)")


@rule(
    "CNN506",
    Severity.RISK,
    Confidence.HIGH,
    en="{parameter}={given}, the default, leaves a remainder of {left}: what is built has {parameter}={built}",
    zh="默认的 {parameter}={given} 在这里除不尽，余 {left}：搭出来的是 {parameter}={built} 的网络",
)
def depth_cut_short(program: Program) -> Iterator[Hit]:
    for function in program.nodes(ast.FunctionDef):
        given = {name: value.value for name, value in defaults(function.args) if isinstance(value, ast.Constant)}
        depths = {name: value for name, value in given.items() if _DEPTH.fullmatch(name) and type(value) is int}
        inside = list(ast.walk(function)) if depths else []
        if any(isinstance(node, ast.Mod) for node in inside):
            continue
        for node in inside:
            name, less, size = _division(node)
            left = (depths[name] - less) % size if name in depths and size > 1 else 0
            if left and depths[name] > less:
                values = {"parameter": name, "given": depths[name], "left": left, "built": depths[name] - left}
                yield Hit(node, values)


def _division(node: ast.AST) -> tuple[str, int, int]:
    """name, a and b of `(name - a) // b` or `int((name - a) / b)`."""
    match node:
        case ast.Call(func=ast.Name("int"), args=[ast.BinOp(left, ast.Div(), ast.Constant(value=int() as size))]):
            pass
        case ast.BinOp(left, ast.FloorDiv(), ast.Constant(value=int() as size)):
            pass
        case _:
            return "", 0, 0
    match left:
        case ast.BinOp(ast.Name(name), ast.Sub(), ast.Constant(value=int() as less)):
            return name, less, size
    return "", 0, 0


VALID = (
    """
import torch.nn as nn
def wide(depth=28, width=10):
    return nn.Linear((depth - 4) // 6, width)
def checked(depth=50):
    assert (depth - 4) % 6 == 0
    return nn.Linear((depth - 4) // 6, 10)
def halved(size=7, depth=40):
    return nn.Linear((size - 2) // 2, int((depth - 4) / 6))
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, depth=50):
        super().__init__()
        blocks = int((depth - 4) / 6)  # <- risk
        self.layers = nn.Sequential(*[nn.Linear(2, 2) for _ in range(blocks)])
def narrow(num_layers=21):
    return [nn.Linear(2, 2) for _ in range((num_layers - 2) // 6)]  # <- risk
""",
)
