"""The shortcuts of options A, B and C, the plain networks, and the released Caffe networks, against their paper."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from repro.graph import trace
from repro.layers import layers
from repro.models import _catalog
from repro.models.resnet import Norm, option_a, option_b, option_c
from repro.models.resnet_caffe import StagesCaffe
from repro.models.resnet_options import BasicBlockA, BasicBlockC, PlainBlock

WITHOUT_PARAMETERS = ["resnet18_a", "resnet34_a", "plain18", "plain34"]


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments).eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(name: str) -> int:
    graph = trace(on_meta(name), torch.empty(1, 3, 224, 224, device="meta"))
    return sum(layer.multiply_adds for layer in layers(graph))


def randomise(module: nn.Module) -> None:
    """Put it in eval mode, with normalisations that move and scale, so that none can be left out unnoticed."""
    torch.manual_seed(0)
    module.eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.weight, norm.bias, norm.running_mean):
                assert values is not None
                nn.init.normal_(values)


def projections(name: str) -> int:
    """Convolutions beside the layers that the paper counts: those in shortcuts."""
    return sum("shortcut" in key and key.endswith("0.weight") for key, _ in on_meta(name).named_parameters())


# --- the options -------------------------------------------------------------------------------------------------


def test_option_a_takes_every_second_pixel_and_adds_zeros() -> None:
    x = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[-1, 0, -2], [0, 0, 0], [-3, 0, -4]]]])
    shortcut = option_a(2, 5, 2, nn.BatchNorm2d)
    expected = torch.tensor([[[[1.0, 3], [7, 9]], [[-1, -2], [-3, -4]], *[[[0, 0], [0, 0]]] * 3]])
    assert shortcut(x).equal(expected)
    assert count(shortcut) == 0


def test_option_a_widens_without_a_stride_as_well() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert option_a(3, 4, 1, nn.BatchNorm2d)(x).equal(torch.cat([x, torch.zeros(2, 1, 4, 5)], dim=1))


def test_a_and_b_leave_what_has_its_shape_alone_and_c_projects_it() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert option_a(3, 3, 1, nn.BatchNorm2d)(x).equal(x)
    assert option_b(3, 3, 1, nn.BatchNorm2d)(x).equal(x)
    assert [tuple(p.shape) for p in option_c(3, 3, 1, nn.BatchNorm2d).parameters()] == [(3, 3, 1, 1), (3,), (3,)]


@pytest.mark.parametrize("option", [option_b, option_c])
def test_a_projection_where_the_shape_changes_is_a_1x1_convolution_and_its_norm(
    option: Callable[[int, int, int, Norm], nn.Module],
) -> None:
    projection = option(3, 6, 2, nn.BatchNorm2d)
    convolution, norm = projection.children()
    x = torch.randn(2, 3, 5, 6)
    weight = convolution.get_parameter("weight")[:, :, 0, 0]
    expected = norm(torch.einsum("oi,bihw->bohw", weight, x[:, :, ::2, ::2]))
    torch.testing.assert_close(projection(x), expected)


# --- the networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18_a", 11_515_688),
        ("resnet34_a", 21_623_848),
        ("resnet34", 21_797_672),
        ("resnet34_c", 22_716_840),
        ("plain18", 11_515_688),
        ("plain34", 21_623_848),
    ],
)
def test_parameters(name: str, expected: int) -> None:
    assert count(on_meta(name)) == expected


@pytest.mark.parametrize(("name", "expected"), [("18", 1_794_805_760), ("34", 3_644_493_824)])
def test_option_a_and_the_plain_network_cost_what_table_1_prints(name: str, expected: int) -> None:
    assert multiply_adds(f"resnet{name}_a") == multiply_adds(f"plain{name}") == expected
    assert f"{expected / 1e9:.1f}" == {"18": "1.8", "34": "3.6"}[name]


def test_c_has_thirteen_projections_more_than_b() -> None:
    assert projections("resnet34") == 3
    assert projections("resnet34_c") == 3 + 13
    assert projections("resnet34_a") == 0


@pytest.mark.parametrize("name", [*WITHOUT_PARAMETERS, "resnet34_c"])
def test_depth(name: str) -> None:
    weighted = [
        key
        for key, module in on_meta(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in key
    ]
    assert len(weighted) == (18 if "18" in name else 34)


@pytest.mark.parametrize("name", [*WITHOUT_PARAMETERS, "resnet34_c"])
def test_the_maps_are_those_of_table_1(name: str) -> None:
    stages = on_meta(name).get_submodule("backbone")(torch.empty(1, 3, 224, 224, device="meta"))
    assert [tuple(maps.shape[1:]) for maps in stages] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]


@pytest.mark.parametrize("block", [BasicBlockA, BasicBlockC])
def test_a_block_adds_its_shortcut_before_the_last_relu(block: type[BasicBlockA]) -> None:
    layer = block(4, 8, 2, nn.BatchNorm2d)
    randomise(layer)
    x = torch.randn(2, 4, 6, 6)
    inner = layer.bn1(layer.conv1(x)).clamp(min=0)
    expected = (layer.bn2(layer.conv2(inner)) + layer.shortcut(x)).clamp(min=0)
    torch.testing.assert_close(layer(x), expected)


def test_a_plain_block_adds_nothing() -> None:
    layer = PlainBlock(4, 8, 2, nn.BatchNorm2d)
    randomise(layer)
    x = torch.randn(2, 4, 6, 6)
    inner = layer.bn1(layer.conv1(x)).clamp(min=0)
    torch.testing.assert_close(layer(x), layer.bn2(layer.conv2(inner)).clamp(min=0))


@pytest.mark.parametrize("name", ["resnet18_a", "plain18"])
def test_it_predicts_and_learns(name: str) -> None:
    torch.manual_seed(0)
    network = _catalog.build(name, num_classes=7, in_channels=2).eval()
    x = torch.randn(2, 2, 64, 65)
    with torch.no_grad():
        before = network(x)
        network.train()
        after = network(x)
    assert before.shape == (2, 7)
    assert not after.allclose(before)  # the statistics are those of the batch
    network(x).logsumexp(dim=1).sum().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


# --- the released networks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_a_released_network_has_the_keys_of_the_printed_one_and_50_layers_a_bias_more(depth: int) -> None:
    printed = {key: value.shape for key, value in on_meta(f"resnet{depth}").state_dict().items()}
    if depth == 50:
        printed["backbone.conv1.bias"] = torch.Size([64])
    assert {key: value.shape for key, value in on_meta(f"resnet{depth}_caffe").state_dict().items()} == printed


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_a_released_network_has_its_strides_in_the_first_1x1(depth: int) -> None:
    strided = [
        key.rpartition(".")[2]
        for key, module in on_meta(f"resnet{depth}_caffe").named_modules()
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2) and "shortcut" not in key
    ]
    assert strided == ["conv1"] * 4


def test_the_pooling_has_no_padding_and_rounds_up() -> None:
    with torch.device("meta"):
        stages = StagesCaffe((1, 1, 1, 1), 3, conv1_bias=False)
    pool = stages.maxpool
    assert pool(torch.arange(6.0).expand(1, 1, 6, 6))[0, 0, 0].tolist() == [2, 4, 5]  # windows begin at 0, 2 and 4
    assert pool(torch.arange(7.0).expand(1, 1, 7, 7))[0, 0, 0].tolist() == [2, 4, 6]
    maps = stages(torch.empty(1, 3, 224, 224, device="meta"))
    assert [tuple(x.shape[1:]) for x in maps] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert stages(torch.empty(1, 3, 221, 223, device="meta"))[0].shape == (1, 256, 55, 56)


def test_the_bias_of_conv1_starts_at_zero() -> None:
    network = _catalog.build("resnet50_caffe", num_classes=2)
    assert not network.get_parameter("backbone.conv1.bias").any()


def test_the_smallest_image_of_a_released_network() -> None:
    network = on_meta("resnet50_caffe", num_classes=7, in_channels=2)
    assert network(torch.empty(2, 2, 3, 3, device="meta")).shape == (2, 7)
    with pytest.raises(ValueError, match=r"a 2x9 image was given; a ResNet for Caffe takes .* at least 3 pixels"):
        network(torch.empty(2, 2, 2, 9, device="meta"))


@pytest.mark.parametrize("name", ["resnet18_a", "resnet34_c", "plain34", "resnet101_caffe"])
def test_other_ranks_and_channels_are_refused(name: str) -> None:
    network = on_meta(name)
    with pytest.raises(ValueError, match=r"a 3-dimensional input of shape .* was given; a ResNet"):
        network(torch.empty(3, 64, 64, device="meta"))
    with pytest.raises(ValueError, match="1 channels were given"):
        network(torch.empty(1, 1, 64, 64, device="meta"))
