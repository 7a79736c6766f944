"""A method of a network is spelt so that nothing calls it.

Python calls `__init__` and torch calls `forward`. Under any other name the method is an ordinary one: without
`__init__` no layer is made, without `forward` calling the network raises NotImplementedError. Underscores are lost when
text is pasted, letters change places when it is typed.

Fix: the method is renamed where it is the only one that can be meant, and its name is no helper's (`forward1`,
`_init`).

Limits: only names that are one slip away from the right one, in a class of networks that does not have the right one.
Names that something reads as an attribute, and classes with a base from elsewhere, are passed over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Class, Library
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络的某个方法名拼错了，没有人会调用它。

Python 调用的是 `__init__`，torch 调用的是 `forward`。
换一个名字就只是普通方法：没有 `__init__` 就不会创建任何层，
没有 `forward`，调用网络时会抛出 NotImplementedError。
粘贴文字容易丢下划线，打字容易颠倒字母。

修复：只有这一个方法可能是本意，而且名字不像辅助方法（如 `forward1`、`_init`）时，改成正确的名字。

局限：只看与正确名字相差一处的名字，并且这个类里没有正确的那个方法。
有代码当作属性来用的名字，以及基类来自别处的类，不作判断。
"""

_INIT = re.compile(r"_+(?:init|int|inti|ini|initt)_*|(?:init|int|inti)_+")
_PRIVATE = frozenset({"forward_", "_forward", "__forward"})  # helpers that a `forward` elsewhere may call


@rule(
    "CNN102",
    Severity.BUG,
    Confidence.HIGH,
    en="{network}.{written} is never called: {meant} is meant",
    zh="{network}.{written} 永远不会被调用：应为 {meant}",
)
def misspelt_method(program: Program) -> Iterator[Hit]:
    used = {node.attr for node in program.nodes(ast.Attribute) if not _is_super(node.value)}
    for kind in Analysis.of(program).classes():
        for node in kind.node.body:
            if isinstance(node, ast.FunctionDef):
                meant = _meant(node.name)
                if meant is not None and node.name not in used and _missing(kind, meant) and _bases_are_known(kind):
                    yield Hit(node, {"network": kind.name, "written": node.name, "meant": meant})


def _missing(kind: Class, name: str) -> bool:
    """Whether a class has no method of this name; an `__init__` that it inherits is none of its own."""
    return kind.names.get(name) is None if name == "__init__" else kind.find(name) is None


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _bases_are_known(kind: Class) -> bool:
    """Whether no base of another file may call the method."""
    others = [each for each in kind.ancestors if not isinstance(each, Class)]
    return all(isinstance(each, Library) and each.name.startswith("torch.nn.") for each in others)


def _meant(name: str) -> str | None:
    """The name that another one is a slip of."""
    if name in ("__init__", "forward") or name in _PRIVATE:
        return None
    if _INIT.fullmatch(name):
        return "__init__"
    return "forward" if name.strip("_") == "forward" or _one_slip(name, "forward") else None


def _one_slip(name: str, right: str) -> bool:
    """Whether one letter is left out, added or another one, or two neighbours have changed places."""
    if abs(len(name) - len(right)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(name, right, strict=False)) if a != b), min(len(name), len(right)))
    rest, wanted = name[start:], right[start:]
    return rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:] or rest[1::-1] + rest[2:] == wanted


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The name that is meant, of the one method that can have been meant for it."""
    node, meant = hit.at, hit.values["meant"]
    assert isinstance(node, ast.FunctionDef)
    around = next(each.node for each in Analysis.of(program).classes() if node in each.node.body)
    others = [each for each in around.body if isinstance(each, ast.FunctionDef) and _meant(each.name) == meant]
    start = program.rows[node.lineno - 1].find(node.name, program.columns(node)[0] + len("def"))
    if others == [node] and start >= 0 and (_is_a_constructor(node) if meant == "__init__" else node.name.isalpha()):
        yield Edit(node.lineno, start, start + len(node.name), meant)


def _is_a_constructor(node: ast.FunctionDef) -> bool:
    """Whether it calls the one above it, or is called like no helper; `__int__` alone is another method of Python's."""
    calls = any(isinstance(each, ast.Attribute) and each.attr == "__init__" for each in ast.walk(node))
    return calls or (node.name.startswith("_") and node.name.endswith("_") and node.name.strip("_") == "init")


VALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def _forward(self, x):
        return self.fc(x)
    def forward(self, x):
        return self._forward(x)
""",
    """
import torch.nn as nn
class Game:
    def reward(self, x):
        return x
class Base(nn.Module):
    def init(self):
        return self
    def forward_features(self, x):
        return x
""",
    """
import torch.nn as nn
from elsewhere import Template
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self._init()
class Net(Base):
    def _init(self):
        self.fc = nn.Linear(2, 2)
    def forward1(self, x):
        return self.fc(x)
class Other(Template, nn.Module):
    def _init(self):
        self.fc = nn.Linear(2, 2)
print(Net().forward1(x))
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def _init_(self):  # <- bug
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def foward(self, x):  # <- bug
        return self.fc(x)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __int__(self, width):  # <- bug
        self.fc = nn.Linear(width, 2)
    def forwrad(self, x):  # <- bug
        return self.fc(x)
""",
)
FIXED = (
    (
        """
import torch.nn as nn
class Net(nn.Module):
    def _init_(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def foward(self, x):
        return self.fc(x)
""",
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        return self.fc(x)
""",
    ),
    (
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward1(self, x):
        return self.fc(x)
    def forwardd(self, x):
        return self.fc(x)
""",
        """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward1(self, x):
        return self.fc(x)
    def forwardd(self, x):
        return self.fc(x)
""",
    ),
)
