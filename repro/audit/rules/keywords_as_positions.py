"""`*kwargs` stands where `**kwargs` is meant.

Where it is passed on, with one star the names of the keywords are passed, as strings, to the first parameters; with
two, their values under their names. Where it is declared, with one star it takes no keyword at all. An asterisk is lost
in copying, as much as in typing. As long as nobody passes a keyword nothing happens.

Fix: the second star is added where the keywords are passed on, unless what is called takes any number of positions.

Limits: a parameter that the same function declares with two stars; functions of Python's own, such as `print`, may
well be given the names, and so may those of other libraries, and methods that the text does not define. A declaration
is told by the name `kwargs` alone, and once for a text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.scopes import BUILTINS
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """应该写 `**kwargs` 的地方写成了 `*kwargs`。

传参时，一个星号会把关键字的名字当作字符串，依次传给前几个参数；
两个星号才是按名字传值。声明参数时，一个星号根本接收不到关键字参数。
复制或输入时都容易丢掉一个星号。
只要没有人传关键字参数，就什么也不会发生。

修复：传参时补上第二个星号；被调用的函数接受任意多个位置参数时不改。

局限：只看同一个函数用两个星号声明的参数；
`print` 等 Python 自己的函数，可能就是要这些名字；
其他库的函数，以及文本里没有定义的方法，也是如此。
声明只凭 `kwargs` 这个名字判断，每段文本只报告一次。
"""

_KEYWORDS = frozenset({"kwargs", "kwds"})  # what everybody calls them


@rule(
    "CNN221",
    Severity.BUG,
    Confidence.HIGH,
    en="*{name} has no room for what the keywords are given; **{name} has",
    zh="*{name} 装不下关键字对应的值，**{name} 才可以",
)
def keywords_as_positions(program: Program) -> Iterator[Hit]:
    takers = [node for node in program.nodes(ast.FunctionDef) if node.args.kwarg is not None]
    own = {each.name for each in program.named}
    for call in program.nodes(ast.Call) if takers else ():
        if not _takes_keywords(program, call.func, own):
            continue
        for argument in call.args:
            if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name):
                around = [each for each in takers if is_inside(call, each)]
                if any(each.args.kwarg and each.args.kwarg.arg == argument.value.id for each in around):
                    yield Hit(argument, {"name": argument.value.id})
    for function in program.nodes(ast.FunctionDef):
        if function.args.vararg is not None and function.args.vararg.arg in _KEYWORDS:
            yield Hit(function.args.vararg, {"name": function.args.vararg.arg}, Severity.RISK, Confidence.MEDIUM)
            break


def _takes_keywords(program: Program, function: ast.expr, own: set[str]) -> bool:
    """Whether what is called is torch's or the program's own, rather than a method such as `set.union`."""
    full = program.dotted(function)
    if full is not None:
        return full.startswith(("torch.", "torchvision."))
    if isinstance(function, ast.Name):
        return function.id not in BUILTINS
    return isinstance(function, ast.Attribute) and function.attr in own


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The second star where keywords are passed on, unless what is called takes any number of positions."""
    node = hit.at
    if isinstance(node, ast.Starred):
        calls = [each for each in program.nodes(ast.Call) if node in each.args]
        names = {ast.unparse(each.func).rpartition(".")[2] for each in calls}
        own = [each for each in program.nodes(ast.FunctionDef) if each.name in (*names, "__init__")]
        if not any(each.args.vararg for each in own):
            start, _ = program.columns(node)
            yield Edit(node.lineno, start, start, "*")


VALID = (
    """
import torch.nn as nn
def build(*args, **kwargs):
    print(*kwargs)
    return nn.Linear(*args, **kwargs)
""",
    """
import itertools
import torch
def check(known, **kwargs):
    unknown = set().union(*kwargs) - known
    return known.union(*kwargs), list(itertools.chain(*kwargs)), unknown
""",
)
INVALID = (
    """
import torch.nn as nn
def build(width, **kwargs):
    return nn.Linear(width, width, *kwargs)  # <- bug
""",
    """
import torch.nn as nn
def build(width, *kwargs):  # <- risk
    return nn.Linear(width, width)
def build_two(width, *kwargs):
    return build(width, *kwargs), build(width, *kwargs)
""",
)
FIXED = (
    (
        """
import torch.nn as nn
def build(width, **kwargs):
    return nn.Linear(width, width, *kwargs)
""",
        """
import torch.nn as nn
def build(width, **kwargs):
    return nn.Linear(width, width, **kwargs)
""",
    ),
    (
        """
import torch.nn as nn
def log(*names):
    print(names)
def build(width, **kwargs):
    log(*kwargs)
    return nn.Linear(width, width, **kwargs)
""",
        """
import torch.nn as nn
def log(*names):
    print(names)
def build(width, **kwargs):
    log(*kwargs)
    return nn.Linear(width, width, **kwargs)
""",
    ),
)
