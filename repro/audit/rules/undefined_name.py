"""A name is used that nothing defines.

The line fails with a NameError when it runs. Often only a path that is seldom taken has it, such as the one that loads
pretrained weights. In a tutorial the name may be defined in code that is not shown; then it is only said that whoever
copies the text has to find it.

Fix: `torch`, `nn`, `np`, `os` and `math` are imported in a Python file that uses them as modules only.

Limits: nothing is said of a program that imports everything from a module (`from x import *`), or that makes names at
run time, nor of what stands under a condition on `sys.version_info` or in a `try` that catches it. In a line that a
comment `# noqa` excuses it is a risk.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, line_above
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.scopes import BUILTINS
from repro.audit.program import USUAL, Program
from repro.audit.rule import Hit, rule

ZH = """用到了没有任何地方定义过的名字。

这一行一运行就会抛出 NameError。它常常只在很少走到的分支里，
例如加载预训练权重的那一支。教程里这个名字也可能定义在没有展示的代码中，
那么这里只是提醒：抄这段代码的人得自己去找它。

修复：Python 文件里只当模块用的 `torch`、`nn`、`np`、`os` 和 `math`，补上导入。

局限：程序里有 `from x import *`，或在运行时才造出名字的，不作判断；
`sys.version_info` 的条件之下的，以及会捕获这个错误的 `try` 里的，也不作判断。
带 `# noqa` 注释的行只算风险。
"""

_ALWAYS = BUILTINS | set(
    "WindowsError __file__ __builtins__ __path__ __class__ __spec__ __loader__ __debug__".split()
    + "__qualname__ __module__ __annotations__".split()
)
_NOTEBOOK = frozenset("display get_ipython In Out _ __ ___ _i exit quit".split())
_AT_RUN_TIME = frozenset({"globals", "locals", "vars", "exec"})


@rule(
    "CNN110",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is not defined anywhere in this text",
    zh="这段文本里没有任何地方定义 {name}",
)
def undefined_name(program: Program) -> Iterator[Hit]:
    if program.imports_all:
        return
    read = dict(_read_from_outside(program.symbols))
    if not _AT_RUN_TIME.isdisjoint(read):
        return
    declared = {name for node in program.nodes(ast.Global) for name in node.names}
    known = program.bound | declared | _ALWAYS | (set() if program.whole else USUAL.keys())
    known |= _NOTEBOOK if program.lines is not None else set()
    missing = {name: line for name, line in read.items() if name not in known}
    expected: list[ast.stmt | ast.expr] = [node for node in program.nodes(ast.Try) if _expects_it(node)]
    expected += [node for node in program.nodes(ast.If, ast.IfExp) if _by_version(node)]
    certain = program.whole and not program.broken  # what is left out may have defined it
    rows = program.text.split("\n") if missing else []
    unread = {id(node) for node in (*_never_evaluated(program), *_exported(program))} if missing else set()
    for node in program.nodes(ast.Name) if missing else ():
        if node.lineno >= missing.get(node.id, node.lineno + 1) and id(node) not in unread:
            del missing[node.id]
            sure = certain and "noqa" not in rows[node.lineno - 1]
            if not any(is_inside(node, each) for each in expected):
                yield Hit(node, {"name": node.id}, *(() if sure else (Severity.RISK, Confidence.MEDIUM)))


def _read_from_outside(table: symtable.SymbolTable) -> Iterator[tuple[str, int]]:
    """The names that are read from the top of the program, the last scope first, each with the line of its scope."""
    for child in reversed(table.get_children()):
        yield from _read_from_outside(child)
    top = table.get_type() == "module"
    line = 0 if top else table.get_lineno()
    for symbol in table.get_symbols():
        outside = symbol.is_global() and not symbol.is_local()  # symtable takes a function called `top` for the module
        if symbol.is_referenced() and (outside or (top and not symbol.is_assigned())):
            yield symbol.get_name(), line


def _never_evaluated(program: Program) -> Iterator[ast.AST]:
    """What the annotations of local variables consist of, which Python does not evaluate."""
    for node in program.nodes(ast.AnnAssign):
        around = [each for each in program.named if is_inside(node, each)]
        if around and not isinstance(around[-1], ast.ClassDef):
            yield from ast.walk(node.annotation)


def _exported(program: Program) -> Iterator[ast.AST]:
    """The names in `__all__` that have lost their quotes, which another rule tells."""
    for node in program.nodes(ast.Assign):
        if any(isinstance(each, ast.Name) and each.id == "__all__" for each in node.targets):
            yield from node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else ()


def _expects_it(node: ast.Try) -> bool:
    """Whether a `try` is there to find out whether a name is defined."""
    kinds = [each.type for each in node.handlers]
    return any(kind is None or ast.unparse(kind) in ("NameError", "Exception", "BaseException") for kind in kinds)


def _by_version(node: ast.If | ast.IfExp) -> bool:
    """Whether a condition asks for Python's version: one of its branches is for names that another version has."""
    return any(
        (isinstance(each, ast.Attribute) and each.attr == "version_info")
        or (isinstance(each, ast.Name) and each.id == "version_info")
        for each in ast.walk(node.test)
    )


# Names that everybody means the same by.
_IMPORTS = {
    "torch": "import torch",
    "nn": "import torch.nn as nn",
    "np": "import numpy as np",
    "os": "import os",
    "math": "import math",
}


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The import of a module that everybody calls so, above the others, where it is only used as a module."""
    name = hit.values["name"]
    uses = [node for node in program.nodes(ast.Name) if node.id == name]
    owners = {id(node.value) for node in program.nodes(ast.Attribute)}
    first = next((each for each in program.tree.body if _is_import(each)), None)
    certain = hit.severity is None and program.lines is None and "jax" not in program.text
    if certain and first is not None and name in _IMPORTS and all(id(each) in owners for each in uses):
        yield from line_above(program, first, _IMPORTS[name])


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module != "__future__")


VALID = (
    """
import torch.nn as nn
def build(width):
    return nn.Linear(width, 10)
""",
    """
import torch
from networks import *
net = resnet()
""",
    """
import torch
try:
    window
except NameError:
    window = None
def count():
    first: Optional[int] = None
    global calls
    calls = 1
    return [torch.ones(each) for each in range(calls)]
""",
    """
import torch
__all__ = vgg11, vgg13
""",
    """
import sys
import torch
if sys.version_info[0] < 3:
    text = unicode
class Net(torch.nn.Module):
    shown = __qualname__, __module__
""",
    """
import torch
exec("width = 10")
layer = torch.nn.Linear(width, 2)
""",
    """
import torch
class Stack(list):
    @property
    def top(self):
        return self[-1]
try:
    shell = get_ipython()
except Exception:
    shell = None
""",
)
INVALID = (
    """
import torch
def build(pretrained=False):
    net = torch.nn.Linear(2, 2)
    if pretrained:
        net.load_state_dict(torch.load(address))  # <- bug
    return net
""",
    """
import torch.nn as nn
def first(address):
    return address
def second(net):
    return net.load_state_dict(np.load("weights.npy"))  # <- bug
def third(net):
    return prepare(net)  # noqa: F821  # <- risk
""",
)
FIXED = (
    (
        """
from __future__ import annotations
import torch
def weigh(layer):
    torch.nn.init.xavier_uniform_(layer.weight, gain=np.sqrt(2))
    init.constant_(layer.bias, 0)
""",
        """
from __future__ import annotations
import numpy as np
import torch
def weigh(layer):
    torch.nn.init.xavier_uniform_(layer.weight, gain=np.sqrt(2))
    init.constant_(layer.bias, 0)
""",
    ),
)
