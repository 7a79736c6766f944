"""Inception-ResNet-v2 as released, against arXiv:1602.07261 where the release follows it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

import repro.models.inception_resnet_v2 as inception_resnet_v2_module
from repro.models.inception_resnet_v2 import InceptionResNetV2, inception_resnet_v2, variance_scaling

OUTPUTS = {
    "stem.0": (32, 149, 149),
    "stem.2": (64, 147, 147),
    "stem.4": (80, 73, 73),
    "stem.5": (192, 71, 71),
    "stem.6": (192, 35, 35),
    "stem": (320, 35, 35),
    "blocks_a": (320, 35, 35),
    "reduction_a": (1088, 17, 17),
    "blocks_b": (1088, 17, 17),
    "reduction_b": (2080, 8, 8),
    "blocks_c": (2080, 8, 8),
    "conv": (1536, 8, 8),
    "avgpool": (1536, 1, 1),
    "fc": (1000,),
}

# Filters in the order of the branches (Figures 16, 17 and 19, the linear layer aside; 7 with Table 1; 18)
FILTERS = {
    "blocks_a.0.branches": [32, 32, 32, 32, 48, 64],
    "blocks_b.0.branches": [192, 128, 160, 192],
    "blocks_c.0.branches": [192, 192, 224, 256],
    "reduction_a": [384, 256, 256, 384],  # n; k, l, m
    "reduction_b": [256, 384, 256, 288, 256, 288, 320],
}


def on_meta(**arguments: int) -> InceptionResNetV2:
    with torch.device("meta"):
        return inception_resnet_v2(**arguments).eval()


@pytest.fixture(scope="module")
def net() -> InceptionResNetV2:
    """For tests that change nothing in it."""
    return on_meta()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_output_sizes() -> None:
    net = on_meta()
    sizes: dict[str, tuple[int, ...]] = {}

    def record(name: str) -> None:
        hook = lambda _module, _inputs, output: sizes.__setitem__(name, tuple(output.shape[1:]))
        net.get_submodule(name).register_forward_hook(hook)

    for name in OUTPUTS:
        record(name)
    net(images(1, 3, 299, 299))
    assert sizes == OUTPUTS


def test_filters_of_figures_16_to_19(net: InceptionResNetV2) -> None:
    for name, filters in FILTERS.items():
        convs = [module for module in net.get_submodule(name).modules() if isinstance(module, nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == filters, name


def test_repeats_and_dropout(net: InceptionResNetV2) -> None:
    assert (len(net.blocks_a), len(net.blocks_b), len(net.blocks_c)) == (10, 20, 10)
    assert net.dropout.p == 0.2  # Figure 15, "keep 0.8"


def test_parameters_and_multiply_adds() -> None:
    net = on_meta()
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, _inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, 299, 299))
    assert sum(counts) == 13_155_794_016
    assert sum(parameter.numel() for parameter in net.parameters()) == 55_843_464


@pytest.mark.parametrize(
    ("block", "channels", "scale", "rectified"),
    [
        ("blocks_a.0", 320, 0.17, True),
        ("blocks_a.9", 320, 0.17, True),
        ("blocks_b.0", 1088, 0.10, True),
        ("blocks_b.19", 1088, 0.10, True),
        ("blocks_c.0", 2080, 0.20, True),
        ("blocks_c.8", 2080, 0.20, True),
        ("blocks_c.9", 2080, 1.0, False),
    ],
)
def test_residual_scale(net: InceptionResNetV2, block: str, channels: int, scale: float, rectified: bool) -> None:
    residual = copy.deepcopy(net.get_submodule(block)).to_empty(device="cpu").eval()
    with torch.no_grad():
        for parameter in [*residual.parameters(), *residual.buffers()]:
            parameter.zero_()
        residual.get_parameter("linear.bias").fill_(-1)  # the branches are zero, their linear layer's output is -1
        x = torch.linspace(-2, 2, channels).view(1, channels, 1, 1)
        expected = (x - scale).relu() if rectified else x - scale
        torch.testing.assert_close(residual(x), expected)


def test_norms_and_average_pool(net: InceptionResNetV2) -> None:
    assert {module.eps for module in net.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}
    pools = [module for module in net.modules() if isinstance(module, nn.AvgPool2d)]
    assert [pool.count_include_pad for pool in pools] == [False]


def test_logits_in_both_modes() -> None:
    net = on_meta(num_classes=7, in_channels=1)
    for training in (False, True):
        assert net.train(training)(images(2, 1, 107, 139)).shape == (2, 7)


def test_admissible_sizes(net: InceptionResNetV2, monkeypatch: pytest.MonkeyPatch) -> None:
    net(images(1, 3, 75, 99))
    net(images(1, 3, 99, 75))
    for size in ((74, 99), (99, 74)):
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*at least 75"):
            net(images(1, 3, *size))
    monkeypatch.setattr(inception_resnet_v2_module, "require_images", lambda *_, **__: None)
    for size in ((74, 99), (99, 74)):
        with pytest.raises(RuntimeError):  # the bound is that of the arithmetic
            net(images(1, 3, *size))


def test_wrong_rank_and_channels(net: InceptionResNetV2) -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 299, 299))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 299, 299))


def test_constructor_scales_every_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, float] = {}
    monkeypatch.setattr(inception_resnet_v2_module, "cut_normal_", lambda weight, std: drawn.update({id(weight): std}))
    net = on_meta()
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == len(drawn) == 244
    for conv in convs:
        assert drawn[id(conv.weight)] ** 2 == pytest.approx(1.3 * 2 / conv.weight[0].numel())


def test_variance_scaling() -> None:
    net = on_meta()
    for name in ("blocks_a", "reduction_a", "blocks_b", "reduction_b", "conv"):
        setattr(net, name, nn.Identity())  # the rest has real weights
    net.blocks_c = net.blocks_c[:1]  # for its linear layer
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
    assert net.fc.weight.std().item() == pytest.approx(math.sqrt(2 / (1536 + 1000)), rel=0.01)
    assert net.fc.weight.abs().max().item() <= math.sqrt(6 / (1536 + 1000)) * (1 + 1e-6)
    assert not net.fc.bias.any()
