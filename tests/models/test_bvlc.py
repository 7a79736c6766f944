"""Caffe's AlexNet and GoogLeNet against what their files say; onnx's graphs of them are compared by `repro verify`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import repro.models.alexnet as alexnet_module
from repro.models import _catalog
from repro.models.alexnet import AlexNet
from repro.models.bvlc import AlexNetBVLC, GoogLeNetBVLC, alexnet_bvlc, gaussian_small_biases
from repro.models.googlenet import GoogLeNet

PAIRS = [("alexnet_bvlc", "alexnet"), ("googlenet_bvlc", "googlenet")]


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name).eval()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_the_normalisation_is_that_of_the_files() -> None:
    x = torch.rand(1, 7, 2, 2, dtype=torch.float64) * 50
    squares = torch.nn.functional.pad(x**2, (0, 0, 0, 0, 2, 2))
    expected = x / (1 + 1e-4 / 5 * sum(squares[:, i : i + 7] for i in range(5))) ** 0.75
    for name, _ in PAIRS:
        network = on_meta(name)
        assert isinstance(network, AlexNetBVLC | GoogLeNetBVLC)
        for norm in (network.norm1, network.norm2):
            torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(("name", "paper"), PAIRS)
def test_the_weights_have_the_names_and_shapes_of_the_papers_network(name: str, paper: str) -> None:
    ours, theirs = ({key: x.shape for key, x in on_meta(each).state_dict().items()} for each in (name, paper))
    assert ours == theirs


@pytest.mark.parametrize(("name", "paper"), PAIRS)
def test_nothing_else_differs_but_how_sizes_are_rounded(name: str, paper: str) -> None:
    ours, theirs = (on_meta(each) for each in (name, paper))
    modules = zip(ours.named_modules(), theirs.named_modules(), strict=True)
    differing = {path for (path, one), (_, other) in modules if path and repr(one) != repr(other)}
    rounded = {"pool"} if name == "alexnet_bvlc" else set()
    assert differing == {"norm1", "norm2"} | rounded
    assert isinstance(ours, AlexNet | GoogLeNet)
    assert (ours.pool.kernel_size, ours.pool.stride, ours.pool.padding, ours.pool.ceil_mode) == (3, 2, 0, True)


def test_the_smallest_and_the_largest_image_are_those_of_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    network = on_meta("alexnet_bvlc")
    assert network(images(1, 3, 199, 230)).shape == (1, 1000)
    for size in ((198, 227), (227, 231)):
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image was given; alexnet_bvlc takes .* 199 to 230"):
            network(images(1, 3, *size))
    monkeypatch.setattr(alexnet_module, "require_images", lambda *_, **__: None)
    for size in ((198, 227), (227, 231)):
        with pytest.raises(RuntimeError):
            network(images(1, 3, *size))


@pytest.mark.parametrize("name", ["googlenet", "googlenet_bvlc"])
def test_a_wrong_image_is_refused_by_the_network_that_was_given_it(name: str) -> None:
    network = on_meta(name)
    with pytest.raises(ValueError, match=f"a 30x31 image was given; {name} takes .* at least 31 pixels"):
        network(images(1, 3, 30, 31))
    with pytest.raises(ValueError, match=f"a 222x223 image was given; {name} in train mode takes .* 223 to 270 pixels"):
        network.train()(images(1, 3, 222, 223))


def test_the_initialisation_is_that_of_the_file() -> None:
    with torch.device("meta"):
        network = alexnet_bvlc(num_classes=10)
    network.fc6 = network.fc7 = nn.Linear(64, 64)  # fifty million weights less
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    gaussian_small_biases(network)
    for name, parameter in network.named_parameters():
        layer, _, kind = name.partition(".")
        if kind == "bias":
            expected = 0.1 if layer in ("conv2", "conv4", "conv5", "fc6", "fc7") else 0.0
            torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, expected), msg=name)
        else:
            deviation = 0.005 if layer in ("fc6", "fc7") else 0.01
            assert parameter.std().item() == pytest.approx(deviation, rel=0.05), name
