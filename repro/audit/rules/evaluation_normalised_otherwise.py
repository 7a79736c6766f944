"""Training and evaluation normalise their images differently.

The network sees at evaluation what it was not trained on: colours shifted and stretched. The accuracy falls, and
nothing fails. Statistics are computed once, from the training set, and used for both; those of the test set are not
needed.

Limits: both datasets must be torchvision's, of one class, with transforms that are known whole. Where another dataset
for evaluation agrees with training, one on which the text calls no network may be there to be looked at, and nothing is
said of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.data import Figures, datasets, goes_over, is_for_test, near, numbers
from repro.audit.meaning.values import Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """训练和评估对图片做的归一化不同。

评估时网络看到的是它没有训练过的图片：颜色被平移、拉伸了。
准确率会下降，程序却不报错。
统计量只从训练集计算一次，两边共用，不需要测试集自己的统计量。

局限：两个数据集都必须是 torchvision 的同一个类，并且变换的每一步都是已知的。
如果另有一个评估用的数据集与训练一致，那么文本没有拿来调用网络的这一个，
可能只是用来看看图片，不报告。
"""


@rule(
    "CNN709",
    Severity.BUG,
    Confidence.HIGH,
    en="evaluation has {has}, and training {had}: the network is tested on images unlike those it learned",
    zh="评估{has}，训练{had}：测试的图片和训练的图片不一样",
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
        if here is None or there is None or _agree(here, there):
            continue
        others = [steps for each, steps in known if each.kind == dataset.kind and is_for_test(each)]
        agreeing = any((has := _statistics(each)) is not None and _agree(has, there) for each in others)
        if agreeing and not _is_gone_over(program, dataset):
            continue
        severity = None if bool(here) != bool(there) else Severity.RISK
        yield Hit(
            dataset.call, {"evaluation": here, "training": there, "has": _shown(here), "had": _shown(there)}, severity
        )


def _statistics(steps: list[Made]) -> list[Figures] | None:
    """The mean and the deviation; nothing where it is not normalised; None if they are not known."""
    for step in steps:
        if step.short == "Normalize":
            mean, std = numbers(step.argument(0, "mean")), numbers(step.argument(1, "std"))
            return None if mean is None or std is None else [mean, std]
    return []


def _agree(one: list[Figures], other: list[Figures]) -> bool:
    return len(one) == len(other) and all(map(near, one, other))


def _is_gone_over(program: Program, dataset: Made) -> bool:
    """Whether something is called in a loop over a dataset, as a network is."""
    events = (event for events in Analysis.of(program).stretches for event in events)
    return any(e.kind == "call" and any(goes_over(each) is dataset for each in e.rounds) for e in events)


def _shown(statistics: list[Figures]) -> Words:
    if not statistics:
        return Words("no Normalize", "没有 Normalize")
    step = f"Normalize({', '.join(str(list(each)) for each in statistics)})"
    return Words(step, f"用 {step}")


VALID = (
    """
import torch
from torchvision import datasets, transforms as T
same = T.Normalize((0.1307,), (0.3081,))
a = datasets.MNIST("data", train=True, transform=T.Compose([T.RandomCrop(28, 2), T.ToTensor(), same]))
b = datasets.MNIST("data", train=False, transform=T.Compose([T.ToTensor(), same]))
""",
    """
import torch
from torchvision import datasets, transforms as T
whole = T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])
a = datasets.MNIST("data", train=True, transform=whole)
b = datasets.MNIST("data", train=False, transform=whole)
shown = datasets.MNIST("data", train=False, transform=T.ToTensor())
for x, y in torch.utils.data.DataLoader(b):
    print(net(x).argmax(1) == y)
""",
)
INVALID = (
    """
import torch
from torchvision import datasets, transforms as T
same = T.Normalize((0.1307,), (0.3081,))
a = datasets.MNIST("data", train=True, transform=T.Compose([T.ToTensor(), same]))
b = datasets.MNIST("data", train=False, transform=T.ToTensor())  # <- bug
""",
    """
import torch
from torchvision import datasets, transforms as T
whole = T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])
a = datasets.ImageFolder("data/train", transform=whole)
b = datasets.ImageFolder("data/val", transform=whole)
c = datasets.ImageFolder("data/test", transform=T.ToTensor())  # <- bug
for x, y in torch.utils.data.DataLoader(c):
    print(net(x).argmax(1) == y)
""",
)
