"""The ResNets for CIFAR against section 4.2 and Table 6 of their paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.resnet import Padded
from repro.models.resnet_cifar import ResNetCifar, resnet20_cifar

# layers -> (n, parameters in millions as Table 6 prints them, parameters)
TABLE_6 = {
    20: (3, "0.27", 269_722),
    32: (5, "0.46", 464_154),
    44: (7, "0.66", 658_586),
    56: (9, "0.85", 853_018),
    110: (18, "1.7", 1_727_962),
    1202: (200, "19.4", 19_421_274),
}


def on_meta(layers: int, **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(f"resnet{layers}_cifar", **arguments)


def printed(count: int, like: str) -> str:
    """A count in millions, with as many digits as `like`."""
    return f"{count / 1e6:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize("layers", TABLE_6)
def test_parameters_are_those_of_table_6(layers: int) -> None:
    _, millions, exact = TABLE_6[layers]
    count = sum(parameter.numel() for parameter in on_meta(layers).parameters())
    assert count == exact
    assert printed(count, millions) == millions


@pytest.mark.parametrize("layers", TABLE_6)
def test_the_layers_are_6n_plus_2_and_the_shortcuts_3n(layers: int) -> None:
    n = TABLE_6[layers][0]
    modules = list(on_meta(layers).modules())
    filters = [module.out_channels for module in modules if isinstance(module, nn.Conv2d)]
    assert filters == [16] * (1 + 2 * n) + [32] * 2 * n + [64] * 2 * n
    assert len(filters) + sum(isinstance(module, nn.Linear) for module in modules) == layers == 6 * n + 2
    shortcuts = [module for module in modules if isinstance(module, nn.Identity | Padded)]
    assert len(shortcuts) == 3 * n
    assert sum(isinstance(shortcut, Padded) for shortcut in shortcuts) == 2


def test_every_kernel_is_3x3() -> None:
    kernels = {module.kernel_size for module in on_meta(20).modules() if isinstance(module, nn.Conv2d)}
    assert kernels == {(3, 3)}


@pytest.mark.parametrize(
    ("size", "sides"), [((32, 32), ((32, 32), (16, 16), (8, 8))), ((29, 43), ((29, 43), (15, 22), (8, 11)))]
)
def test_the_maps_of_the_stages(size: tuple[int, int], sides: tuple[tuple[int, int], ...]) -> None:
    stages = on_meta(20).get_submodule("backbone")(torch.empty(2, 3, *size, device="meta"))
    expected = [(2, channels, *side) for channels, side in zip((16, 32, 64), sides, strict=True)]
    assert [tuple(maps.shape) for maps in stages] == expected


def test_without_residuals_the_image_of_conv1_is_subsampled_and_padded_with_zero_maps() -> None:
    network = resnet20_cifar().eval()
    for key, parameter in network.named_parameters():
        if key.endswith("bn2.weight"):
            nn.init.zeros_(parameter)
    x = torch.randn(2, 3, 13, 10)
    with torch.no_grad():
        first = network.backbone.bn1(network.backbone.conv1(x)).clamp(min=0)
        conv2, conv3, conv4 = network.backbone(x)
    assert first.any()
    assert conv2.equal(first)
    assert conv3.equal(torch.cat([first[:, :, ::2, ::2], torch.zeros(2, 16, 7, 5)], dim=1))
    assert conv4.equal(torch.cat([first[:, :, ::4, ::4], torch.zeros(2, 48, 4, 3)], dim=1))


@pytest.fixture(scope="module")
def network() -> ResNetCifar:
    torch.manual_seed(0)
    return resnet20_cifar()


def test_the_first_stage_is_given_activated_maps(network: ResNetCifar) -> None:
    backbone = network.backbone.eval()
    x = torch.randn(2, 3, 9, 8)
    with torch.no_grad():
        activated = backbone.bn1(backbone.conv1(x)).clamp(min=0)
        torch.testing.assert_close(backbone(x)[0], backbone.conv2_x(activated))


def test_it_predicts_and_learns(network: ResNetCifar) -> None:
    x = torch.randn(4, 3, 32, 32)
    network.eval()
    with torch.no_grad():
        conv4 = network.backbone(x)[-1]
        torch.testing.assert_close(network(x), network.fc(conv4.mean(dim=(2, 3))))
        before = network(x)
        network.train()
        assert not network(x).allclose(before)  # the statistics are those of the batch
    network(x).logsumexp(dim=1).sum().backward()
    assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_first_class_count_is_that_of_cifar10() -> None:
    assert on_meta(20)(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)
    assert on_meta(20, num_classes=100, in_channels=1)(torch.empty(2, 1, 29, 43, device="meta")).shape == (2, 100)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 32, 32), "a 3-dimensional input of shape .* was given; a ResNet for CIFAR takes"),
        ((1, 4, 32, 32), "4 channels were given"),
        ((1, 3, 0, 32), "a 0x32 image was given; .* at least 1 pixels"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        on_meta(20)(torch.empty(shape, device="meta"))
