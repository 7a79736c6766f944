"""A name is used above the place that defines it.

A program runs from top to bottom: the line fails with a NameError. In a notebook it works as long as the cells are run
in another order, and fails for everybody who runs it from the start.

Limits: what runs at once, at the top of the program; a function may use what is defined below it. Nothing is said of a
program with `from x import *`, nor of names that functions declare `global`.
"""

from __future__ import annotations

import ast
import builtins
from bisect import bisect_right
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """名字在定义之前就被使用。

程序从上往下运行,这一行会抛出 NameError。
在笔记本里,换一个顺序执行单元格可以通过,
但任何人从头运行都会失败。

局限:只看程序顶层立即执行的代码;函数可以使用后面才定义的名字。
含有 `from x import *` 的程序,以及函数里用 `global` 声明的名字,不作判断。
"""


@rule(
    "CNN115",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is used here, and defined only in line {line}",
    zh="这里用到 {name},而它到第 {line} 行才定义",
)
def used_before_defined(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    defined = _definitions(program)
    early = [
        node
        for node in program.nodes(ast.Name)
        if node.id in defined and node.lineno < defined[node.id].lineno and isinstance(node.ctx, ast.Load)
    ]
    if not early or program.imports_all or "annotations" in program.imports:
        return
    starts = [statement.lineno for statement in program.tree.body]
    later = [(node.body[0].lineno, node.end_lineno or 0) for node in program.nodes(ast.FunctionDef)]
    later += [(node.body[0].lineno, node.end_lineno or 0) for node in program.nodes(ast.AsyncFunctionDef)]
    later += [(node.lineno, node.end_lineno or 0) for node in program.nodes(ast.Lambda, ast.Try)]
    declared = {name for node in program.nodes(ast.Global) for name in node.names}
    for node in early:
        definition = defined.get(node.id)
        if definition is None or any(start <= node.lineno <= end for start, end in later) or node.id in declared:
            continue
        if bisect_right(starts, node.lineno) == bisect_right(starts, definition.lineno):
            continue  # a loop or a comprehension binds it
        del defined[node.id]
        place, line = program.place(node), program.place(definition)
        severity = None if place.cell is None and program.whole else Severity.RISK
        yield Hit(node, {"name": node.id, "line": line.line, "cell": line.cell}, severity)


def _definitions(program: Program) -> dict[str, ast.stmt | ast.expr]:
    """Where each name of the top of the program is bound first, by whatever."""
    found: dict[str, ast.stmt | ast.expr] = {}
    nodes: list[tuple[str, ast.stmt | ast.expr]] = [(each.name, each) for each in program.named]
    nodes += [(node.id, node) for node in program.nodes(ast.Name) if not isinstance(node.ctx, ast.Load)]
    for name, node in nodes:
        if name in program.bound and (name not in found or node.lineno < found[name].lineno):
            found[name] = node
    for name in (*program.imports, *dir(builtins)):
        found.pop(name, None)
    return found


VALID = (
    """
import torch
def train():
    return [model for model in networks] + [build()]
def build():
    return torch.nn.Linear(2, 2)
networks = [net for net in [build()]]
for _ in range(2):
    if _ > 0:
        print(net)
    net = train()
""",
)
INVALID = (
    """
import torch
net = Net()  # <-
class Net(torch.nn.Module):
    pass
print(
    width,  # <-
)
width = 2
""",
)
