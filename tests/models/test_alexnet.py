"""AlexNet against what its paper prints, and the one-tower network against the author's file."""

from __future__ import annotations

import pytest
import torch

from repro.models import _catalog
from repro.models.alexnet import AlexNet, AlexNetOneTower, alexnet, alexnet_owt, response_norm


def trainable(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def network() -> AlexNet:
    """With real weights: drawing 61 million numbers takes a while, so once."""
    torch.manual_seed(0)
    return alexnet().eval()


@pytest.fixture
def on_meta() -> AlexNet:
    with torch.device("meta"):
        return alexnet()


@pytest.fixture
def one_tower() -> AlexNetOneTower:
    with torch.device("meta"):
        return alexnet_owt()


def sizes(network: torch.nn.Module, size: int) -> dict[str, tuple[int, ...]]:
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in network.named_children():
        if name.startswith(("conv", "fc")):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: seen.__setitem__(name, tuple(output.shape[1:]))
            )
    network(torch.empty(1, 3, size, size, device="meta"))
    return seen


def order_of(network: torch.nn.Module, size: int) -> str:
    order: list[str] = []
    for name, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, name=name: order.append(name))
    network(torch.empty(1, 3, size, size, device="meta"))
    return " ".join(order)


def test_kernels_are_the_printed_ones(on_meta: AlexNet) -> None:
    assert {name: tuple(p.shape) for name, p in on_meta.named_parameters() if "conv" in name and "weight" in name} == {
        "conv1.weight": (96, 3, 11, 11),
        "conv2.weight": (256, 48, 5, 5),
        "conv3.weight": (384, 256, 3, 3),
        "conv4.weight": (384, 192, 3, 3),
        "conv5.weight": (256, 192, 3, 3),
    }


def test_neurons_are_those_of_figure_2(on_meta: AlexNet) -> None:
    neurons = {name: torch.Size(size).numel() for name, size in sizes(on_meta, 227).items()}
    # The caption prints 253,440 for conv1, which is half of the maps: 55 * 55 * 96 = 290,400 (erratum).
    assert neurons == {
        "conv1": 290_400,
        "conv2": 186_624,
        "conv3": 64_896,
        "conv4": 64_896,
        "conv5": 43_264,
        "fc6": 4096,
        "fc7": 4096,
        "fc8": 1000,
    }


def test_parameters(on_meta: AlexNet, one_tower: AlexNetOneTower) -> None:
    assert trainable(on_meta) == 60_965_224
    assert trainable(one_tower) == 61_100_840
    assert trainable(one_tower) / trainable(on_meta) == pytest.approx(1.002, abs=0.0005)  # arXiv:1404.5997: 0.2 % more


def test_response_norm_is_the_formula_of_section_3_3() -> None:
    a = 20 * torch.randn(2, 9, 3, 3, dtype=torch.float64)
    expected = torch.empty_like(a)
    for i in range(9):
        window = a[:, max(0, i - 2) : min(8, i + 2) + 1]
        expected[:, i] = a[:, i] / (2 + 1e-4 * (window**2).sum(dim=1)) ** 0.75
    torch.testing.assert_close(response_norm()(a), expected, rtol=1e-12, atol=0)


def test_the_order_is_relu_norm_pool_and_dropout_follows_the_hidden_layers(on_meta: AlexNet) -> None:
    assert order_of(on_meta, 227) == (
        "conv1 relu norm1 pool conv2 relu norm2 pool conv3 relu conv4 relu conv5 relu pool "
        "fc6 relu dropout fc7 relu dropout fc8"
    )


def test_the_two_groups_of_conv2_do_not_see_each_other(network: AlexNet) -> None:
    x = torch.zeros(1, 96, 5, 5)
    changed = x.clone()
    changed[:, 0] = 1
    moved = (network.conv2(changed) - network.conv2(x)).abs().amax(dim=(0, 2, 3)) > 0
    assert moved[:128].any()
    assert not moved[128:].any()


def test_pooling_overlaps(on_meta: AlexNet) -> None:
    assert (on_meta.pool.kernel_size, on_meta.pool.stride) == (3, 2)


def test_the_initialisation_is_that_of_section_5(network: AlexNet) -> None:
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            assert parameter.std().item() == pytest.approx(0.01, rel=0.05), name
            assert abs(parameter.mean().item()) < 0.0005, name
        else:
            ones = name in ("conv2.bias", "conv4.bias", "conv5.bias", "fc6.bias", "fc7.bias")
            assert set(parameter.tolist()) == {1.0 if ones else 0.0}, name


def test_dropout_moves_only_training(network: AlexNet) -> None:
    x = torch.randn(1, 3, 227, 227)
    with torch.no_grad():
        assert network(x).equal(network(x))
        network.train()
        assert not network(x).equal(network(x))
        network.eval()


def test_one_tower_has_the_filters_of_the_author_and_the_maps_of_the_paper(one_tower: AlexNetOneTower) -> None:
    assert sizes(one_tower, 224) == {
        "conv1": (64, 55, 55),
        "conv2": (192, 27, 27),
        "conv3": (384, 13, 13),
        "conv4": (256, 13, 13),
        "conv5": (256, 13, 13),
        "fc6": (4096,),
        "fc7": (4096,),
        "fc8": (1000,),
    }
    assert all(module.groups == 1 for module in one_tower.modules() if isinstance(module, torch.nn.Conv2d))


def test_one_tower_has_no_norm_and_drops_before_its_hidden_layers(one_tower: AlexNetOneTower) -> None:
    assert order_of(one_tower, 224) == (
        "conv1 relu pool conv2 relu pool conv3 relu conv4 relu conv5 relu pool avgpool "
        "dropout fc6 relu dropout fc7 relu fc8"
    )


def test_one_tower_starts_as_in_the_file_of_the_author() -> None:
    torch.manual_seed(0)
    network = alexnet_owt(num_classes=10)
    assert network.conv1.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert network.conv3.weight.std().item() == pytest.approx(0.03, rel=0.05)
    assert network.conv5.weight.std().item() == pytest.approx(0.03, rel=0.05)
    assert network.fc7.weight.std().item() == pytest.approx(0.01, rel=0.05)
    biases = {name: set(p.tolist()) for name, p in network.named_parameters() if name.endswith("bias")}
    assert biases.pop("fc8.bias") == {-7.0}
    assert biases == {
        f"{layer}.bias": {value}
        for layer, value in zip(
            ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"], [0, 1, 0, 1, 1, 1, 1], strict=False
        )
    }


@pytest.mark.parametrize(("height", "width"), [(227, 258), (258, 227)])
def test_the_extremes_have_a_last_map_of_6x6(on_meta: AlexNet, height: int, width: int) -> None:
    assert on_meta(torch.empty(1, 3, height, width, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("alexnet", (3, 227, 227), "a 3-dimensional input of shape (3, 227, 227) was given; alexnet takes"),
        ("alexnet", (1, 1, 227, 227), "1 channels were given"),
        ("alexnet", (1, 3, 224, 224), "a 224x224 image was given; alexnet takes (batch, 3, height, width)"),
        ("alexnet", (1, 3, 227, 226), "height and width 227 to 258 pixels"),
        ("alexnet", (1, 3, 259, 227), "height and width 227 to 258 pixels"),
        ("alexnet_owt", (1, 3, 62, 224), "a 62x224 image was given; alexnet_owt takes"),
        ("alexnet_owt", (1, 4, 224, 224), "4 channels were given"),
    ],
)
def test_other_inputs_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with torch.device("meta"):
        network = _catalog.build(name)
    with pytest.raises(ValueError, match="given") as caught:
        network(torch.empty(shape, device="meta"))
    assert message in str(caught.value)


def test_one_tower_takes_63_pixels(one_tower: AlexNetOneTower) -> None:
    assert one_tower(torch.empty(1, 3, 63, 63, device="meta")).shape == (1, 1000)
