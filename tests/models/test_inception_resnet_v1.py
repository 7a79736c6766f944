"""Inception-ResNet-v1 against Figures 7 and 10 to 15 and Table 1 of arXiv:1602.07261."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

import repro.models.inception_resnet_v1 as inception_resnet_v1_module
from repro.models import _catalog
from repro.models.inception_resnet_v1 import InceptionResNetV1, inception_resnet_v1, variance_scaling

# The sizes beside Figures 14 and 15
OUTPUTS = {
    "stem.0": (32, 149, 149),
    "stem.1": (32, 147, 147),
    "stem.2": (64, 147, 147),
    "stem.3": (64, 73, 73),
    "stem.4": (80, 73, 73),
    "stem.5": (192, 71, 71),
    "stem": (256, 35, 35),
    "blocks_a": (256, 35, 35),
    "reduction_a": (896, 17, 17),
    "blocks_b": (896, 17, 17),
    "reduction_b": (1792, 8, 8),
    "blocks_c": (1792, 8, 8),
    "avgpool": (1792, 1, 1),
    "dropout": (1792,),
    "fc": (1000,),
}

# Branch by branch: inputs, then kernel height and width, filters and stride of each convolution, and the next inputs
ROWS = {
    "stem": [
        [
            (3, 3, 3, 32, 2),
            (32, 3, 3, 32, 1),
            (32, 3, 3, 64, 1),
            (64, 1, 1, 80, 1),
            (80, 3, 3, 192, 1),
            (192, 3, 3, 256, 2),
        ]
    ],
    "blocks_a.0.branches": [
        [(256, 1, 1, 32, 1)],
        [(256, 1, 1, 32, 1), (32, 3, 3, 32, 1)],
        [(256, 1, 1, 32, 1), (32, 3, 3, 32, 1), (32, 3, 3, 32, 1)],
    ],
    "reduction_a": [  # n; k, l, m
        [(256, 3, 3, 384, 2)],
        [(256, 1, 1, 192, 1), (192, 3, 3, 192, 1), (192, 3, 3, 256, 2)],
    ],
    "blocks_b.0.branches": [
        [(896, 1, 1, 128, 1)],
        [(896, 1, 1, 128, 1), (128, 1, 7, 128, 1), (128, 7, 1, 128, 1)],
    ],
    "reduction_b": [
        [(896, 1, 1, 256, 1), (256, 3, 3, 384, 2)],
        [(896, 1, 1, 256, 1), (256, 3, 3, 256, 2)],
        [(896, 1, 1, 256, 1), (256, 3, 3, 256, 1), (256, 3, 3, 256, 2)],
    ],
    "blocks_c.0.branches": [
        [(1792, 1, 1, 192, 1)],
        [(1792, 1, 1, 192, 1), (192, 1, 3, 192, 1), (192, 3, 1, 192, 1)],
    ],
}
REPEATS = {"blocks_a": 5, "blocks_b": 10, "blocks_c": 5}  # Figure 15
LINEAR = {"blocks_a": (96, 256), "blocks_b": (256, 896), "blocks_c": (384, 1792)}  # "Linear" in Figures 10, 11, 13


def on_meta(**arguments: int) -> InceptionResNetV1:
    with torch.device("meta"):
        return inception_resnet_v1(**arguments).eval()


@pytest.fixture(scope="module")
def net() -> InceptionResNetV1:
    """For tests that change nothing in it."""
    return on_meta()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def multiply_adds(net: nn.Module) -> int:
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, 299, 299))
    return sum(counts)


def test_output_sizes_of_figures_14_and_15() -> None:
    net = on_meta()
    sizes: dict[str, tuple[int, ...]] = {}
    for name in OUTPUTS:
        net.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: sizes.__setitem__(name, tuple(output.shape[1:]))
        )
    net(images(1, 3, 299, 299))
    assert sizes == OUTPUTS


@pytest.mark.parametrize("name", ROWS)
def test_convolutions_of_figures_7_and_10_to_14(net: InceptionResNetV1, name: str) -> None:
    convs = [module for module in net.get_submodule(name).modules() if isinstance(module, nn.Conv2d)]
    found = [(conv.in_channels, *conv.kernel_size, conv.out_channels, conv.stride[0]) for conv in convs]
    assert found == [layer for branch in ROWS[name] for layer in branch]


def test_reductions_pool_beside_their_convolutions(net: InceptionResNetV1) -> None:
    for reduction in (net.reduction_a, net.reduction_b):
        pool = reduction[-1]
        assert isinstance(pool, nn.MaxPool2d)
        assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 0)


def test_repeats_and_dropout_of_figure_15(net: InceptionResNetV1) -> None:
    assert {name: len(list(net.get_submodule(name).children())) for name in REPEATS} == REPEATS
    assert net.dropout.p == pytest.approx(1 - 0.8)


def test_parameters_by_hand(net: InceptionResNetV1) -> None:
    total = 1792 * 1000 + 1000
    for name, branches in ROWS.items():
        group = name.partition(".")[0]
        weights = sum(n * height * width * out + 2 * out for row in branches for n, height, width, out, _ in row)
        if group in LINEAR:
            width, channels = LINEAR[group]
            weights += width * channels + channels
        total += REPEATS.get(group, 1) * weights
    assert sum(parameter.numel() for parameter in net.parameters()) == total


def test_cost_is_roughly_that_of_inception_v3() -> None:
    with torch.device("meta"):
        other = _catalog.build("inception_v3").eval()
    ratio = multiply_adds(on_meta()) / multiply_adds(other)
    assert ratio == pytest.approx(1.0863, abs=5e-5)  # section 3.2 says "roughly"


@pytest.mark.parametrize(
    ("block", "channels", "scale"),
    [
        ("blocks_a.0", 256, 0.17),
        ("blocks_a.4", 256, 0.17),
        ("blocks_b.0", 896, 0.10),
        ("blocks_b.9", 896, 0.10),
        ("blocks_c.0", 1792, 0.20),
        ("blocks_c.4", 1792, 0.20),
    ],
)
def test_residual_scale_and_last_relu(net: InceptionResNetV1, block: str, channels: int, scale: float) -> None:
    assert 0.1 <= scale <= 0.3  # section 3.3
    residual = copy.deepcopy(net.get_submodule(block)).to_empty(device="cpu").eval()
    with torch.no_grad():
        for parameter in [*residual.parameters(), *residual.buffers()]:
            parameter.zero_()
        residual.get_parameter("linear.bias").fill_(-1)  # the branches are zero, their linear layer's output is -1
        x = torch.linspace(-2, 2, channels).view(1, channels, 1, 1)
        torch.testing.assert_close(residual(x), (x - scale).relu())


def test_logits_in_both_modes() -> None:
    net = on_meta(num_classes=7, in_channels=1)
    for training in (False, True):
        assert net.train(training)(images(2, 1, 107, 139)).shape == (2, 7)


def test_values_in_both_modes() -> None:
    torch.manual_seed(0)
    net = inception_resnet_v1(num_classes=5)
    x = torch.randn(2, 3, 107, 107)
    with torch.no_grad():
        net.eval()
        assert net(x).equal(net(x))
        assert net(x).isfinite().all()
        net.train()
        assert not net(x).equal(net(x))  # the dropout


def test_admissible_sizes(net: InceptionResNetV1, monkeypatch: pytest.MonkeyPatch) -> None:
    net(images(1, 3, 75, 99))
    net(images(1, 3, 99, 75))
    for size in ((74, 99), (99, 74)):
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*at least 75"):
            net(images(1, 3, *size))
    monkeypatch.setattr(inception_resnet_v1_module, "require_images", lambda *_, **__: None)
    for size in ((74, 99), (99, 74)):
        with pytest.raises(RuntimeError):  # the bound is that of the arithmetic
            net(images(1, 3, *size))


def test_wrong_rank_and_channels(net: InceptionResNetV1) -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 299, 299))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 299, 299))


def test_constructor_scales_every_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, float] = {}
    monkeypatch.setattr(inception_resnet_v1_module, "cut_normal_", lambda weight, std: drawn.update({id(weight): std}))
    net = on_meta()
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == len(drawn) == 6 + 5 * 7 + 4 + 10 * 5 + 7 + 5 * 5
    for conv in convs:
        assert drawn[id(conv.weight)] ** 2 == pytest.approx(1.3 * 2 / conv.weight[0].numel())


def test_variance_scaling() -> None:
    net = on_meta()
    for name in ("blocks_b", "reduction_b", "blocks_c"):
        setattr(net, name, nn.Identity())  # the rest has real weights
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        nn.init.constant_(parameter, 9)
    torch.manual_seed(0)
    variance_scaling(net)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            cut = 2 * math.sqrt(1.3 * 2 / fan_in)
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.06)
            assert 0.95 * cut < module.weight.abs().max().item() <= cut * (1 + 1e-6)
            assert module.bias is None or not module.bias.any()
    assert net.fc.weight.std().item() == pytest.approx(math.sqrt(2 / (1792 + 1000)), rel=0.01)
    assert net.fc.weight.abs().max().item() <= math.sqrt(6 / (1792 + 1000)) * (1 + 1e-6)
    assert not net.fc.bias.any()
