"""Models of keras.applications as modules, where Keras is installed; the pairs are in tests/parity/test_pairs.py."""

from __future__ import annotations

import copy
import sys
from types import SimpleNamespace

import pytest
import torch

from repro.canonical import canonical
from repro.errors import MissingLibraryError, ReproError
from repro.graph import trace
from repro.keras_network import KerasNetwork
from repro.parity.network import Stopwatch
from repro.parity.verify import compare
from repro.references import resolve
from repro.result import Outcome

SMALL = "keras:MobileNet+alpha=0.25+input_shape=(32, 32, 3)+classes=7"


@pytest.fixture(autouse=True)
def keras() -> None:
    """Skips the tests if Keras is not installed."""
    try:
        resolve(SMALL)
    except MissingLibraryError as missing:
        pytest.skip(str(missing))


def network(with_values: bool = True) -> KerasNetwork:
    made = resolve(SMALL).module(with_values)
    assert isinstance(made, KerasNetwork)
    return made


@pytest.mark.parametrize(("spec", "size"), [("keras:VGG16", (3, 224, 224)), (SMALL, (3, 32, 32))])
def test_the_size_is_that_of_the_model(spec: str, size: tuple[int, ...]) -> None:
    assert resolve(spec).input_size == size


def test_tensors_are_named_by_layer_and_there_once() -> None:
    parameters, buffers = dict(network().named_parameters()), dict(network().named_buffers())
    assert list(parameters)[:3] == ["conv1.kernel", "conv1_bn.gamma", "conv1_bn.beta"]
    assert {"conv1_bn.moving_mean", "conv1_bn.moving_variance"} <= buffers.keys()
    assert network().state_dict().keys() == parameters.keys() | buffers.keys()
    assert {tensor.device.type for tensor in parameters.values()} == {"cpu"}
    assert {tensor.device.type for tensor in network(with_values=False).parameters()} == {"meta"}


def test_it_computes_what_keras_computes_with_its_tensors() -> None:
    import keras

    module = network()
    images = torch.rand(2, 3, 32, 32)
    model = keras.applications.MobileNet(
        alpha=0.25, input_shape=(32, 32, 3), classes=7, weights=None, classifier_activation=None
    )
    held = module.state_dict()
    for layer in model.layers:
        layer.set_weights([held[f"{layer.name}.{variable.name}"].numpy() for variable in layer.weights])
    expected = model(images.permute(0, 2, 3, 1).numpy())
    with torch.no_grad():
        torch.testing.assert_close(module(images), expected)


def test_other_tensors_another_dtype_and_a_copy_count() -> None:
    module = network()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = module(images)
        copied = copy.deepcopy(module)
        doubled = copy.deepcopy(module).double()
        torch.testing.assert_close(doubled(images.double()), before.double(), rtol=1e-4, atol=1e-5)
        assert doubled(images.double()).dtype == torch.float64
        state = {key: value + 0.5 if key == "conv_preds.bias" else value for key, value in module.state_dict().items()}
        module.load_state_dict(state, assign=True)
        torch.testing.assert_close(module(images), before + 0.5)
        assert torch.equal(copied(images), before)


def test_nothing_is_rounded_to_float32_on_the_way_in_float64() -> None:
    module = network().double()
    for training in (False, True):
        graph = canonical(trace(module, torch.empty(2, 3, 32, 32, dtype=torch.float64), training=training))
        floating = {node.dtype for node in graph.nodes if node.dtype.is_floating_point}
        assert floating == {torch.float64}


def test_two_of_them_are_compared_in_eval_mode_and_in_train_mode() -> None:
    results = {result.check: result.outcome for result in compare(SMALL, SMALL, [], Stopwatch())}
    assert results.pop("initialisation") is Outcome.SKIP  # nothing is declared
    assert set(results.values()) == {Outcome.PASS}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("keras:VGG61", "keras has no network called 'VGG61'; closest: VGG19, VGG16"),
        ("keras:VGG16+weights='imagenet'", "multiple values for keyword argument 'weights'"),
        ("keras:VGG16+v1", "the amendment 'v1' cannot be read; expected KEY=VALUE"),
    ],
)
def test_what_keras_does_not_have_is_refused_with_the_reason(spec: str, told: str) -> None:
    with pytest.raises(ReproError) as caught:
        resolve(spec)
    assert told in str(caught.value)


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax")))
    with pytest.raises(ReproError, match=r"'keras:VGG16': Keras runs on jax here; set KERAS_BACKEND=torch"):
        resolve("keras:VGG16")
