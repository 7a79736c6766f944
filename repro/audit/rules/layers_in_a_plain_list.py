"""A network keeps layers in a plain list, tuple or dictionary.

torch finds the parts of a network among its attributes, and does not look into Python's own containers. The layers in
them work when they are called, and are in no other respect part of the network: the optimizer does not get their
parameters, `state_dict` does not save them, `cuda()` does not move them, `eval()` does not reach them.

Use `nn.ModuleList`, `nn.ModuleDict` or `nn.Sequential`. torch's documentation of ModuleList says why.

Limits: layers without parameters are passed over, and lists whose layers are also registered in another way, as by
`add_module` or in a `Sequential`. A network of another class that is hidden in a list is taken for meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.parts import has_weights, modules, parts
from repro.audit.meaning.values import Instance, Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络把层放在普通的列表、元组或字典里。

torch 只在网络的属性里找它的组成部分，不会查看 Python 自己的容器。
放在里面的层可以调用，但除此之外都不算网络的一部分：
优化器拿不到它们的参数，`state_dict` 不保存它们，
`cuda()` 不会移动它们，`eval()` 也影响不到它们。

应当使用 `nn.ModuleList`、`nn.ModuleDict` 或 `nn.Sequential`，
原因见 torch 的 ModuleList 文档。

局限：没有参数的层不作判断；已经用别的方式登记的层也不作判断，
例如用 `add_module`，或放进了 `Sequential`。
把另一个类的网络藏在列表里，视为有意。
"""


@rule(
    "CNN201",
    Severity.BUG,
    Confidence.HIGH,
    en="{network}.{name} is a plain {kind}: its {count} layers are not part of the network; use {instead}",
    zh="{network}.{name} 是普通的 {kind}：其中的 {count} 层不属于网络；应改用 {instead}",
)
def layers_in_a_plain_list(program: Program) -> Iterator[Hit]:
    told: set[int] = set()
    for network in Analysis.of(program).instances():
        held = [(name, value) for name, value in network.attributes.items() if isinstance(value, list | tuple | dict)]
        inside = {name: [each for each in modules(value) if _is_meant(each, network)] for name, value in held}
        if not any(inside.values()):
            continue
        registered = {id(each) for each in parts(network)}
        for name, value in held:
            lost = [each for each in inside[name] if id(each) not in registered]
            at = Attributes.of(program).first_written(network.of, name)
            if lost and at is not None and id(at) not in told:
                told.add(id(at))
                kind = type(value).__name__
                instead = "nn.ModuleDict" if kind == "dict" else "nn.ModuleList"
                evidence = {"network": network.of.name, "name": name, "kind": kind, "count": len(lost)}
                yield Hit(at, {**evidence, "instead": instead})


def _is_meant(part: Instance | Layer, network: Instance) -> bool:
    """Whether a module has parameters and is made for this network, rather than given to it."""
    return has_weights(part) and not any(part is each for each in modules(list(network.arguments.values())))


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, widths=(4, 8)):
        super().__init__()
        self.stages = []
        for i, width in enumerate(widths):
            stage = nn.Linear(width, width)
            self.add_module(f"stage{i}", stage)
            self.stages.append(stage)
        self.heads = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.head = nn.Sequential(*self.heads)
        self.gates = [nn.ReLU(), nn.Sigmoid()]
        self.more = nn.ModuleList([nn.Linear(2, 2)])
    def forward(self, x):
        return self.head(x)
Net()
""",
    """
import torch.nn as nn
class Student(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.teacher = [teacher]
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        return self.fc(x) - self.teacher[0](x)
Student(nn.Linear(2, 2))
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.register_module("first", self.parts[0])
        self.add_module(name="second", module=self.parts[1])
    def forward(self, x):
        return self.parts[1](self.parts[0](x))
Net()
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = [nn.Conv2d(3, 3, 3) for _ in range(4)]  # <- bug
        self.heads = {}  # <- bug
        self.heads["a"] = nn.Linear(3, 2)
    def forward(self, x):
        for conv in self.convs:
            x = conv(x)
        return self.heads["a"](x.mean((2, 3)))
""",
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3)
    def forward(self, x):
        return self.conv(x)
class Net(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.blocks = []  # <- bug
        for _ in range(depth):
            self.blocks.append(Block(8))
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
""",
)
