"""A softmax is not told along which dimension it normalises.

torch then guesses by the number of dimensions: the classes of a matrix, but the *batch* of a tensor of three dimensions
(and of one), with a warning that the choice is deprecated. Write `dim=1`, or `dim=-1`.

Limits: said wherever it stands, used or not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """softmax 没有指明沿哪一维归一化。

这时 torch 按维数去猜：矩阵取类别那一维，三维张量取的却是批次那一维，
并警告这种用法已不推荐。应当写明 `dim=1` 或 `dim=-1`。

局限：不论是否真正用到，写了就报告。
"""

_SOFTMAXES = {
    f"torch.nn.{module}{name}": 0
    for module in ("", "modules.activation.")
    for name in ("Softmax", "LogSoftmax", "Softmin")
} | {f"torch.nn.functional.{name}": 1 for name in ("softmax", "log_softmax", "softmin")}


@rule(
    "CNN307",
    Severity.NOTE,
    Confidence.HIGH,
    en="{softmax} has no dim: torch takes the classes of a matrix, but the batch of three dimensions; write dim=-1",
    zh="{softmax} 没有写 dim：torch 对二维输入取类别那一维，对三维输入取的却是批次；应当写明 dim=-1",
)
def softmax_without_dim(program: Program) -> Iterator[Hit]:
    for call in program.nodes(ast.Call):
        name = program.dotted(call.func) or ""
        if name not in _SOFTMAXES or any(isinstance(each, ast.Starred) for each in call.args):
            continue
        if len(call.args) <= _SOFTMAXES[name] and not any(each.arg in ("dim", None) for each in call.keywords):
            yield Hit(call, {"softmax": name.rpartition(".")[2]})


VALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
head = nn.Sequential(nn.Linear(8, 10), nn.Softmax(1))
p = F.softmax(x, -1) + F.log_softmax(x, dim=1)
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
head = nn.Sequential(
    nn.Linear(8, 10),
    nn.LogSoftmax(),  # <- note
)
p = F.softmax(x)  # <- note
""",
)
