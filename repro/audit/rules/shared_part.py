"""A network takes a layer that was made outside of it, once, at the top of the program.

All instances of the class share that layer then, and train the same weights: a second network begins where the first
one ended, and comparing the two compares nothing.

Make the layer in `__init__`, or give it to `__init__` as an argument.

Limits: layers with parameters that `__init__` reads under the name that the top of the program gave them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.parts import has_weights
from repro.audit.meaning.values import Class, Instance, Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络使用了在它外面、程序顶层只建立一次的层。

这个类的所有实例因此共用这个层，训练的是同一份权重：
第二个网络从第一个网络结束的地方开始，比较两者也就没有意义。

应当在 `__init__` 里建立这个层，或把它作为参数传给 `__init__`。

局限：只看带参数的层，并且 `__init__` 用的就是程序顶层给它的名字。
"""


@rule(
    "CNN218",
    Severity.RISK,
    Confidence.HIGH,
    en="all instances of {network} share the weights of {name}, which is made outside of the class",
    zh="{network} 的所有实例共用 {name} 的权重，它是在类的外面建立的",
)
def shared_part(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    for kind in analysis.classes():
        for assignment, attribute, name in _kept(kind):
            made = next((each for each in analysis.instances() if each.of is kind), None)
            value = made.attributes.get(attribute) if made is not None else None
            if name in program.bound and isinstance(value, Layer | Instance) and has_weights(value):
                yield Hit(assignment, {"network": kind.name, "name": name})


def _kept(kind: Class) -> Iterator[tuple[ast.Assign, str, str]]:
    """The assignments of `__init__` that keep what a name outside of it stands for, as in `self.net = net`."""
    for node in kind.node.body:
        if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
            continue
        own = {each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=attribute)], value=ast.Name(name)):
                    if name not in own and not _binds(node, name):
                        yield statement, attribute, name


def _binds(function: ast.FunctionDef, name: str) -> bool:
    names = (node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name)
    return any(isinstance(node.ctx, ast.Store) for node in names)


VALID = (
    """
import torch.nn as nn
relu = nn.ReLU()
backbone = nn.Linear(2, 2)
class Net(nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.relu = relu
    def forward(self, x):
        return self.relu(self.backbone(x))
Net(backbone)
""",
)
INVALID = (
    """
import torch.nn as nn
features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = features  # <- risk
    def forward(self, x):
        return self.features(x)
first, second = Net(), Net()
""",
)
