"""The statistics are in the order blue, green, red.

torchvision's images are red first, whoever decoded them. The figures then shift each colour by the mean of another; the
difference is small, and with published weights costs a little accuracy without any sign.

Limits: only the published figures of ImageNet and CIFAR are known. Where OpenCV reads the images, and nothing turns
them around, this order may be meant, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import normalisations, with_means
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """统计量的顺序是蓝、绿、红。

torchvision 的图片无论由谁解码都是红色在前。这样每种颜色减去的是另一种颜色的均值；
差别不大，但用公开权重时会悄悄损失一点准确率。

局限：只认识 ImageNet 和 CIFAR 的公开数值。如果图片由 OpenCV 读入，
这个顺序可能是有意的，不报告。
"""


@rule(
    "CNN715",
    Severity.RISK,
    Confidence.HIGH,
    en="the mean {mean} is in the order blue, green, red, and torchvision gives red first",
    zh="均值 {mean} 的顺序是蓝绿红，而 torchvision 的图片红色在前",
)
def blue_first_statistics(program: Program) -> Iterator[Hit]:
    if "cv2" in program.imports:
        return
    for step, mean, _ in normalisations(program):
        if not with_means(mean) and len(mean) == 3 and with_means(mean[::-1]):
            yield Hit(step.call, {"mean": list(mean)})


VALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
""",
)
INVALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.406, 0.456, 0.485), (0.225, 0.224, 0.229))  # <- risk
""",
)
