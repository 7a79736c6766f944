"""`__all__` names something that is not there.

`from module import *` raises AttributeError then. Such a name is left behind when a function is renamed or taken out,
and in a tutorial when only part of a file is shown.

Limits: only names that are written down in `__all__`, as strings or, where the quotes were lost, as they are; nothing
is said of an `__init__.py`, whose submodules count as names, of a file with `from x import *`, or of one that makes
names at run time, nor of names that a statement which cannot be read may have bound.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`__all__` 里列出的名字并不存在。

这时 `from module import *` 会抛出 AttributeError。
函数改名或删掉之后常会留下这样的名字；教程只展示文件的一部分时也会如此。

局限：只看 `__all__` 里写出的名字，可以是字符串，也可以是丢了引号的名字。
`__init__.py`（子模块也算名字）、含有 `from x import *` 的文件，
以及在运行时才造出名字的文件，都不作判断；
可能由无法解析的语句定义的名字，也不作判断。
"""

_NAME = re.compile(r"[^\W\d]\w*")
_AT_RUN_TIME = frozenset({"globals", "locals", "vars", "exec"})
_EVERY_MODULE = frozenset("__doc__ __name__ __file__ __spec__ __loader__ __package__ __builtins__ __dict__".split())
_BIND = frozenset({"def", "class", "import", "as", "for"})


@rule(
    "CNN112",
    Severity.BUG,
    Confidence.HIGH,
    en="__all__ names {name}, which is not defined here",
    zh="__all__ 列出了 {name}，但这里没有定义它",
)
def exports_missing(program: Program) -> Iterator[Hit]:
    if PurePath(program.path).name == "__init__.py" or not program.bound & {"__all__"}:
        return
    if (
        program.imports_all
        or program.bound & {"__getattr__"}
        or any(each.id in _AT_RUN_TIME for each in program.nodes(ast.Name))
    ):
        return
    severity, confidence = (None, None) if program.whole else (Severity.NOTE, Confidence.HIGH)
    perhaps = frozenset().union(*(_bound_by(line) for each in program.broken for line in each.left_out.split("\n")))
    declared = {name for node in program.nodes(ast.Global) for name in node.names}
    known = program.bound | declared | perhaps | _EVERY_MODULE
    for node in program.nodes(ast.Assign, ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        listed = node.value
        if not any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
            continue
        for each in listed.elts if isinstance(listed, ast.List | ast.Tuple) else ():
            name = each.value if isinstance(each, ast.Constant) else each.id if isinstance(each, ast.Name) else None
            if isinstance(name, str) and name not in known:
                yield Hit(each, {"name": name}, severity, confidence)


def _bound_by(line: str) -> frozenset[str]:
    """The names that a line which cannot be read may have bound."""
    names = frozenset(_NAME.findall(line))
    return names if names & _BIND else frozenset(_NAME.findall(line.partition("=")[0]) if "=" in line else ())


VALID = (
    """
import torch
__all__ = ["VGG", "vgg11"]
class VGG(torch.nn.Module):
    pass
def vgg11():
    return VGG()
""",
    """
from torch.nn import *
__all__ = ["Linear", "Conv2d"]
""",
    """
import torch
__all__ = ["VGG"]
class VGG(torch.nn.Module)
    pass
""",
    """
import torch
__all__ = ["__doc__", "__file__", "__version__"]
__version__ = "1"
""",
    """
import torch
__all__ = ["relu"]
for name in ("relu", "gelu"):
    vars()[name] = getattr(torch.nn.functional, name)
""",
    """
import torch
__all__ = ["table"]
def fill():
    global table
    table = torch.ones(2)
fill()
""",
)
INVALID = (
    """
import torch
__all__ = [
    "VGG",
    "vgg11",  # <- bug
]
class VGG(torch.nn.Module):
    pass
""",
    """
import torch
__all__ = VGG, vgg11  # <- bug
class VGG(torch.nn.Module):
    pass
print "ready"
""",
)
