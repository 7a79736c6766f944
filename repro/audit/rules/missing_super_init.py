"""A network does not call `super().__init__()`, or calls it too late.

`nn.Module.__init__` makes the tables in which torch keeps layers and parameters. Before it has run, the first
`self.conv = nn.Conv2d(...)` raises AttributeError: "cannot assign module before Module.__init__() call".

Fix: the call becomes the first statement where there is none at all and `nn.Module` is the only base.

Limits: classes whose `__init__` sets a layer or a parameter, and that derive from `nn.Module` as far as the text shows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, line_above
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.values import Library
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络没有调用 `super().__init__()`，或者调用得太晚。

`nn.Module.__init__` 会建立 torch 存放层和参数的表。
在它运行之前，第一句 `self.conv = nn.Conv2d(...)` 就会抛出
AttributeError："cannot assign module before Module.__init__() call"。

修复：完全没有这个调用、并且只继承 `nn.Module` 时，把它加作第一条语句。

局限：只看 `__init__` 里设置了层或参数、
并且从文本能看出继承自 `nn.Module` 的类。
"""


@rule(
    "CNN202",
    Severity.BUG,
    Confidence.HIGH,
    en="{network} sets self.{name} before super().__init__() is called",
    zh="{network} 在调用 super().__init__() 之前就设置了 self.{name}",
)
def missing_super_init(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    kinds = Analysis.of(program).classes()
    names = {each.name for each in kinds}
    for kind in kinds:
        function = next((n for n in kind.node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if function is None or not any(
            isinstance(each, Library) and each.name == "torch.nn.Module" for each in kind.bases
        ):
            continue
        for statement in function.body:
            if _calls_init(statement):
                break
            layer = _sets_a_layer(program, statement, names)
            if layer is not None:
                yield Hit(layer, {"network": kind.name, "name": layer.attr})
                break


def _calls_init(statement: ast.stmt) -> bool:
    """Whether another `__init__` is called somewhere in a statement, or something that may do it."""
    return any(isinstance(n, ast.Attribute) and n.attr.startswith("__") for n in ast.walk(statement))


def _sets_a_layer(program: Program, statement: ast.stmt, names: set[str]) -> ast.Attribute | None:
    """The attribute that a statement sets to a module of torch or of the program."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return None
    target, made = statement.targets[0], statement.value.func
    if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"):
        return None
    name = program.dotted(made) or ""
    known = name.startswith("torch.nn.") and name.rpartition(".")[2][:1].isupper()
    return target if known or (isinstance(made, ast.Name) and made.id in names) else None


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The call as the first statement, where there is none at all, and one class that it can be meant for."""
    assert isinstance(hit.at, ast.Attribute)
    name = hit.values["network"]
    kind = next(each for each in Analysis.of(program).classes() if each.name == name and is_inside(hit.at, each.node))
    init = next(each for each in kind.node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")
    body = init.body[ast.get_docstring(init) is not None :]
    if len(kind.bases) == 1 and not any(_calls_init(each) for each in body):
        yield from line_above(program, body[0], "super().__init__()")


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width):
        self.width = width
        super(Net, self).__init__()
        self.fc = nn.Linear(width, 2)
class Other(nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(2, 2)
class Plain:
    def __init__(self):
        self.fc = nn.Linear(2, 2)
class Settings(Net):
    def __init__(self):
        self.rate = 0.1
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width):
        self.width = width
        self.fc = nn.Linear(width, 2)  # <- bug
class Late(nn.Module):
    def __init__(self):
        self.net = Net(2)  # <- bug
        super().__init__()
""",
)
FIXED = (
    (
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width):
        \"\"\"One layer.\"\"\"
        self.width = width
        self.fc = nn.Linear(width, 2)
""",
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width):
        \"\"\"One layer.\"\"\"
        super().__init__()
        self.width = width
        self.fc = nn.Linear(width, 2)
""",
    ),
    (
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self): self.fc = nn.Linear(2, 2)
class Late(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(2, 2)
        super().__init__()
""",
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self): self.fc = nn.Linear(2, 2)
class Late(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(2, 2)
        super().__init__()
""",
    ),
)
