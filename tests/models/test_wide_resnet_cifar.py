"""The Wide ResNets for CIFAR against Tables 1 to 5 and 9."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.wide_resnet_cifar import Block, ProjectionBlock, WideResNet

# name -> (parameters, as printed in Tables 2 to 5 in millions, k), as the ledger holds them (wrn.t*).
PARAMETERS = {
    "wrn_40_1": (563_930, "0.6", 1),
    "wrn_40_2": (2_243_546, "2.2", 2),
    "wrn_40_4": (8_949_210, "8.9", 4),
    "wrn_40_8": (35_748_314, "35.7", 8),
    "wrn_28_2": (1_467_610, "1.5", 2),
    "wrn_28_10": (36_479_194, "36.5", 10),
    "wrn_28_12": (52_517_850, "52.5", 12),
    "wrn_22_8": (17_158_106, "17.2", 8),
    "wrn_22_10": (26_797_914, "26.8", 10),
    "wrn_16_8": (10_961_370, "11.0", 8),
    "wrn_16_10": (17_116_634, "17.1", 10),
    "wrn_40_2_b131": (1_429_082, "1.4", 2),
    "wrn_40_2_b31": (1_211_354, "1.2", 2),
    "wrn_40_2_b13": (1_297_370, "1.3", 2),
    "wrn_40_2_b311": (1_343_066, "1.3", 2),
    "wrn_22_2_b313": (1_145_498, "1.1", 2),
    "wrn_40_2_l1": (2_243_546, "2.2", 2),
    "wrn_40_2_l3": (2_243_546, "2.2", 2),
    "wrn_40_2_l4": (2_243_546, "2.2", 2),
}
# Whose blocks are not B(3,3): (kernels, blocks in each group).
BLOCKS = {
    "wrn_40_2_b131": ((1, 3, 1), 6),
    "wrn_40_2_b31": ((3, 1), 6),
    "wrn_40_2_b13": ((1, 3), 6),
    "wrn_40_2_b311": ((3, 1, 1), 6),
    "wrn_22_2_b313": ((3, 1, 3), 3),
    "wrn_40_2_l1": ((3,), 12),
    "wrn_40_2_l3": ((3, 3, 3), 4),
    "wrn_40_2_l4": ((3, 3, 3, 3), 3),
}
# Rates: section 3 has 0.3 for CIFAR and 0.4 for SVHN, where Table 9 has WRN-16-8.
DROPOUT = {"wrn_28_10_dropout": 0.3, "wrn_40_10_dropout": 0.3, "wrn_16_8_dropout": 0.4}
ALL = [*PARAMETERS, "wrn_40_10", *DROPOUT]


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def blocks(network: nn.Module) -> list[Block]:
    return [module for module in network.modules() if isinstance(module, Block)]


def test_every_network_of_the_file_is_tested() -> None:
    named = [v.name for v in _catalog.catalog().values() if v.module == "repro.models.wide_resnet_cifar"]
    assert sorted(named) == sorted(ALL)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_round_to_the_printed_ones(name: str) -> None:
    parameters, printed, _ = PARAMETERS[name]
    assert count(on_meta(name)) == parameters
    assert f"{parameters / 1e6:.1f}" == printed


def test_wrn_40_10_has_the_56_million_of_the_text() -> None:
    assert count(on_meta("wrn_40_10")) == 55_841_754
    assert round(55_841_754 / 1e6) == 56


@pytest.mark.parametrize("name", [name for name in ALL if name not in BLOCKS and name != "wrn_40_1"])
def test_the_depth_is_that_of_the_name_with_projections_counted(name: str) -> None:
    assert len(convolutions(on_meta(name))) == int(name.split("_")[1])


def test_one_group_of_k_1_changes_no_shape_and_has_no_projection() -> None:
    first, second, third = (on_meta("wrn_40_1").get_submodule(f"conv{i}.0") for i in (2, 3, 4))
    assert [type(block) for block in (first, second, third)] == [Block, ProjectionBlock, ProjectionBlock]


@pytest.mark.parametrize("name", ALL)
def test_the_kernels_of_every_block(name: str) -> None:
    network = on_meta(name)
    kernels, repeats = BLOCKS.get(name, ((3, 3), (int(name.split("_")[1]) - 4) // 6))
    assert len(blocks(network)) == 3 * repeats
    for block in blocks(network):
        inner = convolutions(block.residual)
        assert [conv.kernel_size for conv in inner] == [(kernel, kernel) for kernel in kernels]
        assert {conv.stride for conv in inner[1:]} <= {(1, 1)}
        assert all(conv.bias is None for conv in inner)


@pytest.mark.parametrize("name", ["wrn_40_1", "wrn_16_8", "wrn_40_2_b13", "wrn_22_2_b313", "wrn_40_2_l1"])
def test_maps_are_those_of_table_1(name: str) -> None:
    network, k = on_meta(name), PARAMETERS[name][2]
    maps: list[tuple[int, ...]] = []
    for child in ("conv1", "conv2", "conv3", "conv4", "avgpool"):
        network.get_submodule(child).register_forward_hook(lambda _, __, output: maps.append(tuple(output.shape[1:])))
    network(torch.empty(1, 3, 32, 32, device="meta"))
    assert maps == [(16, 32, 32), (16 * k, 32, 32), (32 * k, 16, 16), (64 * k, 8, 8), (64 * k, 1, 1)]


@pytest.mark.parametrize("name", ALL)
def test_dropout_is_between_the_convolutions_of_the_networks_named_so_and_nowhere_else(name: str) -> None:
    network = on_meta(name)
    drops = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    if name not in DROPOUT:
        assert drops == []
        return
    assert len(drops) == len(blocks(network))
    assert {drop.p for drop in drops} == {DROPOUT[name]}
    order = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Conv2d]
    assert all([type(module) for module in block.residual] == order for block in blocks(network))


def test_what_two_tables_print_has_two_names() -> None:
    assert _catalog.get("wrn_40_2_l2").name == "wrn_40_2"  # Table 3
    assert _catalog.get("wrn_28_2_b33").name == "wrn_28_2"  # Table 2


@pytest.mark.parametrize("name", DROPOUT)
def test_dropout_changes_no_key(name: str) -> None:
    assert list(on_meta(name).state_dict()) == list(on_meta(name.removesuffix("_dropout")).state_dict())


def block(kind: type[Block], width: int, stride: int) -> tuple[Block, torch.Tensor]:
    """A block of three channels with weights as after some training, and an input."""
    torch.manual_seed(0)
    made = kind(3, width, stride, (3, 1), 0.0).double().eval()
    for tensor in (*made.parameters(), *made.buffers()):
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.2, 0.9)
    return made, torch.randn(2, 3, 6, 5, dtype=torch.float64)


def by_hand(block: Block, activated: torch.Tensor, stride: int) -> torch.Tensor:
    conv1, bn2, _, conv2 = block.residual
    assert isinstance(conv1, nn.Conv2d)
    assert isinstance(conv2, nn.Conv2d)
    first = nn.functional.conv2d(activated, conv1.weight, stride=stride, padding=1)
    return nn.functional.conv2d(bn2(first).clamp(min=0), conv2.weight)


def test_a_block_adds_its_own_input_as_it_came() -> None:
    unit, x = block(Block, 3, 1)
    expected = x + by_hand(unit, unit.bn1(x).clamp(min=0), 1)
    torch.testing.assert_close(unit(x), expected)


def test_a_projection_reads_the_first_activation() -> None:
    unit, x = block(ProjectionBlock, 4, 2)
    assert isinstance(unit, ProjectionBlock)
    activated = unit.bn1(x).clamp(min=0)
    shortcut = nn.functional.conv2d(activated, unit.shortcut.weight, stride=2)
    torch.testing.assert_close(unit(x), shortcut + by_hand(unit, activated, 2))


def test_a_block_leaves_its_input_alone() -> None:
    unit, x = block(Block, 3, 1)
    before = x.clone()
    unit(x)
    assert torch.equal(x, before)


def test_the_last_maps_are_normalised_rectified_and_averaged() -> None:
    torch.manual_seed(0)
    network = WideResNet(1, 1, 10, 3).eval()
    maps: list[torch.Tensor] = []
    network.conv4.register_forward_hook(lambda _, __, output: maps.append(output))
    with torch.no_grad():
        scores = network(torch.randn(2, 3, 29, 43))
        expected = network.fc(network.bn(maps[0]).clamp(min=0).mean((2, 3)))
    torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_only_dropout_makes_two_passes_differ_and_only_in_training(dropout: float) -> None:
    torch.manual_seed(0)
    network, x = WideResNet(1, 1, 10, 3, dropout=dropout), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(x), network(x)) == (not dropout)
        network.eval()
        assert torch.equal(network(x), network(x))
        assert network(x).shape == (2, 10)


def test_a_new_network_starts_as_the_resnets_do() -> None:
    torch.manual_seed(0)
    for name, parameter in WideResNet(1, 4, 10, 3).named_parameters():
        if parameter.ndim == 4:
            fan_in = parameter[0].numel()
            assert parameter.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.1), name
        elif name == "fc.weight":
            assert parameter.std().item() == pytest.approx(0.01, rel=0.05)
        else:
            assert set(parameter.tolist()) == {1.0 if name.endswith("weight") else 0.0}, name


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 32, 32), "a 3-dimensional input of shape (3, 32, 32) was given; a Wide ResNet takes"),
        ((1, 1, 32, 32), "1 channels were given"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match="given") as caught:
        on_meta("wrn_40_1")(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
