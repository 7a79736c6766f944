"""`*kwargs` is passed on where `**kwargs` is meant.

With one star the names of the keywords are passed, as strings, to the first parameters; with two, their values under
their names. An asterisk is lost in copying, as much as in typing. As long as nobody passes a keyword nothing happens.

Limits: a parameter that the same function declares with two stars; functions of Python's own, such as `print`, may
well be given the names.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """应该写 `**kwargs` 的地方写成了 `*kwargs`。

一个星号会把关键字的名字当作字符串,依次传给前几个参数;
两个星号才是按名字传值。复制或输入时都容易丢掉一个星号。
只要没有人传关键字参数,就什么也不会发生。

局限:只看同一个函数用两个星号声明的参数;
`print` 等 Python 自己的函数,可能就是要这些名字。
"""

_BUILTINS = frozenset(dir(builtins))


@rule(
    "CNN221",
    Severity.BUG,
    Confidence.HIGH,
    en="*{name} passes the names of the keywords as arguments; **{name} passes their values",
    zh="*{name} 传递的是关键字的名字;**{name} 才传递它们的值",
)
def keywords_as_positions(program: Program) -> Iterator[Hit]:
    takers = [node for node in program.nodes(ast.FunctionDef) if node.args.kwarg is not None]
    for call in program.nodes(ast.Call) if takers else ():
        if isinstance(call.func, ast.Name) and call.func.id in _BUILTINS:
            continue
        for argument in call.args:
            if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name):
                around = [each for each in takers if each.lineno <= call.lineno <= (each.end_lineno or 0)]
                if any(each.args.kwarg and each.args.kwarg.arg == argument.value.id for each in around):
                    yield Hit(argument, {"name": argument.value.id})


VALID = (
    """
import torch.nn as nn
def build(*args, **kwargs):
    print(*kwargs)
    return nn.Linear(*args, **kwargs)
""",
)
INVALID = (
    """
import torch.nn as nn
def build(width, **kwargs):
    return nn.Linear(width, width, *kwargs)  # <-
""",
)
