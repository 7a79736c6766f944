"""Statistics of images between 0 and 255 are used behind `ToTensor`.

`ToTensor` divides by 255. What is left between 0 and 1 nearly vanishes beside a mean of 120: all images look alike to
the network. Divide the figures by 255, too.

Limits: all steps of the `Compose` must be known.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import numbers, pipelines
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """在 `ToTensor` 之后用了 0 到 255 图片的统计量。

`ToTensor` 会除以 255。剩下的 0 到 1 之间的数值，减去 120 左右的均值后几乎看不出差别，
所有图片在网络看来都一样。统计量也应当除以 255。

局限：`Compose` 的每一步都必须是已知的。
"""


@rule(
    "CNN716",
    Severity.BUG,
    Confidence.HIGH,
    en="ToTensor puts the images between 0 and 1, and the mean {mean} is of images between 0 and 255",
    zh="ToTensor 已把图片变到 0 到 1 之间，而均值 {mean} 属于 0 到 255 的图片",
)
def statistics_of_bytes(program: Program) -> Iterator[Hit]:
    for steps in pipelines(program):
        names = [step.short for step in steps]
        if names.count("Normalize") != 1 or "ToTensor" not in names:
            continue
        at = names.index("Normalize")
        mean = numbers(steps[at].argument(0, "mean"))
        between = names[names.index("ToTensor") + 1 : at]
        if mean is not None and min(mean) > 2 and names.index("ToTensor") < at and "Lambda" not in between:
            yield Hit(steps[at].call, {"mean": list(mean)})


VALID = (
    """
import torch
from torchvision import transforms as T
a = T.Compose([T.PILToTensor(), T.ConvertImageDtype(torch.float), T.Normalize((123.7, 116.3, 103.5), (58, 57, 57))])
b = T.Compose([T.ToTensor(), T.Lambda(lambda x: x * 255), T.Normalize((123.7, 116.3, 103.5), (58, 57, 57))])
""",
)
INVALID = (
    """
import torch
from torchvision import transforms as T
whole = T.Compose([
    T.ToTensor(),
    T.Normalize((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),  # <- bug
])
""",
)
