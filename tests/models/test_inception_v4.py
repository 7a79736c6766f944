"""Inception-v4 against the figures of arXiv:1602.07261."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import repro.models.inception_v4 as inception_v4_module
from repro.models.inception_v4 import InceptionV4, inception_v4, variance_scaling

# Figures 3 and 9: outputs (channels, height, width)
OUTPUTS = {
    "stem.0": (32, 149, 149),
    "stem.1": (32, 147, 147),
    "stem.2": (64, 147, 147),
    "stem.3": (160, 73, 73),
    "stem.4": (192, 71, 71),
    "stem": (384, 35, 35),
    "inception_a": (384, 35, 35),
    "reduction_a": (1024, 17, 17),
    "inception_b": (1024, 17, 17),
    "reduction_b": (1536, 8, 8),
    "inception_c": (1536, 8, 8),
    "avgpool": (1536, 1, 1),
    "fc": (1000,),
}

# Filters in the order of the branches: 1x1 first, pooling last (Figures 4, 5, 6, 7 with Table 1, and 8)
FILTERS = {
    "inception_a.0": [96, 64, 96, 64, 96, 96, 96],
    "inception_b.0": [384, 192, 224, 256, 192, 192, 224, 224, 256, 128],
    "inception_c.0": [256, 384, 256, 256, 384, 448, 512, 256, 256, 256],
    "reduction_a": [384, 192, 224, 256],  # n; k, l, m
    "reduction_b": [192, 192, 256, 256, 320, 320],
}


def on_meta(**arguments: int) -> InceptionV4:
    with torch.device("meta"):
        return inception_v4(**arguments).eval()


@pytest.fixture(scope="module")
def net() -> InceptionV4:
    """For tests that change nothing in it."""
    return on_meta()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_output_sizes_of_figures_3_and_9() -> None:
    net = on_meta()
    sizes: dict[str, tuple[int, ...]] = {}

    def record(name: str) -> None:
        hook = lambda _module, _inputs, output: sizes.__setitem__(name, tuple(output.shape[1:]))
        net.get_submodule(name).register_forward_hook(hook)

    for name in OUTPUTS:
        record(name)
    net(images(1, 3, 299, 299))
    assert sizes == OUTPUTS


def test_filters_of_figures_4_to_8(net: InceptionV4) -> None:
    for name, filters in FILTERS.items():
        convs = [module for module in net.get_submodule(name).modules() if isinstance(module, nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == filters, name


def test_repeats_of_figure_9(net: InceptionV4) -> None:
    assert (len(net.inception_a), len(net.inception_b), len(net.inception_c)) == (4, 7, 3)
    assert net.dropout.p == 0.2  # "keep 0.8"


def test_parameters_and_multiply_adds() -> None:
    net = on_meta()
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, _inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, 299, 299))
    assert sum(counts) == 12_253_974_624
    assert sum(parameter.numel() for parameter in net.parameters()) == 42_679_816


def test_norms_and_average_pools(net: InceptionV4) -> None:
    assert {module.eps for module in net.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}
    pools = [module for module in net.modules() if isinstance(module, nn.AvgPool2d)]
    assert [pool.count_include_pad for pool in pools] == [False] * (4 + 7 + 3)


def test_logits_in_both_modes() -> None:
    net = on_meta(num_classes=7, in_channels=1)
    for training in (False, True):
        assert net.train(training)(images(2, 1, 107, 139)).shape == (2, 7)


def test_admissible_sizes(net: InceptionV4, monkeypatch: pytest.MonkeyPatch) -> None:
    net(images(1, 3, 75, 99))
    net(images(1, 3, 99, 75))
    for size in ((74, 99), (99, 74)):
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*at least 75"):
            net(images(1, 3, *size))
    monkeypatch.setattr(inception_v4_module, "require_images", lambda *_, **__: None)
    for size in ((74, 99), (99, 74)):
        with pytest.raises(RuntimeError):  # the bound is that of the arithmetic
            net(images(1, 3, *size))


def test_wrong_rank_and_channels(net: InceptionV4) -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 299, 299))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 299, 299))


def test_constructor_scales_every_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, float] = {}
    monkeypatch.setattr(inception_v4_module, "cut_normal_", lambda weight, std: drawn.update({id(weight): std}))
    net = on_meta()
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == len(drawn) == 149
    for conv in convs:
        assert drawn[id(conv.weight)] ** 2 == pytest.approx(1.3 * 2 / conv.weight[0].numel())


def test_variance_scaling() -> None:
    net = on_meta()
    for name in ("inception_a", "reduction_a", "inception_b", "reduction_b", "inception_c"):
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
    assert net.fc.weight.std().item() == pytest.approx(math.sqrt(2 / (1536 + 1000)), rel=0.01)
    assert net.fc.weight.abs().max().item() <= math.sqrt(6 / (1536 + 1000)) * (1 + 1e-6)
    assert not net.fc.bias.any()
