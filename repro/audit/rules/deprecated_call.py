"""Something is used that is deprecated, and still works.

torch and torchvision give a warning, or keep an old name for old programs. Since torch 0.4 a tensor needs no `Variable`
around it, `volatile=True` does nothing, and the functions of `nn.init` that change a tensor end in an underscore. The
losses have `reduction=` instead of `size_average=` and `reduce=` since 0.4.1. torchvision's networks take `weights=`
instead of `pretrained=` since 0.13. Each name is told once.

Fix: the functions of `nn.init`, `clip_grad_norm` and `upsample` get the names that they pass their arguments on to, and
a flag `size_average` that is written out the reduction that it stands for.

Limits: what is listed here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, renamed
from repro.audit.meaning.library import LOSSES
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用到了已经弃用、但目前还能运行的写法。

torch 和 torchvision 会给出警告，或者为旧程序保留旧名字。
从 torch 0.4 起，张量外面不需要再套 `Variable`，`volatile=True` 不起任何作用，
`nn.init` 里会修改张量的函数都以下划线结尾。从 0.4.1 起，损失函数用 `reduction=`
代替 `size_average=` 和 `reduce=`。从 torchvision 0.13 起，网络用 `weights=`
代替 `pretrained=`。每个名字只报告一次。

修复：`nn.init` 的函数、`clip_grad_norm` 和 `upsample` 换成它们实际转调的名字；
直接写出的 `size_average` 换成它所代表的 `reduction`。

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
# Those that only pass their arguments on, in torch 2 -> the name in the same module that they pass them to.
_SAME = {
    **{f"torch.nn.init.{name}": f"{name}_" for name in _INIT.split()},
    "torch.nn.functional.upsample": "interpolate",
    "torch.nn.utils.clip_grad_norm": "clip_grad_norm_",
}
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


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The name that an old one passes its arguments on to, and the reduction that a flag stands for, everywhere.

    The rest is left: `Variable` also cuts a tensor from its graph, and other versions do not have the others.
    """
    assert isinstance(hit.at, ast.Call)
    full = program.dotted(hit.at.func) or ""
    if hit.values["name"] == "size_average=":
        yield from _reductions(program)
    elif full in _SAME and full.endswith(f".{hit.values['name']}"):
        for each in program.nodes(ast.Attribute):
            if each.attr == full.rpartition(".")[2] and program.dotted(each) == full:
                yield from renamed(program, each, _SAME[full])


def _reductions(program: Program) -> Iterator[Edit]:
    """As torch itself translates the flag, where it is written out and alone."""
    for call in program.nodes(ast.Call):
        given = {each.arg: each for each in call.keywords}
        flag = given.get("size_average")
        if flag is None or "size_average=" not in _old(program.dotted(call.func) or "", set(given)):
            continue
        value = getattr(flag.value, "value", None)
        if isinstance(value, bool) and given.keys().isdisjoint({"reduce", "reduction", None}):
            start, end = program.columns(flag)
            yield Edit(flag.lineno, start, end, f'reduction="{"mean" if value else "sum"}"')


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
FIXED = (
    (
        """
import torch.nn as nn
from torch.autograd import Variable
nn.init.kaiming_normal(conv.weight)
nn.init.kaiming_normal(fc.weight, mode="fan_out")
criterion = nn.CrossEntropyLoss(size_average=False)
x = Variable(images)
""",
        """
import torch.nn as nn
from torch.autograd import Variable
nn.init.kaiming_normal_(conv.weight)
nn.init.kaiming_normal_(fc.weight, mode="fan_out")
criterion = nn.CrossEntropyLoss(reduction="sum")
x = Variable(images)
""",
    ),
)
