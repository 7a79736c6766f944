"""Comparing by specification: two modules in a file, with and without a checkpoint; verifying a variant."""

from __future__ import annotations

import importlib
import pickle
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from repro.errors import ReproError
from repro.models import Variant, catalog
from repro.parity import verify as verification
from repro.parity.network import Stopwatch
from repro.parity.pair import Pair
from repro.references import Size
from repro.result import Outcome, Result, exit_code

PASS, FAIL, SKIP, ERROR = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR

SIZE = (2, 8, 8)

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    stride = 1

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, self.stride, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        return self.fc(x.mean((2, 3)))


class Copy(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 5)
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)
        )

    def forward(self, x):
        return self.last(nn.functional.adaptive_avg_pool2d(self.body(x), 1).flatten(1))


class Strided(Net):
    stride = 2


class Noisy(Net):
    def forward(self, x):
        noise = 1e-6 * torch.linspace(-1, 1, 5, dtype=x.dtype) if torch.is_inference_mode_enabled() else 0
        return super().forward(x) + noise


class Broken(Net):
    def forward(self, x):
        if torch.is_inference_mode_enabled():
            raise RuntimeError("no such kernel")
        return super().forward(x)


class LeNet(nn.Module):
    "The LeNet of tutorials, as a tutorial would have it."

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.MaxPool2d(2, 2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def relu_lenet():
    net = LeNet()
    net.classifier[4] = nn.ReLU()
    return net
"""

Compare = Callable[..., list[Result]]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with NETS in it, in the current directory."""
    name = "nets_" + re.sub(r"\W", "_", tmp_path.name)
    (tmp_path / f"{name}.py").write_text(NETS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, name, sys)  # so that the import is forgotten again
    monkeypatch.delitem(sys.modules, name)
    return name


@pytest.fixture
def compare(module: str) -> Compare:
    def compare(first: str, second: str, *sizes: Size, weights: Path | None = None, seed: int = 0) -> list[Result]:
        one, other = (spec if ":" in spec else f"{module}:{spec}" for spec in (first, second))
        return list(verification.compare(one, other, sizes or (SIZE,), Stopwatch(), seed, weights))

    return compare


ALL = [PASS] * 9  # of a pair with one set of weights and nothing declared of how they start
UNEQUAL = [FAIL] + [SKIP] * 8


def outcomes(results: list[Result]) -> list[Outcome]:
    """In order, but for `initialisation`: what is declared of our own networks is no matter here."""
    return [result.outcome for result in results if result.check != "initialisation"]


# --- compare -----------------------------------------------------------------------------------------------------


def test_a_renamed_copy_passes(compare: Compare, module: str) -> None:
    results = compare("Net", "Copy")
    assert outcomes(results) == ALL
    assert {(result.subject, result.reference) for result in results} == {(f"{module}:Net", f"{module}:Copy")}


def test_a_wrong_stride_fails_with_both_module_paths(compare: Compare, module: str) -> None:
    structure, *rest = compare("Strided", "Copy")
    assert structure.outcome is FAIL
    assert "convolution stride 2 here, 1 there" in structure.message
    assert re.search(r"here .*\bconv2 .*there .*\bbody\.3\b", structure.message), structure.message
    assert f"{module}.py:" in structure.message
    assert outcomes(rest) == [SKIP] * 8


def test_a_fault_that_no_graph_shows_fails_in_numbers(compare: Compare) -> None:
    assert outcomes(compare("Noisy", "Copy")) == [PASS, PASS, FAIL, SKIP] + [PASS] * 5


def test_several_sizes_are_proved_and_run(compare: Compare) -> None:
    structure, _, float64, *_ = compare("Net", "Copy", (2, 8, 8), (2, 5, 11))
    assert structure.evidence["proved_for"] == [[3, 2, 8, 8], [3, 2, 5, 11]]
    inputs = [case["input"] for case in float64.evidence["cases"]]
    assert inputs == [[1, 2, 8, 8], [1, 2, 5, 11], [3, 2, 8, 8]]


def test_the_seed_changes_the_numbers_and_not_the_outcome(compare: Compare) -> None:
    runs = [compare("Net", "Copy", seed=seed) for seed in (0, 0, 1)]
    assert [outcomes(run) for run in runs] == [ALL] * 3
    truths = [run[2].evidence["cases"][0]["outputs"][0]["truth"] for run in runs]
    assert truths[0] == truths[1] != truths[2]


def test_one_of_ours_against_a_tutorials(compare: Compare) -> None:
    results = compare("repro:lenet5_28", "LeNet", (1, 28, 28))
    assert outcomes(results) == ALL
    assert results[0].subject == "lenet5_28"
    assert results[1].evidence["keys"]["features.3.weight"] == "conv2.weight"
    structure = compare("repro:lenet5_28", "relu_lenet", (1, 28, 28))[0]
    assert structure.outcome is FAIL
    assert "sigmoid" in structure.message
    assert "relu" in str(structure.evidence["differences"])


def test_a_size_need_not_be_said_where_one_side_has_one(compare: Compare, module: str) -> None:
    results = list(verification.compare(f"{module}:LeNet", "repro:lenet5_28", (), Stopwatch()))
    assert results[0].evidence["proved_for"] == [[3, 1, 28, 28]]


def test_two_networks_made_for_different_sizes_need_it_said() -> None:
    with pytest.raises(ReproError) as caught:
        list(verification.compare("repro:lenet5", "repro:lenet5_28", (), Stopwatch()))
    assert str(caught.value) == (
        "the two were made for different inputs (repro:lenet5 for 1x32x32, repro:lenet5_28 for 1x28x28); "
        "say which input size"
    )


def test_an_input_that_a_network_does_not_take_is_an_error_that_says_so(compare: Compare) -> None:
    with pytest.raises(ReproError) as caught:
        compare("Net", "Copy", (3, 8, 8))
    assert ":Net: forward failed on an input of 3x3x8x8 in module 'conv1' at " in str(caught.value)
    with pytest.raises(ReproError, match=r"repro:lenet5: forward failed .* a 8x8 image was given; lenet5 takes"):
        compare("repro:lenet5", "Copy", (1, 8, 8))


# --- checkpoints -------------------------------------------------------------------------------------------------


@pytest.fixture
def state(module: str) -> dict[str, torch.Tensor]:
    """A state_dict of Net, with statistics of its own."""
    torch.manual_seed(0)
    net: nn.Module = importlib.import_module(module).Net()
    net(torch.randn(4, *SIZE))
    return net.state_dict()


Save = Callable[[dict[str, torch.Tensor], Path], None]
SAVERS: dict[str, Save] = {
    "net.safetensors": save_file,
    "net.pt": torch.save,
    "net.pth": lambda state, path: torch.save({"state_dict": state, "epoch": 3}, path),
    "half.pt": lambda state, path: torch.save(
        {key: value.half() if value.is_floating_point() else value for key, value in state.items()}, path
    ),
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_checkpoint_is_what_is_compared_with(
    compare: Compare, state: dict[str, torch.Tensor], tmp_path: Path, name: str
) -> None:
    SAVERS[name](state, tmp_path / name)
    results = compare("Net", "Copy", weights=tmp_path / name)
    assert outcomes(results) == ALL
    truth = results[2].evidence["cases"][0]["outputs"][0]["truth"]
    assert truth != compare("Net", "Copy")[2].evidence["cases"][0]["outputs"][0]["truth"]
    state["fc.bias"] = state["fc.bias"] + 100
    SAVERS[name](state, tmp_path / name)
    moved = compare("Net", "Copy", weights=tmp_path / name)[2].evidence["cases"][0]["outputs"][0]["truth"]
    assert moved == pytest.approx(truth + 100, abs=10)


def test_a_checkpoint_with_nan_fails(compare: Compare, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    state["fc.bias"][0] = float("nan")
    torch.save(state, tmp_path / "net.pt")
    results = compare("Net", "Copy", weights=tmp_path / "net.pt")
    assert outcomes(results)[:4] == [PASS, PASS, FAIL, SKIP]


def lacking(state: dict[str, torch.Tensor]) -> object:
    return {key: value for key, value in state.items() if not key.startswith("conv")}


def unknown(state: dict[str, torch.Tensor]) -> object:
    return {**state, "extra.weight": torch.ones(1)}


def misshapen(state: dict[str, torch.Tensor]) -> object:
    return {**state, "conv2.weight": state["conv2.weight"].transpose(2, 3)[:, :3]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lacking, "it lacks key 'conv1.weight' and 2 more"),
        (unknown, "it has the unknown key 'extra.weight'"),
        (misshapen, "'conv2.weight' has shape (4, 3, 3, 3); {module}:Net has (4, 4, 3, 3)"),
        (lambda state: list(state.values()), "expected a mapping of names to tensors, found a list"),
        (lambda state: {**state, "epoch": 3}, "expected a mapping of names to tensors"),
        (lambda _: {}, "it lacks key"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_the_reason(
    compare: Compare,
    module: str,
    state: dict[str, torch.Tensor],
    tmp_path: Path,
    spoil: Callable[[dict[str, torch.Tensor]], object],
    message: str,
) -> None:
    path = tmp_path / "net.pt"
    torch.save(spoil(state), path)
    with pytest.raises(ReproError) as caught:
        compare("Net", "Copy", weights=path)
    assert str(caught.value).startswith(f"{path}: {message.format(module=module)}")


def test_one_unknown_key_is_not_called_several(
    compare: Compare, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(unknown(state), tmp_path / "net.pt")
    with pytest.raises(ReproError) as caught:
        compare("Net", "Copy", weights=tmp_path / "net.pt")
    assert "0 more" not in str(caught.value)


def test_a_checkpoint_that_is_not_there_is_named(compare: Compare, tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(ReproError, match=re.escape(f"{path}: no such file; expected a state_dict saved by")):
            compare("Net", "Copy", weights=path)


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused(compare: Compare, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not a checkpoint")
    with pytest.raises(ReproError, match="cannot be read as a state_dict") as caught:
        compare("Net", "Copy", weights=tmp_path / name)
    assert "\n" not in str(caught.value)


class Touch:
    """An object whose unpickling leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_objects_in_a_checkpoint_are_not_unpickled(
    compare: Compare, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path, trace = tmp_path / "net.pt", tmp_path / "executed"
    torch.save({**state, "object": Touch(trace)}, path)
    with pytest.raises(ReproError, match="objects besides tensors, which are not unpickled here"):
        compare("Net", "Copy", weights=path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Touch(trace)))
    assert trace.exists(), "the check can fail"


# --- verify ------------------------------------------------------------------------------------------------------


def variant(module: str, *references: str, **fields: Any) -> Variant:
    """An entry for Net under a name of the catalog's own."""
    return Variant(
        name="Net",
        module=module,
        summary="",
        paper="",
        init="",
        input_size=SIZE,
        other_size=(2, 7, 11),
        references=references,
        **fields,
    )


@pytest.fixture
def verify(module: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Variant], list[Result]]:
    def verify(entry: Variant) -> list[Result]:
        monkeypatch.setattr("repro.models._catalog._read", lambda: ({entry.name: entry}, {}))
        monkeypatch.setattr(Pair, "declared", None)
        return list(verification.verify(entry, Stopwatch()))

    return verify


Verify = Callable[[Variant], list[Result]]


def test_a_variant_is_checked_against_each_reference_at_both_sizes(verify: Verify, module: str) -> None:
    results = verify(variant(module, f"{module}:Copy", f"{module}:Strided"))
    assert outcomes(results) == ALL + UNEQUAL
    assert {result.subject for result in results} == {"Net"}
    assert [result.reference for result in results] == [f"{module}:Copy"] * 10 + [f"{module}:Strided"] * 10
    assert [case["input"] for case in results[2].evidence["cases"]] == [[1, 2, 8, 8], [3, 2, 7, 11]]
    assert exit_code(results) == 1


def test_a_variant_without_references_is_skipped_with_the_reason() -> None:
    results = list(verification.verify(catalog()["lenet5"], Stopwatch()))
    assert [(result.check, result.outcome) for result in results] == [("structure", SKIP), ("initialisation", PASS)]
    assert results[0].message == verification.NO_REFERENCE
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for library in ("torchvision", "timm", *project["optional-dependencies"]):
        assert library in verification.NO_REFERENCE
    assert exit_code(results) == 0


def test_a_reference_that_cannot_be_had_is_an_error_and_the_next_is_checked(verify: Verify, module: str) -> None:
    results = verify(variant(module, "no_such_module:net", f"{module}:Copy"))
    assert outcomes(results) == [ERROR, *ALL]
    assert "importing no_such_module raised ModuleNotFoundError" in results[0].message
    assert exit_code(results) == 2


def test_an_error_is_of_the_check_that_was_being_made(verify: Verify, module: str) -> None:
    results = verify(variant(module, f"{module}:Broken", f"{module}:Copy"))
    assert outcomes(results) == [PASS, PASS, ERROR, *ALL]
    assert results[2].check == "forward.float64"
    assert results[2].message.endswith("RuntimeError: no such kernel")


def test_a_declared_limit_that_is_none_fails(verify: Verify, module: str) -> None:
    copy = f"{module}:Copy"
    results = verify(variant(module, copy, differs={copy: ((2, 9, 9), "an average of another kind")}))
    assert outcomes(results) == [FAIL, *ALL[1:]]
    assert "and for 3x2x9x9 too, where the catalog says it is not: an average of another kind" in results[0].message


def test_a_reference_whose_library_is_not_installed_is_skipped_and_the_next_is_checked(
    verify: Verify, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorchcv", None)
    skipped, *results = verify(variant(module, "pytorchcv:resnet18", f"{module}:Copy"))
    assert (skipped.check, skipped.outcome, skipped.reference) == ("structure", SKIP, "pytorchcv:resnet18")
    assert skipped.message == (
        'not compared: pytorchcv is not installed; in a clone: python -m pip install ".[pytorchcv]"'
    )
    assert skipped.evidence == {"missing": "pytorchcv"}
    assert outcomes(results) == ALL
    assert exit_code([skipped, *results]) == 0


@pytest.mark.parametrize("name", ["resnet20_cifar", "googlenet_bvlc"])
def test_initial_values_are_checked_though_no_reference_can_be_had(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (spec,) = catalog()[name].references
    monkeypatch.setitem(sys.modules, spec.partition(":")[0], None)
    results = list(verification.verify(catalog()[name], Stopwatch()))
    assert [(result.check, result.reference, result.outcome) for result in results] == [
        ("structure", spec, SKIP),
        ("initialisation", spec, PASS),
    ]


def test_a_reference_that_takes_other_sizes_is_compared_at_these(verify: Verify, module: str) -> None:
    copy = f"{module}:Copy"
    results = verify(variant(module, copy, f"{module}:Net", sizes={copy: ((2, 6, 6), (2, 9, 5))}))
    assert outcomes(results) == ALL + ALL
    inputs = [[case["input"] for case in results[first + 2].evidence["cases"]] for first in (0, 10)]
    assert inputs == [[[1, 2, 6, 6], [3, 2, 9, 5]], [[1, 2, 8, 8], [3, 2, 7, 11]]]
    assert results[0].evidence["proved_for"] == [[3, 2, 6, 6], [3, 2, 9, 5]]
