"""A module of torch is made with arguments that it does not take.

The line raises TypeError: `AdaptiveAvgPool2d(7, 7)` has one argument too many, since its size is one number or a pair;
a misspelt keyword fails likewise, and so does `Linear(10)`, which lacks a number.

Fix: the sizes of an adaptive pool are put in brackets, where there is one for each side.

Limits: the modules of torch.nn that networks are made of, as torch 2 has them. Calls with `*args` or `**kwargs` are
passed over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit
from repro.audit.meaning.binding import Misfit, misfit
from repro.audit.meaning.library import MODULES, Signature
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """建立 torch 的模块时，给的参数它并不接受。

这一行会抛出 TypeError：`AdaptiveAvgPool2d(7, 7)` 多了一个参数，
因为它的大小是一个数或一个二元组；拼错的关键字也会失败；
`Linear(10)` 则少了一个数。

修复：自适应池化的每一边都给了大小时，用括号把它们括起来。

局限：只看构成网络的 torch.nn 模块，以 torch 2 为准。
带 `*args` 或 `**kwargs` 的调用不作判断。
"""


@rule(
    "CNN215",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} {why}; its signature is ({parameters})",
    zh="{layer} {why}；它的参数是 {parameters}",
)
def module_arguments(program: Program) -> Iterator[Hit]:
    for call in program.nodes(ast.Call):
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name not in MODULES or name == "Identity" or program.dotted(function) != f"torch.nn.{name}":
            continue
        found = _misfit(call, MODULES[name])
        if found is not None:
            every = ", ".join(MODULES[name].parameters)
            yield Hit(call, {"layer": name, "why": found.why, "wrong": found.parameters, "parameters": every})


def _misfit(call: ast.Call, signature: Signature) -> Misfit | None:
    if any(isinstance(each, ast.Starred) for each in call.args):
        return None
    required = signature.parameters[: signature.required]
    return misfit(signature.parameters, required, len(call.args), [each.arg for each in call.keywords])


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The sizes of an adaptive pool as a pair, where there is one for each side: as it stands it raises TypeError."""
    call, name = hit.at, hit.values["layer"]
    assert isinstance(call, ast.Call)
    if name.startswith("Adaptive") and name.endswith(f"{len(call.args)}d") and not call.keywords:
        row = program.rows[call.lineno - 1]
        start, end = program.columns(call.args[0])[0], program.columns(call.args[-1])[1]
        if call.lineno == call.end_lineno and row[program.columns(call.func)[1] : start].strip() == "(":
            yield Edit(call.lineno, start, end, f"({row[start:end]})")


VALID = (
    """
import torch.nn as nn
nn.AdaptiveAvgPool2d((7, 7))
nn.Conv2d(3, 8, kernel_size=3, padding="same")
nn.Linear(2, 2, False)
nn.Identity(3, width=4)
nn.Conv2d(*sizes)
nn.ReLU(True)
""",
)
INVALID = (
    """
import torch.nn as nn
nn.AdaptiveAvgPool2d(7, 7)  # <- bug
nn.Conv2d(3, 8, kernal_size=3)  # <- bug
nn.Linear(10)  # <- bug
nn.Flatten(2)
nn.Linear(2, 2, in_features=2)  # <- bug
""",
)
FIXED = (
    (
        """
import torch.nn as nn
pool = nn.AdaptiveAvgPool2d(7, 7)
""",
        """
import torch.nn as nn
pool = nn.AdaptiveAvgPool2d((7, 7))
""",
    ),
)
