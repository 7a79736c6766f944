"""The first linear layer fits maps of one size, so the network takes images of one size.

A number such as 512 * 7 * 7 is the map of a 224x224 image. Another size is refused there, with a message about
matrices that cannot be multiplied. An adaptive pool in front of the layer takes every size.

Where the text of the network says the size of its images, and the layer does not fit that size, it is a defect.

Limits: the sizes tried are those of the usual data sets from 28 to 299, and those that the class says.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning import sizes
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Instance
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """第一个线性层只适合一种大小的特征图,所以网络只接受一种尺寸的图像。

512 * 7 * 7 这样的数,对应的是 224x224 的图像。换一种尺寸就会在这里报错,
提示矩阵无法相乘。在它前面放一个自适应池化,就能接受任意尺寸。

如果网络的文本写明了图像尺寸,而这一层与之不符,那就是缺陷。

局限:只试常用数据集的尺寸(28 到 299)和类里写明的尺寸。
"""

_STATED = re.compile(r"(?<![\d.])[13] ?[x×*,] ?(\d{2,3}) ?[x×*,] ?\1(?![\d.])")  # 3 x 224 x 224


@rule(
    "CNN306",
    Severity.NOTE,
    Confidence.HIGH,
    en="this layer takes {features} features: of the usual sizes, images of {sides_en} fit{stated_en}",
    zh="这一层需要 {features} 个特征:常用尺寸中 {sides_zh} 的图像合适{stated_zh}",
)
def fixed_size_head(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    for head, network in sizes.fixed_heads(analysis).items():
        if not analysis.is_certain:
            return
        stated = _stated(program, network)
        fitting = sizes.fitting(analysis, head, network, sorted({*sizes.USUAL_SIDES, *stated}))
        if not fitting:
            continue
        wrong = stated if stated.isdisjoint(fitting) else set()
        yield Hit(
            head.where,
            {
                "features": head.detail.get("in_features"),
                "sides_en": " or ".join(f"{side}x{side}" for side in fitting),
                "sides_zh": "、".join(f"{side}x{side}" for side in fitting),
                "stated_en": f", and the text says {min(wrong)}x{min(wrong)}" if wrong else "",
                "stated_zh": f",而文本写的是 {min(wrong)}x{min(wrong)}" if wrong else "",
            },
            Severity.BUG if wrong else None,
            Confidence.MEDIUM if wrong else None,
        )


def _stated(program: Program, network: Instance) -> set[int]:
    """The sides of images that the comments and the docstring of a network say."""
    node = network.of.node
    rows = program.text.split("\n")[node.lineno - 1 : node.end_lineno]
    said = [row.partition("#")[2] for row in rows] + [ast.get_docstring(node) or ""]
    return {int(match[1]) for text in said for match in _STATED.finditer(text)}


_NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    # {comment}
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2){pool})
        self.fc = nn.Linear(8 * 12 * 12, 10){mark}
    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
"""
VALID = (_NETWORK.format(comment="any size", pool=", nn.AdaptiveAvgPool2d(12)", mark=""),)
INVALID = (
    _NETWORK.format(comment="images of 3x28x28", pool="", mark="  # <-"),
    _NETWORK.format(comment="images of 3x32x32", pool="", mark="  # <-"),
)
