"""Every probe on its own cases: what is marked in its INVALID programs is seen, as bad as it says, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from repro.audit.claims.refuted import REFUTED
from repro.audit.engine import audited
from repro.audit.known import known
from repro.audit.probe import Probe, probes
from repro.audit.source.document import Document
from repro.running.probing import probed
from repro.running.runner import Runner
from repro.sandbox.outcome import Outcome

PROBES = probes()
MARK = re.compile(r"# <-(.*)$")


class Here(Runner):
    """Runs our own cases in this process, through everything but the sandbox."""

    def __init__(self) -> None:
        self.level = "none"

    def outcomes(self, payload: dict[str, Any]) -> list[Outcome]:
        return [Outcome("done", probed({**payload, "share": [number, 2]})) for number in (0, 1)]


def found(probe: Probe, text: str) -> list[tuple[int, str]]:
    """The lines at which a probe sees something, alone or in what a rule has found, and how bad it is."""
    asked = [each for each in known() if each is probe or (not probe.alone and each.code in probe.confirms)]
    told = audited(Document("case.py", text, "utf-8"), asked, Here())
    assert told.run is not None
    assert told.run.problem is None
    seen = [each for each in told.findings if each.code == probe.code or each.shown]
    return sorted((each.place.line, each.severity.value) for each in seen)


def marked(text: str) -> list[tuple[int, str]]:
    """The lines that end in a mark, and the severity in it."""
    marks = ((number, MARK.search(line)) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, mark[1].strip()) for number, mark in marks if mark]


@pytest.mark.parametrize(
    ("probe", "text"), [pytest.param(p, t, id=f"{p.code}-{i}") for p in PROBES for i, t in enumerate(p.valid)]
)
def test_nothing_is_seen_where_nothing_is_wrong(probe: Probe, text: str) -> None:
    assert found(probe, text) == []


@pytest.mark.parametrize(
    ("probe", "text"), [pytest.param(p, t, id=f"{p.code}-{i}") for p in PROBES for i, t in enumerate(p.invalid)]
)
def test_what_is_wrong_is_seen_where_it_is(probe: Probe, text: str) -> None:
    assert marked(text), "a case that marks no line"
    assert sorted(set(found(probe, text))) == marked(text)


@pytest.mark.parametrize("text", [*REFUTED.valid, *REFUTED.invalid])
def test_a_number_that_is_not_so_is_told(text: str) -> None:
    told = audited(Document("case.py", text, "utf-8"), [REFUTED], Here())
    assert [(each.place.line, each.severity.value) for each in told.findings] == marked(text)
    assert told.run is not None
    assert bool(told.run.true) is not bool(marked(text))


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.code)
def test_a_probe_confirms_rules_that_there_are(probe: Probe) -> None:
    assert probe.confirms <= {each.code for each in known()} - {each.code for each in PROBES}
    assert probe.alone or probe.confirms


def test_to_know_the_probes_takes_no_torch() -> None:
    code = "import sys; from repro.audit.known import known; assert known(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What is built -> what its function is called: each of the networks by the depth of the one before it, and the first by
# the deepest.
MIX_UPS = [
    *[(f"vgg{made}", f"vgg{said}") for made, said in ((11, 13), (13, 16), (16, 19), (19, 11))],
    *[(f"resnet{made}", f"resnet{said}") for made, said in ((18, 34), (34, 50), (50, 101), (101, 152))],
]


@pytest.mark.parametrize(("made", "said"), MIX_UPS)
def test_a_depth_under_the_name_of_another_is_told(made: str, said: str) -> None:
    text = f"import torch\nfrom repro import models\ndef {said}():\n    return models.build({made!r})\n"
    asked = [each for each in known() if each.name == "not-what-it-is-called"]
    told = audited(Document("case.py", text, "utf-8"), asked, Here())
    (found,) = told.findings
    assert (found.place.line, found.severity.value) == (3, "bug")
    assert (found.evidence["identified"], found.evidence["claims"]) == (made, said)
    proper = [name.replace("vgg", "VGG-").replace("resnet", "ResNet-") for name in (made, said)]
    assert re.search(f"this is {proper[0]}\\b.*; its name says {proper[1]}\\b", found.message.en)


def test_one_altered_branch_is_told_where_it_is_made() -> None:
    text = """import torch
from torch import nn
from repro import models
def googlenet():
    network = models.build("googlenet")
    network.inception_4c.branch5x5[1][0] = nn.Conv2d(24, 64, 3, padding=1)
    return network
"""
    asked = [each for each in known() if each.name in ("not-what-it-is-called", "slip-in-the-architecture")]
    told = audited(Document("case.py", text, "utf-8"), asked, Here())
    (found,) = told.findings
    assert (found.code, found.place.line) == ("CNN815", 6)
    assert "inception_4c.branch5x5" in found.message.en
    assert "3x3 instead of 5x5" in found.message.en
    assert told.run is not None
    assert [each.identified for each in told.run.networks] == ["googlenet"]
