"""Images are normalised twice.

The second time it is no longer images between 0 and 1 that the mean is taken from: they come out near -2, and with a
deviation several times too large. Copying a second `Compose` into the first does this.

Limits: all steps of the `Compose` must be known. One that undoes the other, as for showing images, is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import numbers, pipelines
from repro.audit.meaning.values import Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """图片被归一化了两次。

第二次减均值时，图片已经不在 0 到 1 之间：
结果偏到 -2 左右，标准差也大了好几倍。
把一个 `Compose` 抄进另一个时常会这样。

局限：`Compose` 的每一步都必须是已知的；为了显示图片而做的反归一化不报告。
"""


@rule(
    "CNN707",
    Severity.BUG,
    Confidence.MEDIUM,
    en="the images were normalised before, in {first_line}",
    zh="图片在{first_line}已经归一化过一次",
)
def normalised_twice(program: Program) -> Iterator[Hit]:
    for steps in pipelines(program):
        every = [step for step in steps if step.short == "Normalize"]
        if len(every) > 1 and not any(map(_undoes, every)):
            yield Hit(every[1].call, {"first_line": program.place(every[0].call)})


def _undoes(step: Made) -> bool:
    """Whether it has the mean or the deviation of one that takes a normalisation back."""
    mean, std = numbers(step.argument(0, "mean")), numbers(step.argument(1, "std"))
    return mean is None or std is None or min(mean) < 0 or max(std) > 1 or max(mean) == 0


VALID = (
    """
import torch
from torchvision import transforms as T
a = T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.5,))])
b = T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.5,)), T.Normalize((-1.0,), (2.0,))])
""",
)
INVALID = (
    """
import torch
from torchvision import transforms as T
basic = T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.5,))])
whole = T.Compose([
    basic,
    T.Normalize((0.1307,), (0.3081,)),  # <- bug
])
""",
)
