"""Keywords are passed to a function that takes any keyword and reads none of them.

`def __init__(self, width, **kwargs)` accepts `groups=32` without a word, and builds the same network as without it. An
argument that the function has no use for would raise TypeError if `**kwargs` were not there; torchvision's `BasicBlock`
raises ValueError where its variant has no groups.

Limits: calls that the text shows, among them those of a class that is itself an argument (`block(..., groups=groups)`),
if the rest of the keywords fits. It is a note where what is passed may be the usual value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.scopes import BUILTINS, Parameters
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把关键字参数传给了一个什么都收、却一个都不读的函数。

`def __init__(self, width, **kwargs)` 会默默接受 `groups=32`，
然后建立与没有它时一样的网络。如果没有 `**kwargs`，
用不上的参数会抛出 TypeError；torchvision 的 `BasicBlock`
在不支持分组时会抛出 ValueError。

局限：只看文本里出现的调用，也包括以参数形式传入的类
（`block(..., groups=groups)`），前提是其余关键字都对得上。
传入的可能就是常用值时，只作提示。
"""


@rule(
    "CNN206",
    Severity.NOTE,
    Confidence.HIGH,
    en="{function} takes {names} in **{parameter} and never reads them",
    zh="{function} 用 **{parameter} 接收了 {names}，却从不读取",
)
def swallowed_keywords(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    for name, function in _takers(program):
        declared = function.args
        known = {each.arg for each in (*declared.args, *declared.kwonlyargs)}
        swallowed: dict[str, ast.keyword] = {}
        asked = False
        for call in program.nodes(ast.Call):
            if not call.keywords or not isinstance(call.func, ast.Name):
                continue
            given = {each.arg: each for each in call.keywords if each.arg is not None}
            lost = {key: each for key, each in given.items() if key not in known}
            if call.func.id == name:
                asked = asked or any(isinstance(each.value, ast.Constant) for each in lost.values())
            elif call.func.id in program.bound or call.func.id in BUILTINS or len(known & given.keys()) < 2:
                continue
            swallowed |= lost
        if swallowed and declared.kwarg is not None:
            evidence = {"function": name, "names": ", ".join(swallowed), "parameter": declared.kwarg.arg}
            yield Hit(declared.kwarg, evidence, Severity.RISK if asked else None)


def _takers(program: Program) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions and classes of the top of a program that take any keyword and read none, by how they are called."""
    for node in program.tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in inside:
            if not isinstance(each, ast.FunctionDef) or each.args.kwarg is None:
                continue
            if (each is node or each.name == "__init__") and each.args.kwarg.arg in Parameters.of(program).unread(each):
                yield getattr(node, "name", ""), each


VALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, width, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, **kwargs)
class Plain(nn.Module):
    def __init__(self, width, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3)
def build():
    return Block(8, groups=2), Plain(8)
""",
)
INVALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, width, stride=1, shortcut=None, **kwargs):  # <- note
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride)
        self.shortcut = shortcut
def stage(block, width, groups):
    return nn.Sequential(block(width, stride=2, shortcut=None, groups=groups), block(width, groups=groups))
""",
    """
import torch.nn as nn
def conv(width, **options):  # <- risk
    return nn.Conv2d(width, width, 3)
conv(8, groups=4)
""",
)
