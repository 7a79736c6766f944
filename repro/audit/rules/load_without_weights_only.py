"""A file is loaded by `torch.load` without `weights_only`.

Such a file is a pickle, and a pickle runs whatever code is in it: before torch 2.6 this was the default. Since 2.6 the
default is `weights_only=True`, and then a whole network that was saved with `torch.save(net, ...)` is refused with an
UnpicklingError. Either way the text does one thing on one version and another on the next. Told once.

Save the `state_dict`, and load it with `weights_only=True` written out; write False only for files of your own.

Limits: it is not known which version of torch the reader has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用 `torch.load` 读文件时没有写 `weights_only`。

这样的文件是 pickle，而 pickle 会执行里面的任何代码：torch 2.6 之前默认就是如此。
从 2.6 起默认是 `weights_only=True`，这时用 `torch.save(net, ...)` 存下的整个网络
会被拒绝，抛出 UnpicklingError。
总之同一段代码在不同版本上行为不同。只报告一次。

应当保存 `state_dict`，读取时写明 `weights_only=True`；
只有自己存的文件才写 False。

局限：不知道读者用的是哪个版本的 torch。
"""


@rule(
    "CNN702",
    Severity.NOTE,
    Confidence.HIGH,
    en="torch.load without weights_only: it runs code of the file before torch 2.6, and may refuse the file since",
    zh="torch.load 没有写 weights_only：torch 2.6 之前会执行文件里的代码，之后可能拒绝读取",
)
def load_without_weights_only(program: Program) -> Iterator[Hit]:
    for node in program.nodes(ast.Call) if "torch.load" in program.text else ():
        named = {keyword.arg for keyword in node.keywords}
        if program.dotted(node.func) == "torch.load" and named.isdisjoint({"weights_only", None}):
            yield Hit(node)
            return


VALID = (
    """
import torch
net.load_state_dict(torch.load("net.pth", weights_only=True))
""",
)
INVALID = (
    """
import torch
net.load_state_dict(torch.load("net.pth"))  # <- note
""",
)
