"""A network is named after a depth that it does not have.

VGG-13 and ResNet-152 say how many layers with weights there are on the way from the image to the classes. Where the
lists of blocks were copied from a neighbour, the name says one depth and the layers say another: whoever compares two
depths compares a network with itself, and published weights do not fit.

VGG's columns are in Table 1 of its paper (8, 10, 13 and 16 convolutions), ResNet's in Table 1 and section 4.2 of its
own (18, 34, 50, 101, 152; for CIFAR 6n+2). Shortcuts are not counted.

Limits: said where what is built is one of the papers' other depths, or where other makers of the same class have
exactly the depth of their names. A depth that a class called ResNet is given as an argument counts like a name; where
what is built is none of the papers' depths, that is a risk.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Class, Instance, Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络的名字里写着一个深度，实际搭出来的却不是。

VGG-13、ResNet-152 里的数字，是从图像到类别一路上带权重的层数。
各阶段的列表若是从相邻的型号抄来忘了改，名字是一个深度，层数是另一个：
比较两种深度，其实是拿同一个网络和自己比，公开的权重也装不进去。

VGG 各列见其论文表 1（8、10、13、16 个卷积）；
ResNet 见其论文表 1 和 4.2 节（18、34、50、101、152；CIFAR 上为 6n+2）。
捷径分支不计入。

局限：只有搭出来的是论文里的另一个深度，
或者同一个类的其他型号都名副其实时，才报告。
名为 ResNet 的类由参数得到的深度，与写在名字里的一样看待；
搭出来的不是论文里的任何一种时，算风险。
"""

VGG_CONVOLUTIONS = {11: 8, 13: 10, 16: 13, 19: 16}  # vgg.A.config, vgg.B.config, vgg.D.config, vgg.E.config
RESNET_DEPTHS = frozenset({18, 34, 50, 101, 152, 20, 32, 44, 56, 110})  # resnet.t1.*.depth, resnet.cifar.*.n
_DEEPEST = 200  # a loop over more blocks is not followed to its end

_NAME = re.compile(
    r"(?:build|get|create|make|my)?_?(?:pre_?act_?)?(vgg|resnet|resnext)[-_]?(\d{1,4})(?:_?(?:bn|gn|net|model|cifar\d*|mnist|\d+x\d+d))*",
    re.IGNORECASE,
)

_CALLED = re.compile(r"(?:pre_?act_?|pre)?res_?ne(?:x)?t", re.IGNORECASE)


class _Built(NamedTuple):
    """A network, the depth that its name says, and the one that it has, counted in the same layers."""

    name: str
    network: Instance
    at: ast.AST
    named: int
    expected: int
    actual: int
    is_asked: bool = False  # whether the depth is not in its name, but an argument

    @property
    def is_vgg(self) -> bool:
        return "vgg" in self.name.lower()

    @property
    def other(self) -> int | None:
        """The depth of the papers that it has instead."""
        if not self.is_vgg:
            return self.actual if self.actual in RESNET_DEPTHS else None
        return next((depth for depth, convolutions in VGG_CONVOLUTIONS.items() if convolutions == self.actual), None)


@rule(
    "CNN501",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} builds {actual} {layers}; a depth of {named} has {expected}",
    zh="{name} 搭出来的是 {actual} 个{layers}，而深度 {named} 应当有 {expected} 个",
)
def name_against_depth(program: Program) -> Iterator[Hit]:
    built = list(_built(program))
    for each in built:
        if each.actual == each.expected:
            continue
        sisters = [other for other in built if other.network.of is each.network.of and other.actual == other.expected]
        known = each.other is not None or bool(sisters)
        if not known and not each.is_asked:
            continue
        yield Hit(
            each.at,
            {
                "name": each.name,
                "named": each.named,
                "expected": each.expected,
                "actual": each.actual,
                "other": each.other,
                "layers": Words("convolutions", "卷积层") if each.is_vgg else Words("layers", "带权重的层"),
            },
            *(() if known else (Severity.RISK, Confidence.MEDIUM)),
        )


def _built(program: Program) -> Iterator[_Built]:
    analysis = None
    makers: list[ast.FunctionDef | ast.ClassDef] = [*program.nodes(ast.FunctionDef), *program.nodes(ast.ClassDef)]
    for node in makers:
        match = _NAME.fullmatch(node.name)
        if match is None or int(match[2]) > _DEEPEST:
            continue
        analysis = analysis or Analysis.of(program)
        network = analysis.made_by(node.name) if isinstance(node, ast.FunctionDef) else _made(analysis, node)
        if not isinstance(network, Instance) or not network.of.is_module:
            continue
        depth, vgg = int(match[2]), match[1].lower() == "vgg"
        expected = VGG_CONVOLUTIONS.get(depth) if vgg else depth
        actual = _longest(analysis.trace(network), ("conv",) if vgg else ("conv", "linear"))
        if expected is not None and actual > 1:
            at = network.call if isinstance(node, ast.FunctionDef) and network.call is not None else node
            yield _Built(node.name, network, at, depth, expected, actual)
    yield from _asked(program)


def _asked(program: Program) -> Iterator[_Built]:
    """The networks of a class called ResNet that are made with a depth of the papers."""
    if not any(_CALLED.fullmatch(node.name) for node in program.nodes(ast.ClassDef)):
        return
    analysis = Analysis.of(program)
    told: set[int] = set()
    for network in list(analysis.instances()):
        depth, call = network.arguments.get("depth"), network.call
        if not _CALLED.fullmatch(network.of.name) or depth not in RESNET_DEPTHS or call is None or id(call) in told:
            continue
        told.add(id(call))
        actual = _longest(analysis.trace(network), ("conv", "linear"))
        if actual > 1:
            yield _Built(network.of.name, network, call, depth, depth, actual, is_asked=True)


def _made(analysis: Analysis, node: ast.ClassDef) -> Instance | None:
    """One network of a class that its own text makes complete, without blocks that are handed to it."""
    made = (each for run in analysis.runs for each in run.made if isinstance(each, Instance) and each.of.node is node)
    return next((each for each in made if not any(isinstance(x, Class) for x in each.arguments.values())), None)


def _longest(ops: Sequence[Op], kinds: tuple[str, ...]) -> int:
    """How many operations of some kinds there are on the way that has the most of them."""
    found: dict[Op, int] = {}
    for op in ops:
        found[op] = (op.kind in kinds) + max((found.get(given, 0) for given in op.inputs), default=0)
    return max(found.values(), default=0)


_VGG = """
import torch.nn as nn
class VGG(nn.Module):
    def __init__(self, counts):
        super().__init__()
        layers, width = [], 3
        for out, count in zip((64, 128, 256, 512, 512), counts):
            for _ in range(count):
                layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU()]
                width = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
    def forward(self, x):
        return self.features(x)
"""
_RESNET = """
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, stride, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1))
        self.shortcut = nn.Conv2d(width, width, 1, stride)
    def forward(self, x):
        return (self.body(x) + self.shortcut(x)).relu()
class ResNet(nn.Module):
    def __init__(self, block, counts):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3)
        stages = []
        for stage, count in enumerate(counts):
            stages += [block(64, 1 + (stage > 0 and i == 0)) for i in range(count)]
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(64, 1000)
    def forward(self, x):
        return self.fc(self.stages(self.stem(x)).mean((2, 3)))
"""
_OF_DEPTH = """
import torch.nn as nn
class ResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        counts = {{18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}}[depth]
        layers = [nn.Conv2d(3, 8, 3)]
        for count in counts[:{stages}]:
            layers += [nn.Conv2d(8, 8, 3, padding=1) for _ in range(2 * count)]
        self.features, self.fc = nn.Sequential(*layers), nn.Linear(8, 10)
    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))
"""
VALID = (
    f"{_VGG}def vgg13(): return VGG([2, 2, 2, 2, 2])\ndef vgg16_bn(): return VGG([2, 2, 3, 3, 3])\n",
    f"{_RESNET}def resnet18(): return ResNet(Block, [2, 2, 2, 2])\n"
    "def resnet34(): return ResNet(Block, [3, 4, 6, 3])\n",
    f"{_RESNET}def resnet10(): return ResNet(Block, [1, 1, 1])\n",
    f"{_OF_DEPTH.format(stages=4)}net = ResNet(18)\n",
)
INVALID = (
    f"{_VGG}def VGG_11(): return VGG([1, 1, 2, 2, 2])\ndef VGG_13(): return VGG([1, 1, 2, 2, 2])  # <- bug\n",
    f"{_RESNET}def resnet18(): return ResNet(Block, [2, 2, 2, 2])\n"
    "def resnet34():\n    return ResNet(Block, [3, 4, 8, 3])  # <- bug\n",
    f"{_OF_DEPTH.format(stages=3)}net = ResNet(18)  # <- risk\n",
)
