"""The ResNeXts against Tables 1 to 4 and 7."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog

# Cardinality, width of a group, channels in conv2_x, and parameters of the template of equation 4, from Table 2 as the
# ledger holds it (resnext.t2.*); 64x4d and what follows are in Table 4, whose widths are the products.
CARDINALITIES = {
    "2x40d": (2, 40, 80, 69_760),
    "4x24d": (4, 24, 96, 69_888),
    "8x14d": (8, 14, 112, 71_456),
    "32x4d": (32, 4, 128, 70_144),
}
WIDER = {
    "resnext101_64x4d": (64, 256),
    "resnext101_2x64d": (2, 128),
    "resnet101_1x100d": (1, 100),
}
# With the scales and shifts of the normalisations, which the paper does not count, and without.
PARAMETERS = {
    "resnext50_32x4d": (25_028_904, 24_960_680),
    "resnext50_2x40d": (25_425_000, 25_368_104),
    "resnext50_4x24d": (25_292_968, 25_232_296),
    "resnext50_8x14d": (25_603_016, 25_538_568),
    "resnext101_32x4d": (44_177_704, 44_039_848),
    "resnext101_2x40d": (44_456_296, 44_342_824),
    "resnext101_4x24d": (44_363_432, 44_241_832),
    "resnext101_8x14d": (45_104_328, 44_974_600),
    "resnext101_2x64d": (84_198_184, 84_060_328),
    "resnet101_1x100d": (85_611_336, 85_487_704),
    "resnext29_8x64d": (34_426_698, 34_369_226),
    "resnext29_16x64d": (68_155_210, 68_054_730),
}
# Table 1, the text on Figure 5, and Table 7.
MILLIONS = {"resnext50_32x4d": "25.0", "resnext101_32x4d": "44", "resnext29_8x64d": "34.4", "resnext29_16x64d": "68.1"}
# Of Tables 1, 3 and 4, to the printed digits: billions of multiplications and additions.
BILLIONS = {
    "resnext50_32x4d": "4.2",
    "resnext101_64x4d": "15",
    "resnext101_2x64d": "15",
    "resnet101_1x100d": "15",
}


def on_meta(name: str, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


def rounded(number: float, printed: str) -> str:
    return f"{number:.{len(printed.partition('.')[2])}f}"


def uncounted(network: nn.Module) -> int:
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return sum(parameter.numel() for norm in norms for parameter in norm.parameters())


def multiply_adds(network: nn.Module, size: int) -> int:
    found: list[int] = []

    def hook(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        weight = module.get_parameter("weight")
        found.append(output.numel() * weight[0].numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(hook)
    network(torch.empty(1, 3, size, size, device="meta"))
    return sum(found)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    network = on_meta(name)
    every = sum(parameter.numel() for parameter in network.parameters())
    assert (every, every - uncounted(network)) == PARAMETERS[name]


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_without_normalisations_round_to_the_printed_ones(name: str) -> None:
    assert rounded(PARAMETERS[name][1] / 1e6, MILLIONS[name]) == MILLIONS[name]


@pytest.mark.parametrize("name", BILLIONS)
def test_multiply_adds_round_to_the_printed_ones(name: str) -> None:
    assert rounded(multiply_adds(on_meta(name), 224) / 1e9, BILLIONS[name]) == BILLIONS[name]


@pytest.mark.parametrize("depth", [50, 101])
@pytest.mark.parametrize("cardinality", CARDINALITIES)
def test_the_template_of_conv2_x_is_that_of_table_2(cardinality: str, depth: int) -> None:
    groups, width, channels, parameters = CARDINALITIES[cardinality]
    assert groups * width == channels
    block = on_meta(f"resnext{depth}_{cardinality}").get_submodule("backbone.conv2_x.1")
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.out_channels for conv in convolutions] == [channels, channels, 256]
    assert [conv.groups for conv in convolutions] == [1, groups, 1]
    assert sum(conv.weight.numel() for conv in convolutions) == parameters
    assert parameters == groups * (256 * width + 3 * 3 * width * width + width * 256)  # equation 4
    assert f"{parameters * 56 * 56 / 1e9:.2f}" == "0.22"  # the caption


@pytest.mark.parametrize("name", WIDER)
def test_groups_and_widths_of_table_4(name: str) -> None:
    groups, channels = WIDER[name]
    network = on_meta(name)
    for stage in range(4):
        conv = network.get_submodule(f"backbone.conv{stage + 2}_x.0.conv2")
        assert isinstance(conv, nn.Conv2d)
        assert (conv.groups, conv.out_channels) == (groups, channels * 2**stage)


@pytest.mark.parametrize(
    ("name", "repeats"),
    [(f"resnext50_{c}", (3, 4, 6, 3)) for c in CARDINALITIES]
    + [(f"resnext101_{c}", (3, 4, 23, 3)) for c in CARDINALITIES]
    + [(name, (3, 4, 23, 3)) for name in WIDER],
)
def test_blocks_and_the_place_of_the_stride(name: str, repeats: tuple[int, ...]) -> None:
    network = on_meta(name)
    for stage, count in enumerate(repeats):
        blocks = list(network.get_submodule(f"backbone.conv{stage + 2}_x").children())
        assert len(blocks) == count
        strides = [module.stride for module in blocks[0].modules() if isinstance(module, nn.Conv2d)]
        step = (1, 1) if stage == 0 else (2, 2)
        assert strides == [(1, 1), step, (1, 1), step]  # the 3x3 and the projection (section 4)


@pytest.mark.parametrize(("name", "groups"), [("resnext29_8x64d", 8), ("resnext29_16x64d", 16)])
def test_resnext_29_is_that_of_section_5_3(name: str, groups: int) -> None:
    network = on_meta(name)
    inner = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.groups > 1]
    assert [(conv.groups, conv.out_channels) for conv in inner] == [
        (groups, groups * 64 * widening) for widening in (1, 2, 4) for _ in range(3)
    ]
    layers = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len([name for name in layers if "shortcut" not in name]) == 29
    maps = network.get_submodule("backbone")(torch.empty(1, 3, 32, 32, device="meta"))
    assert [tuple(x.shape[1:]) for x in maps] == [(256, 32, 32), (512, 16, 16), (1024, 8, 8)]


def test_a_small_pass_in_both_modes() -> None:
    torch.manual_seed(0)
    for name, size in (("resnext50_8x14d", 40), ("resnext29_8x64d", 8)):
        network = _catalog.build(name, num_classes=5)
        with torch.no_grad():
            x = torch.randn(2, 3, size, size)
            trained = network(x)
            scores = network.eval()(x)
        assert trained.shape == scores.shape == (2, 5)
        assert trained.isfinite().all()
        assert torch.equal(scores, network(x))
        assert not torch.equal(scores, trained)


def test_resnext_29_averages_its_last_maps() -> None:
    torch.manual_seed(0)
    network = _catalog.build("resnext29_8x64d").eval()
    x = torch.randn(1, 3, 9, 6)
    with torch.no_grad():
        maps = network.get_submodule("backbone")(x)[-1]
        torch.testing.assert_close(network(x), network.get_submodule("fc")(maps.mean((2, 3))))


@torch.no_grad()
def test_the_first_convolution_of_resnext_29_is_normalised_and_rectified() -> None:
    torch.manual_seed(0)
    backbone = _catalog.build("resnext29_8x64d").eval().get_submodule("backbone")
    conv1, bn1, conv2_x = (backbone.get_submodule(name) for name in ("conv1", "bn1", "conv2_x"))
    bn1.get_parameter("bias").uniform_(-1, 1)
    x = torch.randn(1, 3, 9, 6)
    torch.testing.assert_close(backbone(x)[0], conv2_x(bn1(conv1(x)).clamp(min=0)))


def test_a_new_resnext_29_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[nn.Module] = []
    monkeypatch.setattr("repro.models.resnext_cifar.he_fan_in", seen.append)
    network = on_meta("resnext29_8x64d")
    assert seen == [network]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 32, 32), "a 3-dimensional input of shape (3, 32, 32) was given; a ResNeXt-29 takes"),
        ((1, 1, 32, 32), "1 channels were given"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match="given") as caught:
        on_meta("resnext29_8x64d")(torch.empty(shape, device="meta"))
    assert message in str(caught.value)
