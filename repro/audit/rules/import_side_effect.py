"""Importing the file does something: it trains, prints, downloads or makes folders.

The file defines a network, so others import it; then all statements at its top run, too. Told once.

Put them under `if __name__ == "__main__":`.

Limits: only files of code, not notebooks or articles.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """导入这个文件时会做事：训练、打印、下载或新建文件夹。

文件里定义了网络，别人会导入它，这时顶层的语句也都会运行。只报告一次。

应当把这些语句放到 `if __name__ == "__main__":` 之下。

局限：只看代码文件，不看笔记本和文章。
"""

_EFFECTS = frozenset({"print", "makedirs", "mkdir", "backward", "step", "download"})


@rule(
    "CNN713",
    Severity.NOTE,
    Confidence.HIGH,
    en="{call} runs whenever the file is imported; put it under if __name__ == '__main__'",
    zh="每次导入这个文件都会执行 {call}；应当放到 if __name__ == '__main__' 之下",
)
def import_side_effect(program: Program) -> Iterator[Hit]:
    if program.lines is not None or not Analysis.of(program).classes():
        return
    top = [each for each in program.tree.body if isinstance(each, ast.Expr | ast.For | ast.While | ast.With | ast.If)]
    guards = [each for each in top if isinstance(each, ast.If) and "__name__" in ast.unparse(each.test)]
    skipped = [*program.named, *guards]
    for node in program.nodes(ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        downloads = any(k.arg == "download" and ast.unparse(k.value) == "True" for k in node.keywords)
        if not (downloads or (name in _EFFECTS and any(is_inside(node, each) for each in top))):
            continue
        if not any(is_inside(node, each) for each in skipped):
            yield Hit(node, {"call": f"{name}()"})
            return


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        return x
if __name__ == "__main__":
    print(Net())
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        return x
print(Net())  # <- note
""",
)
