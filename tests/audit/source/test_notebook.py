"""What is IPython's in a notebook, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from repro.audit.source.line import Line
from repro.audit.source.notebook import sources, without_magics


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("%matplotlib inline", "pass"),
        ("!pip install torch", "pass"),
        ("torch.ones?", "pass"),
        ("watermark -iv", "pass"),  # a magic may be written without its sign
        ("    %time net(x)", "    net(x)"),
        ("%time net = Net()", "net = Net()"),
        ("%timeit -n 3 net(x)", "pass"),
        ("files = !ls", "files = None"),
        ("a = %timeit -o net(x)", "a = None"),
        ("%run train.py", "from loaded import *"),
        ("%load ../network.py", "from loaded import *"),
        ("%load_ext autoreload", "pass"),
        ("pip install -q torch torchvision", "pass"),
        ("cd ../data", "pass"),
        ("ls", "pass"),
        ("matplotlib inline", "pass"),
        ("x = y -z", "x = y -z"),
        ("run = 3\nrun.real", "run = 3\nrun.real"),
        ("cat (x)", "cat (x)"),
        ("mv = [\n1]", "mv = [\n1]"),
        ("rate = (5\n% (2))", "rate = (5\n% (2))"),
    ],
)
def test_a_magic_is_replaced_and_the_rest_stays(written: str, left: str) -> None:
    lines = [Line.of(text, number) for number, text in enumerate(written.split("\n"), start=1)]
    assert "\n".join(line.text for line in without_magics(lines)) == left


@pytest.mark.parametrize(
    "metadata",
    [{"kernelspec": {"language": "R"}}, {"language_info": {"name": "julia"}}, {"kernelspec": {"language": "C++17"}}],
)
def test_a_notebook_in_another_language_has_no_python(metadata: dict[str, Any]) -> None:
    cells = [{"cell_type": "code", "source": "library(torch)"}]
    assert list(sources(json.dumps({"cells": cells, "metadata": metadata}))) == []


@pytest.mark.parametrize(
    "metadata", [{"kernelspec": {"language": "python"}}, {"language_info": {"name": "python3"}}, {}, []]
)
def test_a_notebook_that_says_python_or_nothing_is_read(metadata: object) -> None:
    cells = [{"cell_type": "code", "source": "import torch"}]
    assert list(sources(json.dumps({"cells": cells, "metadata": metadata}))) == [(0, "import torch")]
