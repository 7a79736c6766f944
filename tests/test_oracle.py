"""The second evaluation in NumPy agrees with the networks, and would not with others."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from repro import budget, fill, formulas, models, oracle
from repro.budget import Verdict
from repro.models import lenet
from repro.oracle import ORACLES
from repro.parity.network import Network, Stopwatch, widened
from repro.references import resolve
from repro.result import Outcome

SMALL = "lenet5", "nin_cifar10"


def compared(name: str, size: tuple[int, int, int], **changes: torch.Tensor) -> Verdict:
    """A network's float64 outputs judged against the oracle's; changes: weights that the oracle is not told of."""
    network, state = prepared(name)
    images = fill.image(0, 2, size).double()
    network.install({**state, **changes})
    expected = ORACLES[name]({key: value.numpy() for key, value in state.items()}, images.numpy())
    return budget.agree(network.outputs(images)[0], torch.from_numpy(expected))


@functools.cache
def prepared(name: str) -> tuple[Network, dict[str, torch.Tensor]]:
    size = models.get(name).input_size
    network = Network.of(resolve(f"repro:{name}"), size, Stopwatch())
    return network, widened(network.conditioned(size, 0))


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("which", ["input_size", "other_size"])
def test_the_networks_agree_with_their_papers_formulas(name: str, which: str) -> None:
    verdict = compared(name, getattr(models.get(name), which))
    assert verdict.passed
    assert verdict.max_actual < 1e-12


@pytest.mark.parametrize(("name", "key"), [("lenet5", "c3.four.weight"), ("nin_cifar10", "mlpconv2.cccp1.bias")])
def test_one_other_weight_is_noticed(name: str, key: str) -> None:
    weight = prepared(name)[1][key].clone()
    weight.view(-1)[3] *= 1 + 1e-6
    assert not compared(name, models.get(name).input_size, **{key: weight}).passed


# What the papers say, said otherwise in the oracle: each must be noticed.
OTHERWISE: list[tuple[str, str, Any]] = [
    ("lenet5", "squash", numpy.tanh),
    ("lenet5", "subsampling", lambda x, coefficient, bias: coefficient * x[:, :, 0:-1:2, 0:-1:2] + bias),
    ("nin_cifar10", "maximum", functools.partial(oracle.maximum, round_up=False)),
    ("alexnet", "response_normalisation", functools.partial(oracle.response_normalisation, alpha=2e-5)),
    ("alexnet", "response_normalisation", functools.partial(oracle.response_normalisation, k=1)),
    ("alexnet", "response_normalisation", functools.partial(oracle.response_normalisation, n=3)),
]


@pytest.mark.parametrize(("name", "function", "other"), OTHERWISE)
def test_another_formula_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str, function: str, other: Any) -> None:
    if function == "maximum":
        monkeypatch.setattr(oracle, function, lambda x, size, stride, round_up=False: other(x, size, stride))
    else:
        monkeypatch.setattr(oracle, function, other)
    verdict = compared(name, models.get(name).input_size)
    assert not verdict.passed


@pytest.mark.control("formulas")
def test_verify_tells_another_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = models.get("lenet5")
    (result,) = formulas.check(variant, Stopwatch())
    assert result.outcome is Outcome.PASS
    assert result.evidence["cases"].keys() == {"2x1x32x32", "2x1x35x34"}
    monkeypatch.setattr(oracle, "squash", numpy.tanh)
    (result,) = formulas.check(variant, Stopwatch())
    assert result.outcome is Outcome.FAIL
    assert "of the spread from the paper's formulas" in result.message


def grey(targets: torch.Tensor) -> None:
    targets[3, 5] = 0.5


def twice_the_same(targets: torch.Tensor) -> None:
    targets[8] = targets[3]


@pytest.mark.parametrize("change", [grey, twice_the_same])
def test_targets_that_are_not_those_of_the_paper_are_told(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.Tensor], None]
) -> None:
    def changed(num_classes: int, in_channels: int) -> lenet.LeNet5:
        network = lenet.LeNet5(num_classes, in_channels)
        change(network.output.targets)
        return network

    monkeypatch.setattr(lenet, "lenet5", lambda num_classes=10, in_channels=1: changed(num_classes, in_channels))
    (result,) = formulas.check(models.get("lenet5"), Stopwatch())
    assert result.outcome is Outcome.FAIL
    assert "not ten different bitmaps of 84 pixels" in result.message


def test_verify_has_the_oracle_of_each_network_that_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(ORACLES) == {"lenet5", "alexnet", "nin_cifar10", "nin_imagenet"}
    assert list(formulas.check(models.get("resnet18"), Stopwatch())) == []


def test_the_oracle_shares_nothing_with_the_modules() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours_and_others = {
        name for name in imported if name and name.partition(".")[0] not in ("__future__", "collections")
    }
    assert ours_and_others == {"numpy", "numpy.typing", "numpy.lib.stride_tricks", "repro.papers"}
