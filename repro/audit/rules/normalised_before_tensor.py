"""`Normalize` stands before `ToTensor`.

It takes tensors, and gets the image itself: TypeError at the first image. If the images were tensors already,
`ToTensor` would fail instead. The order is resizing and cropping, then `ToTensor`, then `Normalize`.

Fix: the two are exchanged where one stands right before the other.

Limits: all steps of the `Compose` must be known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, replaced
from repro.audit.meaning.data import pipelines
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """`Normalize` 写在了 `ToTensor` 前面。

它只接受张量，拿到的却是图片本身，读第一张图片时就会抛出 TypeError。
如果图片本来就是张量，那么失败的会是 `ToTensor`。
顺序应当是缩放和裁剪、`ToTensor`、`Normalize`。

修复：两者紧挨着时，互换位置。

局限：`Compose` 的每一步都必须是已知的。
"""


@rule(
    "CNN706",
    Severity.BUG,
    Confidence.HIGH,
    en="Normalize takes tensors and stands before ToTensor; put it behind",
    zh="Normalize 只接受张量，却写在 ToTensor 前面；应当放到它后面",
)
def normalised_before_tensor(program: Program) -> Iterator[Hit]:
    for steps in pipelines(program):
        names = [step.short for step in steps]
        if "Normalize" not in names or "ToTensor" not in names or "ToPILImage" in names:
            continue
        at = names.index("Normalize")
        if at < names.index("ToTensor"):
            yield Hit(steps[at].call)


_TO_TENSOR = ("torchvision.transforms.ToTensor", "torchvision.transforms.v2.ToTensor")


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The two exchanged, where one stands right before the other: an image that is no tensor is refused."""
    for steps in program.nodes(ast.List, ast.Tuple):
        for first, second in pairwise(steps.elts):
            both = (first, second)
            follows = isinstance(second, ast.Call) and program.dotted(second.func) in _TO_TENSOR
            if first is hit.at and follows and all(each.lineno == each.end_lineno for each in both):
                rows = [program.rows[each.lineno - 1][slice(*program.columns(each))] for each in both]
                yield from (*replaced(program, first, rows[1]), *replaced(program, second, rows[0]))


VALID = (
    """
import torch
from torchvision import transforms as T
a = T.Compose([T.Resize(256), T.ToTensor(), T.Normalize((0.5,), (0.5,))])
b = T.Compose([T.Normalize((0.5,), (0.5,)), T.ToPILImage(), T.ToTensor()])
""",
)
INVALID = (
    """
import torch
from torchvision import transforms as T
a = T.Compose([
    T.Resize(256),
    T.Normalize((0.5,), (0.5,)),  # <- bug
    T.ToTensor(),
])
""",
)
FIXED = (
    (
        """
import torch
from torchvision import transforms as T
a = T.Compose([
    T.Resize(256),
    T.Normalize((0.5,), (0.5,)),  # to -1..1
    T.ToTensor(),
])
b = T.Compose([T.Normalize((0.5,), (0.5,)), T.RandomErasing(), T.ToTensor()])
""",
        """
import torch
from torchvision import transforms as T
a = T.Compose([
    T.Resize(256),
    T.ToTensor(),  # to -1..1
    T.Normalize((0.5,), (0.5,)),
])
b = T.Compose([T.Normalize((0.5,), (0.5,)), T.RandomErasing(), T.ToTensor()])
""",
    ),
)
