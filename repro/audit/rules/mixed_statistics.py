"""The mean is of one dataset, and the standard deviation of another.

One of them was copied from another program. A network trained with it learns nearly as well, as long as training and
evaluation agree; one with published weights needs the figures that it was trained with.

Facts: ImageNet 0.229 0.224 0.225 (torchvision, documentation of its weights); CIFAR-10 0.2470 0.2435 0.2616, or 0.2023
0.1994 0.2010 where the deviation is the mean over images; CIFAR-100 0.2675 0.2565 0.2761, or the mean over images.

Limits: only the published figures of ImageNet, CIFAR and MNIST are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import normalisations, with_deviations, with_means
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """均值是一个数据集的，标准差是另一个数据集的。

其中一个多半是从别的程序里抄来的。只要训练和评估一致，
从头训练的网络学得几乎一样好；使用公开权重的网络需要它训练时的那组数值。

事实：ImageNet 为 0.229 0.224 0.225（torchvision 权重的文档）；
CIFAR-10 为 0.2470 0.2435 0.2616，
按单张图片求标准差再平均则为 0.2023 0.1994 0.2010；
CIFAR-100 为 0.2675 0.2565 0.2761，或按单张图片平均。

局限：只认识 ImageNet、CIFAR 和 MNIST 的公开数值。
"""


@rule(
    "CNN714",
    Severity.RISK,
    Confidence.MEDIUM,
    en="the mean is that of {mean_of}, and the standard deviation that of {std_of}",
    zh="均值是 {mean_of} 的，标准差是 {std_of} 的",
)
def mixed_statistics(program: Program) -> Iterator[Hit]:
    for step, mean, std in normalisations(program):
        means, deviations = with_means(mean), with_deviations(std)
        if means and deviations and not means & deviations:
            yield Hit(step.call, {"mean_of": min(means), "std_of": min(deviations)})


VALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
b = transforms.Normalize((0.5, 0.5, 0.5), (0.229, 0.224, 0.225))
""",
)
INVALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.485, 0.456, 0.406), (0.2023, 0.1994, 0.2010))  # <- risk
""",
)
