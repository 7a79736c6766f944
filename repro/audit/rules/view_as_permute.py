"""A view exchanges two sizes of a tensor, as if that would exchange its dimensions.

`x.view(n, w, h, c)` keeps the values in the order in which they lie in memory and cuts them differently: rows, columns
and channels are mixed, and no error is raised since the number of values is the same. `x.permute(0, 3, 2, 1)` moves the
dimensions.

Limits: seen where all sizes are the tensor's own, asked for in the same function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用 view 交换了张量的两个尺寸，以为这样就交换了维度。

`x.view(n, w, h, c)` 不改变元素在内存里的次序，只是换一种切法：
行、列、通道全混在一起，而元素总数没变，所以不会报错。
要移动维度，应当用 `x.permute(0, 3, 2, 1)`。

局限：只看得出各个尺寸都在同一个函数里取自这个张量的情况。
"""


@rule(
    "CNN302",
    Severity.BUG,
    Confidence.MEDIUM,
    en="this {method} exchanges sizes, not dimensions: the values stay where they are; use permute",
    zh="这个 {method} 交换的只是尺寸，不是维度：元素的次序没有变；应当用 permute",
)
def view_as_permute(program: Program) -> Iterator[Hit]:
    for call in program.nodes(ast.Call):
        match call.func:
            case ast.Attribute(value=ast.Name(tensor), attr="view" | "reshape" as method) if len(call.args) > 2:
                if not all(isinstance(each, ast.Name | ast.Call | ast.Subscript) for each in call.args):
                    continue
                before = _assigned_before(program, call)
                axes = [_axis(argument, tensor, before) for argument in call.args]
                if sorted(axes) == list(range(len(axes))) != axes:
                    yield Hit(call, {"method": method, "axes": axes})


def _assigned_before(program: Program, call: ast.Call) -> list[ast.Assign]:
    """The assignments between the beginning of the function that a call stands in, and the call."""
    starts = [each.lineno for each in program.named if is_inside(call, each)]
    first = max(starts, default=0)
    return [each for each in program.nodes(ast.Assign) if first <= each.lineno < call.lineno]


def _names(target: ast.expr) -> list[str | None]:
    """What an assignment binds, in order; None for what is no name."""
    elements = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return [each.id if isinstance(each, ast.Name) else None for each in elements]


def _shape_of(node: ast.expr) -> str | None:
    """x, of `x.shape` and `x.size()`."""
    match node:
        case ast.Attribute(value=ast.Name(tensor), attr="shape"):
            return tensor
        case ast.Call(func=ast.Attribute(value=ast.Name(tensor), attr="size"), args=[], keywords=[]):
            return tensor
    return None


def _axis(node: ast.expr, tensor: str, before: list[ast.Assign]) -> int:
    """The dimension of the tensor whose size an argument is; -1 if it is none, or the tensor is another one since."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(name), attr="size"), args=[ast.Constant(value=int() as axis)]):
            return axis if name == tensor else -1
        case ast.Subscript(value=ast.Attribute(value=ast.Name(name), attr="shape"), slice=ast.Constant(int() as axis)):
            return axis if name == tensor else -1
        case ast.Name(name):
            for each in reversed(before):
                bound = _names(each.targets[0])
                if name in bound:
                    return bound.index(name) if _shape_of(each.value) == tensor else -1
                if tensor in bound:
                    return -1
    return -1


VALID = (
    """
import torch
def flat(x):
    n, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1).contiguous()
    return x.view(n, h, w, c), x.view(x.size(0), x.size(1), x.size(2), x.size(3))
""",
)
INVALID = (
    """
import torch
def channels_last(x):
    n, c, h, w = x.size()
    return x.view(n, h, w, c)  # <- bug
def turned(x):
    return x.reshape(x.size(0), x.size(2), x.shape[1])  # <- bug
""",
)
