"""Two networks whose names differ by their normalisation alone differ in more than that.

`resnet50` and `resnet50_gn` are meant to be compared. Where the convolutions of one have other strides, kernels or
widths than those of the other, what is compared is two things at once.

Limits: networks of one text, the name of one of which is that of the other and `_bn`, `_gn`, `_in`, `_ln` or `_frn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.probe import Seen, Subject, probe

_NORMALISED = re.compile(r"(.+)_(?:bn|gn|in|ln|frn)")
_COMPARED = (Words("stride", "步长"), Words("kernel", "卷积核"), Words("width", "宽度"), Words("group count", "分组数"))

ZH = """名字只差归一化方式的两个网络，差别却不止于此。

`resnet50` 和 `resnet50_gn` 是用来对照的。如果一方的卷积在步长、卷积核
或宽度上与另一方不同，比较的就是两件事了。

局限：只看同一文本里的网络，一方的名字是另一方加上
`_bn`、`_gn`、`_in`、`_ln` 或 `_frn`。
"""


@probe(
    "CNN817",
    Severity.NOTE,
    Confidence.HIGH,
    en="{symbol} is not {other} of {line} with another normalisation: {count} convolutions have another {what}",
    zh="{symbol} 与{line}的 {other} 的差别不止归一化：{count} 个卷积的{what}不同",
    of_class=False,
)
def variants_differ_otherwise(subject: Subject) -> Iterator[Seen]:
    named = _NORMALISED.fullmatch(subject.symbol)
    other = next((each for each in subject.others if named and each.symbol == named[1]), None)
    if other is None:
        return
    own, theirs = subject.convolutions, other.convolutions
    values = {"symbol": subject.symbol, "other": other.symbol, "line": other.line}
    if len(own) != len(theirs):
        what = Words("place, or there are more of them", "位置或个数")
        yield Seen({**values, "count": abs(len(own) - len(theirs)), "what": what})
        return
    for position, what in enumerate(_COMPARED):
        count = sum(one[position] != two[position] for one, two in zip(own, theirs, strict=True))
        if count:
            yield Seen({**values, "count": count, "what": what})
            return


VALID = (
    """
import torch
from torch import nn
def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 10, 3))
def net_gn():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 10, 3))
""",
)
INVALID = (
    """
import torch
from torch import nn
def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 10, 3))
def net_gn():  # <- note
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 10, 3, stride=2))
""",
)
