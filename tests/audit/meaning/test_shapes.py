"""Shapes along a program, as torch itself has them, and what rules ask of networks on images of a size."""

from __future__ import annotations

import ast

import pytest
import torch

from repro.audit.meaning import flow, sizes
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.values import Instance
from repro.audit.program import Program


def analysis(text: str) -> Analysis:
    return Analysis.of(Program("case.py", text, ast.parse(text)))


@pytest.mark.parametrize(
    "expression",
    [
        "nn.Conv2d(3, 8, 5, stride=2, padding=1)(x)",
        "nn.Conv2d(3, 8, (3, 1), padding=(1, 0), dilation=2)(x)",
        "nn.Conv2d(3, 8, 3, padding='same')(x)",
        "nn.MaxPool2d(3, 2, ceil_mode=True)(x)",
        "nn.AvgPool2d(2)(x)",
        "nn.AdaptiveAvgPool2d((2, 3))(x)",
        "F.max_pool2d(x, 2)",
        "x.mean((2, 3))",
        "x.mean(3, keepdim=True)",
        "torch.flatten(x, 1)",
        "x.flatten(2)",
        "x.view(x.size(0), -1)",
        "x.reshape(-1, 6)",
        "torch.cat([x, x], dim=1)",
        "nn.Linear(16, 5)(x)",
        "x + x.relu()",
    ],
)
def test_a_shape_is_what_torch_makes_of_it(expression: str) -> None:
    head = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
    text = f"{head}x = torch.zeros(2, 3, 18, 16)\ny = {expression}\n"
    run = analysis(text).runs[0]
    names: dict[str, torch.Tensor] = {}
    exec(text, names)  # a line of this file
    assert run.top.names["y"].shape == tuple(names["y"].shape)


NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(width * 12 * 12, 10)
    def forward(self, x):
        return self.fc(self.features(x).flatten(1))
def net():
    return Net()
"""


def test_a_network_is_traced_at_a_size_and_the_program_is_as_it_was() -> None:
    found = analysis(NETWORK)
    network = found.made_by("net")
    assert isinstance(network, Instance)
    before = len(found.runs[0].ops), len(found.runs[0].returned), len(found.runs[0].made)
    shapes = [op.shape for op in found.trace(network, 28)]
    assert shapes == [
        (None, 8, 24, 24), (None, 8, 24, 24), (None, 8, 12, 12), (None, 1152), (None, 10)
    ]  # fmt: skip
    assert before == (len(found.runs[0].ops), len(found.runs[0].returned), len(found.runs[0].made))
    assert found.trace(network, 28) is found.trace(network, 28)


def test_a_head_fits_the_images_that_it_was_made_for() -> None:
    found = analysis(NETWORK)
    ((head, network),) = sizes.fixed_heads(found).items()
    assert sizes.fitting(found, head, network) == [28]


def test_no_head_is_fixed_behind_an_adaptive_pool() -> None:
    assert not sizes.fixed_heads(analysis(NETWORK.replace("nn.MaxPool2d(2)", "nn.AdaptiveAvgPool2d(12)")))


def test_what_stands_before_and_behind_an_operation() -> None:
    ops = analysis(NETWORK).runs[0].ops
    conv, relu, pool, flatten, fc = ops[-5:]
    assert list(flow.before(fc, ("flatten", "pool"))) == [flatten, pool, relu]
    assert [op.kind for op in flow.back(fc)] == ["flatten", "pool", "activation", "conv", "input"]
    assert list(flow.after(conv, flow.users(ops), ("activation", "pool"))) == [flatten]


@pytest.mark.parametrize(
    ("condition", "certain"),
    [("self.training", True), ("isinstance(x, nn.Linear)", True), ("width > 8", True), ("given()", False)],
)
def test_a_network_is_certain_where_no_unknown_condition_shapes_it(condition: str, certain: bool) -> None:
    changed = NETWORK.replace(
        "        self.fc =", f"        if {condition}:\n            print(width)\n        self.fc ="
    )
    assert analysis(changed).is_certain is certain
