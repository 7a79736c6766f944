"""One figure of the statistics differs from the published ones.

Two of the three are the published figures to the last digit, and the third is not: two digits were exchanged, or one
was mistyped. It changes next to nothing, and is copied from program to program.

Limits: only the published figures of ImageNet and CIFAR are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import STATISTICS, Figures, normalisations
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """统计量里有一个数字与公开的值不同。

三个数字中有两个与公开的值完全相同，只有一个不同：
多半是两位写颠倒了，或者打错了一位。影响微乎其微，却常被一抄再抄。

局限：只认识 ImageNet 和 CIFAR 的公开数值。
"""

_FARTHEST = 0.06  # that a misprint is from what is meant


@rule(
    "CNN717",
    Severity.NOTE,
    Confidence.MEDIUM,
    en="{given} is {published} but for one figure",
    zh="{given} 与公开的 {published} 只差一个数字",
)
def misprinted_statistics(program: Program) -> Iterator[Hit]:
    for step, mean, std in normalisations(program):
        for given, kind in ((mean, 0), (std, 1)):
            for published in (figures for both in STATISTICS.values() for figures in both[kind]):
                if _is_misprint(given, published):
                    yield Hit(step.call, {"given": list(given), "published": list(published)})


def _is_misprint(given: Figures, published: Figures) -> bool:
    if len(given) != 3 or len(published) != 3:
        return False
    apart = [abs(a - b) for a, b in zip(given, published, strict=True)]
    return sum(each < 1e-9 for each in apart) == 2 and 0.001 < max(apart) <= _FARTHEST


VALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
b = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261))
""",
)
INVALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.255))  # <- note
b = transforms.Normalize((0.485, 0.465, 0.406), (0.229, 0.224, 0.225))  # <- note
""",
)
