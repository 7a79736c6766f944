"""A text that is run by itself has a relative import.

`from .utils import ...` works inside of a package only. In a notebook, in a script, and in a text that was copied out
of a package, it raises ImportError. The usual one, torchvision's `.utils`, is gone there too: what it had is
`torch.hub.load_state_dict_from_url`.

Limits: notebooks, documents, and files that can be run as a script (`if __name__ == "__main__"`); for those it is a
note, since `python -m` runs them inside of their package.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePath

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """单独运行的文本里用了相对导入。

`from .utils import ...` 只在包的内部有效；在笔记本、脚本，
或从包里复制出来的文字中，它会抛出 ImportError。
最常见的是 torchvision 的 `.utils`，那里也已经没有它了，
可以改用 `torch.hub.load_state_dict_from_url`。

局限：只看笔记本、文档，以及可以当脚本运行的文件
（`if __name__ == "__main__"`）；后者只作提示，因为 `python -m` 会在包里运行它。
"""


@rule(
    "CNN116",
    Severity.RISK,
    Confidence.HIGH,
    en="{module} is imported from a package that this text is not part of when it is run",
    zh="{module} 是包内的相对导入，而这段文本运行时不在包里",
)
def relative_import(program: Program) -> Iterator[Hit]:
    python = PurePath(program.path).suffix in (".py", ".pyw")
    if python and not any(node.value == "__main__" for node in program.nodes(ast.Constant)):
        return
    for node in program.nodes(ast.ImportFrom):
        if node.level:
            module = f"{'.' * node.level}{node.module or ''}"
            yield Hit(node, {"module": module}, Severity.NOTE if python else None)


VALID = (
    """
from .layers import Block
import torch
net = Block(torch.ones(1))
""",
)
INVALID = (
    """
from torch.hub import load_state_dict_from_url
from .layers import Block  # <- note
if __name__ == "__main__":
    print(Block())
""",
)
