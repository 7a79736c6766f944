"""A network has layers and no `forward`.

Calling it raises NotImplementedError. The usual reasons: the method was left out, or it is indented so that it is not
in the class, but a function beside it or inside of `__init__`.

Limits: classes that derive from `nn.Module` directly or through classes of the same text, and that no other class there
derives from. Where nothing in the text calls the network, it is a risk, and passed over if it has other methods.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.parts import modules
from repro.audit.meaning.values import Instance
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """网络有层，却没有 `forward`。

调用它会抛出 NotImplementedError。常见原因：漏写了这个方法；
或者缩进不对，它不在类里，而成了旁边的函数或 `__init__` 里面的函数。

局限：只看直接或经由同一文本中的类继承自 `nn.Module`、
并且没有被其他类继承的类。如果文本里没有调用这个网络，只算风险；
它若还有别的方法，就不作判断。
"""


@rule(
    "CNN203",
    Severity.RISK,
    Confidence.MEDIUM,
    en="{network} has layers and no forward; calling it fails",
    zh="{network} 有层但没有 forward，调用时会失败",
)
def missing_forward(program: Program) -> Iterator[Hit]:
    if program.broken:  # what is left out may have it
        return
    analysis = Analysis.of(program)
    kinds = analysis.classes()
    inherited = {id(base) for kind in kinds for base in kind.bases}
    called = {id(what.of) for _, what in analysis.calls() if isinstance(what, Instance)}
    for kind in kinds:
        if id(kind) in inherited or not kind.is_known or kind.find("forward") or kind.find("__call__"):
            continue
        if Attributes.of(program).first_written(kind, "forward") is not None:  # chosen when the network is made
            continue
        made = [each for each in analysis.instances() if each.of is kind]
        certain = id(kind) in called or _has_it_elsewhere(program, kind.node)
        holds = any(isinstance(node, ast.FunctionDef) and node.name != "__init__" for node in kind.node.body)
        if holds and not certain:
            continue  # it may be there to hold its parts, as those of a GAN
        if any(True for each in made for _ in modules(list(each.attributes.values()))):
            yield Hit(kind.node, {"network": kind.name}, *((Severity.BUG, Confidence.HIGH) if certain else ()))


def _has_it_elsewhere(program: Program, kind: ast.ClassDef) -> bool:
    """Whether a function `forward` with `self` stands in one of the methods of a class, or below it at the top."""
    last = kind.end_lineno or kind.lineno
    below = next((node for node in program.tree.body if node.lineno > last), None)
    found = [each for each in program.nodes(ast.FunctionDef) if each.name == "forward" and each.args.args]
    inside = [each for each in found if kind.lineno < each.lineno <= last]
    return any(each.args.args[0].arg == "self" and (each in inside or each is below) for each in found)


VALID = (
    """
import torch.nn as nn
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
class Net(Base):
    def forward(self, x):
        return self.fc(x)
class Two(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 2))
        self.norm = nn.BatchNorm1d(2)
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.maker = nn.Linear(2, 2)
    def made(self, x):
        return self.maker(x)
class Either(nn.Module):
    def __init__(self, fast):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.forward = self.fc.forward if fast else self.slow
    def slow(self, x):
        return self.fc(x)
Net()
Two()
""",
)
INVALID = (
    """
import torch.nn as nn
class Net(nn.Module):  # <- bug
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        def forward(self, x):
            return self.fc(x)
print(Net()(images))
""",
    """
import torch.nn as nn
class Net(nn.Module):  # <- risk
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
""",
)
