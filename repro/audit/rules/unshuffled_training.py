"""The loader that a network is trained on does not shuffle.

`DataLoader` keeps the order of the dataset unless it is told `shuffle=True`. Then each epoch has the same batches in
the same order; and where the dataset is sorted by class, as `ImageFolder` gives it, a batch has one class or two, and
training fails to learn.

Give `shuffle=True`, or a sampler that draws at random.

Limits: it must be seen that the loop over this loader trains. A dataset that gives its items in an order of its own
(`IterableDataset`), and one that was split at random, is not reported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.data import name_of
from repro.audit.meaning.values import Instance, Library, Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """训练用的加载器没有打乱顺序。

除非写 `shuffle=True`，`DataLoader` 就按数据集的顺序给出样本，
每个 epoch 的批次完全一样。如果数据集按类别排列（`ImageFolder` 就是这样），
一个批次里只有一两个类别，训练会学不动。

应当写 `shuffle=True`，或给一个随机的采样器。

局限：必须能看出对这个加载器的循环在做训练。自己决定顺序的数据集
（`IterableDataset`）和随机划分得到的数据集不报告。
"""

_ORDERING = ("sampler", "batch_sampler")


@rule(
    "CNN609",
    Severity.RISK,
    Confidence.HIGH,
    en="{loader} is trained on and does not shuffle; give shuffle=True",
    zh="训练用的 {loader} 没有打乱顺序；应当写 shuffle=True",
)
def unshuffled_training(program: Program) -> Iterator[Hit]:
    for events in Analysis.of(program).stretches:
        for event in events:
            if event.kind != "backward" or not event.rounds:
                continue
            loader = event.rounds[-1].over
            if isinstance(loader, Made) and loader.short == "DataLoader" and _keeps_order(loader):
                dataset = loader.argument(0, "dataset")
                known = isinstance(dataset, Made) and dataset.kind.startswith("torchvision.datasets.")
                if known or (isinstance(dataset, Instance) and not _is_iterable(dataset)):
                    confidence = None if known else Confidence.MEDIUM
                    yield Hit(loader.call, {"loader": name_of(program, event.rounds[-1])}, None, confidence)


def _keeps_order(loader: Made) -> bool:
    assert isinstance(loader.call, ast.Call)
    open_ended = any(keyword.arg is None for keyword in loader.call.keywords) and "shuffle" not in loader.named
    given = any(loader.argument(position, name) is not None for position, name in enumerate(_ORDERING, start=3))
    shuffle = loader.argument(2, "shuffle")
    return not open_ended and not given and (shuffle is None or shuffle is False)


def _is_iterable(dataset: Instance) -> bool:
    return any(isinstance(each, Library) and each.name.endswith("IterableDataset") for each in dataset.of.ancestors)


_LOOP = """
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
"""
_DATA = """
import torch
from torch.utils.data import DataLoader
from torchvision import datasets
data = datasets.MNIST("data", train=True)
"""
VALID = (
    _DATA + "loader = DataLoader(data, batch_size=64, shuffle=True)" + _LOOP,
    _DATA + "loader = DataLoader(data, 64, sampler=torch.utils.data.RandomSampler(data))" + _LOOP,
    _DATA
    + """
loader = DataLoader(data, batch_size=64)
for x, y in loader:
    print(net(x).argmax(1) == y)
""",
)
INVALID = (
    _DATA + "loader = DataLoader(data, batch_size=64)  # <- risk" + _LOOP,
    _DATA + "loader = DataLoader(data, 64, False)  # <- risk" + _LOOP,
)
