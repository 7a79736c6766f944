"""`repro audit --run`: what the text tells and what running it shows in one report, whatever the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from repro.cli import main
from repro.sandbox.offer import Offer, offer

needs_landlock = pytest.mark.skipif(
    bool(offer().missing), reason=f"this machine isolates nothing: {'; '.join(offer().missing)}"
)

NETWORK = """\
import torch
from torch import nn

class Head(nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        return self.fc(x.view(-1, 16 * 5 * 5))

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.head = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), Head()

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        return self.head(torch.max_pool2d(torch.relu(self.conv2(x)), 2))
"""
SIDE = 28  # of other images: 16 x 4 x 4 values of each, so that 25 of them make 16 rows


def audit(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit status of `repro audit --run`, the report as JSON, and what was said beside it."""
    status = main(["audit", "--run", "--lang", "en", "--format", "json", *arguments])
    told = capsys.readouterr()
    return status, json.loads(told.out), told.err


@needs_landlock
def test_what_is_seen_stands_with_what_the_text_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lenet.py"
    path.write_text(NETWORK)
    status, told, _ = audit(capsys, "--select", "CNN301,CNN806", str(path))
    (found,) = told["findings"]
    assert (status, found["code"], found["symbol"], found["confidence"]) == (1, "CNN301", "Head.forward", "high")
    assert found["shown"] == [f"25 images of 3x{SIDE}x{SIDE} go in, and 16 rows come out"]
    assert found["evidence"]["run"] == [{"code": "CNN806", "batch": 25, "size": f"3x{SIDE}x{SIDE}", "rows": 16}]
    assert told["isolation"] == offer().level
    assert [each["symbol"] for each in told["files"][0]["networks"]] == ["Head", "LeNet"]


@needs_landlock
def test_the_audit_goes_on_whatever_the_code_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (
        ("a", "import torch, os\nx = os._exit(0)\n"),
        ("b", "import torch, os, signal\nx = os.kill(os.getpid(), signal.SIGKILL)\n"),
        ("c", "import torch\nraise SystemExit('left')\nclass X: pass\nx = 1 / 0\ny = '\\x1b[31m' + 1\n"),
        ("d", NETWORK),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    status, told, _ = audit(capsys, *(str(tmp_path / f"{name}.py") for name in "abcd"))
    problems = [each["problem"] for each in told["files"]]
    assert status == 2
    assert "it left before its end (status 0)" in problems[0]
    assert "it was ended by a signal (SIGKILL)" in problems[1]
    assert problems[2:] == [None, None]
    assert [each["line"] for each in told["files"][2]["left_out"]] == [4, 5]
    assert told["files"][3]["networks"]


@needs_landlock
def test_what_the_code_says_reaches_no_terminal_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.py"
    path.write_text("import torch\nx = open('/no/\x1b[31m/file')\n")
    main(["audit", "--run", str(path)])
    told = capsys.readouterr().out
    assert "FileNotFoundError" in told
    assert "\x1b" not in told


def test_no_code_is_run_where_nothing_isolates_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "net.py"
    path.write_text(f"import torch\nx = open({str(marker)!r}, 'w')\n")
    monkeypatch.setattr("repro.running.runner.offer", Offer)
    assert main(["audit", "--run", str(path)]) == 2
    assert "this code is not run: no Landlock" in capsys.readouterr().err
    assert not marker.exists()
    status, told, _ = audit(capsys, "--run-without-isolation", str(path))
    assert (status, told["isolation"], marker.exists()) == (0, "none", True)
