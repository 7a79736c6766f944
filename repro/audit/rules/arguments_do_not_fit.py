"""A function, a class or a network of the text is called with arguments that it does not take.

The call raises TypeError: one argument too many, a keyword that no parameter has, or a parameter without a default that
is given nothing. In tutorials it is mostly a `forward` that takes more than the input, or a factory that was renamed in
one place only.

Limits: calls whose target the text shows. Calls with `*args` or `**kwargs`, decorated functions, and classes with a
base that is neither in the text nor torch's, are passed over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.interpreter import defaults
from repro.audit.meaning.values import Class, Function, Instance, Library
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """调用文本里的函数、类或网络时,给的参数它并不接受。

这个调用会抛出 TypeError:多了一个参数,没有这个名字的参数,
或者没有默认值的参数没有给。教程里多半是 `forward` 除了输入还要别的参数,
或者工厂函数只改了一处的名字。

局限:只看从文本能看出目标的调用;带 `*args` 或 `**kwargs` 的调用,
带装饰器的函数,以及基类既不在文本里也不属于 torch 的类,不作判断。
"""


@rule(
    "CNN205",
    Severity.BUG,
    Confidence.HIGH,
    en="this call of {name} does not fit {signature}",
    zh="这里对 {name} 的调用与 {signature} 不符",
)
def arguments_do_not_fit(program: Program) -> Iterator[Hit]:
    seen: set[tuple[int, int]] = set()
    for call, what in Analysis.of(program).calls():
        key = id(call), id(what.node if isinstance(what, Function | Class) else what.of.node)
        if key in seen:
            continue
        seen.add(key)
        function, given = _called(what)
        if function is None or any(isinstance(each, ast.Starred) for each in call.args):
            continue
        if not _fits(function.node.args, len(call.args) + given, [each.arg for each in call.keywords]):
            name = getattr(function.node, "name", "")  # a lambda is passed over above
            signature = f"{name}({ast.unparse(function.node.args)})"
            yield Hit(call, {"name": ast.unparse(call.func), "signature": signature})


def _called(what: Function | Class | Instance) -> tuple[Function | None, int]:
    """The function that a call runs, if that is certain, and how many arguments it gets besides."""
    if isinstance(what, Function):
        return (what, int(what.owner is not None)) if not _is_wrapped(what) else (None, 0)
    if isinstance(what, Instance) and (not what.of.is_module or what.of.find("__call__")):
        return None, 0
    kind = what if isinstance(what, Class) else what.of
    if kind.node.decorator_list or kind.find("__new__") or not _bases_are_known(kind):
        return None, 0
    found = kind.find("__init__" if isinstance(what, Class) else "forward")
    function = found[0] if found is not None else None
    return (function, 1) if isinstance(function, Function) and not _is_wrapped(function) else (None, 0)


def _bases_are_known(kind: Class) -> bool:
    """Whether nothing from elsewhere, as Enum and other metaclasses do, may take the call first."""
    for each in (each for each in kind.ancestors if isinstance(each, Class)):
        for written, base in zip(each.node.bases, each.bases, strict=False):
            of_torch = isinstance(base, Library) and base.name.startswith(("torch.nn.", "torch.utils.data."))
            if not (of_torch or isinstance(base, Class) or ast.unparse(written) == "object"):
                return False
        if each.node.keywords:
            return False
    return True


def _is_wrapped(function: Function) -> bool:
    return isinstance(function.node, ast.Lambda) or bool(function.node.decorator_list)


def _fits(declared: ast.arguments, positional: int, keywords: list[str | None]) -> bool:
    names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
    if positional > len(names) and declared.vararg is None:
        return False
    if None in keywords:
        return True
    known = {*names[len(declared.posonlyargs) :], *(each.arg for each in declared.kwonlyargs)}
    if declared.kwarg is None and not known.issuperset(keywords):
        return False
    optional = {name for name, _ in defaults(declared)}
    needed = {*names[positional:], *(each.arg for each in declared.kwonlyargs)} - optional
    return needed.issubset(keywords) and not set(names[:positional]).intersection(keywords)


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width, depth=2, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(width, width, bias)
    def forward(self, x, mask=None):
        return self.fc(x)
def build(*args, **kwargs):
    return Net(*args, **kwargs)
build(2, depth=3)
net = Net(2, bias=False)
net(images)
net(images, mask=images)
""",
    """
import torch.nn as nn
from enum import Enum
class Size(Enum):
    SMALL = 1, 2
    def __init__(self, width, depth):
        self.width, self.depth = width, depth
Size((1, 2))
class Net(nn.Module):
    def __call__(self, x):
        return self.forward(x, None)
    def forward(self, x, mask):
        return x
Net()(images)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)
    def forward(self, x, features):
        return self.fc(x.view(-1, features))
net = Net(2)
net(images)  # <-
net(images, 2)
Net(2, 3)  # <-
Net(with_=2)  # <-
def build(depth):
    return Net(depth)
build()  # <-
""",
)
