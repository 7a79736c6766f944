"""The number of right answers is divided by the number of batches.

`len(loader)` counts batches, `len(loader.dataset)` images. The quotient is the number of right answers in a batch, not
an accuracy: with batches of 64 it can be 64. Multiplied by a batch size it is right only if the last batch is full.

Divide by `len(loader.dataset)`, or by a count of the labels that is kept in the loop.

Limits: it must be seen in one function that whole counts are added up, not shares of a batch. A quotient that is
divided again is passed over, as is a loader whose batches have one image.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用答对的个数除以批次数。

`len(loader)` 是批次数，`len(loader.dataset)` 才是图片数。
这样得到的是平均每批答对几个，不是准确率：批次大小为 64 时，它可以到 64。
再乘上批次大小时，只有最后一个批次是满的才对。

应当除以 `len(loader.dataset)`，或除以在循环里累计的标签个数。

局限：必须能在同一个函数里看出累加的是个数，而不是每批的比例。
之后又除了一次的商，以及每批只有一张图的加载器，都不报告。
"""


@rule(
    "CNN611",
    Severity.BUG,
    Confidence.HIGH,
    en="{count} counts right answers, and len({loader}) counts batches; divide by len({loader}.dataset)",
    zh="{count} 是答对的个数，len({loader}) 是批次数；应当除以 len({loader}.dataset)",
)
def right_answers_over_batches(program: Program) -> Iterator[Hit]:
    if "loader" not in program.text.lower():
        return
    counts = {
        ast.unparse(node.target): node
        for node in program.nodes(ast.AugAssign)
        if isinstance(node.op, ast.Add) and _counts(node.value)
    }
    if not counts:
        return
    made = [node for node in program.nodes(ast.Call) if program.dotted(node.func) == "torch.utils.data.DataLoader"]
    batched = {id(node) for node in made if not _gives_single_images(node)}
    if made and not batched:
        return
    assigned = program.nodes(ast.Assign)
    loaders = {ast.unparse(each) for node in assigned if id(node.value) in batched for each in node.targets}
    single = {ast.unparse(each) for node in assigned if node.value in made for each in node.targets} - loaders
    divisions = [node for node in program.nodes(ast.BinOp) if isinstance(node.op, ast.Div)]
    divided = [node.left for node in divisions] + [
        node.target for node in program.nodes(ast.AugAssign) if isinstance(node.op, ast.Div)
    ]
    again = {id(inner) for node in divided for inner in ast.walk(node)}  # by the size of a batch, say
    names = {ast.unparse(node) for node in divided}
    again |= {id(node.value) for node in assigned if any(ast.unparse(each) in names for each in node.targets)}
    for node in divisions:
        if id(node) in again:
            continue
        count, loader = _number(node.left), _length(node.right)
        if count not in counts or loader is None or program.symbol(counts[count]) != program.symbol(node):
            continue
        if loader in loaders or (loader not in single and "loader" in loader.lower()):
            yield Hit(node, {"count": count, "loader": loader})


def _gives_single_images(call: ast.Call) -> bool:
    """Whether a loader's batches have one image, as they do without being told otherwise."""
    given = {each.arg: each.value for each in call.keywords}
    size = given.get("batch_size", call.args[1] if len(call.args) > 1 else ast.Constant(1))
    return not given.keys() & {"batch_sampler", None} and isinstance(size, ast.Constant) and size.value == 1


def _counts(value: ast.expr) -> bool:
    """Whether a value is how many of a batch are right: a sum of comparisons, divided by nothing."""
    inside = list(ast.walk(value))
    divided = any(isinstance(node, ast.Div) for node in inside)
    named = {node.attr for node in inside if isinstance(node, ast.Attribute)}
    compared = "eq" in named or any(isinstance(node, ast.Eq) for node in inside)
    return compared and "sum" in named and "mean" not in named and not divided


def _number(node: ast.expr) -> str:
    """The name of what is divided, a percentage or a method of it included."""
    while True:
        match node:
            case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=inner):
                node = inner
            case ast.BinOp(left=inner, op=ast.Mult(), right=ast.Constant()):
                node = inner
            case ast.Call(func=ast.Attribute(value=inner, attr="item" | "float" | "double")):
                node = inner
            case ast.Call(func=ast.Name(id="float"), args=[inner]):
                node = inner
            case _:
                return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _length(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name() | ast.Attribute() as inner]):
            return None if isinstance(inner, ast.Attribute) and inner.attr == "dataset" else ast.unparse(inner)
    return None


VALID = (
    """
import torch
def accuracy(net, loader):
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)
""",
    """
import torch
def accuracy(net, loader):
    share = 0
    for x, y in loader:
        share += (net(x).argmax(1) == y).float().mean().item()
    return share / len(loader)
""",
    """
import torch
def accuracy(net, loader):
    share = 0
    for x, y in loader:
        share += (net(x).argmax(1) == y).sum().item() / len(y)
    return share / len(loader)
""",
    """
import torch
from torch.utils.data import DataLoader
loader = DataLoader(images)
right = 0
for x, y in loader:
    right += (net(x).argmax(1) == y).sum().item()
print(right / len(loader))
""",
    """
import torch
def accuracy(net, loader, size):
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()
    share = right / len(loader)
    share /= size
    return share, 100 * (right / len(loader)) / size
""",
)
INVALID = (
    """
import torch
def accuracy(net, loader):
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()
    return 100. * right / len(loader)  # <- bug
""",
    """
import torch
from torch.utils.data import DataLoader
batches = DataLoader(images, 64)
right = 0
for x, y in batches:
    right += net(x).argmax(1).eq(y).sum()
print(right.item() / len(batches))  # <- bug
""",
)
