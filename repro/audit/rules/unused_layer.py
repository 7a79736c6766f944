"""A network makes a layer and never uses it.

Mostly another layer was meant to be replaced by it, or is used twice in its place: a second norm or convolution that
the forward forgot. The parameters are counted, saved and never trained; DistributedDataParallel refuses to train such
a network unless told of it. A pool or an activation that is not used has no such cost, and the network still computes
something else than its text says.

Limits: attributes that nothing in the text reads. Nothing is said of a class that derives from one of another text, of
networks that ask for their own children, or of names that are put together at run time (`getattr`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.library import MODULES
from repro.audit.meaning.parts import has_weights
from repro.audit.meaning.values import Class, Instance, Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络建立了一个层，却从来没有用到它。

多半是本来要用它替换另一个层，或者另一个层被用了两次：
例如 forward 里漏掉的第二个归一化层或卷积层。
它的参数会被计数、保存，却从不训练；
DistributedDataParallel 默认也会拒绝训练这样的网络。
没有用到的池化或激活没有这些代价，但网络算的仍与文本所写的不同。

局限：只看文本里没有任何地方读取的属性。继承自其他文本里的类、
遍历自己子模块的网络，以及在运行时拼出名字（`getattr`）的，不作判断。
"""

_WALKS = frozenset({"children", "named_children", "_modules", "get_submodule", "create_feature_extractor"})


@rule(
    "CNN204",
    Severity.RISK,
    Confidence.HIGH,
    en="{network}.{name} ({layer}) is made and never used",
    zh="{network}.{name}（{layer}）建立后从未使用",
)
def unused_layer(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    attributes = Attributes.of(program)
    if _WALKS & attributes.elsewhere:
        return
    made_up = [call.lineno for call in program.nodes(ast.Call) if _reads_any_name(call)]
    analysis = Analysis.of(program)
    kinds = analysis.classes()
    told: set[int] = set()
    for network in analysis.instances():
        kind = network.of
        if id(kind.node) in told:
            continue
        told.add(id(kind.node))
        if not kind.is_known or kind.find("forward") is None:
            continue
        family = [each for each in kinds if any(a is kind for a in each.ancestors)]
        family += [each for each in kind.ancestors if isinstance(each, Class)]
        read = attributes.elsewhere.union(*(attributes.read(each.node) for each in family))
        spans = [range(each.node.lineno, (each.node.end_lineno or 0) + 1) for each in family]
        if _WALKS & read or any(line in span for line in made_up for span in spans):
            continue
        for name, at in attributes.written(kind.node).items():
            value = network.attributes.get(name)
            if name in read or not (isinstance(value, Layer) or (isinstance(value, Instance) and value.of.is_module)):
                continue
            layer = value.short if isinstance(value, Layer) else value.of.name
            yield Hit(at[0], {"network": kind.name, "name": name, "layer": layer}, *_weight(value))


def _reads_any_name(call: ast.Call) -> bool:
    """Whether a call reads an attribute of a network under a name that is put together: `getattr(self, name)`."""
    return isinstance(call.func, ast.Name) and call.func.id == "getattr" and bool(call.args)


def _weight(value: Layer | Instance) -> tuple[Severity, Confidence]:
    """A layer that would change what is computed weighs more than one whose function is at hand everywhere."""
    if has_weights(value):
        return Severity.RISK, Confidence.HIGH
    kind = MODULES[value.short].kind if isinstance(value, Layer) and value.short in MODULES else ""
    return (Severity.RISK, Confidence.MEDIUM) if kind in ("pool", "lrn") else (Severity.NOTE, Confidence.HIGH)


VALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 3)
    def forward(self, x):
        return self.conv(x)
class Normed(Block):
    def forward(self, x):
        return self.norm(self.conv(x))
net = Normed()
net.head.weight
""",
    """
import torch.nn as nn
class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x
""",
)
INVALID = (
    """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3)
        self.bn1 = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 3)
        self.bn2 = nn.BatchNorm2d(3)  # <- risk
        self.relu = nn.ReLU()
        self.drop = nn.Dropout()  # <- note
    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn1(self.conv2(x)))
""",
)
