"""A network takes the number of classes, and its last layer has another number written into it.

`Net(num_classes=100)` gives as many outputs as the text was written for, and no error: the loss fails later, or a
`view` does, or classes are silently left out.

Limits: parameters that are named after classes and that no layer is made of, and a last layer that the text shows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.values import Class, Op, Tensor
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络接受类别数，最后一层却写死了另一个数。

`Net(num_classes=100)` 得到的输出个数仍是文本原来写的那个，而且不报错：
之后损失函数会失败，或者 `view` 会失败，或者悄悄漏掉一些类别。

局限：只看以类别命名、并且没有任何层用到的参数；
最后一层必须能在文本中找到。
"""

_CLASSES = re.compile(
    r"(?:num|n|nb|nr)_?(?:class(?:es)?|labels?|categories)|class(?:es)?_?(?:num|count|names?)|classes"
)


@rule(
    "CNN220",
    Severity.BUG,
    Confidence.HIGH,
    en="the last layer of {network} has {outputs} outputs, whatever {parameter} is",
    zh="无论 {parameter} 是多少，{network} 的最后一层都有 {outputs} 个输出",
)
def hard_coded_head(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    for kind in Analysis.of(program).classes():
        for node in kind.node.body:
            if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
                continue
            for parameter in (*node.args.args, *node.args.kwonlyargs):
                if _CLASSES.fullmatch(parameter.arg) and _makes_no_layer(program, kind, parameter.arg):
                    outputs = _outputs(program, kind)
                    if outputs is not None:
                        evidence = {"network": kind.name, "parameter": parameter.arg, "outputs": outputs.value}
                        yield Hit(outputs, evidence)


def _makes_no_layer(program: Program, kind: Class, name: str) -> bool:
    """Whether a parameter is kept at most, and read then only as the width of a `view`."""
    calls = program.nodes(ast.Call)
    views = [node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "reshape")]
    widths = {id(argument) for call in views for argument in call.args}
    kept = {id(node.value) for node in program.nodes(ast.Assign) if isinstance(node.targets[0], ast.Attribute)}
    uses = [node for node in program.nodes(ast.Name) if node.id == name and is_inside(node, kind.node)]
    read = [use for each in _family(program, kind) for use in Attributes.of(program).read(each.node).get(name, [])]
    return all(id(each) in kept for each in uses) and all(id(each) in widths for each in read)


def _family(program: Program, kind: Class) -> Iterator[Class]:
    """The classes that an instance of a class, or of one that derives from it, may also be of."""
    for other in Analysis.of(program).classes():
        classes = [each for each in other.ancestors if isinstance(each, Class)]
        if any(each.node is kind.node for each in classes):
            yield from classes


def _outputs(program: Program, kind: Class) -> ast.Constant | None:
    """The number of outputs that is written into the last layer of a network."""
    for network, value in Analysis.of(program).returned():
        first = value[0] if isinstance(value, tuple) and value else value
        op: Op | None = first.op if network.of is kind and isinstance(first, Tensor) else None
        while op is not None and op.kind not in ("linear", "conv"):
            op = op.inputs[0] if op.inputs else None
        call = op.layer.call if op is not None and op.layer is not None else None
        if isinstance(call, ast.Call) and is_inside(call, kind.node):
            named = [each.value for each in call.keywords if each.arg in ("out_features", "out_channels")]
            written = [*named, *call.args[1:2]]
            if written and isinstance(written[0], ast.Constant):
                return written[0]
    return None


VALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.num_classes = num_classes
        self.fc = nn.Linear(512, num_classes)
    def forward(self, x):
        return self.fc(x).view(-1, self.num_classes)
class Hidden(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = [512, num_classes]
        self.fc = nn.Linear(512, 10)
        self.head = nn.Linear(*self.layers)
    def forward(self, x):
        return self.fc(x)
""",
    """
import torch.nn as nn
class Headless(nn.Module):
    def make_head(self):
        self.fc = nn.Linear(512, self.num_classes)
class Net(Headless):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.fc = nn.Linear(512, 1000)
        if num_classes != 1000:
            self.make_head()
    def forward(self, x):
        return self.fc(x)
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, class_num=10):
        super().__init__()
        self.fc = nn.Linear(
            512,
            100,  # <- bug
        )
    def forward(self, x):
        return self.fc(x)
""",
    """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.conv = nn.Conv2d(3, 10, 1)  # <- bug
        self.pool = nn.AdaptiveAvgPool2d(1)
    def forward(self, x):
        logits = self.pool(self.conv(x)).view(x.size(0), self.num_classes)
        return logits, logits.softmax(1)
""",
)
