"""A layer of a network is replaced after the optimizer took the parameters.

The optimizer holds the parameters of the layer that is gone. The new one keeps its random weights for ever: it is never
trained, and nothing fails.

Replace the layer first, and make the optimizer then.

Limits: the optimizer, the replacement and the training must be in the same document, in this order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.training import is_optimizer
from repro.audit.meaning.values import Event
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """优化器已经取走了参数，之后才替换网络里的层。

优化器手里的是被换掉的那一层的参数。新的层一直保持随机权重，
永远不会被训练，程序也不会报错。

应当先替换层，再创建优化器。

局限：创建优化器、替换层和训练必须在同一份文档里，并且按这个顺序出现。
"""


@rule(
    "CNN607",
    Severity.BUG,
    Confidence.HIGH,
    en="{layer} is replaced after the optimizer in {optimizer_line} took the parameters; it is never trained",
    zh="{layer} 是在{optimizer_line}的优化器取走参数之后才替换的，新的层永远不会被训练",
)
def layer_replaced_after_optimizer(program: Program) -> Iterator[Hit]:
    if any(node.attr == "add_param_group" for node in program.nodes(ast.Attribute)):
        return
    for events in Analysis.of(program).stretches:
        taken: dict[str, Event] = {}  # by network, the optimizer that took its parameters last
        waiting: list[tuple[Event, Event]] = []
        asked: list[Event] = []
        for event in events:
            if event.kind == "parameters":
                asked.append(event)
            elif event.kind == "make" and is_optimizer(event):
                inside = {id(node) for node in ast.walk(event.node)}
                taken.update({each.name: event for each in asked if id(each.node) in inside})
                waiting = [pair for pair in waiting if not any(_of(pair[0], name) for name in taken)]
            elif event.kind == "replace":
                waiting += [(event, maker) for name, maker in taken.items() if _of(event, name)]
            elif event.kind == "step" and is_optimizer(event):
                for replaced, maker in waiting:
                    line = program.place(maker.node)
                    yield Hit(replaced.node, {"layer": ast.unparse(replaced.node), "optimizer_line": line})
                waiting = []


def _of(event: Event, network: str) -> bool:
    return bool(network) and (event.name == network or event.name.startswith(f"{network}."))


VALID = (
    """
import torch, torchvision
net = torchvision.models.resnet18(weights="DEFAULT")
net.fc = torch.nn.Linear(512, 10)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
""",
    """
import torch, torchvision
net = torchvision.models.resnet18(weights="DEFAULT")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net.fc = torch.nn.Linear(512, 10)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
""",
)
INVALID = (
    """
import torch, torchvision
net = torchvision.models.vgg16(weights="DEFAULT")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net.classifier[6] = torch.nn.Linear(4096, 10)  # <- bug
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
""",
)
