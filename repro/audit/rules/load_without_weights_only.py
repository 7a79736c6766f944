"""A file is loaded by `torch.load` without `weights_only`.

Such a file is a pickle, and a pickle runs whatever code is in it: before torch 2.6 this was the default. Since 2.6 the
default is `weights_only=True`, and then a whole network that was saved with `torch.save(net, ...)` is refused with an
UnpicklingError. Either way the text does one thing on one version and another on the next. Told once.

Save the `state_dict`, and load it with `weights_only=True` written out; write False only for files of your own.

Fix: `weights_only=True` is added where all that the text loads goes straight into `load_state_dict`; it has been the
default since 2.6.

Limits: it is not known which version of torch the reader has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, given
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用 `torch.load` 读文件时没有写 `weights_only`。

这样的文件是 pickle，而 pickle 会执行里面的任何代码：torch 2.6 之前默认就是如此。
从 2.6 起默认是 `weights_only=True`，这时用 `torch.save(net, ...)` 存下的整个网络
会被拒绝，抛出 UnpicklingError。
总之同一段代码在不同版本上行为不同。只报告一次。

应当保存 `state_dict`，读取时写明 `weights_only=True`；
只有自己存的文件才写 False。

修复：文本读取的内容全都直接交给 `load_state_dict` 时，加上 `weights_only=True`；从 2.6 起它就是默认值。

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
    yield from (Hit(node) for node in _loads(program)[:1])


def _loads(program: Program) -> list[ast.Call]:
    """The calls that do not say it."""
    return [
        node
        for node in (program.nodes(ast.Call) if "torch.load" in program.text else ())
        if program.dotted(node.func) == "torch.load"
        and {keyword.arg for keyword in node.keywords}.isdisjoint({"weights_only", None})
    ]


def fix(program: Program, _: Hit) -> Iterator[Edit]:
    """What has been the default since torch 2.6, where all that is loaded goes into `load_state_dict`: weights."""
    calls = [each for each in program.nodes(ast.Call) if getattr(each.func, "attr", "") == "load_state_dict"]
    weights = {id(each.args[0]) for each in calls if each.args}
    if all(id(each) in weights for each in _loads(program)):
        for each in _loads(program):
            yield from given(program, each, "weights_only=True")


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
FIXED = (
    (
        """
import torch
net.load_state_dict(torch.load("net.pth", map_location="cpu"))
head.load_state_dict(torch.load("head.pth"))
""",
        """
import torch
net.load_state_dict(torch.load("net.pth", map_location="cpu", weights_only=True))
head.load_state_dict(torch.load("head.pth", weights_only=True))
""",
    ),
    (
        """
import torch
checkpoint = torch.load("checkpoint.pth")
net.load_state_dict(torch.load("net.pth"))
""",
        """
import torch
checkpoint = torch.load("checkpoint.pth")
net.load_state_dict(torch.load("net.pth"))
""",
    ),
)
