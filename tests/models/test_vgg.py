"""The VGG networks against Tables 1 and 2."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.alexnet import response_norm
from repro.models.vgg import VGG, gaussian, gaussian_and_norm, vgg11_bn

# Table 1 as the ledger holds it (vgg.*.config).
TABLE_1 = {
    "vgg11": "64,M,128,M,256,256,M,512,512,M,512,512,M",
    "vgg11_lrn": "64,LRN,M,128,M,256,256,M,512,512,M,512,512,M",
    "vgg13": "64,64,M,128,128,M,256,256,M,512,512,M,512,512,M",
    "vgg16_c": "64,64,M,128,128,M,256,256,1x1-256,M,512,512,1x1-512,M,512,512,1x1-512,M",
    "vgg16": "64,64,M,128,128,M,256,256,256,M,512,512,512,M,512,512,512,M",
    "vgg19": "64,64,M,128,128,M,256,256,256,256,M,512,512,512,512,M,512,512,512,512,M",
}
PARAMETERS = {
    "vgg11": 132_863_336,
    "vgg11_lrn": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16_c": 133_638_952,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
}
# Table 2 and the number of weight layers in Table 1.
MILLIONS = {"vgg11": 133, "vgg11_lrn": 133, "vgg13": 133, "vgg16_c": 134, "vgg16": 138, "vgg19": 144}
WEIGHT_LAYERS = {"vgg11": 11, "vgg11_lrn": 11, "vgg13": 13, "vgg16_c": 16, "vgg16": 16, "vgg19": 19}


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


def configuration(network: nn.Module) -> str:
    words: list[str] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            words.append(str(module.out_channels) if module.kernel_size == (3, 3) else f"1x1-{module.out_channels}")
        elif isinstance(module, nn.LocalResponseNorm):
            words.append("LRN")
        elif isinstance(module, nn.BatchNorm2d):
            words.append("BN")
        elif isinstance(module, nn.MaxPool2d):
            words.append("M")
    return ",".join(words)


@pytest.mark.parametrize("name", TABLE_1)
def test_layers_are_those_of_table_1(name: str) -> None:
    assert configuration(on_meta(name)) == TABLE_1[name]


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_bn_follows_every_convolution(name: str) -> None:
    expected = ",".join(word if word == "M" else f"{word},BN" for word in TABLE_1[name].split(","))
    assert configuration(on_meta(f"{name}_bn")) == expected


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    assert sum(parameter.numel() for parameter in on_meta(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_and_weight_layers_round_to_the_printed_ones(name: str) -> None:
    network = on_meta(name)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6) == MILLIONS[name]
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == WEIGHT_LAYERS[name]


@pytest.mark.parametrize("name", ["vgg16_c", "vgg19_bn"])
def test_convolutions_keep_the_resolution_and_pools_halve_it(name: str) -> None:
    network = on_meta(name)
    maps: list[tuple[int, ...]] = []
    assert isinstance(network, VGG)
    for block in network.blocks:
        block.register_forward_hook(lambda _, __, output: maps.append(tuple(output.shape[1:])))
    network(torch.empty(1, 3, 224, 224, device="meta"))
    assert maps == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


def test_every_convolution_and_hidden_layer_has_its_relu() -> None:
    for name, relus in (("vgg16_c", 13), ("vgg16_bn", 13)):
        blocks = on_meta(name).get_submodule("blocks")
        assert sum(isinstance(module, nn.ReLU) for module in blocks.modules()) == relus
    network = on_meta("vgg11")
    order: list[str] = []
    for child, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, child=child: order.append(child))
    network(torch.empty(1, 3, 32, 32, device="meta"))
    assert " ".join(order) == "blocks avgpool fc1 relu dropout fc2 relu dropout fc3"


def test_the_response_norm_of_a_lrn_is_alexnets_and_follows_the_relu() -> None:
    first = list(on_meta("vgg11_lrn").get_submodule("blocks.0").children())
    assert [type(module) for module in first] == [nn.Conv2d, nn.ReLU, nn.LocalResponseNorm, nn.MaxPool2d]
    assert repr(first[2]) == repr(response_norm())


def test_bn_lies_between_convolution_and_relu() -> None:
    first = list(on_meta("vgg11_bn").get_submodule("blocks.0").children())
    assert [type(module) for module in first] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]


def test_aliases_are_the_columns_of_table_1() -> None:
    aliases = {"vgg_a": "vgg11", "vgg_a_lrn": "vgg11_lrn", "vgg_b": "vgg13"}
    aliases |= {"vgg_c": "vgg16_c", "vgg_d": "vgg16", "vgg_e": "vgg19"}
    assert {alias: _catalog.get(alias).name for alias in aliases} == aliases


def test_the_initialisation_has_the_printed_variance() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64), nn.Linear(256, 256))
    gaussian(layers)
    for index in (0, 2):
        module = layers.get_submodule(str(index))
        assert isinstance(module, nn.Conv2d | nn.Linear)
        assert module.weight.var().item() == pytest.approx(1e-2, rel=0.05)
        assert module.bias is not None
        assert not module.bias.any()
    assert layers.get_submodule("1").get_parameter("weight").tolist() == [1.0] * 64


def test_a_new_network_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[nn.Module] = []
    monkeypatch.setattr("repro.models.vgg.gaussian", seen.append)
    network = on_meta("vgg11")
    assert seen == [network]


def test_normalisations_start_at_one_and_zero_whatever_they_were() -> None:
    with torch.device("meta"):
        network = vgg11_bn(num_classes=2)
    network.fc1 = network.fc2 = nn.Linear(2, 2)
    network.to_empty(device="cpu")
    for parameter in network.parameters():
        nn.init.constant_(parameter, 9)
    assert gaussian_and_norm(network) is network
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 8
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)
    assert (network.fc3.weight == 9).all()


@pytest.mark.parametrize("name", ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"])
def test_a_new_network_with_normalisations_has_them_initialised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = nn.Identity()
    monkeypatch.setattr("repro.models.vgg.gaussian_and_norm", lambda network: other)
    assert on_meta(name) is other


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 224, 224), "a 3-dimensional input of shape (3, 224, 224) was given; a VGG takes"),
        ((1, 1, 224, 224), "1 channels were given"),
        (
            (1, 3, 32, 31),
            "a 32x31 image was given; a VGG takes (batch, 3, height, width) with height and width at least",
        ),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    network = on_meta("vgg11")
    network(torch.empty(1, 3, 32, 32, device="meta"))
    with pytest.raises(ValueError, match="given") as caught:
        network(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
