"""The optimizer is given the parameters of one part of a network whose other parts are new, too.

Training the head alone is right on top of trained layers. Here nothing in the text loads or freezes any weights: all
other layers keep the random weights that they began with.

Give the optimizer `net.parameters()`.

Limits: nothing is said where weights are loaded or frozen anywhere in the document, or another optimizer is made.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.parts import has_weights, parts
from repro.audit.meaning.training import is_optimizer
from repro.audit.meaning.values import Event, Instance, Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """优化器只拿到网络一部分的参数，而其余部分也是新建的。

在训练好的层之上只训练最后的分类层，是对的。可是这里没有任何代码
加载或冻结过权重：其余的层会一直保持最初的随机权重。

应当把 `net.parameters()` 交给优化器。

局限：文档里任何地方加载或冻结过权重，或还建了别的优化器时，不报告。
"""

_REUSING = frozenset("load_state_dict requires_grad requires_grad_ load load_url load_state_dict_from_url".split())


@rule(
    "CNN612",
    Severity.BUG,
    Confidence.MEDIUM,
    en="the optimizer gets {part} of {network} only; the other layers keep their random weights",
    zh="优化器只拿到了 {network} 的 {part}，其余的层会一直保持随机权重",
)
def optimizer_of_one_part(program: Program) -> Iterator[Hit]:
    if any(node.attr in _REUSING for node in program.nodes(ast.Attribute)):
        return
    if any(keyword.arg in ("pretrained", "weights") for keyword in program.nodes(ast.keyword)):
        return
    for events in Analysis.of(program).stretches:
        made = [event for event in events if event.kind == "make" and is_optimizer(event)]
        if len(made) != 1:
            continue
        inside = {id(node) for node in ast.walk(made[0].node)}
        given = [event for event in events if event.kind == "parameters" and id(event.node) in inside]
        for network in _trained(events):
            owners = [event.owner for event in given if isinstance(event.owner, Instance | Layer)]
            held = {id(part) for part in parts(network)}
            reached = {id(part) for owner in owners for part in parts(owner)}
            left = [each for each in parts(network) if isinstance(each, Layer) and id(each) not in reached]
            if owners and len(owners) == len(given) and reached < held and any(map(has_weights, left)):
                yield Hit(made[0].node, {"part": ", ".join(each.name for each in given), "network": network.of.name})


def _trained(events: list[Event]) -> list[Instance]:
    """The networks of the program that are called where it goes backward."""
    rounds = {id(event.rounds[-1]) for event in events if event.kind == "backward" and event.rounds}
    called = [event for event in events if event.kind == "call" and event.rounds and id(event.rounds[-1]) in rounds]
    return list({id(e.owner): e.owner for e in called if isinstance(e.owner, Instance)}.values())


_NETWORK = """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(8, 10)
    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
net, loss_fn = Net(), nn.CrossEntropyLoss()
"""
_LOOP = """
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
"""
VALID = (
    _NETWORK + "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)" + _LOOP,
    _NETWORK
    + """
net.load_state_dict(torch.load("trained.pth"))
optimizer = torch.optim.SGD(net.fc.parameters(), lr=0.1)
"""
    + _LOOP,
    _NETWORK
    + """
groups = [{"params": net.features.parameters()}, {"params": net.fc.parameters(), "lr": 1.0}]
optimizer = torch.optim.SGD(groups, lr=0.1)
"""
    + _LOOP,
)
INVALID = (_NETWORK + "optimizer = torch.optim.SGD(net.fc.parameters(), lr=0.1)  # <- bug" + _LOOP,)
