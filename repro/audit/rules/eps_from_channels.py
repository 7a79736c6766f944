"""A norm is given a number of channels for its `eps`.

The second argument of `BatchNorm2d` is `eps`, the small number that keeps the division from failing, not a second
number of channels: `BatchNorm2d(64, 64)` adds 64 to every variance. The network runs, and the norm hardly does
anything: activations of variance 1 come out with a standard deviation of 0.12.

Limits: an `eps` of at least 1, and one that is written in the same way as the number of channels before it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把通道数传给了归一化层的 `eps`。

`BatchNorm2d` 的第二个参数是 `eps`，即防止除零的小数，而不是又一个通道数：
`BatchNorm2d(64, 64)` 会给每个方差加上 64。网络能运行，
但归一化几乎不起作用：方差为 1 的激活，输出的标准差只有 0.12。

局限：只看不小于 1 的 `eps`，以及与前面的通道数写法相同的 `eps`。
"""

_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "InstanceNorm1d", "InstanceNorm2d")


@rule(
    "CNN214",
    Severity.BUG,
    Confidence.HIGH,
    en="the second argument of {layer} is eps, and {eps} is given for it",
    zh="{layer} 的第二个参数是 eps，这里给的却是 {eps}",
)
def eps_from_channels(program: Program) -> Iterator[Hit]:
    for layer in Analysis.of(program).layers(*_NORMS):
        eps = layer.arguments.get("eps")
        if not isinstance(layer.call, ast.Call):
            continue
        written = layer.call.args[1:2]
        same = (
            bool(written)
            and not isinstance(written[0], ast.Starred)
            and ast.dump(written[0]) == ast.dump(layer.call.args[0])
        )
        large = isinstance(eps, int | float) and not isinstance(eps, bool) and eps >= 1
        if same or large:
            yield Hit(layer.call, {"layer": layer.short, "eps": ast.unparse(written[0]) if written else str(eps)})


VALID = (
    """
import torch.nn as nn
nn.BatchNorm2d(64)
nn.BatchNorm2d(64, 1e-3)
nn.BatchNorm2d(64, eps=0.001, momentum=0.9)
nn.GroupNorm(32, 64)
""",
)
INVALID = (
    """
import torch.nn as nn
def block(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width, width),  # <- bug
        nn.BatchNorm2d(64, 128),  # <- bug
    )
""",
)
