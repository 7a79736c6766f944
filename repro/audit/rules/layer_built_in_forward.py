"""A layer with weights is made in `forward`.

It has new random weights each time the network is called: nothing of it is trained, saved or moved to the GPU, and two
calls with the same images give different results.

Make it in `__init__`. A layer that is set as an attribute once, in the first call, works better, and is still unknown
to an optimizer that was made before; it is a risk.

Limits: layers of torch.nn with parameters that a method `forward` makes itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.parts import has_weights
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """在 `forward` 里建立了带权重的层。

每次调用网络，它都有一组新的随机权重：不会被训练、保存，
也不会移到 GPU 上；同样的图片调用两次，结果也不同。

应当在 `__init__` 里建立。如果只在第一次调用时设为属性，会好一些，
但事先建立的优化器仍然不知道它，因此算风险。

局限：只看由 `forward` 方法自己建立的、带参数的 torch.nn 层。
"""


@rule(
    "CNN208",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} is made in {network}.forward: it has new weights in each call and is never trained",
    zh="在 {network}.forward 里建立了 {layer}：每次调用都是新的权重，永远不会被训练",
)
def layer_built_in_forward(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    forwards = [
        (kind.name, node)
        for kind in analysis.classes()
        for node in kind.node.body
        if isinstance(node, ast.FunctionDef) and node.name == "forward"
    ]
    for layer in analysis.layers():
        call = layer.call
        if not isinstance(call, ast.Call) or layer.items or not has_weights(layer):
            continue
        for network, forward in forwards:
            if is_inside(call, forward):
                stores = (n for n in ast.walk(forward) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
                kept = any(node.lineno <= call.lineno for node in stores)
                yield Hit(call, {"layer": layer.short, "network": network}, Severity.RISK if kept else None)


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        return nn.ReLU()(self.fc(x))
Net()(images)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def forward(self, x):
        x = nn.Conv2d(3, 8, 3)(x)  # <- bug
        return nn.Sequential(
            nn.BatchNorm2d(8),  # <- bug
            nn.ReLU(),
        )(x)
Net()(images)
""",
)
