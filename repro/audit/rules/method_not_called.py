"""A method is named and not called, because its parentheses are missing.

`optimizer.zero_grad` is an expression that does nothing: gradients add up. `loss.backward` computes no gradient,
`optimizer.step` changes no weight, `net.eval` leaves dropout on. Python accepts each of them without a word.

Write the parentheses.

Fix: the parentheses are added, but for a scheduler's `step`, which may want a metric, and at the top of a notebook,
where the method may be meant to be shown.

Limits: the methods that a training loop is made of, where such an expression is a whole statement, in a text that
trains.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, appended
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """只写了方法的名字，漏了括号，方法没有被调用。

`optimizer.zero_grad` 只是一个什么也不做的表达式：梯度会一直累加。
`loss.backward` 不会计算梯度，`optimizer.step` 不会更新权重，
`net.eval` 不会关掉 dropout。Python 对此一声不吭。

应当补上括号。

修复：补上括号；但学习率调度器的 `step` 可能要传指标，笔记本顶层的表达式可能只是想显示出来，这两种不改。

局限：只看做训练的文本里训练循环用到的方法，并且整条语句就是这样一个表达式。
"""

_METHODS = frozenset({"zero_grad", "backward", "step", "train", "eval"})

_TRAINING = frozenset({"zero_grad", "backward", "parameters"})  # without any of them `step` may be whatever it likes


@rule(
    "CNN614",
    Severity.BUG,
    Confidence.HIGH,
    en="{method} is not called: this statement does nothing; write {method}()",
    zh="{method} 没有被调用，这条语句什么也不做；应当写成 {method}()",
)
def method_not_called(program: Program) -> Iterator[Hit]:
    severity, confidence = (None, None) if program.whole else (Severity.RISK, Confidence.MEDIUM)
    if not any(node.attr in _TRAINING for node in program.nodes(ast.Attribute)):
        return
    for statement in program.nodes(ast.Expr):
        node = statement.value
        if isinstance(node, ast.Attribute) and node.attr in _METHODS and program.dotted(node) is None:
            yield Hit(node, {"method": ast.unparse(node)}, severity, confidence)


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The parentheses, where what is called needs nothing between them; a notebook may want to show the method."""
    node = hit.at
    assert isinstance(node, ast.Attribute)
    shown = program.lines is not None and not program.symbol(node)
    own = any(each.name == node.attr for each in program.named)
    if program.whole and not shown and not own and (node.attr != "step" or _is_optimizer(program, node.value)):
        yield from appended(program, node, "()")


def _is_optimizer(program: Program, node: ast.expr) -> bool:
    """Whether the gradients of the same thing are cleared, and no optimizer is there that steps with an argument."""
    names = {ast.unparse(each.value) for each in program.nodes(ast.Attribute) if each.attr == "zero_grad"}
    return ast.unparse(node) in names and "LBFGS" not in program.text


VALID = (
    """
import torch
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
calls = [net.train, net.eval]
net.step = 3
""",
    """
import torch
window = range(0, 10, 2)
window.step
""",
)
INVALID = (
    """
import torch
net.train  # <- bug
for x, y in loader:
    optimizer.zero_grad  # <- bug
    loss = loss_fn(net(x), y)
    loss.backward  # <- bug
    optimizer.step  # <- bug
""",
)
FIXED = (
    (
        """
import torch
net.train
for x, y in loader:
    optimizer.zero_grad
    loss_fn(net(x), y).backward()
    optimizer.step
    scheduler.step
""",
        """
import torch
net.train()
for x, y in loader:
    optimizer.zero_grad()
    loss_fn(net(x), y).backward()
    optimizer.step()
    scheduler.step
""",
    ),
)
