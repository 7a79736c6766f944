"""Commands that stand among the code of a page."""

from __future__ import annotations

import pytest

from repro.audit.source.line import Line
from repro.audit.source.shell import is_shell


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        ("pip install torch", True),
        ("# the data\nwget https://example.org/a.zip\nunzip a.zip", True),
        ("python train.py \\\n    --epochs 3 \\\n    --lr 0.1", True),
        ("$ python train.py\nepoch 1: loss 2.30", True),
        ("(torch) $ nvidia-smi\n", True),
        ("pip install torch\nimport torch", False),
        ("import torch", False),
        ("cd = 3", False),
        ("ls = [1]\nls[0]", False),
        ("# a comment", False),
        ("", False),
    ],
)
def test_a_block_of_commands_is_known(text: str, shell: bool) -> None:
    assert is_shell([Line.of(line, number) for number, line in enumerate(text.split("\n"), start=1)]) is shell
