"""One file with everything that a rendering may meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from repro.audit.finding import Confidence, Finding, Place, Repair, Severity, Words
from repro.audit.report import Audited, Network, Run, Sheet

EVIL = '<script>alert("&")</script>\x1b[31m\x07\u202e,:%'
LINES = ("import torch", f"x = '{EVIL}'", "\tif x:  # 中文注释", "    y = 中文 + undefined", "")


def place(line: int = 2, column: int = 1, end: int = 4, cell: int | None = None, file_line: int | None = None) -> Place:
    return Place(cell, line, column, line, end, line if file_line is None else file_line)


def finding(at: Place | None = None, **given: Any) -> Finding:
    message = Words("it is wrong; mend it", "这里有错;应当改掉")
    values: dict[str, Any] = {"severity": Severity.BUG, "confidence": Confidence.HIGH, "message": message}
    values |= {"path": "net.py", "code": "CNN401", "name": "softmax-before-loss", **given}
    return Finding(place=at or place(), symbol="Net.forward", evidence={"loss": "CrossEntropyLoss"}, **values)


def repair(*alternatives: Words) -> Repair:
    message = Words("indentation is restored", "恢复了缩进")
    return Repair("indentation", Confidence.MEDIUM, message, "net.py", Place(None, 1, 1, 4, 2, 1), alternatives)


@pytest.fixture
def audited() -> Callable[..., Audited]:
    def make(*findings: Finding, repairs: tuple[Repair, ...] = (), cell: int | None = None, **given: Any) -> Audited:
        path = findings[0].path if findings else "net.py"
        return Audited(path, findings or (), repairs, (Sheet(cell, LINES),), **given)

    return make


def ran(problem: Words | None = None) -> Run:
    """What came of running that file."""
    network = Network(
        "Net", place(3), "Net()", "", "vgg11", 1, Words("near VGG-11", "接近 VGG-11"), (), None, EVIL, False
    )
    return Run("base", (network,), ((place(4), EVIL),), ((place(1), EVIL, Words("so it is", "属实")),), problem, 0.5)
