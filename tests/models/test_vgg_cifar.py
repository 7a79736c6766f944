"""The VGGs for 32x32 images: the convolutions of the VGGs, and the head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog

# The parameters of the convolutions are those of Table 1; the head has 512 * 513 twice and 513 for each class.
PARAMETERS = {
    "vgg11_cifar": 9_750_922,
    "vgg13_cifar": 9_935_434,
    "vgg16_cifar": 15_245_130,
    "vgg19_cifar": 20_554_826,
    "vgg11_bn_cifar": 9_756_426,
    "vgg13_bn_cifar": 9_941_322,
    "vgg16_bn_cifar": 15_253_578,
    "vgg19_bn_cifar": 20_565_834,
}


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    assert sum(parameter.numel() for parameter in on_meta(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_convolutions_are_those_of_the_vgg(name: str) -> None:
    assert repr(on_meta(name).get_submodule("blocks")) == repr(on_meta(name[: -len("_cifar")]).get_submodule("blocks"))


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_head_is_512_512_and_the_classes(name: str) -> None:
    network = on_meta(name)
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(512, 512), (512, 512), (512, 10)]
    order: list[str] = []
    for child, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, child=child: order.append(child))
    network(torch.empty(1, 3, 32, 32, device="meta"))
    assert " ".join(order) == "blocks fc1 relu dropout fc2 relu dropout fc3"
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.5]


@pytest.mark.parametrize("name", ["vgg11_cifar", "vgg11_bn_cifar"])
def test_a_small_pass_in_both_modes(name: str) -> None:
    torch.manual_seed(0)
    network, x = _catalog.build(name), torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert not torch.equal(network(x), network(x))  # two draws of the dropout
        network.eval()
        assert torch.equal(network(x), network(x))
        assert network(x).shape == (3, 10)


@pytest.mark.parametrize("name", ["vgg11_cifar", "vgg11_bn_cifar"])
def test_the_initialisation_is_that_of_the_vgg(name: str) -> None:
    torch.manual_seed(0)
    for key, parameter in _catalog.build(name).named_parameters():
        if parameter.ndim > 1:
            assert parameter.std().item() == pytest.approx(0.1, rel=0.1), key
        else:
            assert set(parameter.tolist()) == {1.0 if key.endswith("weight") else 0.0}, key


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_new_network_with_normalisations_has_them_initialised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = nn.Identity()
    monkeypatch.setattr("repro.models.vgg_cifar.gaussian_and_norm", lambda network: other)
    assert (on_meta(name) is other) == ("_bn" in name)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 32, 32), "a 3-dimensional input of shape (3, 32, 32) was given; a VGG for 32x32 takes"),
        ((1, 1, 32, 32), "1 channels were given"),
        ((1, 3, 32, 31), "a 32x31 image was given"),
        ((1, 3, 64, 63), "a 64x63 image was given; a VGG for 32x32 takes (batch, 3, height, width) with height and"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    network = on_meta("vgg11_cifar")
    network(torch.empty(1, 3, 63, 63, device="meta"))
    with pytest.raises(ValueError, match="given") as caught:
        network(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
