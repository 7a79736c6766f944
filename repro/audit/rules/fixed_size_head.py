"""The first linear layer fits maps of one size, so the network takes images of one size.

A number such as 512 * 7 * 7 is the map of a 224x224 image. Another size is refused there, with a message about
matrices that cannot be multiplied. An adaptive pool in front of the layer takes every size.

Where the text of the network says the size of its images, or the program calls it on a dataset of torchvision whose
images have another size, it is a defect: LeNet-5 is for 32x32 (its paper, section II.B), and MNIST's images are 28x28.

Limits: the sizes tried are those of the usual data sets from 28 to 299, and those that the class says. All steps of the
dataset's transform must be known, and the loop must call the network on the images as they come.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.meaning import sizes
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.data import goes_over, side_of
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.values import Event, Instance, Made
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """第一个线性层只适合一种大小的特征图，所以网络只接受一种尺寸的图像。

512 * 7 * 7 这样的数，对应的是 224x224 的图像。换一种尺寸就会在这里报错，
提示矩阵无法相乘。在它前面放一个自适应池化，就能接受任意尺寸。

如果网络的文本写明了图像尺寸，或者程序拿 torchvision 的某个数据集来调用它，
而这一层与之不符，那就是缺陷：LeNet-5 的输入是 32x32（论文 II.B 节），
MNIST 的图像却是 28x28。

局限：只试常用数据集的尺寸（28 到 299）和类里写明的尺寸。
数据集的变换每一步都必须是已知的，循环里也必须直接用读出的图像来调用网络。
"""

_MOVING = frozenset({"to", "cuda", "cpu", "float", "type", "Variable"})
_STATED = re.compile(r"(?<![\d.])[13] ?[x×*,] ?(\d{2,3}) ?[x×*,] ?\1(?![\d.])")  # 3 x 224 x 224


@rule(
    "CNN306",
    Severity.NOTE,
    Confidence.HIGH,
    en="this layer takes {features} features: of the usual sizes, images of {fitting} fit{but}",
    zh="这一层需要 {features} 个特征：常用尺寸中 {fitting} 的图像合适{but}",
)
def fixed_size_head(program: Program) -> Iterator[Hit]:
    analysis = Analysis.of(program)
    for head, network in sizes.fixed_heads(analysis).items():
        if not analysis.is_certain:
            return
        stated, loaded = _stated(program, network), _loaded(program, network)
        fitting = sizes.fitting(analysis, head, network, sorted({*sizes.USUAL_SIDES, *stated, *loaded}))
        if not fitting:
            continue
        wrong, but, confidence = None, Words("", ""), Confidence.HIGH
        if loaded and loaded.keys().isdisjoint(fitting):
            wrong, dataset = next(iter(loaded.items()))
            size = f"{wrong}x{wrong}"
            but = Words(f", and the images of {dataset} are {size} here", f"，而这里 {dataset} 的图像是 {size}")
        elif stated and stated.isdisjoint(fitting):
            wrong, confidence = min(stated), Confidence.MEDIUM
            but = Words(f", and the text says {wrong}x{wrong}", f"，而文本写的是 {wrong}x{wrong}")
        shown = [f"{side}x{side}" for side in fitting]
        values = {"features": head.detail.get("in_features"), "sides": fitting, "wrong": wrong, "but": but}
        values["fitting"] = Words(" or ".join(shown), "、".join(shown))
        yield Hit(head.where, values, Severity.BUG if wrong else None, confidence)


def _stated(program: Program, network: Instance) -> set[int]:
    """The sides of images that the comments and the docstring of a network say."""
    node = network.of.node
    rows = program.text.split("\n")[node.lineno - 1 : node.end_lineno]
    said = [row.partition("#")[2] for row in rows] + [ast.get_docstring(node) or ""]
    return {int(match[1]) for text in said for match in _STATED.finditer(text)}


def _loaded(program: Program, network: Instance) -> dict[int, str]:
    """The sides of the images that a network is called on as they are loaded, each with the dataset that has them."""
    found: dict[int, str] = {}
    for events in Analysis.of(program).stretches:
        for event in events:
            if event.kind != "call" or event.owner is not network or not event.rounds:
                continue
            dataset = goes_over(event.rounds[-1])
            side = side_of(dataset) if isinstance(dataset, Made) and _is_as_loaded(program, event) else None
            if isinstance(dataset, Made) and side is not None:
                found[side] = dataset.short
    return found


def _is_as_loaded(program: Program, call: Event) -> bool:
    """Whether a network is called on what its loop binds, moved to a device at most."""
    loop, loader = call.rounds[-1].loop, call.rounds[-1].over
    if not isinstance(call.node, ast.Call) or (isinstance(loader, Made) and "collate_fn" in loader.named):
        return False
    given = call.node.args[:1]
    names = {each.id for part in given for each in ast.walk(part) if isinstance(each, ast.Name)}
    bound = [node for node in program.nodes(ast.Assign) if is_inside(node, loop)]
    again = [node.value for node in bound if not names.isdisjoint(map(ast.unparse, ast.walk(node.targets[0])))]
    return bool(given) and all(map(_moves_only, (*given, *again)))


def _moves_only(node: ast.expr) -> bool:
    """Whether what it gives has the size of what it is given."""
    calls = [ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)]
    cut = any(isinstance(each, ast.Slice | ast.BinOp) for each in ast.walk(node))
    return not cut and all(name.rpartition(".")[2] in _MOVING for name in calls)


_NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    # {comment}
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2){pool})
        self.fc = nn.Linear(8 * 12 * 12, 10){mark}
    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
"""
_LENET = """
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision import datasets, transforms
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5{padding}), nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120){mark}
        self.fc2 = nn.Linear(120, 10)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))
net, device = LeNet(), torch.device("cpu")
steps = transforms.Compose([{resize}transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
loader = torch.utils.data.DataLoader(datasets.MNIST("data", transform=steps), batch_size=64, shuffle=True)
for i, batch in enumerate(loader):
    x, y = batch
    {moved}
    F.cross_entropy(net(x), y).backward()
"""
_MOVED = "x, y = x.to(device), y.to(device)"
VALID = (_NETWORK.format(comment="any size", pool=", nn.AdaptiveAvgPool2d(12)", mark=""),)
INVALID = (
    _NETWORK.format(comment="images of 3x28x28", pool="", mark="  # <- note"),
    _NETWORK.format(comment="images of 3x32x32", pool="", mark="  # <- bug"),
    _LENET.format(padding="", resize="", moved=_MOVED, mark="  # <- bug"),
    _LENET.format(padding=", padding=2", resize="", moved=_MOVED, mark="  # <- note"),
    _LENET.format(padding="", resize="transforms.Resize((32, 32)), ", moved=_MOVED, mark="  # <- note"),
    _LENET.format(padding="", resize="", moved="x = F.pad(x, (2, 2, 2, 2))", mark="  # <- note"),
)
