"""A module is imported and not used.

It does no harm beyond the time that importing takes, and it misleads: whoever reads the text looks for what it is for,
and whoever runs it must install it.

Fix: the name is left out, if it is of Python, NumPy, torch or torchvision, in a script and in a file with `__all__`.
Elsewhere `from networks import *` may count on it.

Limits: nothing is said of an import under `try`, of one that renames a module to its own name (`import x as x`), of
names in `__all__`, of those that a comment `# noqa` excuses, nor of an `__init__.py`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePath

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit
from repro.audit.fixes.imports import dropped
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """导入了模块却没有使用。

除了多花一点导入时间，它没有害处，但会误导人：
读者会去找它的用处，运行者还得先安装它。

修复：脚本里和写明 `__all__` 的文件里，属于 Python、NumPy、torch 或 torchvision 的名字会被删掉；
别的文件里，可能有 `from networks import *` 要用到它。

局限：`try` 里的导入、改名为自身的导入（`import x as x`）、
列在 `__all__` 里的名字、带 `# noqa` 注释的行，以及 `__init__.py`，都不作判断。
"""


@rule(
    "CNN111",
    Severity.NOTE,
    Confidence.HIGH,
    en="{name} is imported and not used",
    zh="导入了 {name}，但没有使用",
)
def unused_import(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    if PurePath(program.path).name == "__init__.py":
        return
    used = {node.id for node in program.nodes(ast.Name)}
    rows = program.text.split("\n")
    for node in program.nodes(ast.Import, ast.ImportFrom):
        if (isinstance(node, ast.ImportFrom) and node.module == "__future__") or "noqa" in rows[
            (node.end_lineno or 1) - 1
        ]:
            continue
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if name in used or name == "*" or alias.name == alias.asname or _quoted(program, name):
                continue
            if not any(is_inside(node, each) for each in program.nodes(ast.Try)):
                yield Hit(node, {"name": name})


def _quoted(program: Program, name: str) -> bool:
    """Whether a string has the name: `__all__`, an annotation in quotes, what is evaluated."""
    if program.text.count(name) == 1:  # where it is imported
        return False
    word = re.compile(rf"\b{name}\b")
    return any(isinstance(node.value, str) and word.search(node.value) for node in program.nodes(ast.Constant))


# What does nothing when it is imported beyond being there; others do more, as seaborn restyles all plots.
_QUIET = sys.stdlib_module_names - {"antigravity", "readline", "rlcompleter", "this"} | {
    "numpy",
    "torch",
    "torchvision",
}


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """Without the name, in a file that nobody takes it from: a script, or one that says what it exports.

    Elsewhere `from networks import *` may count on it, as may a magic of a notebook, or the words around a piece.
    """
    node = hit.at
    assert isinstance(node, ast.Import | ast.ImportFrom)
    scripts = [each for each in program.tree.body if isinstance(each, ast.If) and "__main__" in ast.unparse(each.test)]
    if program.lines is None and (scripts or "__all__" in program.bound) and "# type:" not in program.text:
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
            name = alias.asname or alias.name.partition(".")[0]
            if name == hit.values["name"] and module.partition(".")[0] in _QUIET and "torch.ops" not in program.text:
                yield from dropped(program, node, [alias])


VALID = (
    """
import torch
from torch import nn as nn
from networks import *
try:
    import apex
except ImportError:
    HAS_APEX = False
__all__ = ["load"]
from torch.hub import load
import torchvision  # noqa: F401
x = torch.ones(1)
""",
    """
from __future__ import annotations
import torch
from torch import Tensor
def double(x: "Tensor") -> torch.Tensor:
    return x * 2
""",
)
INVALID = (
    """
import torch
import os  # <- note
print("the loss", torch.zeros(1))
""",
    """
import torch
import torchvision  # <- note
import torch.nn.functional as F  # <- note
from torch import nn
print(torch.ones(1), nn.ReLU)
""",
)
FIXED = (
    (
        """
import os, sys
import torch
import torchvision
from torch import (
    nn,
    optim,
)
import seaborn
if __name__ == "__main__":
    print(torch.ones(1), optim.SGD, sys.path)
""",
        """
import sys
import torch
from torch import (
    optim,
)
import seaborn
if __name__ == "__main__":
    print(torch.ones(1), optim.SGD, sys.path)
""",
    ),
    (
        """
import os
import torch
x = torch.ones(1)
""",
        """
import os
import torch
x = torch.ones(1)
""",
    ),
    (
        """
import os; x = 1
import torch
if __name__ == "__main__":
    print(torch.ones(1))
""",
        """
import os; x = 1
import torch
if __name__ == "__main__":
    print(torch.ones(1))
""",
    ),
)
