"""`forward` requires a second argument, and only a size is made of it.

A network is called as `net(images)`, by `nn.Sequential`, by `torchsummary`, by every training loop. One whose `forward`
must also be told the number of features raises TypeError there. The size is known when the network is made, and
`torch.flatten(x, 1)` needs none.

Limits: parameters without a default that are used for the width of rows only, as in `x.view(-1, features)`; a second
image, a mask, or the height and width that a list of patches has, are inputs like the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`forward` 要求第二个参数，却只用它来算大小。

网络的调用方式是 `net(images)`：`nn.Sequential`、`torchsummary`
和所有训练循环都这样调用。如果 `forward` 还要别人告诉它特征数，
这些地方就会抛出 TypeError。这个大小在建立网络时就知道，
而且 `torch.flatten(x, 1)` 根本不需要它。

局限：只看没有默认值、并且只用作行宽的参数，如 `x.view(-1, features)`；
第二张图、掩码，以及一串图块的高和宽，都和第一个一样是输入。
"""


@rule(
    "CNN217",
    Severity.RISK,
    Confidence.HIGH,
    en="{network}.forward requires {parameter}, a constant, so that net(x) fails",
    zh="{network}.forward 要求传入常量 {parameter}，因此 net(x) 会失败",
)
def extra_forward_argument(program: Program) -> Iterator[Hit]:
    for kind in Analysis.of(program).classes():
        forward = next((n for n in kind.node.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None)
        required = forward.args.args[2 : len(forward.args.args) - len(forward.args.defaults)] if forward else []
        if forward is None or not required or forward.decorator_list:
            continue
        inside = list(ast.walk(forward))
        sizes = {id(call.args[1]) for call in inside if isinstance(call, ast.Call) and _makes_rows(call)}
        for parameter in required:
            reads = [node for node in inside if isinstance(node, ast.Name) and node.id == parameter.arg]
            if reads and all(id(each) in sizes for each in reads):
                yield Hit(parameter, {"network": kind.name, "parameter": parameter.arg})


def _makes_rows(call: ast.Call) -> bool:
    """Whether a call makes rows of a size that it is given: `x.view(-1, size)`."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("view", "reshape") and len(call.args) == 2


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x, mask, features=400):
        return (x * mask).view(-1, features)
class Patches(nn.Module):
    def forward(self, x, height, width):
        return x.view(x.size(0), -1, height, width)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.fc = nn.Linear(features, 10)
    def forward(self, x, features):  # <- risk
        return self.fc(x.view(-1, features))
""",
)
