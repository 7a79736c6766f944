"""Network in Network against its paper and its author's two files."""

from __future__ import annotations

import pytest
import torch

from repro.models import _catalog
from repro.models.nin import MLPConv, nin_cifar10, nin_imagenet

# (filters, input channels, kernel, kernel) of every convolution, from the author's files (ledger nin.c10.*, nin.in.*).
CIFAR10 = [
    (192, 3, 5, 5),
    (160, 192, 1, 1),
    (96, 160, 1, 1),
    (192, 96, 5, 5),
    (192, 192, 1, 1),
    (192, 192, 1, 1),
    (192, 192, 3, 3),
    (192, 192, 1, 1),
    (10, 192, 1, 1),
]
IMAGENET = [
    (96, 3, 11, 11),
    (96, 96, 1, 1),
    (96, 96, 1, 1),
    (256, 96, 5, 5),
    (256, 256, 1, 1),
    (256, 256, 1, 1),
    (384, 256, 3, 3),
    (384, 384, 1, 1),
    (384, 384, 1, 1),
    (1024, 384, 3, 3),
    (1024, 1024, 1, 1),
    (1000, 1024, 1, 1),
]


def on_meta(name: str, **arguments: int) -> torch.nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments)


def record(network: torch.nn.Module, size: int) -> list[tuple[str, int]]:
    """The layers in the order they run, each with the height of its output."""
    order: list[tuple[str, int]] = []
    for name, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, name=name: order.append((name, output.shape[2])))
    network(torch.empty(1, 3, size, size, device="meta"))
    return order


@pytest.mark.parametrize(("name", "shapes"), [("nin_cifar10", CIFAR10), ("nin_imagenet", IMAGENET)])
def test_filters_are_those_of_the_author(name: str, shapes: list[tuple[int, ...]]) -> None:
    network = on_meta(name)
    assert [tuple(m.weight.shape) for m in network.modules() if isinstance(m, torch.nn.Conv2d)] == shapes


@pytest.mark.parametrize(("name", "expected"), [("nin_cifar10", 966_986), ("nin_imagenet", 7_595_176)])
def test_parameters(name: str, expected: int) -> None:
    assert sum(parameter.numel() for parameter in on_meta(name).parameters()) == expected


def test_the_imagenet_network_fills_the_29_megabytes_of_the_gist() -> None:
    assert round(sum(4 * p.numel() for p in on_meta("nin_imagenet").parameters()) / 2**20) == 29


def test_the_cifar_network_runs_in_the_order_of_the_file() -> None:
    assert record(on_meta("nin_cifar10"), 32) == [
        ("mlpconv1", 32),
        ("pool", 16),
        ("dropout", 16),
        ("mlpconv2", 16),
        ("pool", 8),
        ("dropout", 8),
        ("mlpconv3", 8),
        ("average", 1),
    ]


def test_the_imagenet_network_runs_in_the_order_of_the_gist() -> None:
    assert record(on_meta("nin_imagenet"), 224) == [
        ("mlpconv1", 54),
        ("pool", 27),
        ("mlpconv2", 27),
        ("pool", 13),
        ("mlpconv3", 13),
        ("pool", 6),
        ("dropout", 6),
        ("mlpconv4", 6),
        ("average", 1),
    ]


def test_every_convolution_of_an_mlpconv_has_its_relu() -> None:
    layer = MLPConv(2, (4, 5, 6), 3, padding=1)
    x = torch.randn(2, 2, 7, 7)
    expected = layer.cccp2(layer.cccp1(layer.conv(x).clamp(min=0)).clamp(min=0)).clamp(min=0)
    torch.testing.assert_close(layer(x), expected)


def test_logits_are_the_averages_of_the_last_maps() -> None:
    network = nin_cifar10().eval()
    maps: list[torch.Tensor] = []
    network.mlpconv3.register_forward_hook(lambda _, __, output: maps.append(output))
    with torch.no_grad():
        torch.testing.assert_close(network(torch.randn(2, 3, 29, 43)), maps[0].mean(dim=(2, 3)))
    assert maps[0].min() >= 0


def test_the_initialisation_is_that_of_the_files() -> None:
    torch.manual_seed(0)
    for network, narrow in (
        (nin_cifar10(), ()),
        (nin_imagenet(), ("mlpconv1.conv.weight", "mlpconv3.conv.weight", "mlpconv4.cccp2.weight")),
    ):
        for name, parameter in network.named_parameters():
            if name.endswith("weight"):
                assert parameter.std().item() == pytest.approx(0.01 if name in narrow else 0.05, rel=0.05), name
            else:
                assert not parameter.any(), name


@pytest.mark.parametrize(("name", "smallest"), [("nin_cifar10", 4), ("nin_imagenet", 39)])
def test_the_smallest_size_passes_and_less_is_refused(name: str, smallest: int) -> None:
    network = on_meta(name)
    network(torch.empty(1, 3, smallest, smallest, device="meta"))
    with pytest.raises(ValueError, match=f"{name} takes .* height and width at least {smallest} pixels"):
        network(torch.empty(1, 3, smallest + 3, smallest - 1, device="meta"))


@pytest.mark.parametrize("name", ["nin_cifar10", "nin_imagenet"])
def test_other_ranks_and_channels_are_refused(name: str) -> None:
    network = on_meta(name)
    with pytest.raises(ValueError, match=f"a 3-dimensional input of shape .* was given; {name} takes"):
        network(torch.empty(3, 64, 64, device="meta"))
    with pytest.raises(ValueError, match="1 channels were given"):
        network(torch.empty(1, 1, 64, 64, device="meta"))
