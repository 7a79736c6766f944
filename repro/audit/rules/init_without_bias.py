"""The initialisation sets the bias of layers that have none.

A layer made with `bias=False` has `None` for its bias, and `m.bias.data.zero_()` raises AttributeError: the network
cannot be made. The loop comes from a network whose convolutions had a bias.

Ask first: `if m.bias is not None`.

Limits: loops over `self.modules()` that ask for one class of layers with `isinstance`, in a network whose layers of
that class are made without a bias in the same text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.parts import parts
from repro.audit.meaning.values import Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """初始化时设置了并不存在的偏置。

用 `bias=False` 建立的层，其 bias 是 `None`，
`m.bias.data.zero_()` 会抛出 AttributeError，网络根本建不起来。
这种循环通常抄自卷积带偏置的网络。

应当先判断：`if m.bias is not None`。

局限：只看遍历 `self.modules()` 并用 `isinstance` 判断某一类层的循环，
并且同一文本里这个网络的该类层没有偏置。
"""


@rule(
    "CNN213",
    Severity.BUG,
    Confidence.HIGH,
    en="the {layer} of {line} has no bias: this fails on None",
    zh="{line}的 {layer} 没有偏置，这里会因 None 而失败",
)
def init_without_bias(program: Program) -> Iterator[Hit]:
    loops = [loop for loop in program.nodes(ast.For) if _is_over_modules(loop)]
    if not loops or not any(layer.arguments.get("bias") is False for layer in Analysis.of(program).layers()):
        return
    uses = [node for node in program.nodes(ast.Attribute) if node.attr == "bias"]
    for loop in loops:
        inside = [use for use in uses if loop.lineno < use.lineno <= (loop.end_lineno or 0)]
        for kind, use in _unasked(loop, inside):
            layer = next(_without_bias(program, loop, kind), None)
            if layer is not None:
                yield Hit(use, {"layer": layer.short, "line": program.place(layer.call)})


def _is_over_modules(loop: ast.For) -> bool:
    """Whether a loop is `for m in self.modules()`."""
    match loop:
        case ast.For(target=ast.Name(), iter=ast.Call(func=ast.Attribute(value=ast.Name("self"), attr="modules"))):
            return True
    return False


def _unasked(loop: ast.For, uses: list[ast.Attribute]) -> Iterator[tuple[str, ast.Attribute]]:
    """The class of layers that a branch is for, and where it uses their bias without asking whether there is one."""
    for branch in (node for node in ast.walk(loop) if uses and isinstance(node, ast.If)):
        last = branch.body[-1].end_lineno or 0
        inside = [use for use in uses if branch.body[0].lineno <= use.lineno <= last]
        reads = bool(inside) and isinstance(inside[0].ctx, ast.Load)  # a bias that is set first is there
        asks = any(isinstance(n, ast.If | ast.IfExp | ast.Try) for each in branch.body for n in ast.walk(each))
        match branch.test:
            case ast.Call(func=ast.Name("isinstance"), args=[ast.Name(), kind]) if reads and not asks:
                yield ast.unparse(kind).rpartition(".")[2], inside[0]


def _without_bias(program: Program, loop: ast.For, kind: str) -> Iterator[Layer]:
    """The layers of a class that the network around a loop has, and that have no bias."""
    for network in Analysis.of(program).instances():
        if network.of.node.lineno < loop.lineno <= (network.of.node.end_lineno or 0):
            for part in parts(network):
                if isinstance(part, Layer) and part.short == kind and part.arguments.get("bias") is False:
                    yield part


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.fc = nn.Linear(8, 2)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                if m.bias is not None:
                    m.bias.data.zero_()
            elif isinstance(m, nn.Linear):
                m.bias.data.zero_()
""",
    """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.bias = nn.Parameter(torch.zeros(8))
                m.bias.data.fill_(1)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.weight.data.normal_(0, 0.01)
                m.bias.data.zero_()  # <- bug
""",
)
