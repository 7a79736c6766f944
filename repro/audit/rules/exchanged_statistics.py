"""Mean and standard deviation are exchanged.

`Normalize` takes the mean first. With ImageNet's two exchanged, the red channel comes out between -0.5 and 1.6 instead
of -2.1 and 2.2. A network trained from scratch learns nearly as well; one with published weights sees images that it
has never seen.

Limits: only the published figures of ImageNet, CIFAR and MNIST are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import normalisations, with_deviations, with_means
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """均值和标准差写反了。

`Normalize` 的第一个参数是均值。把 ImageNet 的两组数写反之后，
红色通道的取值在 -0.5 到 1.6 之间，而不是 -2.1 到 2.2。
从头训练的网络学得几乎一样好；
使用公开权重的网络看到的则是它从未见过的图片。

局限：只认识 ImageNet、CIFAR 和 MNIST 的公开数值。
"""


@rule(
    "CNN705",
    Severity.BUG,
    Confidence.HIGH,
    en="the first argument of Normalize is the mean, and {mean} is the standard deviation of {dataset}",
    zh="Normalize 的第一个参数是均值，而 {mean} 是 {dataset} 的标准差",
)
def exchanged_statistics(program: Program) -> Iterator[Hit]:
    for step, mean, std in normalisations(program):
        both = with_deviations(mean) & with_means(std)
        if both:
            yield Hit(step.call, {"mean": list(mean), "dataset": min(both)})


VALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
b = transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
""",
)
INVALID = (
    """
import torch
from torchvision import transforms
a = transforms.Normalize((0.229, 0.224, 0.225), (0.485, 0.456, 0.406))  # <- bug
b = transforms.Normalize(std=[0.1307], mean=[0.3081])  # <- bug
""",
)
