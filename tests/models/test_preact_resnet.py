"""The pre-activation ResNets against their paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.preact_resnet import (
    Basic,
    Bottleneck,
    FirstUnit,
    PreActStages,
    PreActStagesCifar,
    ProjectionUnit,
    Unit,
)

LAYERS = {"preact_resnet110": 110, "preact_resnet164": 164, "preact_resnet1001": 1001}
LAYERS |= {"preact_resnet152": 152, "preact_resnet200": 200}


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


def randomise(module: nn.Module) -> None:
    """Put it in eval mode, with normalisations that move and scale, so that none can be left out unnoticed."""
    torch.manual_seed(0)
    module.eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.weight, norm.bias, norm.running_mean):
                assert values is not None
                nn.init.normal_(values)


# --- what is printed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "all_of_them", "without_norms", "printed"),
    [
        ("preact_resnet110", 1_727_962, 1_719_866, "1.7"),
        ("preact_resnet164", 1_703_258, 1_679_034, "1.7"),
        ("preact_resnet1001", 10_327_706, 10_178_490, "10.2"),
    ],
)
def test_parameters_are_those_of_table_4(name: str, all_of_them: int, without_norms: int, printed: str) -> None:
    network = on_meta(name)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(p.numel() for p in network.parameters()) == all_of_them
    assert all_of_them - sum(p.numel() for norm in norms for p in norm.parameters()) == without_norms
    assert f"{without_norms / 1e6:.1f}" == printed


@pytest.mark.parametrize(("name", "expected"), [("preact_resnet152", 60_185_128), ("preact_resnet200", 64_666_152)])
def test_parameters_of_the_imagenet_networks(name: str, expected: int) -> None:
    assert sum(parameter.numel() for parameter in on_meta(name).parameters()) == expected


@pytest.mark.parametrize("name", LAYERS)
def test_depth(name: str) -> None:
    weighted = [
        key
        for key, module in on_meta(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not key.endswith("shortcut")
    ]
    assert len(weighted) == LAYERS[name]


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("preact_resnet110", [18] * 3),  # 54 (section 3.1)
        ("preact_resnet164", [18] * 3),
        ("preact_resnet1001", [111] * 3),  # 333 (section 4.1)
        ("preact_resnet152", [3, 8, 36, 3]),
        ("preact_resnet200", [3, 8 + 16, 36, 3]),
    ],
)
def test_units_of_each_stage(name: str, units: list[int]) -> None:
    stages = [module for _, module in on_meta(name).get_submodule("backbone").named_children()]
    assert [len(stage) for stage in stages if isinstance(stage, nn.Sequential)] == units


def test_the_bottleneck_of_164_layers_is_1x1_16_and_3x3_16_and_1x1_64() -> None:
    unit = on_meta("preact_resnet164").get_submodule("backbone.conv2_x.5")
    weights = [tuple(p.shape) for key, p in unit.named_parameters() if "conv" in key]
    assert weights == [(16, 64, 1, 1), (16, 16, 3, 3), (64, 16, 1, 1)]


@pytest.mark.parametrize("residual", [Basic, Bottleneck])
def test_the_first_convolution_of_a_residual_function_has_the_stride(residual: type[Basic] | type[Bottleneck]) -> None:
    strides = [m.stride[0] for m in residual(16, 8, 2).modules() if isinstance(m, nn.Conv2d)]
    assert strides == [2] + [1] * (len(strides) - 1)


# --- the maps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "channels"), [("preact_resnet110", (16, 32, 64)), ("preact_resnet164", (64, 128, 256))]
)
def test_maps_for_cifar(name: str, channels: tuple[int, ...]) -> None:
    backbone = on_meta(name).get_submodule("backbone")
    for size, sides in (((32, 32), ((32, 32), (16, 16), (8, 8))), ((29, 43), ((29, 43), (15, 22), (8, 11)))):
        expected = [(2, width, *side) for width, side in zip(channels, sides, strict=True)]
        assert [tuple(maps.shape) for maps in backbone(torch.empty(2, 3, *size, device="meta"))] == expected


@pytest.mark.parametrize("name", ["preact_resnet152", "preact_resnet200"])
def test_maps_for_imagenet(name: str) -> None:
    maps = on_meta(name).get_submodule("backbone")(torch.empty(1, 3, 224, 224, device="meta"))
    assert [tuple(x.shape[1:]) for x in maps] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


# --- what is computed --------------------------------------------------------------------------------------------


def activated(norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return norm(x).clamp(min=0)  # type: ignore[no-any-return]


def test_a_residual_function_activates_before_every_convolution_but_its_first() -> None:
    x = torch.randn(2, 16, 6, 6)
    basic, bottleneck = Basic(16, 8, 2), Bottleneck(16, 4, 2)
    randomise(basic)
    randomise(bottleneck)
    torch.testing.assert_close(basic(x), basic.conv2(activated(basic.bn2, basic.conv1(x))))
    inner = bottleneck.conv2(activated(bottleneck.bn2, bottleneck.conv1(x)))
    torch.testing.assert_close(bottleneck(x), bottleneck.conv3(activated(bottleneck.bn3, inner)))


def test_the_shortcut_of_a_unit_is_not_activated_and_a_projection_is() -> None:
    x = torch.randn(2, 16, 6, 6)
    unit = Unit(16, Basic(16, 32, 2), Basic.shortcut(16, 32, 2))
    projection = ProjectionUnit(16, Bottleneck(16, 8, 2), Bottleneck.shortcut(16, 32, 2))
    randomise(unit)
    randomise(projection)
    raw = torch.cat([x[:, :, ::2, ::2], torch.zeros(2, 16, 3, 3)], dim=1)
    torch.testing.assert_close(unit(x), raw + unit.residual(activated(unit.bn1, x)))
    y = activated(projection.bn1, x)
    torch.testing.assert_close(projection(x), projection.shortcut(y) + projection.residual(y))


@pytest.mark.parametrize("residual", [Basic, Bottleneck])
def test_the_first_and_the_last_activation_of_a_network(residual: type[Basic] | type[Bottleneck]) -> None:
    stages = PreActStagesCifar(residual, 2, 3)
    randomise(stages)
    x = torch.randn(2, 3, 9, 8)
    conv2, conv3, last = stages(x)
    first = stages.conv2_x[0]
    assert isinstance(first, FirstUnit)
    y = activated(stages.bn1, stages.conv1(x))
    torch.testing.assert_close(conv2, stages.conv2_x[1](first.shortcut(y) + first.residual(y)))
    assert conv2.min() < 0  # a sum, with nothing after it
    torch.testing.assert_close(last, activated(stages.bn4, stages.conv4_x(conv3)))


def test_the_imagenet_network_pools_what_is_activated() -> None:
    stages = PreActStages((1, 1, 1, 1), 3)
    randomise(stages)
    x = torch.randn(1, 3, 40, 36)
    conv2, _, conv4, last = stages(x)
    pooled = stages.maxpool(activated(stages.bn1, stages.conv1(x)))
    assert pooled.shape == (1, 64, 10, 9)
    torch.testing.assert_close(conv2, stages.conv2_x(pooled))
    torch.testing.assert_close(last, activated(stages.bn5, stages.conv5_x(conv4)))


@pytest.mark.parametrize(("name", "widening"), [("preact_resnet110", Unit), ("preact_resnet164", ProjectionUnit)])
def test_only_the_first_unit_of_a_stage_differs(name: str, widening: type[nn.Module]) -> None:
    backbone = on_meta(name).get_submodule("backbone")
    for stage, first in (("conv2_x", FirstUnit), ("conv3_x", widening), ("conv4_x", widening)):
        units = list(backbone.get_submodule(stage).children())
        assert type(units[0]) is first
        assert {type(unit) for unit in units[1:]} == {Unit}
        assert {type(unit.get_submodule("shortcut")) for unit in units[1:]} == {nn.Identity}


def test_it_predicts_and_learns() -> None:
    torch.manual_seed(0)
    network = _catalog.build("preact_resnet110", num_classes=7, in_channels=2).eval()
    x = torch.randn(3, 2, 16, 17)
    with torch.no_grad():
        before = network(x)
        network.train()
        after = network(x)
    assert before.shape == (3, 7)
    assert not after.allclose(before)  # the statistics are those of the batch
    network(x).logsumexp(dim=1).sum().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["preact_resnet110", "preact_resnet200"])
def test_other_inputs_are_refused(name: str) -> None:
    network = on_meta(name)
    with pytest.raises(ValueError, match=r"a 3-dimensional input .* was given; a pre-activation ResNet takes"):
        network(torch.empty(3, 32, 32, device="meta"))
    with pytest.raises(ValueError, match="1 channels were given"):
        network(torch.empty(1, 1, 32, 32, device="meta"))
    with pytest.raises(ValueError, match="a 32x0 image was given"):
        network(torch.empty(1, 3, 32, 0, device="meta"))
