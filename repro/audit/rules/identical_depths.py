"""Two makers of networks that differ only in the depth of their names do exactly the same.

One was copied from the other and its numbers were forgotten. Whatever is measured of the two is measured of one.

Limits: only functions whose text is the same up to the name are seen; name-against-depth counts layers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """两个构造网络的函数，名字里只有深度不同，做的事却完全一样。

其中一个是从另一个抄来的，数字忘了改。拿两者作比较，其实比的是同一个网络。

局限：只看得出除名字外逐字相同的函数；按层数比较见 name-against-depth。
"""


@rule(
    "CNN502",
    Severity.BUG,
    Confidence.MEDIUM,
    en="{name} does exactly what {other} of {line} does",
    zh="{name} 与{line}的 {other} 做的事完全一样",
)
def identical_depths(program: Program) -> Iterator[Hit]:
    classes = {node.name for node in program.nodes(ast.ClassDef)}
    seen: dict[tuple[str, str], ast.FunctionDef] = {}
    for node in program.nodes(ast.FunctionDef):
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if len(body) > 3 or node.col_offset or not re.search(r"\d", node.name) or not _counts(body, classes):
            continue
        key = re.sub(r"\d+", "#", node.name), "".join(map(ast.dump, body))
        first = seen.setdefault(key, node)
        if first.name != node.name:
            yield Hit(node, {"name": node.name, "other": first.name, "line": program.place(first)})


def _counts(body: list[ast.stmt], classes: set[str]) -> bool:
    """Whether a class of the program is called with a list of numbers, as networks are with their blocks."""
    calls = [each for statement in body for each in ast.walk(statement) if isinstance(each, ast.Call)]
    made = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id in classes]
    lists = [each.elts for call in made for each in call.args if isinstance(each, ast.List | ast.Tuple)]
    return any(len(each) > 1 and all(isinstance(x, ast.Constant) for x in each) for each in lists)


_NET = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, counts):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(8, 8) for _ in range(sum(counts))])
"""
VALID = (
    f"{_NET}def net11(): return Net([1, 2])\ndef net13(): return Net([2, 2])\ndef net11_old(): return Net([1, 2])\n",
)
INVALID = (f"{_NET}def net11(): return Net([1, 2])\ndef net13(): return Net([1, 2])  # <- bug\n",)
