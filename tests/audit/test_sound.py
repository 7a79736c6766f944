"""Networks that thousands use give no alarm of severity bug; ours give none at all but notes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from repro.audit.engine import audit
from repro.audit.finding import Finding, Severity


def findings(package: str) -> list[Finding]:
    """Those of all files of an installed package, which is not imported."""
    library = package.partition(".")[0]
    found = find_spec(library)
    if found is None or found.origin is None:
        pytest.skip(f"{library} is not installed; python -m pip install {library}")
    folder = Path(found.origin).parent.joinpath(*package.split(".")[1:])
    files = sorted(folder.rglob("*.py"))
    assert len(files) > 20
    return [each for file in files for each in audit(str(file)).findings]


def told(found: list[Finding]) -> list[str]:
    return [f"{each.place.line}: {each.code} {each.message.en}" for each in found]


@pytest.mark.parametrize("package", ["torchvision.models", "timm.models"])
def test_no_bug_is_told_of_the_networks_of_a_library(package: str) -> None:
    assert told([each for each in findings(package) if each.severity is Severity.BUG]) == []


def test_our_own_networks_are_clean() -> None:
    assert told([each for each in findings("repro.models") if each.severity is not Severity.NOTE]) == []
