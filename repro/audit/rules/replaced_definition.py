"""A class or function is defined twice, and the second definition silently takes the place of the first.

Python keeps the last one. What was meant by the first, often a method `forward` or a factory whose name was not changed
after copying, is lost, and nothing says so.

Limits: definitions that stand side by side, with no use of the name between them, in one file or in one cell of a
notebook. Across cells, and in documents that show one network after another, a name is used again on purpose.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """同一个类或函数定义了两次，后一个悄悄取代了前一个。

Python 只保留最后一个。前一个的本意就丢失了，而且没有任何提示；
常见的是复制之后忘了改名的 `forward` 方法或工厂函数。

局限：只看并列的、中间没有用到这个名字的定义，
并且在同一个文件或笔记本的同一个单元格里。
跨单元格，或文档中先后展示多个网络时，重复使用名字是有意的。
"""


@rule(
    "CNN114",
    Severity.RISK,
    Confidence.HIGH,
    en="{name} is defined again in {line}, and this definition is lost",
    zh="{name} 在{line}又定义了一次，这里的定义不起作用",
)
def replaced_definition(program: Program) -> Iterator[Hit]:
    if not program.whole:
        return
    for body in (program.tree.body, *(kind.body for kind in program.nodes(ast.ClassDef))):
        yield from _replaced(program, body)


def _replaced(program: Program, body: Sequence[ast.stmt]) -> Iterator[Hit]:
    last: dict[str, ast.stmt] = {}
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.decorator_list or node.name == "_":
            continue
        before = last.get(node.name)
        last[node.name] = node
        if before is None or _read_between(program, node.name, before, node):
            continue
        if program.place(before).cell == program.place(node).cell:
            severity = Severity.NOTE if ast.dump(before) == ast.dump(node) else None
            yield Hit(before, {"name": node.name, "line": program.place(node)}, severity)


def _read_between(program: Program, name: str, first: ast.stmt, second: ast.stmt) -> bool:
    """Whether a name is used behind its first definition and before the second."""
    start, end = first.end_lineno or first.lineno, second.lineno
    return any(node.id == name and start < node.lineno < end for node in program.nodes(ast.Name))


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    pass
first = Net()
class Net(nn.Module):
    pass
second = Net()
""",
    """
import torch.nn as nn
class Net(nn.Module):
    @property
    def width(self):
        return self._width
    @width.setter
    def width(self, value):
        self._width = value
if nn:
    def build():
        return Net()
else:
    def build():
        return None
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):  # <- risk
        return x
    def forward(self, x, y):
        return x + y
def vgg13():  # <- risk
    return Net()
def vgg13():
    return nn.Sequential(Net(), Net())
""",
)
