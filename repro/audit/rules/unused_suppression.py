"""A comment suppresses a finding that there is not.

`# repro: ignore[...]` says that somebody has looked at a finding and accepts it. When the code has changed and nothing
is found there any more, the comment would hide the next finding, which nobody has looked at. The same holds for
`# repro: ignore-file` below the first statement, which does nothing.

Remove the comment, or the name of the rule from its brackets.

Fix: the names of rules that find nothing are removed from the brackets, and a comment with nothing else; one without
brackets may be about what only `--run` shows.

Limits: a rule that is not selected counts as well; comments in a statement that cannot be read are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Place, Severity, Words
from repro.audit.fixes.edit import Edit
from repro.audit.program import Program
from repro.audit.rule import Hit, rule, rules
from repro.audit.suppression import is_called, suppressions

ZH = """注释屏蔽了并不存在的问题。

`# repro: ignore[...]` 表示有人看过某个问题并且接受它。
代码改过之后，那里已经没有问题，这条注释就会把下一个没人看过的问题藏起来。
把 `# repro: ignore-file` 写在第一条语句之后（那样不起作用），也是一样。

应当删掉这条注释，或从方括号里删掉那条规则。

修复：从方括号里删掉没有发现问题的规则，注释里没有别的内容时整条删掉；
没有方括号的注释，也许针对的是 `--run` 才能发现的问题，不改。

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


_WHOLE = re.compile(r"#\s*repro:\s*ignore(?:-file)?\s*\[(?P<rules>[^\]]*)\]\s*$")


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """Without the names of rules that find nothing, or the whole comment if it has no others, and no words beside.

    One without brackets may be about what only a run shows.
    """
    place, unused = hit.at, hit.values["rules"]
    assert isinstance(place, Place)
    for number, row in enumerate(program.rows, start=1):
        line = program.lines[number - 1] if program.lines is not None else None
        here = (line.cell, line.number) if line else (None, number)
        found = _WHOLE.search(row) if here == (place.cell, place.line) else None
        if found and unused and found.end() - found.start() == place.end_column - place.column:
            kept = [word for word in map(str.strip, found["rules"].split(",")) if word and word not in unused]
            before = len(row[: found.start()].rstrip())
            if kept:
                yield Edit(number, found.start("rules"), found.end("rules"), ", ".join(kept))
            else:
                yield Edit(number, before, len(row), "" if before else None)


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
FIXED = (
    (
        """
import torch.nn as nn
# repro: ignore-file[CNN401]
def build(width):
    return nn.Linear(width, 10)  # repro: ignore[CNN110]
def other():
    return nn.Linear(width, 10)  # repro: ignore[CNN110, CNN401]
def third(width):
    return nn.Linear(width, 10)  # repro: ignore
""",
        """
import torch.nn as nn
def build(width):
    return nn.Linear(width, 10)
def other():
    return nn.Linear(width, 10)  # repro: ignore[CNN110]
def third(width):
    return nn.Linear(width, 10)  # repro: ignore
""",
    ),
)
