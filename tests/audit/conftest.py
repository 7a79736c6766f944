"""A network with a softmax before its loss, in each of the forms in which people have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SOFTMAX = """\
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 10)
    def forward(self, x):
        return self.fc(x).softmax(1)
net, criterion = Net(), nn.CrossEntropyLoss()
def train(x, y):
    return criterion(net(x), y)
"""
SOUND = SOFTMAX.replace(".softmax(1)", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def notebook(*cells: str) -> str:
    """A notebook with a cell of prose and these cells of code."""
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells]
    prose = {"cell_type": "markdown", "source": ["# A network"]}
    return json.dumps({"cells": [prose, *code], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}, indent=1)
