"""All weights of the layers are initialised to one constant.

The channels of a layer that begin alike get the same gradient, and stay alike for ever: the layer has one channel, many
times. With 0 nothing is learned but the last bias; as some layers begin at zero on purpose, that is told as a risk.
Biases, and the scale of a normalisation, may well begin at a constant.

Draw the weights at random, by `kaiming_normal_` or as torch does without being asked.

Limits: only an initialisation by a condition on the class of the layer is judged; a linear layer only if the network
has several, since the last one alone may begin at zero.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """所有权重都初始化成了同一个常数。

同一层里起点相同的通道得到的梯度也相同，永远都一样：
这一层等于只有一个通道。常数为 0 时，能学到的只有最后一层的偏置；
不过有些层是有意从零开始的，所以只算作风险。
偏置和归一化层的缩放系数可以从常数开始。

应当随机初始化权重，例如用 `kaiming_normal_`，或者沿用 torch 的默认初始化。

局限：只判断按层的类型做的初始化；线性层要网络里有好几个才报告，
因为单独的最后一层可以从零开始。
"""

_FILLING = frozenset({"constant_", "constant", "zeros_", "ones_"})
_FILLS = frozenset({"fill_", "zero_"})
_UNITS = frozenset({"Conv1d", "Conv2d", "Conv3d", "Linear", "ConvTranspose2d"})


@rule(
    "CNN712",
    Severity.BUG,
    Confidence.HIGH,
    en="every {layer} begins with all weights alike, so its channels stay alike; draw them at random",
    zh="每个 {layer} 的权重都从同一个常数开始，各通道会一直相同；应当随机初始化",
)
def constant_weights(program: Program) -> Iterator[Hit]:
    for node in program.nodes(ast.If):
        name, kinds = _classes(program, node.test)
        if not kinds or not kinds <= _UNITS:
            continue
        if kinds == {"Linear"} and len(list(Analysis.of(program).layers("Linear"))) < 2:
            continue
        for statement in node.body:
            call = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(call, ast.Call) and _weights_made_alike(program, call) == f"{name}.weight":
                severity = Severity.RISK if _is_zero(call) else None
                yield Hit(call, {"layer": " / ".join(sorted(kinds))}, severity)


def _classes(program: Program, test: ast.expr) -> tuple[str, set[str]]:
    """The name and the classes that `isinstance` asks of it in a condition."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
            every = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
            return name, {(program.dotted(each) or "?").rpartition(".")[2] for each in every}
    return "", set()


def _weights_made_alike(program: Program, call: ast.Call) -> str:
    """What a call fills with a constant, as it is written, without `.data`."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    if call.func.attr in _FILLS:
        filled: ast.expr = call.func.value
    elif call.func.attr in _FILLING and (program.dotted(call.func) or "").startswith("torch.nn.init.") and call.args:
        filled = call.args[0]
    else:
        return ""
    return ast.unparse(filled).removesuffix(".data")


def _is_zero(call: ast.Call) -> bool:
    """Whether the constant of a call that fills is 0."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("zero_", "zeros_"):
        return True
    numbers = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(each, ast.Constant) and each.value == 0 for each in numbers)


VALID = (
    """
import torch.nn as nn
for m in net.modules():
    if isinstance(m, nn.Conv2d):
        nn.init.kaiming_normal_(m.weight)
        nn.init.constant_(m.bias, 0)
    elif isinstance(m, nn.BatchNorm2d):
        m.weight.data.fill_(1)
        m.bias.data.zero_()
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.weight)  # the last layer may begin at zero
""",
)
INVALID = (
    """
import torch.nn as nn
for m in net.modules():
    if isinstance(m, nn.Conv2d):
        nn.init.constant_(m.weight, 0.01)  # <- bug
        nn.init.constant_(m.bias, 0)
""",
    """
import torch.nn as nn
def reset(layer):
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        layer.weight.data.fill_(1)  # <- bug
""",
)
