"""Images of one channel are normalised with three means.

The images of MNIST and its relatives have one channel. `Normalize` of `transforms` subtracts in place, and three means
do not fit: RuntimeError at the first image. That of `transforms.v2` broadcasts, and the image comes out with three
channels; it works where three are wanted, and is told as a note.

Give one mean and one deviation, as `(0.1307,), (0.3081,)`, or make three channels first, by `Grayscale(3)`.

Limits: all steps of the transform must be known, and the dataset must be torchvision's.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import GREY, datasets, numbers
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """单通道的图片用了三个均值来归一化。

MNIST 一类的图片只有一个通道。`transforms` 的 `Normalize` 原地相减，
三个均值对不上，读第一张图片时就会抛出 RuntimeError。
`transforms.v2` 的则会广播，得到三个通道的图片；
需要三个通道时可以运行，所以只作提示。

应当只给一个均值和一个标准差，例如 `(0.1307,), (0.3081,)`，
或者先用 `Grayscale(3)` 变成三个通道。

局限：变换的每一步都必须是已知的，数据集必须是 torchvision 的。
"""

_STEPS = frozenset("Resize CenterCrop RandomCrop RandomHorizontalFlip RandomRotation Pad ToTensor Normalize".split())


@rule(
    "CNN710",
    Severity.BUG,
    Confidence.HIGH,
    en="the images of {dataset} have one channel, and Normalize has {channels} means; give one",
    zh="{dataset} 的图片只有一个通道，而 Normalize 给了 {channels} 个均值；应当只给一个",
)
def colours_of_grey_images(program: Program) -> Iterator[Hit]:
    for dataset, steps in datasets(program):
        if dataset.short not in GREY or any(step.short not in _STEPS for step in steps):
            continue
        for step in steps:
            mean = numbers(step.argument(0, "mean")) if step.short == "Normalize" else None
            if mean is not None and len(mean) > 1:
                broadcasts = step.kind.startswith("torchvision.transforms.v2.")
                severity = Severity.NOTE if broadcasts else None
                yield Hit(step.call, {"dataset": dataset.short, "channels": len(mean)}, severity)


VALID = (
    """
import torch
from torchvision import datasets, transforms as T
three = T.Compose([T.Grayscale(3), T.ToTensor(), T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
a = datasets.MNIST("data", transform=three)
b = datasets.MNIST("data", transform=T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))]))
""",
)
INVALID = (
    """
import torch
from torchvision import datasets, transforms as T
steps = T.Compose([
    T.ToTensor(),
    T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # <- bug
])
data = datasets.MNIST("data", transform=steps)
""",
)
