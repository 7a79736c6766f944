"""A VGG run densely: the VGG itself at 224x224, and at a larger size the average over the windows of its last map."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.canonical import canonical
from repro.graph import Graph, trace
from repro.mapping import match
from repro.models import _catalog
from repro.models.vgg import VGG, gaussian, gaussian_and_norm, vgg11, vgg11_bn
from repro.models.vgg_dense import dense
from repro.references import resolve

DENSE = ["vgg11_dense", "vgg13_dense", "vgg16_dense", "vgg19_dense"]


def narrow(network: VGG) -> VGG:
    """The network with small fully connected layers, in float64 and eval mode: all of its values fit here."""
    network.fc1, network.fc2, network.fc3 = nn.Linear(512 * 7 * 7, 12), nn.Linear(12, 9), nn.Linear(9, 5)
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    gaussian(gaussian_and_norm(network))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.bias)
    return network.double().eval()


@pytest.fixture(scope="module")
def vgg() -> VGG:
    with torch.device("meta"):
        network = vgg11()
    return narrow(network)


def images(height: int, width: int) -> torch.Tensor:
    return torch.randn(1, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def head(network: VGG, maps: torch.Tensor) -> torch.Tensor:
    """The fully connected layers of the VGG, on maps of 7x7."""
    x = network.fc1(maps.flatten(1)).clamp(min=0)
    return network.fc3(network.fc2(x).clamp(min=0))  # type: ignore[no-any-return]


@torch.no_grad()
def test_at_224_it_is_the_vgg(vgg: VGG) -> None:
    x = images(224, 224)
    torch.testing.assert_close(dense(vgg)(x), vgg(x), rtol=1e-11, atol=0)


@torch.no_grad()
def test_a_network_with_normalisations_is_taken_too() -> None:
    with torch.device("meta"):
        network = vgg11_bn()
    network, x = narrow(network), images(224, 224)
    torch.testing.assert_close(dense(network)(x), network(x), rtol=1e-11, atol=0)


@torch.no_grad()
def test_at_a_larger_size_it_is_the_average_over_the_windows_of_the_map(vgg: VGG) -> None:
    x = images(256, 288)
    maps = vgg.blocks(x)
    assert maps.shape[2:] == (8, 9)
    scores = [head(vgg, maps[:, :, i : i + 7, j : j + 7]) for i in range(2) for j in range(3)]
    assert not any(torch.allclose(scores[0], other, rtol=1e-3) for other in scores[1:])
    actual = dense(vgg)(x)
    torch.testing.assert_close(actual, torch.stack(scores).mean(0), rtol=1e-11, atol=0)
    # The windows are not crops of the image: around a crop there are zeros where the image goes on.
    crops = [vgg(x[:, :, i : i + 224, j : j + 224]) for i in (0, 32) for j in (0, 32, 64)]
    assert not torch.allclose(actual, torch.stack(crops).mean(0), rtol=1e-3)


@torch.no_grad()
def test_the_average_is_that_of_the_map_of_class_scores(vgg: VGG) -> None:
    x = images(224, 256)
    convolution = nn.functional.conv2d
    scores = convolution(vgg.blocks(x), vgg.fc1.weight.reshape(-1, 512, 7, 7), vgg.fc1.bias).clamp(min=0)
    scores = convolution(scores, vgg.fc2.weight[..., None, None], vgg.fc2.bias).clamp(min=0)
    scores = convolution(scores, vgg.fc3.weight[..., None, None], vgg.fc3.bias)
    assert scores.shape == (1, 5, 1, 2)
    torch.testing.assert_close(dense(vgg)(x), scores.mean((2, 3)), rtol=1e-11, atol=0)


def test_the_layers_are_those_of_the_vgg() -> None:
    with torch.device("meta"):
        network = vgg11(num_classes=5)
        network.eval()
        run = dense(network)
    assert not run.training
    assert dense(network.train()).training
    assert list(run.state_dict()) == list(network.state_dict())
    for key, parameter in network.named_parameters():
        assert run.get_parameter(key) is parameter
    run(torch.empty(1, 3, 256, 256, device="meta")).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def graph(spec: str, size: tuple[int, int, int], training: bool) -> Graph:
    network = resolve(spec).module(with_values=False)
    return canonical(trace(network, torch.empty(2, *size, device="meta"), training=training))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", DENSE)
def test_the_graphs_prove_it_the_vgg_at_224_and_timms_at_both_sizes(name: str, training: bool) -> None:
    vgg = name.removesuffix("_dense")
    (timm,) = _catalog.get(name).references
    small, large = _catalog.get(name).input_size, _catalog.get(name).other_size
    ours = graph(f"repro:{name}", small, training)
    assert match(ours, graph(f"repro:{vgg}", small, training)) is not None
    assert match(ours, graph(timm, small, training)) is not None
    ours = graph(f"repro:{name}", large, training)
    assert match(ours, graph(f"repro:{vgg}", large, training)) is None
    assert match(ours, graph(timm, large, training)) is not None


@pytest.mark.parametrize("name", DENSE)
def test_the_key_map_to_the_vgg_is_the_identity(name: str) -> None:
    ours, vggs = (on_meta(n).state_dict() for n in (name, name.removesuffix("_dense")))
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: tensor.shape for key, tensor in vggs.items()}


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 224, 224), "a 3-dimensional input of shape (3, 224, 224) was given; a dense VGG takes"),
        ((1, 1, 224, 224), "1 channels were given"),
        ((1, 3, 224, 223), "a 224x223 image was given; a dense VGG takes (batch, 3, height, width) with height and"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match="given") as caught:
        on_meta("vgg11_dense")(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
