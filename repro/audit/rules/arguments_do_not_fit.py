"""A function, a class or a network of the text is called with arguments that it does not take.

The call raises TypeError: one argument too many, a keyword that no parameter has, or a parameter without a default that
is given nothing. In tutorials it is mostly a `forward` that takes more than the input, or a factory that was renamed in
one place only.

Limits: calls whose target the text shows. Calls with `*args`, decorated functions, functions that are called by another
name than their own or that have a namesake, and classes with a base that is neither in the text nor torch's, are passed
over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.binding import Misfit, misfit
from repro.audit.meaning.interpreter import defaults
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.values import Class, Function, Instance, Library
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """调用文本里的函数、类或网络时，给的参数它并不接受。

这个调用会抛出 TypeError：多了一个参数，没有这个名字的参数，
或者没有默认值的参数没有给。教程里多半是 `forward` 除了输入还要别的参数，
或者工厂函数只改了一处的名字。

局限：只看从文本能看出目标的调用；带 `*args` 的调用，带装饰器的函数，
用别的名字来调用的函数，有同名者的函数，
以及基类既不在文本里也不属于 torch 的类，不作判断。
"""

_OF_CLASSES = frozenset({"__init_subclass__", "__class_getitem__"})


@rule(
    "CNN205",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} {why}; it is defined as {signature}",
    zh="{name} {why}；它的定义是 {signature}",
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
        found = _misfit(function.node.args, given, call)
        if found is not None and not (isinstance(what, Function) and _is_one_of_several(program, call, function)):
            name = getattr(function.node, "name", "")  # a lambda is passed over above
            signature = f"{name}({ast.unparse(function.node.args)})"
            values = {"name": ast.unparse(call.func), "why": found.why, "wrong": found.parameters}
            yield Hit(call, {**values, "signature": signature})


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


def _is_one_of_several(program: Program, call: ast.Call, function: Function) -> bool:
    """Whether another function may be called here: by a name that is not its own, or that others have."""
    name = getattr(function.node, "name", "")
    if name != ast.unparse(call.func).rpartition(".")[2]:
        return True
    around = [each for each in program.named if not isinstance(each, ast.ClassDef) and is_inside(call, each)]
    if isinstance(call.func, ast.Name) and any(arg.arg == name for each in around for arg in each.args.args):
        return True
    scope = program.symbol(function.node)
    return sum(each.name == name and program.symbol(each) == scope for each in program.named) > 1


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
    """Whether it may take other arguments than are written: decorated, or what Python makes a method of the class."""
    node = function.node
    return isinstance(node, ast.Lambda) or bool(node.decorator_list) or node.name in _OF_CLASSES


def _misfit(declared: ast.arguments, bound: int, call: ast.Call) -> Misfit | None:
    """In what a call does not fit; bound: how many parameters it need not give, as `self`."""
    every = [each.arg for each in (*declared.posonlyargs, *declared.args)][bound:]
    others = [each.arg for each in declared.kwonlyargs]
    optional = {name for name, _ in defaults(declared)}
    required = {name for name in (*every, *others) if name not in optional}
    more, any_ = declared.vararg is not None, declared.kwarg is not None
    keywords = [each.arg for each in call.keywords]
    return misfit(every, required, len(call.args), keywords, others=others, takes_more=more, takes_any=any_)


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
    """
import torch
def low(order): return order
def high(order, ripple): return order, ripple
def design(kind, order, ripple):
    make = {"low": low, "high": high}[kind]
    return make(order) if make == low else make(order, ripple)
design("low", 2, 3), design("high", 2, 3)
if ripples:
    def wrap(x, ripple): return x
else:
    def wrap(x): return x
if ripples:
    wrap(1, 2)
else:
    wrap(1)
class Info:
    @classmethod
    def of(cls, call, when):
        return cls(call=call, when=when)
    def __init__(self, call, when):
        self.call, self.when = call, when
    def __init_subclass__(cls):
        cls.made = True
Info.of(low, "setup")
Info.__init_subclass__()
def outer(wrapped):
    def made(x, out_dim): return x
    return apply(made, wrapped, 1)
def apply(made, x, dim=None):
    return made(x, dim) if dim is not None else made(x)
outer(images)
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
net(images)  # <- bug
net(images, 2)
Net(2, 3)  # <- bug
Net(with_=2)  # <- bug
def build(depth):
    return Net(depth)
build()  # <- bug
""",
)
