"""A statement cannot be read as Python.

Nothing of the file runs then, however small the place is. The message is Python's own; where the statement was right in
an earlier Python, that is said too: `print x` before 3.0, and `async` and `await` as ordinary names before 3.7.

Limits: one statement is told for each piece of code. It is read by the Python that runs the audit, which does not know
the syntax of a later one. In a text that was copied, what is broken may be the copy and not the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """这条语句无法按 Python 解析。

哪怕只有一处，整个文件也不能运行。提示就是 Python 自己的报错；
如果它在旧版本里合法，也会说明：3.0 之前的 `print x`，
以及 3.7 之前可以当普通名字用的 `async` 和 `await`。

局限：每段代码只报告一条语句。解析用的是运行审计的那个 Python，
它不认识更新版本的语法。如果文字是复制来的，
坏掉的可能是副本，而不是原来的程序。
"""

# What was Python once -> the version that no longer reads it.
_OLD = {
    re.compile(r"^\s*(?:print|exec)\b(?!\s*[(.,=])|\bexcept\s+[\w.]+\s*,\s*\w+\s*:|\braise\s+\w+\s*,"): " 3",
    re.compile(r"<>|\b0\d+[lL]?\b|\b[1-9]\d*[lL]\b|\bur['\"]"): " 3",
    re.compile(r"\b(?:async|await)\s*="): " 3.7",
}


@rule(
    "CNN101",
    Severity.BUG,
    Confidence.HIGH,
    en="this cannot be read as Python{version}: {message}",
    zh="这里无法按 Python{version} 解析：{message}",
)
def syntax_error(program: Program) -> Iterator[Hit]:
    severity, confidence = (None, None) if program.whole else (Severity.RISK, Confidence.MEDIUM)
    for broken in program.broken:
        version = next((version for old, version in _OLD.items() if old.search(broken.text)), "")
        yield Hit(broken.place, {"message": broken.message, "version": version}, severity, confidence)


VALID = (
    """
import torch
print(torch.__version__, end="")
""",
    """
import torch
async def fetch(session):
    await session.get(torch.hub.get_dir())
""",
)
INVALID = (
    """
import torch
net = torch.nn.Linear(2, 2)
print "ready"  # <- bug
""",
    """
import torch
def move(target):
    return target.cuda(async=True)  # <- bug
""",
    """
import torch.nn as nn
class Net(nn.Module)  # <- bug
    pass
""",
)
