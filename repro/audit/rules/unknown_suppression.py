"""A comment names a rule that there is not.

`# repro: ignore[...]` takes codes such as CNN401 and names such as softmax-before-loss. A word that is neither
suppresses nothing: the finding that it was meant for is told as before, or will be when there is one. Beginnings of
codes, which `--select` and `--ignore` take, are not taken here, as a comment accepts what somebody has seen.

Write the code or the name of the rule; `repro explain` lists them all.

Limits: comments in a statement that cannot be read are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule
from repro.audit.selection import closest
from repro.audit.suppression import is_known, suppressions

ZH = """注释里写了并不存在的规则。

`# repro: ignore[...]` 接受编号（如 CNN401）和名字（如 softmax-before-loss）。
两者都不是的词什么也屏蔽不了：原来的问题照样会报告。
`--select` 和 `--ignore` 接受的编号开头在这里不行，因为注释表示有人看过并接受了
某一个问题。

应当写规则的编号或名字；`repro explain` 列出全部规则。

局限：无法解析的语句里的注释看不到。
"""


@rule(
    "CNN902",
    Severity.NOTE,
    Confidence.HIGH,
    en="no rule is called {word}, which this comment names; the closest is {closest}",
    zh="注释里写的 {word} 不是规则；最接近的是 {closest}",
)
def unknown_suppression(program: Program) -> Iterator[Hit]:
    for suppression in suppressions(program):
        for word in suppression.rules or ():
            if not is_known(word):
                yield Hit(suppression.place, {"word": word, "closest": closest(word, surely=True)[0]})


VALID = (
    """
import torch.nn as nn
def build():
    return nn.Linear(width, 10)  # repro: ignore[CNN110]
""",
    """
import torch.nn as nn
print("# repro: ignore[CNN11O]")
def build(width):
    return nn.Linear(width, 10)
""",
    """
# repro: ignore-file[Undefined_Name]
import torch.nn as nn
def build():
    return nn.Linear(width, 10)
""",
)
INVALID = (
    """
import torch.nn as nn
def build():
    return nn.Linear(10, 10)  # repro: ignore[CNN11O]  # <- note
""",
    """
# repro: ignore-file[undefined-nam, undefined-name]  # <- note
import torch.nn as nn
def build():
    return nn.Linear(width, 10)
""",
    """
import torch.nn as nn
def build():
    return nn.Linear(10, 10)  # repro: ignore[CNN1]  # <- note
""",
)
