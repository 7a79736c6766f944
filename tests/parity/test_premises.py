"""What a proof takes for granted is checked or refused: each of these once passed, or could have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from repro.errors import ReproError
from repro.parity.network import Stopwatch
from repro.parity.verify import compare
from repro.result import Outcome, Result

Compare = Callable[[str, str], dict[str, Result]]

PROGRAMS = {
    "Plain": "return self.conv(x)",
    "Autocast": "with torch.autocast('cpu', dtype=torch.bfloat16): return self.conv(x)",
    "Branches": "x = self.conv(x); return x * 2.0 if x.is_cpu and x.device.type == 'cpu' and not x.is_meta else x",
    "Doubles": "return self.conv(x) * 2.0",
    "Draws": "x = self.conv(x); return x + torch.rand_like(x)",
    "Names": "x = self.conv(x); return {'a': x + 1.0, 'b': x * 2.0}",
    "NamesInOtherOrder": "x = self.conv(x); return {'b': x * 2.0, 'a': x + 1.0}",
    "NamesSwapped": "x = self.conv(x); return {'b': x + 1.0, 'a': x * 2.0}",
    "ReturnsThree": "return self.conv(x), 3",
    "ReturnsFour": "return self.conv(x), 4",
    "ReturnsObject": "return self.conv(x), object()",
    "OverRows": "return self.conv(x).softmax(-1) + 1.0",
    "OverColumns": "return self.conv(x).softmax(-2) + 1.0",
    "Counts": "y = self.conv(x * self.scale.clone()); self.scale += 1; return y",
    "Scales": "return self.conv(x * self.scale)",
    "ScalesByThree": "return self.conv(x * self.scale)",
    "NegativeZero": "return self.conv(x) / -0.0",
    "Zero": "return self.conv(x) / 0.0",
    "Slice": "return self.conv(x).flatten()[4:].as_strided((4,), (1,), 0)",
    "SliceCopied": "return self.conv(x).flatten()[4:].clone().as_strided((4,), (1,), 0)",
}


def source() -> str:
    text = "import torch\nfrom torch import nn\n\n"
    for name, body in PROGRAMS.items():
        scale = 3.0 if name == "ScalesByThree" else 2.0
        text += (
            f"class {name}(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.conv = nn.Conv2d(3, 4, 3)\n"
            f"        self.register_buffer('scale', torch.tensor({scale}))\n"
            f"    def forward(self, x):\n        {body}\n\n"
        )
    return text


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    module = f"nets_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(source())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def run(first: str, second: str) -> dict[str, Result]:
        results = compare(f"{module}:{first}", f"{module}:{second}", [(3, 8, 8)], Stopwatch())
        return {result.check: result for result in results}

    return run


def unpassed(results: dict[str, Result]) -> set[str]:
    """The checks that did not pass, but for `initialisation`, of which nothing is declared here."""
    return {name for name, result in results.items() if result.outcome is not Outcome.PASS} - {"initialisation"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Branches", "Plain"),
        ("Names", "NamesSwapped"),
        ("ReturnsThree", "ReturnsFour"),
        ("OverRows", "OverColumns"),
        ("NegativeZero", "Zero"),
        ("Slice", "SliceCopied"),
    ],
)
def test_these_are_different_and_it_is_said_where(checks: Compare, first: str, second: str) -> None:
    structure = checks(first, second)["structure"]
    assert structure.outcome is Outcome.FAIL
    assert structure.evidence["differences"]


@pytest.mark.parametrize(("first", "second"), [("Branches", "Doubles"), ("Names", "NamesInOtherOrder")])
def test_these_are_equal(checks: Compare, first: str, second: str) -> None:
    assert unpassed(checks(first, second)) == set()


@pytest.mark.parametrize(("first", "second"), [("Autocast", "Plain"), ("Plain", "Autocast")])
def test_autocast_is_refused(checks: Compare, first: str, second: str) -> None:
    with pytest.raises(ReproError, match=r"autocast is on, which a trace cannot see"):
        checks(first, second)


def test_what_torch_cannot_look_into_is_refused(checks: Compare) -> None:
    with pytest.raises(ReproError, match=r"output\[1\] is a object, which torch cannot look into"):
        checks("ReturnsObject", "Plain")


def test_a_network_that_draws_in_eval_mode_fails_even_against_itself(checks: Compare) -> None:
    structure = checks("Draws", "Draws")["structure"]
    assert structure.outcome is Outcome.FAIL
    assert "draws random numbers in eval mode" in structure.message


def test_a_buffer_of_other_values_fails_the_mapping(checks: Compare) -> None:
    results = checks("Scales", "ScalesByThree")
    assert results["structure"].outcome is Outcome.PASS
    assert results["mapping"].outcome is Outcome.FAIL
    assert results["mapping"].message.startswith("'scale' holds other values than our 'scale'")


def test_what_a_call_changes_is_said(checks: Compare) -> None:
    results = checks("Counts", "Scales")
    assert "a call changes 'scale' of" in results["structure"].message
    assert results["structure"].evidence["changed_by_a_call"]


def test_results_of_another_dtype_are_not_judged() -> None:
    from repro.budget import judge

    truth = torch.arange(6, dtype=torch.float64)
    verdict = judge(truth.bfloat16(), truth.float(), truth)
    assert not verdict.passed
    assert verdict.problem == "dtype torch.bfloat16, the reference's is torch.float32"


def test_a_train_mode_that_cannot_be_traced_does_not_spoil_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.aux = nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise RuntimeError("too small")
            y: torch.Tensor = self.conv(x)
            return y

    (tmp_path / "aux_of_premises.py").write_text("Head = None\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    monkeypatch.setattr(importlib.import_module("aux_of_premises"), "Head", Head)
    results = list(compare("aux_of_premises:Head", "aux_of_premises:Head", [(3, 8, 8)], Stopwatch()))
    assert unpassed({result.check: result for result in results}) == {
        "train.structure",
        "train.float64",
        "train.float32",
    }
    assert "left out" in results[1].message
