"""A name is used above the place that defines it.

A program runs from top to bottom: the line fails with a NameError. In a notebook it works as long as the cells are run
in another order, and fails for everybody who runs it from the start.

Limits: what runs at once, at the top of the program; a function, and an expression that makes a generator, may use what
is defined below it, and so may annotations under `from __future__ import annotations`. Nothing is said of a program
with `from x import *`, nor of names that functions declare `global`.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.scopes import BUILTINS
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """名字在定义之前就被使用。

程序从上往下运行，这一行会抛出 NameError。
在笔记本里，换一个顺序执行单元格可以通过，
但任何人从头运行都会失败。

局限：只看程序顶层立即执行的代码；函数和生成器表达式可以使用后面才定义的名字，
写了 `from __future__ import annotations` 时注解也可以。
含有 `from x import *` 的程序，以及函数里用 `global` 声明的名字，不作判断。
"""


@rule(
    "CNN115",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is used here, and defined only in {line}",
    zh="这里用到 {name}，而它到{line}才定义",
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
    if not early or program.imports_all:
        return
    starts = [statement.lineno for statement in program.tree.body]
    bodies = [
        (_begin(node.body[0]), node.end_lineno or 0) for node in program.named if not isinstance(node, ast.ClassDef)
    ]
    others = program.nodes(ast.Lambda, ast.Try)
    put_off = {id(each) for each in _evaluated_later(program)}
    declared = {name for node in program.nodes(ast.Global) for name in node.names}
    for node in early:
        definition = defined.get(node.id)
        if definition is None or id(node) in put_off or node.id in declared:
            continue
        if any(first <= node.lineno <= last for first, last in bodies) or any(is_inside(node, each) for each in others):
            continue
        if bisect_right(starts, node.lineno) == bisect_right(starts, definition.lineno):
            continue  # a loop or a comprehension binds it
        del defined[node.id]
        line = program.place(definition)
        severity = None if line.cell is None and program.whole else Severity.RISK
        yield Hit(node, {"name": node.id, "line": line}, severity)


def _begin(statement: ast.stmt) -> int:
    """The line that a statement begins in, its decorators included."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.decorator_list:
        return statement.decorator_list[0].lineno
    return statement.lineno


def _evaluated_later(program: Program) -> Iterator[ast.AST]:
    """What a generator makes of its items, and annotations where they stay text."""
    for made in program.nodes(ast.GeneratorExp):
        first, *others = made.generators  # what the first one goes over is evaluated at once
        for part in (made.elt, *first.ifs, *others):
            yield from ast.walk(part)
    if "__future__.annotations" in program.imports.values():
        annotated = program.nodes(ast.AnnAssign, ast.arg)
        returned = [node.returns for node in program.named if not isinstance(node, ast.ClassDef)]
        for annotation in (*(node.annotation for node in annotated), *returned):
            yield from ast.walk(annotation) if annotation is not None else ()


def _definitions(program: Program) -> dict[str, ast.stmt | ast.expr | ast.pattern]:
    """Where each name of the top of the program is bound first, by whatever."""
    found: dict[str, ast.stmt | ast.expr | ast.pattern] = {}
    nodes: list[tuple[str | None, ast.stmt | ast.expr | ast.pattern]] = [(each.name, each) for each in program.named]
    nodes += [(node.id, node) for node in program.nodes(ast.Name) if not isinstance(node.ctx, ast.Load)]
    nodes += [(node.name, node) for node in program.nodes(ast.MatchAs, ast.MatchStar)]
    nodes += [(node.rest, node) for node in program.nodes(ast.MatchMapping)]
    for name, node in nodes:
        if name in program.bound and (name not in found or node.lineno < found[name].lineno):
            found[name] = node
    for name in (*program.imports, *BUILTINS):
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
    """
import torch
def wrapped(f):
    @named
    def inner(x):
        return f(x)
    return inner
losses = (criterion(net(x), y) for x, y in [])
criterion = torch.nn.CrossEntropyLoss()
def named(f):
    return f
match [1, 2]:
    case [first, *rest]:
        print(first, rest)
    case {"net": net, **others}:
        print(net, others)
first, rest, net, others = 1, 2, 3, 4
""",
    """
from __future__ import annotations as _annotations
import torch
def build(kind: type[Net] = torch.nn.Module, *more: Net) -> Net:
    return kind()
width: Width = 2
class Net(torch.nn.Module):
    pass
Width = int
""",
)
INVALID = (
    """
import torch
net = Net()  # <- bug
class Net(torch.nn.Module):
    pass
print(
    width,  # <- bug
)
width = 2
""",
    """
from __future__ import annotations
import torch
class Net(Base):  # <- bug
    pass
class Base(torch.nn.Module):
    pass
losses = (x for x in batches)  # <- bug
batches = [1, 2]
""",
)
