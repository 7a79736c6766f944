"""An activation is applied to the result of the same activation.

ReLU of ReLU is ReLU: the second does nothing, and often stands where another layer was meant. A softmax of a softmax is
no softmax: of ten classes the largest probability can be 0.23.

Limits: found in what `forward` really does, across modules; two different activations in a row are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import flow
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """对激活函数的结果又用了一次同样的激活函数。

ReLU 的 ReLU 还是 ReLU：第二个什么也没做，那个位置往往本该是别的层。
softmax 的 softmax 则不再是 softmax：十个类别时，最大的概率只能到 0.23。

局限：按 `forward` 真正做的事来看，跨模块也算；两个不同的激活相接不报告。
"""

_UNCHANGED = ("identity", "dropout", "view", "flatten")


@rule(
    "CNN406",
    Severity.NOTE,
    Confidence.HIGH,
    en="{name} is applied to the result of the {name} of {line}",
    zh="对{line} {name} 的结果又用了一次 {name}",
)
def doubled_activation(program: Program) -> Iterator[Hit]:
    for op in Analysis.of(program).ops("activation", "softmax"):
        given = next((each for each in flow.before(op, _UNCHANGED) if each.kind not in _UNCHANGED), None)
        if given is None or given.kind != op.kind or given.name.lower().strip("_") != op.name.lower().strip("_"):
            continue
        if op.kind == "softmax" or op.name.lower().strip("_") in ("relu", "relu6"):
            values = {"name": op.name, "line": program.place(flow.written(given))}
            yield Hit(flow.written(op), values, Severity.BUG if op.kind == "softmax" else None)


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
net(x)
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(8, 10), nn.Softmax(dim=1))
    def forward(self, x):
        x = F.relu(self.fc(x))  # <- note
        return F.softmax(self.head(x), dim=1)  # <- bug
""",
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Linear(8, 8),
    nn.ReLU(),
    nn.ReLU(),  # <- note
)
net(x)
""",
)
