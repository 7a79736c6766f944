"""Something is used that today's versions no longer have.

The line fails with an AttributeError or an IndexError when it runs. `loss.data[0]` read the number of a loss before
torch 0.4; a loss has no dimensions now, and indexing one is an error: use `loss.item()`. An iterator has no method
`next` in Python 3, and those of loaders lost theirs in torch 1.13: use `next(it)`. torchvision removed `Scale` and
`RandomSizedCrop` in 0.12. NumPy removed `np.int` and the like in 1.24, `np.float_` and the like in 2.0. Dictionaries
lost `iteritems` in Python 3.

Fix: what is listed is renamed; `.data[0]` becomes `.item()` of what is surely one number, as a loss that goes backward
is; `it.next()` becomes `next(it)`.

Limits: what is listed here. Imports of what is gone are another rule's (`removed-import`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, renamed, replaced
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用到了当前版本里已经没有的东西。

这一行运行时会抛出 AttributeError 或 IndexError。
torch 0.4 之前用 `loss.data[0]` 取损失的数值；现在损失没有维度，
对它取下标会报错，应当用 `loss.item()`。
Python 3 的迭代器没有 `next` 方法，加载器的迭代器也从 torch 1.13 起去掉了它，
应当用 `next(it)`。torchvision 0.12 去掉了 `Scale` 和 `RandomSizedCrop`。
NumPy 1.24 去掉了 `np.int` 等名字，2.0 去掉了 `np.float_` 等名字。
Python 3 的字典没有 `iteritems`。

修复：列出的名字改成新名字；确定只有一个数时（例如做过 `backward` 的损失），`.data[0]` 改成 `.item()`；
`it.next()` 改成 `next(it)`。

局限：只查这里列出的内容；导入已不存在的东西由另一条规则（`removed-import`）负责。
"""

# Full name -> the first version without it, and what there is in its place.
GONE: dict[str, tuple[str, str]] = {
    "torchvision.transforms.Scale": ("torchvision 0.12", "Resize"),
    "torchvision.transforms.RandomSizedCrop": ("torchvision 0.12", "RandomResizedCrop"),
    **{f"numpy.{name}": ("NumPy 1.24", name) for name in ("int", "float", "complex", "object", "str")},
    "numpy.float_": ("NumPy 2.0", "np.float64"),
    "numpy.Inf": ("NumPy 2.0", "np.inf"),
    "numpy.NaN": ("NumPy 2.0", "np.nan"),
    "numpy.product": ("NumPy 2.0", "np.prod"),
}
_LAST = frozenset(name.rpartition(".")[2] for name in GONE)
_OF_DICTIONARIES = {"iteritems": "items", "iterkeys": "keys", "itervalues": "values"}
# Names that end in the whole word, or in it and a letter, a number or `fn`: `train_loss`, `loss_D`, `MSELoss`.
_SCALAR = re.compile(
    r"(?:^|_|(?<=[a-zA-Z0-9])(?=[A-Z][a-z]))(?i:loss|cost|criterion)(?:_?[A-Z0-9]+|_[a-z]|_fn|_func|_function)?$"
)


@rule(
    "CNN703",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} is not there since {since}; use {instead}",
    zh="{name} 从 {since} 起不可用；应改用 {instead}",
)
def removed_call(program: Program) -> Iterator[Hit]:
    told = set()
    for node in program.nodes(ast.Attribute):
        name = program.dotted(node) if node.attr in _LAST else None
        if name in GONE and name not in told and isinstance(node.ctx, ast.Load):
            told.add(name)
            since, instead = GONE[name]
            yield Hit(node, {"name": ast.unparse(node), "since": since, "instead": instead})
    yield from _numbers_of_losses(program)
    yield from _methods(program)


def _numbers_of_losses(program: Program) -> Iterator[Hit]:
    """`loss.data[0]`, unless the loss of each image is wanted."""
    if any(keyword.arg in ("reduction", "reduce") for keyword in program.nodes(ast.keyword)):
        return
    for node in program.nodes(ast.Subscript):
        match node:
            case ast.Subscript(value=ast.Attribute(value=owner, attr="data"), slice=ast.Constant(value=0)):
                if _has_no_dimensions(owner):
                    shown = ast.unparse(owner)
                    yield Hit(node, {"name": f"{shown}.data[0]", "since": "torch 1.0", "instead": f"{shown}.item()"})


def _has_no_dimensions(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="sum" | "mean"), args=[], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return bool(_SCALAR.search(name))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(_SCALAR.search(name))
    return False


def _methods(program: Program) -> Iterator[Hit]:
    own = {each.name for each in program.named}
    asked = [node for node in program.nodes(ast.If, ast.IfExp) if _asks_for_attributes(node.test)]
    iterators = {ast.unparse(node.targets[0]) for node in program.nodes(ast.Assign) if _is_iterator(node.value)}
    for node in program.nodes(ast.Call):
        if not isinstance(node.func, ast.Attribute) or node.args or node.keywords:
            continue
        owner, name = node.func.value, node.func.attr
        if name == "next" and (_is_iterator(owner) or ast.unparse(owner) in iterators):
            shown = ast.unparse(owner)
            yield Hit(node, {"name": f"{shown}.next()", "since": "torch 1.13", "instead": f"next({shown})"})
        elif name in _OF_DICTIONARIES and name not in own and not any(is_inside(node, each) for each in asked):
            instead = f"{_OF_DICTIONARIES[name]}()"
            yield Hit(node, {"name": f"{name}()", "since": "Python 3.0", "instead": instead}, None, Confidence.MEDIUM)


def _asks_for_attributes(test: ast.expr) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "hasattr" for each in ast.walk(test))


def _is_iterator(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "iter"


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """What the old name stood for, in every place; the number of what can only be one; `next` of an iterator.

    `iteritems` is left: what is no dictionary may have it still.
    """
    match hit.at:
        case ast.Attribute() as node if (full := program.dotted(node)) in GONE:
            yield from _renamed(program, full, GONE[full][1])
        case ast.Subscript(value=ast.Attribute(value=owner)) as node if _is_a_number(program, owner):
            yield from _behind(program, owner, node, ".data[0]", ".item()")
        case ast.Call(func=ast.Attribute(value=owner, attr="next")) as node:
            start, _ = program.columns(node)
            for edit in _behind(program, owner, node, ".next()", ")"):
                yield from (Edit(node.lineno, start, start, "next("), edit)


def _renamed(program: Program, full: str, instead: str) -> Iterator[Edit]:
    """`np.int` was Python's own `int`, which the text may have another use for."""
    nodes = [each for each in program.nodes(ast.Attribute) if program.dotted(each) == full]
    library, _, name = instead.rpartition(".")
    if library or full.startswith("torchvision."):
        for node in nodes:
            yield from renamed(program, node, name)
    elif not any(each.id == name and isinstance(each.ctx, ast.Store) for each in program.nodes(ast.Name)):
        for node in nodes:
            yield from replaced(program, node, name)


def _is_a_number(program: Program, owner: ast.expr) -> bool:
    """Whether it is one beyond doubt: a sum or a mean, what goes backward without an argument, what losses give."""
    match owner:
        case ast.Call(func=ast.Attribute(attr="sum" | "mean")):
            return True
        case ast.Call(func=function):
            shown = ast.unparse(function)
            made = [x.value for x in program.nodes(ast.Assign) if ast.unparse(x.targets[0]) == shown]
            parts = [part for value in made for part in ast.walk(value) if isinstance(part, ast.Call)]
            names = [program.dotted(function) or "", *(program.dotted(part.func) or "" for part in parts)]
            return any(name.startswith("torch.nn.") and _SCALAR.search(name) for name in names)
    written = f"{ast.unparse(owner)}.backward()"
    back = [each for each in program.nodes(ast.Call) if getattr(each.func, "attr", "") == "backward"]
    return any(ast.unparse(each) == written for each in back)


def _behind(program: Program, owner: ast.expr, node: ast.expr, old: str, new: str) -> Iterator[Edit]:
    """Something else between the end of an expression and that of the one around it."""
    (_, start), (_, end) = program.columns(owner), program.columns(node)
    if owner.end_lineno == node.end_lineno and program.rows[(node.end_lineno or 0) - 1][start:end] == old:
        yield Edit(node.end_lineno or 0, start, end, new)


VALID = (
    """
import numpy as np
import torch
top = torch.max(out.data, 1)[1].data[0]
losses = torch.nn.CrossEntropyLoss(reduction="none")(out, y)
first = next(iter(loader))
mask = np.zeros(3, dtype=np.int64)
""",
    """
import torch
class Table(dict):
    def itervalues(self):
        return iter(self.values())
rows = Table().itervalues()
pairs = table.iteritems() if hasattr(table, "iteritems") else table.items()
first = self.loss_weights.data[0] * losses.data[0] + lossless.data[0]
""",
)
INVALID = (
    """
import torch
loss = torch.nn.functional.cross_entropy(out, y)
print(loss.data[0])  # <- bug
""",
    """
import torch
it = iter(loader)
images, labels = it.next()  # <- bug
""",
    """
import numpy as np
from torchvision import transforms
small = transforms.Scale(224)  # <- bug
mask = np.zeros(3, dtype=np.int)  # <- bug
""",
)
FIXED = (
    (
        """
import numpy as np
import torch
from torchvision import transforms
criterion = torch.nn.CrossEntropyLoss()
small = transforms.Scale(224)
mask = np.zeros(3, dtype=np.int) > np.ones(3, np.int)
it = iter(loader)
images, labels = it.next()
loss = criterion(net(images), labels)
loss.backward()
print(loss.data[0], criterion(a, b).data[0], right.sum().data[0])
print(cost.data[0])
""",
        """
import numpy as np
import torch
from torchvision import transforms
criterion = torch.nn.CrossEntropyLoss()
small = transforms.Resize(224)
mask = np.zeros(3, dtype=int) > np.ones(3, int)
it = iter(loader)
images, labels = next(it)
loss = criterion(net(images), labels)
loss.backward()
print(loss.item(), criterion(a, b).item(), right.sum().item())
print(cost.data[0])
""",
    ),
)
