"""What comes back from the sandbox is read as anything that the code there may have written."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from repro.audit.engine import audited
from repro.audit.known import known
from repro.audit.report import Audited
from repro.audit.source.document import Document
from repro.running.probing import probed
from repro.running.runner import Runner
from repro.sandbox.outcome import Outcome

TEXT = '''import torch
from torch import nn
class Net(nn.Module):
    """A network with 1,792 parameters."""
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3)).view(-1, 32)
def train(net, images, labels):
    nn.CrossEntropyLoss()(net(images), labels).backward(undefined)
'''
HONEST = probed({"text": TEXT, "missing": "", "codes": [each.code for each in known()], "share": [0, 1]})
ODD: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1e400,
    float("nan"),
    "",
    "\ud800\x1b[31m\u202e{0}",
    [],
    {},
    [[]],
    {"en": 1, "zh": 2},
]


class Telling(Runner):
    """Says that this is what came back."""

    def __init__(self, value: Any) -> None:
        self.level = "none"
        self.value = value

    def outcomes(self, payload: dict[str, Any]) -> list[Outcome]:
        return [Outcome("done", self.value)]


def told(value: Any) -> Audited:
    return audited(Document("case.py", TEXT, "utf-8"), known(), Telling(value))


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a report that something else may be written in, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, each in inner for path in paths(each, (*at, key)))]


def with_(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return changed


def test_what_is_honest_is_taken() -> None:
    run = told(HONEST).run
    assert run is not None
    assert run.problem is None
    assert [each.symbol for each in run.networks] == ["Net"]
    assert [said for _, said, _ in run.true] == ["1,792 parameters"]


@pytest.mark.parametrize("path", paths(HONEST), ids=lambda path: ".".join(map(str, path)) or "all")
def test_anything_in_any_place_is_read_or_told_as_forged(path: tuple[Any, ...]) -> None:
    plain = {(each.code, each.place) for each in audited(Document("case.py", TEXT, "utf-8"), known()).findings}
    for odd in ODD:
        found = told(with_(HONEST, path, odd))
        assert found.run is not None
        assert found.run.problem is None or "something else was written" in found.run.problem.en
        assert plain <= {(each.code, each.place) for each in found.findings}  # the text's own findings stay
        assert all(len(each.told("en")) < 5000 for each in found.findings)


def test_endless_lists_are_not_read() -> None:
    run = told({**HONEST, "seen": HONEST["seen"] * 10_000}).run
    assert run is not None
    assert run.problem is not None
