"""The images of the evaluation are cropped, flipped or recoloured at random.

The accuracy is then of other images each time: it is lower than it should be, changes from run to run, and cannot be
compared. Random transforms belong to training; evaluation has a fixed `Resize` and `CenterCrop`, or nothing.

Limits: it must be seen that the dataset is one of evaluation (`train=False`, `split="test"`, a folder `test` or `val`),
or the name that the transform is given must say so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.data import datasets, is_for_test, made, steps_of
from repro.audit.meaning.values import Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """评估用的图片被随机裁剪、翻转或变色。

这样每次算准确率的图片都不一样：数字偏低，每次运行都变，也无法比较。
随机变换只该用在训练上；评估用固定的 `Resize` 和 `CenterCrop`，或者什么都不做。

局限：必须能看出数据集是用来评估的（`train=False`、`split="test"`、
`test` 或 `val` 文件夹），或者变换的名字表明了这一点。
"""

_AT_RANDOM = frozenset({"AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix", "ColorJitter"})
_EVALUATION = re.compile(
    r"(^|_)(test|val|valid|validation|eval)(_|$)|(test|val|valid)(set|transforms?)$", re.IGNORECASE
)


@rule(
    "CNN708",
    Severity.RISK,
    Confidence.HIGH,
    en="{transform} changes the images of the evaluation at random",
    zh="{transform} 会随机改动评估用的图片",
)
def random_transform_in_evaluation(program: Program) -> Iterator[Hit]:
    told = set()
    for dataset, steps in datasets(program):
        if is_for_test(dataset):
            for step in filter(_is_random, steps):
                told.add(id(step.call))
                yield Hit(step.call, {"transform": step.short})
    transforms = made(program, "torchvision.transforms.")
    named = _named(program) if transforms else ()
    for transform in transforms:
        if id(transform.call) in named:
            for step in filter(_is_random, steps_of(transform) or []):
                if id(step.call) not in told:
                    yield Hit(step.call, {"transform": step.short}, None, Confidence.MEDIUM)


def _is_random(step: Made) -> bool:
    return step.short.startswith("Random") or step.short in _AT_RANDOM


def _named(program: Program) -> set[int]:
    """The ids of the expressions whose name or key says that they are for evaluation."""
    found = set()
    for node in program.nodes(ast.Assign):
        if any(isinstance(each, ast.Name) and _says_so(each.id) for each in node.targets):
            found.add(id(node.value))
    for table in program.nodes(ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and _says_so(str(key.value)):
                found.add(id(value))
    return found


def _says_so(name: str) -> bool:
    return bool(_EVALUATION.search(name)) and "train" not in name.lower()


VALID = (
    """
import torch
from torchvision import datasets, transforms as T
train = T.Compose([T.RandomHorizontalFlip(), T.ToTensor()])
test = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor()])
a = datasets.CIFAR10("data", train=True, transform=train)
b = datasets.CIFAR10("data", train=False, transform=test)
""",
)
INVALID = (
    """
import torch
from torchvision import datasets, transforms as T
shared = T.Compose([
    T.RandomHorizontalFlip(),  # <- risk
    T.ToTensor(),
])
a = datasets.CIFAR10("data", train=True, transform=shared)
b = datasets.CIFAR10("data", train=False, transform=shared)
""",
    """
import torch
from torchvision import transforms as T
both = {
    "train": T.Compose([T.RandomResizedCrop(224), T.ToTensor()]),
    "val": T.Compose([T.RandomResizedCrop(224), T.ToTensor()]),  # <- risk
}
""",
)
