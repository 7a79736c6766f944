"""The best epoch is chosen by the accuracy on the test set.

Whatever is chosen by a number makes that number too good: the accuracy of the best epoch on the images that chose it is
no estimate of the accuracy on others. The text works as shown; the figure that it ends with does not mean what it says.
Printing the test accuracy of each epoch chooses nothing, and nothing is said of it.

Set part of the training set aside, choose by that, and use the test set once.

Limits: it must be seen in the document which loader was gone over before the choice. It is a test set if torchvision's
dataset says so (`train=False`, `split="test"`), or if a folder or the name of the loader does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.data import goes_over, is_test_set, name_of
from repro.audit.meaning.training import evaluations
from repro.audit.meaning.values import Made, Round
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """按测试集上的准确率来挑选最好的 epoch。

按哪个数字挑选，哪个数字就会偏高：用这些图片选出来的 epoch，
在这些图片上的准确率不能代表它在别的图片上的表现。
程序能照常运行，只是最后报出的数字名不副实。
每个 epoch 打印一次测试准确率并不构成挑选，不会报告。

应当从训练集中留出一部分用来挑选，测试集只用一次。

局限：必须能从文档看出挑选之前遍历的是哪个加载器。
torchvision 的数据集这样写明（`train=False`、`split="test"`），
或者文件夹、加载器的名字里有 test，才算测试集。
"""

_RESULT = re.compile(r"acc|prec|top1|score|loss|err", re.IGNORECASE)
_ACCURACY = re.compile(r"acc|prec|top1|score|test", re.IGNORECASE)
_SAVING = re.compile(r"save|state_dict|deepcopy|checkpoint", re.IGNORECASE)


@rule(
    "CNN610",
    Severity.RISK,
    Confidence.HIGH,
    en="this chooses an epoch by its result on the test set ({loader}); set part of the training set aside for that",
    zh="这里按测试集（{loader}）上的结果挑选 epoch；应当从训练集中留出一部分来做挑选",
)
def selection_on_test_set(program: Program) -> Iterator[Hit]:
    if "best" not in program.text and "break" not in program.text:
        return
    flags = [node for node in program.nodes(ast.Assign) if _is_flag(node)]
    for events in Analysis.of(program).stretches:
        evaluating = {id(event) for event in evaluations(events)}
        since: list[Round] = []  # what was evaluated since the last training
        for event in events:
            if id(event) in evaluating:
                since.append(event.rounds[-1])
            elif event.kind == "backward":
                since = []
            elif since and isinstance(event.node, ast.If):
                sides = _compared(event.node.test)
                yield from _hits(program, event.node.test, sides, since, _chooses(event.node, sides))
            elif since and event.kind in ("save", "state_dict") and event.rounds:
                for flag in flags:
                    if event.rounds[-1].loop.lineno < flag.lineno < getattr(event.node, "lineno", 0):
                        yield from _hits(program, flag.value, _compared(flag.value), since, Confidence.HIGH)


def _hits(
    program: Program, node: ast.expr, sides: set[str], since: list[Round], choice: Confidence | None
) -> Iterator[Hit]:
    """What is to be said of a comparison, if it chooses, by what was evaluated before it."""
    tests = [(around, sure) for around in since if (sure := _is_test(around)) is not None]
    others = [around for around in since if _is_test(around) is None and "train" not in around.name.lower()]
    if choice is None or not tests or any("train" in side for side in sides):
        return
    if not others or any("test" in side for side in sides):
        around, sure = tests[-1]
        yield Hit(node, {"loader": name_of(program, around)}, None, sure if choice is Confidence.HIGH else choice)


def _compared(test: ast.expr) -> set[str]:
    """The two sides of the comparison of two results in a condition."""
    for part in test.values if isinstance(test, ast.BoolOp) else [test]:
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
            sides = {ast.unparse(part.left), ast.unparse(part.comparators[0])}
            if any(map(_RESULT.search, sides)):
                return sides
    return set()


def _chooses(node: ast.If, sides: set[str]) -> Confidence | None:
    """How sure it is that the better of two results is kept, and the network with it; None if nothing is chosen."""
    if not sides:
        return None
    inside = [each for statement in node.body for each in ast.walk(statement)]
    keeps = any(
        isinstance(each, ast.Assign) and {ast.unparse(each.targets[0]), ast.unparse(each.value)} == sides
        for each in inside
    )
    calls = [ast.unparse(each.func) for each in inside if isinstance(each, ast.Call)]
    if (keeps or any("best" in side for side in sides)) and any(map(_SAVING.search, calls)):
        return Confidence.HIGH
    stops = isinstance(node.body[-1], ast.Break) and any(map(_ACCURACY.search, sides))
    return Confidence.MEDIUM if stops else None


def _is_flag(node: ast.Assign) -> bool:
    """`is_best = accuracy > best`."""
    return isinstance(node.value, ast.Compare) and "best" in ast.unparse(node) and bool(_compared(node.value))


def _is_test(around: Round) -> Confidence | None:
    """How sure it is that a loop goes over a test set; None if it does not seem so."""
    dataset = goes_over(around)
    if isinstance(dataset, Made) and dataset.kind.startswith("torchvision.datasets."):
        return Confidence.HIGH if is_test_set(dataset) else None
    name = around.name.lower()
    return Confidence.MEDIUM if "test" in name and "train" not in name else None


_TRAIN = """
import torch
from torch.utils.data import DataLoader
from torchvision.datasets import CIFAR10
loader = DataLoader(CIFAR10("data", train=True), 128, shuffle=True)
held_out = DataLoader(CIFAR10("data", train=False), 128)
best = 0
def train():
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(net(x), y).backward()
        optimizer.step()
@torch.no_grad()
def accuracy():
    net.eval()
    right = 0
    for x, y in held_out:
        right += (net(x).argmax(1) == y).sum().item()
    return right / len(held_out.dataset)
"""
VALID = (
    _TRAIN
    + """
for epoch in range(10):
    train()
    acc = accuracy()
    print(acc)
    if epoch > 8:
        torch.save(net.state_dict(), "last.pth")
""",
    _TRAIN.replace("train=False", "train=True")
    + """
for epoch in range(10):
    train()
    acc = accuracy()
    if acc > best:
        best = acc
        torch.save(net.state_dict(), "best.pth")
""",
    _TRAIN
    + """
kept = DataLoader(CIFAR10("data", train=True), 128)
for epoch in range(10):
    train()
    net.eval()
    right = 0
    for x, y in kept:
        right += (net(x).argmax(1) == y).sum().item()
    print(accuracy())
    if right > best:
        best = right
        torch.save(net.state_dict(), "best.pth")
""",
)
INVALID = (
    _TRAIN
    + """
for epoch in range(10):
    train()
    acc = accuracy()
    if acc > best:  # <- risk
        best = acc
        torch.save(net.state_dict(), "best.pth")
""",
    _TRAIN
    + """
for epoch in range(10):
    train()
    acc = accuracy()
    is_best = acc > best  # <- risk
    best = max(acc, best)
    save_checkpoint(net.state_dict(), is_best)
""",
    _TRAIN
    + """
before = 0
for epoch in range(10):
    train()
    acc = accuracy()
    if abs(acc - before) < 1e-4:  # <- risk
        break
    before = acc
""",
)
