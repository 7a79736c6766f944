"""A whole network is pickled, rather than its weights.

`torch.save(net, ...)` keeps the class by its name and its file. Once either is renamed or moved the file cannot be
loaded, and since torch 2.6 `torch.load` refuses it unless it is told `weights_only=False`: where the same text loads
the file again without that, it is a risk.

Save `net.state_dict()`, make the network, and load the weights into it.

Limits: names that the document shows to be networks, by making them, training them or asking for their parameters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.interpreter import dotted_text
from repro.audit.meaning.values import Event, Instance, Layer
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把整个网络 pickle 存了下来，而不是只存权重。

`torch.save(net, ...)` 记下的是类的名字和所在的文件。
改名或移动之后就读不回来了；从 torch 2.6 起，
不写 `weights_only=False`，`torch.load` 会拒绝读取：
同一份文本又这样去读它时，算风险。

应当保存 `net.state_dict()`，读取时先建立网络，再装入权重。

局限：只看文档里能看出是网络的名字：建立过它、训练过它，或取过它的参数。
"""

_OF_NETWORKS = frozenset({"train", "eval", "parameters", "state_dict", "load_state_dict"})


@rule(
    "CNN718",
    Severity.NOTE,
    Confidence.HIGH,
    en="torch.save pickles all of {network}, which torch.load refuses since torch 2.6; save {network}.state_dict()",
    zh="torch.save 存的是整个 {network}，torch 2.6 起 torch.load 会拒绝读取；应当保存 {network}.state_dict()",
)
def whole_module_saved(program: Program) -> Iterator[Hit]:
    if "torch.save" not in program.text:
        return
    loaded = {ast.unparse(node.args[0]) for node in program.nodes(ast.Call) if _is_refused(program, node)}
    for events in Analysis.of(program).stretches:
        names = {event.name for event in events if _is_of_network(event)}
        for event in events:
            call = event.node
            if event.kind == "save" and isinstance(call, ast.Call) and program.dotted(call.func) == "torch.save":
                name = dotted_text(call.args[0]) if call.args else ""
                if name and name in names:
                    again = len(call.args) > 1 and ast.unparse(call.args[1]) in loaded
                    yield Hit(call, {"network": name}, Severity.RISK if again else None)


def _is_of_network(event: Event) -> bool:
    return event.kind in _OF_NETWORKS or (event.kind == "call" and isinstance(event.owner, Instance | Layer))


def _is_refused(program: Program, node: ast.Call) -> bool:
    """Whether it is `torch.load` of a file, as torch 2.6 and later refuses it where a network is in it."""
    allowed = any(each.arg in ("weights_only", None) for each in node.keywords)
    return program.dotted(node.func) == "torch.load" and bool(node.args) and not allowed


VALID = (
    """
import torch
net = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
torch.save(net.state_dict(), "net.pth")
torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, "both.pth")
torch.save(images, "images.pth")
""",
)
INVALID = (
    """
import torch
def train(net, optimizer):
    net.train()
    torch.save(net, "net.pth")  # <- note
""",
    """
import torch
net = torch.nn.Linear(2, 2)
net(torch.ones(1, 2))
torch.save(net, "net.pth")  # <- risk
net = torch.load("net.pth")
""",
)
