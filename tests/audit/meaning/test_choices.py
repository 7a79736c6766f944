"""A program is run a second time only where a condition that cannot be known makes it another program."""

from __future__ import annotations

import ast

import pytest

from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.interpreter import leaves_a_trace
from repro.audit.program import Program

NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
    def forward(self, x):
        x = self.fc(x)
        {forward}
        return x
def plain():
    return Net()
def loaded(weights):
    net = Net()
    {maker}
    return net
"""


def analysis(forward: str = "pass", maker: str = "pass") -> Analysis:
    text = NETWORK.format(forward=forward, maker=maker)
    return Analysis(Program("case.py", text, ast.parse(text)))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("if a: x = 1", True),
        ("if a: return x", True),
        ("if a: pass\nelse: x = 1", True),
        ("if a: layers.append(y)", True),
        ("if a:\n for m in n: m.add_module('a', y)", True),
        ("if a: net.load_state_dict(y)", False),
        ("if a:\n for m in n:\n  if b: nn.init.zeros_(m)", False),
        ("if a: print(x)\nelif b: raise ValueError", False),
        ("if a: assert x", False),
    ],
)
def test_what_a_condition_decides(statement: str, expected: bool) -> None:
    (node,) = ast.parse(statement).body
    assert leaves_a_trace(node) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"forward": "if x.mean() > 0: print(x)"},
        {"forward": "if x.mean() > 0: raise ValueError"},
        {"maker": "if weights: net.load_state_dict(weights)"},
    ],
)
def test_one_run_is_enough_where_nothing_is_open(changes: dict[str, str]) -> None:
    assert len(analysis(**changes).runs) == 1


def test_either_branch_is_run_where_it_matters() -> None:
    first, second = analysis(forward="if x.mean() > 0: x = x.relu()").runs
    assert [sum(op.kind == "activation" for op in run.ops) for run in (first, second)] == [2, 0]


def test_the_second_run_leaves_out_what_chose_nothing() -> None:
    first, second = analysis(maker="if weights: net.fc = nn.Linear(8, 4)").runs
    made = [[each.of.name for each in run.made if not hasattr(each, "kind")] for run in (first, second)]
    assert made == [["Net", "Net"], ["Net"]]
    assert [len(run.ops) for run in (first, second)] == [2, 1]


def test_what_is_made_again_where_only_its_forward_chose() -> None:
    _, second = analysis(forward="if x.mean() > 0: x = x.relu()").runs
    assert len(second.returned) == 2
