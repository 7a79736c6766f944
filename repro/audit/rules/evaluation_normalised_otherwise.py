"""Training and evaluation normalise their images differently.

The network sees at evaluation what it was not trained on: colours shifted and stretched. The accuracy falls, and
nothing fails. Statistics are computed once, from the training set, and used for both; those of the test set are not
needed.

Limits: both datasets must be torchvision's, of one class, with transforms that are known whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import Figures, datasets, is_for_test, near, numbers
from repro.audit.meaning.values import Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """训练和评估对图片做的归一化不同。

评估时网络看到的是它没有训练过的图片:颜色被平移、拉伸了。
准确率会下降,程序却不报错。
统计量只从训练集计算一次,两边共用,不需要测试集自己的统计量。

局限:两个数据集都必须是 torchvision 的同一个类,并且变换的每一步都是已知的。
"""


@rule(
    "CNN709",
    Severity.BUG,
    Confidence.HIGH,
    en="evaluation has {evaluation}, and training {training}: the network is tested on images unlike those it learned",
    zh="评估用 {evaluation},训练用 {training}:测试的图片和训练的图片不一样",
)
def evaluation_normalised_otherwise(program: Program) -> Iterator[Hit]:
    known = list(datasets(program))
    for dataset, steps in known:
        if not is_for_test(dataset):
            continue
        trained = [other for each, other in known if each.kind == dataset.kind and not is_for_test(each)]
        if len(trained) != 1 or not steps or not trained[0]:
            continue
        here, there = _statistics(steps), _statistics(trained[0])
        if here is None or there is None or (len(here) == len(there) and all(map(near, here, there))):
            continue
        severity = None if bool(here) != bool(there) else Severity.RISK
        yield Hit(dataset.call, {"evaluation": _shown(here), "training": _shown(there)}, severity)


def _statistics(steps: list[Made]) -> list[Figures] | None:
    """The mean and the deviation; nothing where it is not normalised; None if they are not known."""
    for step in steps:
        if step.short == "Normalize":
            mean, std = numbers(step.argument(0, "mean")), numbers(step.argument(1, "std"))
            return None if mean is None or std is None else [mean, std]
    return []


def _shown(statistics: list[Figures]) -> str:
    return f"Normalize({', '.join(str(list(each)) for each in statistics)})" if statistics else "no Normalize"


VALID = (
    """
import torch
from torchvision import datasets, transforms as T
same = T.Normalize((0.1307,), (0.3081,))
a = datasets.MNIST("data", train=True, transform=T.Compose([T.RandomCrop(28, 2), T.ToTensor(), same]))
b = datasets.MNIST("data", train=False, transform=T.Compose([T.ToTensor(), same]))
""",
)
INVALID = (
    """
import torch
from torchvision import datasets, transforms as T
same = T.Normalize((0.1307,), (0.3081,))
a = datasets.MNIST("data", train=True, transform=T.Compose([T.ToTensor(), same]))
b = datasets.MNIST("data", train=False, transform=T.ToTensor())  # <-
""",
)
