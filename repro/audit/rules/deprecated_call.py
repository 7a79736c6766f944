"""Something is used that is deprecated, and still works.

torch and torchvision give a warning, or keep an old name for old programs. Since torch 0.4 a tensor needs no `Variable`
around it, `volatile=True` does nothing, and the functions of `nn.init` that change a tensor end in an underscore. The
losses have `reduction=` instead of `size_average=` and `reduce=` since 0.4.1. torchvision's networks take `weights=`
instead of `pretrained=` since 0.13. Each name is told once.

Limits: what is listed here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.library import LOSSES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用到了已经弃用、但目前还能运行的写法。

torch 和 torchvision 会给出警告，或者为旧程序保留旧名字。
从 torch 0.4 起，张量外面不需要再套 `Variable`，`volatile=True` 不起任何作用，
`nn.init` 里会修改张量的函数都以下划线结尾。从 0.4.1 起，损失函数用 `reduction=`
代替 `size_average=` 和 `reduce=`。从 torchvision 0.13 起，网络用 `weights=`
代替 `pretrained=`。每个名字只报告一次。

局限：只查这里列出的内容。
"""

_INIT = (
    "uniform normal constant eye dirac xavier_uniform xavier_normal kaiming_uniform kaiming_normal orthogonal sparse"
)

# Full name -> since when, and what there is in its place.
OLD: dict[str, tuple[str, str]] = {
    **{f"torch.nn.init.{name}": ("torch 0.4", f"{name}_") for name in _INIT.split()},
    "torch.autograd.Variable": ("torch 0.4", "x"),
    "torch.utils.model_zoo.load_url": ("torch 1.1", "torch.hub.load_state_dict_from_url"),
    "torch.nn.functional.upsample": ("torch 0.4.1", "interpolate"),
    "torch.nn.utils.clip_grad_norm": ("torch 0.4", "clip_grad_norm_"),
    "torch.cuda.amp.autocast": ("torch 2.4", "torch.amp.autocast"),
    "torch.cuda.amp.GradScaler": ("torch 2.4", "torch.amp.GradScaler"),
}
_LAST = frozenset(name.rpartition(".")[2] for name in OLD)
_ARGUMENTS = frozenset({"volatile", "pretrained", "size_average", "reduce"})


@rule(
    "CNN704",
    Severity.NOTE,
    Confidence.HIGH,
    en="{name} is deprecated since {since}; use {instead}",
    zh="{name} 从 {since} 起已弃用；应改用 {instead}",
)
def deprecated_call(program: Program) -> Iterator[Hit]:
    told: set[str] = set()
    for node in program.nodes(ast.Call):
        named = {keyword.arg for keyword in node.keywords}
        last = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if last not in _LAST and named.isdisjoint(_ARGUMENTS):
            continue
        for name, (since, instead) in _old(program.dotted(node.func) or "", named).items():
            if name not in told:
                told.add(name)
                yield Hit(node, {"name": name, "since": since, "instead": instead})


def _old(full: str, named: set[str | None]) -> dict[str, tuple[str, str]]:
    """What is old in a call of a function of a library with arguments of these names."""
    last = full.rpartition(".")[2]
    shown = "Variable(x)" if full == "torch.autograd.Variable" else last
    found = {shown: OLD[full]} if full in OLD else {}
    if full == "torch.autograd.Variable" and "volatile" in named:
        found["volatile=True"] = ("torch 0.4", "torch.no_grad()")
    if full.startswith("torchvision.models.") and "pretrained" in named:
        found["pretrained="] = ("torchvision 0.13", "weights=")
    if full.startswith("torch.nn.") and last in LOSSES and named & {"size_average", "reduce"}:
        found["size_average="] = ("torch 0.4.1", "reduction=")
    return found


VALID = (
    """
import torch.nn as nn
from torchvision import models
nn.init.kaiming_normal_(conv.weight)
net = models.resnet18(weights="DEFAULT")
""",
)
INVALID = (
    """
import torch.nn as nn
from torch.autograd import Variable
from torchvision import models
nn.init.kaiming_normal(conv.weight)  # <- note
net = models.resnet18(pretrained=True)  # <- note
x = Variable(images)  # <- note
y = Variable(labels)
""",
)
