"""A comment beside a layer gives a shape that the layer does not have.

Such comments are what readers learn the arithmetic from. Numbers that were copied from the paper's figure, or from
another version of the network, teach it wrongly.

Limits: comments at the end of a line are read, channels first, and the last shape of each. The usual sizes of images
are tried, and the one that most comments of the network agree with counts; nothing is said where it is not most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.sizes import USUAL_SIDES
from repro.audit.meaning.values import Instance, Op
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """层旁边的注释写着一个形状，而这一层的输出不是这个形状。

读者正是从这些注释学会怎样计算尺寸的。若数字抄自论文的图，
或抄自这个网络的另一个版本，学到的就是错的。

局限：只看行末的注释，通道在前，取其中最后一个形状。
用常用的图像尺寸逐一对照，以与多数注释相符的为准；不到多数则不作判断。
"""

_COMMENT = re.compile(r"\S\s*#(.*)$")
_SHAPE = re.compile(r"(?<![\w.x×])(\d{1,4}) ?[x×*,] ?(\d{1,3}) ?[x×*,] ?(\d{1,3})(?![\w.])")


@rule(
    "CNN311",
    Severity.NOTE,
    Confidence.MEDIUM,
    en="the comment says {said}; with images of {side}x{side}, as the other comments have it, it is {actual}",
    zh="注释写的是 {said}；其他注释对应 {side}x{side} 的图像，这时应为 {actual}",
)
def shape_comment(program: Program) -> Iterator[Hit]:
    said = _said(program)
    analysis = Analysis.of(program)
    if len(said) < 3 or not analysis.is_certain:
        return
    networks: dict[object, Instance] = {network.of: network for network, _ in reversed(list(analysis.returned()))}
    for network in networks.values():
        tried = [(side, _beside(analysis.trace(network, side), said)) for side in USUAL_SIDES]
        side, rows = max(tried, key=lambda each: sum(_agrees(ops, said[row]) for row, ops in each[1].items()))
        wrong = [row for row, ops in rows.items() if not _agrees(ops, said[row])]
        if len(rows) > 2 and 2 * len(wrong) < len(rows):
            for row in wrong:
                op = rows[row][-1]
                actual = "x".join(str(size) for size in (op.shape or ())[1:])
                yield Hit(op.where, {"said": "x".join(map(str, said[row])), "side": side, "actual": actual})


def _said(program: Program) -> dict[int, tuple[int, ...]]:
    """Line -> the last shape of three sizes in the comment at its end."""
    found = {}
    for row, text in enumerate(program.text.split("\n"), start=1):
        comment = _COMMENT.search(text) if "#" in text else None
        shapes = _SHAPE.findall(comment[1]) if comment else []
        if shapes:
            found[row] = tuple(map(int, shapes[-1]))
    return found


def _beside(ops: list[Op], said: dict[int, tuple[int, ...]]) -> dict[int, list[Op]]:
    """Line -> the operations that are written down there, of lines that say a shape."""
    found: dict[int, list[Op]] = {}
    for op in ops:
        line = getattr(op.where, "end_lineno", 0)
        if line in said and op.shape is not None and len(op.shape) == 4 and None not in op.shape[1:]:
            found.setdefault(line, []).append(op)
    return {row: each for row, each in found.items() if len({op.layer for op in each}) == len(each)}  # not in a block


def _agrees(ops: list[Op], shape: tuple[int, ...]) -> bool:
    return any(op.shape is not None and op.shape[1:] == shape for op in ops)


_NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5),  # 6 x 24 x 24
            nn.ReLU(),
            nn.MaxPool2d(2),  # 6 x 12 x 12
            nn.Conv2d(6, 16, 5),  # N x 16 x {side} x {side}{mark}
        )
    def forward(self, x):
        return self.features(x)
"""
VALID = (_NETWORK.format(side=8, mark=""),)
INVALID = (_NETWORK.format(side=10, mark="  # <- note"),)
