"""`repro identify`: the networks of a file, named by what they compute when the file is run where it can do no harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from repro.audit.program import Program
from repro.audit.source.parse import parsed
from repro.cli import main
from repro.running.definitions import run
from repro.running.runner import missing
from repro.sandbox.offer import Offer, offer

needs_landlock = pytest.mark.skipif(
    bool(offer().missing), reason=f"this machine isolates nothing: {'; '.join(offer().missing)}"
)

# Configurations A and D of arXiv:1409.1556, Table 1, without the imports, which a tutorial leaves out.
NETWORKS = """
A = [64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M']

class VGG(nn.Module):
    def __init__(self, plan, num_classes=1000):
        super().__init__()
        layers, channels = [], 3
        for each in plan:
            if each == 'M':
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, each, 3, padding=1), nn.ReLU()]
                channels = each
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, num_classes))

    def forward(self, x):
        return self.head(nn.functional.adaptive_avg_pool2d(self.features(x), 7).flatten(1))

data = open('/no/such/file').read()

def VGG_11():
    return VGG(A)

def VGG_13():
    return VGG(A)

for epoch in range(10**9):
    train()

if __name__ == '__main__':
    raise SystemExit('never run')
"""


def entries(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """The files that `repro identify` tells of, as JSON."""
    main(["identify", "--format", "json", *arguments])
    told = json.loads(capsys.readouterr().out)
    assert told["isolation"] == (offer().level if not offer().missing else "none")
    files: list[dict[str, Any]] = told["files"]
    return files


@needs_landlock
def test_two_factories_of_one_network_are_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text(NETWORKS)
    (found,) = entries(capsys, str(path))
    networks = {each["symbol"]: each for each in found["networks"]}
    assert {name: each["identified"] for name, each in networks.items()} == {"VGG_11": "vgg11", "VGG_13": "vgg11"}
    assert [(each["claims"], each["keeps_its_name"]) for each in networks.values()] == [
        ("vgg11", True),
        ("vgg13", False),
    ]
    assert all(each["distance"] == 0 for each in networks.values())
    line = NETWORKS.split("\n").index("def VGG_13():") + 1
    assert networks["VGG_13"]["line"] == line
    assert [each["error"].split(":")[0] for each in found["left_out"]] == ["FileNotFoundError"]


@needs_landlock
def test_a_name_that_is_not_kept_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.md"
    path.write_text(f"# Networks\n\n```python{NETWORKS}```\n")
    assert main(["identify", str(path)]) == 1
    said = capsys.readouterr().out
    line = NETWORKS.split("\n").index("def VGG_13():") + 3
    assert f"VGG_13 (line {line}): VGG-11 (vgg11), exactly; its name says vgg13" in " ".join(said.split())
    assert max(map(len, said.splitlines()[1:])) < 80


def test_nothing_is_run_where_nothing_is_isolated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "net.py"
    path.write_text(f"import torch\nx = open({str(marker)!r}, 'w')\n")
    monkeypatch.setattr("repro.running.runner.offer", Offer)
    assert main(["identify", str(path)]) == 2
    assert "this code is not run: no Landlock" in capsys.readouterr().err
    assert not marker.exists()
    assert main(["identify", "--run-without-isolation", "--format", "json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["isolation"] == "none"
    assert marker.exists()


def test_only_what_defines_is_run() -> None:
    made = run(
        "a = 1\nfor _ in [1]: a = 2\nprint(1 / 0)\nb = 1 / 0\ndef f(): pass\nif __name__ == '__main__': a = 3\n", ""
    )
    assert made.get("a") == 1
    assert callable(made.get("f"))
    assert [(each.line, each.error.split(":")[0]) for each in made.failures] == [(4, "ZeroDivisionError")]


def test_imports_that_are_left_out_are_those_that_are_used() -> None:
    text = "import numpy as np\nx = nn.Linear(2, np.size(F))\nplt = 3"
    tree = parsed(text)
    assert not isinstance(tree, SyntaxError)
    assert missing(Program("a.py", text, tree)).split("\n") == [
        "from torch.nn import functional as F",
        "from torch import nn as nn",
        "import numpy as np",  # a snippet above the one that imports it may use it
    ]
