"""The audit of code that is known: our networks, with which nothing is wrong, and the specimens, wrong on purpose.

A specimen is a network that shows one bug of a published snippet; tests/specimens has what is wrong with it as it
runs. Here it is what text alone can tell: where a bug only shows when the network runs, nothing is expected.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.audit.engine import audit
from repro.audit.finding import Severity
from repro.audit.report import exit_code

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "repro" / "models").glob("*.py"))

# Specimen -> the rules that find something in it, at least.
FOUND = {
    "alexnet_002.py": {"rows-merged-by-view"},
    "alexnet_003.py": {"rows-merged-by-view", "response-normalisation-alpha"},
    "lenet_002.py": {"rows-merged-by-view"},
    "resnet_003.py": {"undefined-name"},
    "softmax.py": {"softmax-before-loss"},
    "vgg_001.py": {"misspelt-method", "undefined-name"},
    "vgg_002.py": {"extra-forward-argument"},
}


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_nothing_is_wrong_with_our_networks(file: Path) -> None:
    found = audit(str(file))
    assert [finding for finding in found.findings if finding.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("name", FOUND)
def test_what_is_wrong_with_a_specimen_is_found(name: str) -> None:
    found = audit(str(ROOT / "tests" / "specimens" / name))
    assert {finding.name for finding in found.findings} >= FOUND[name]
    assert exit_code([found]) == 1
