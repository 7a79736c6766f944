"""A comment suppresses a finding that there is not.

`# repro: ignore[...]` says that somebody has looked at a finding and accepts it. When the code has changed and nothing
is found there any more, the comment would hide the next finding, which nobody has looked at. The same holds for
`# repro: ignore-file` below the first statement, which does nothing.

Remove the comment, or the name of the rule from its brackets.

Limits: a rule that is not selected counts as well; comments in a statement that cannot be read are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.program import Program
from repro.audit.rule import Hit, rule, rules
from repro.audit.suppression import is_called, suppressions

ZH = """注释屏蔽了并不存在的问题。

`# repro: ignore[...]` 表示有人看过某个问题并且接受它。
代码改过之后，那里已经没有问题，这条注释就会把下一个没人看过的问题藏起来。
把 `# repro: ignore-file` 写在第一条语句之后（那样不起作用），也是一样。

应当删掉这条注释，或从方括号里删掉那条规则。

局限：没有被选中的规则也算在内；无法解析的语句里的注释看不到。
"""


@rule(
    "CNN901",
    Severity.NOTE,
    Confidence.HIGH,
    en="nothing is suppressed by this comment{named}; remove it",
    zh="这条注释{named}没有屏蔽任何问题；应当删掉",
)
def unused_suppression(program: Program) -> Iterator[Hit]:
    found = suppressions(program)
    others = [each for each in rules() if each is not unused_suppression] if found else []
    findings = [finding for each in others for finding in each.findings(program)]
    for suppression in found:
        known = {(each.code, each.name) for each in findings if suppression.covers(each)}
        own = (unused_suppression.code, unused_suppression.name)
        words = [
            word for word in suppression.rules or () if any(is_called(word, each.code, each.name) for each in rules())
        ]
        left = [word for word in words if not any(is_called(word, code, name) for code, name in {*known, own})]
        if left or (not suppression.rules and not known):
            joined = ", ".join(left)
            named = Words(f" ({joined})", f"（{joined}）") if left else Words("", "")
            yield Hit(suppression.place, {"rules": left, "named": named})


VALID = (
    """
import torch.nn as nn
def build():
    return nn.Linear(width, 10)  # repro: ignore[CNN110]
""",
    """
import torch.nn as nn
print("# repro: ignore")
def build(width):
    return nn.Linear(width, 10)
""",
    """
# repro: ignore-file[undefined-name]
import torch.nn as nn
def build():
    return nn.Linear(
        width,
        10,
    )
""",
)
INVALID = (
    """
import torch.nn as nn
def build(width):
    return nn.Linear(width, 10)  # repro: ignore[CNN110]  # <- note
""",
    """
import torch.nn as nn
# repro: ignore-file  # <- note
def build(width):
    return nn.Linear(
        width,  # repro: ignore  # <- note
        10,
    )
""",
)
