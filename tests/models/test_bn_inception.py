"""BN-Inception against Figure 5 and the appendix of arXiv:1502.03167."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.bn_inception import BNInception, Downsampling, Inception, SeparableConvBN, average, bn_inception

NAMES = ["bn_inception", "bn_inception_separable"]

# Figure 5: row -> #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool and its projection; the output printed
ROWS = {
    "3a": ((64, 64, 64, 64, 96), ("avg", 32), (256, 28, 28)),
    "3b": ((64, 64, 96, 64, 96), ("avg", 64), (320, 28, 28)),
    "3c": ((0, 128, 160, 64, 96), ("max", None), (576, 28, 28)),
    "4a": ((224, 64, 96, 96, 128), ("avg", 128), (576, 14, 14)),
    "4b": ((192, 96, 128, 96, 128), ("avg", 128), (576, 14, 14)),
    "4c": ((160, 128, 160, 128, 160), ("avg", 128), (576, 14, 14)),
    "4d": ((96, 128, 192, 160, 192), ("avg", 128), (576, 14, 14)),
    "4e": ((0, 128, 192, 192, 256), ("max", None), (1024, 14, 14)),
    "5a": ((352, 192, 320, 160, 224), ("avg", 128), (1024, 7, 7)),
    "5b": ((352, 192, 320, 192, 224), ("max", 128), (1024, 7, 7)),
}
OTHER_ROWS = {"conv1": (64, 112, 112), "conv2": (192, 56, 56), "avgpool": (1024, 1, 1), "fc": (1000,)}
POOLED = [(64, 56, 56), (192, 28, 28)]  # the two rows called max pool

# Errata: stride 2 halves the side, 160 + 160 + 160 + 128 = 96 + 192 + 192 + 128 = 608 and 192 + 256 + 608 = 1056.
ERRATA = {"3c": (576, 14, 14), "4c": (608, 14, 14), "4d": (608, 14, 14), "4e": (1056, 7, 7)}


def on_meta(name: str = "bn_inception", **arguments: int) -> nn.Module:
    with torch.device("meta"):
        return _catalog.build(name, **arguments).eval()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def calls(net: nn.Module, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """The network's children in the order of their calls, each with the shape of its output."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, module in net.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.append((name, tuple(output.shape[1:])))
        )
    net(x)
    return seen


def multiply_adds(name: str) -> int:
    counts: list[int] = []
    net = on_meta(name)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, *_catalog.get(name).input_size[1:]))
    return sum(counts)


@pytest.mark.parametrize("name", NAMES)
def test_output_sizes_of_figure_5(name: str) -> None:
    found = calls(on_meta(name), images(1, 3, 224, 224))
    sizes = dict(found)
    assert {row: sizes[row] for row in OTHER_ROWS} == OTHER_ROWS
    assert [size for row, size in found if row == "pool"] == POOLED
    printed = {row: size for row, (_, _, size) in ROWS.items()}
    assert {row: sizes[f"inception_{row}"] for row in ROWS} == printed | ERRATA


def test_order_of_the_rows() -> None:
    order = " ".join(name.removeprefix("inception_") for name, _ in calls(on_meta(), images(1, 3, 64, 64)))
    assert order == "conv1 pool conv2_reduce conv2 pool 3a 3b 3c 4a 4b 4c 4d 4e 5a 5b avgpool fc"


@pytest.mark.parametrize("row", ROWS)
def test_filters_strides_and_pooling_of_figure_5(row: str) -> None:
    (n1x1, reduce, n3x3, reduce_double, n3x3_double), (kind, projection), _ = ROWS[row]
    module = on_meta().get_submodule(f"inception_{row}")
    stride = 2 if row in ("3c", "4e") else 1
    layers = [(n1x1, 1, 1), (reduce, 1, 1), (n3x3, 3, stride)]
    layers += [(reduce_double, 1, 1), (n3x3_double, 3, 1), (n3x3_double, 3, stride), (projection or 0, 1, 1)]
    found = [(conv.out_channels, conv.kernel_size[0], conv.stride[0]) for conv in convolutions(module)]
    assert found == [layer for layer in layers if layer[0]]
    (pool,) = (layer for layer in module.modules() if isinstance(layer, nn.AvgPool2d | nn.MaxPool2d))
    assert isinstance(pool, nn.AvgPool2d) == (kind == "avg")
    assert (pool.kernel_size, pool.stride) == (3, stride)


def test_the_average_is_that_of_the_pixels_there_are() -> None:
    assert average()(torch.ones(1, 1, 4, 5)).equal(torch.ones(1, 1, 4, 5))


def test_branches_are_concatenated_in_the_order_of_figure_5() -> None:
    inception = Inception(3, 1, (2, 3), (2, 4), average(), 5).eval()
    downsampling = Downsampling(3, (2, 3), (2, 4)).eval()
    x = torch.full((1, 3, 4, 4), 9.0)
    with torch.no_grad():
        for module in (inception, downsampling):
            for parameter in module.parameters():
                parameter.zero_()
        for index, last in enumerate(("branch1x1", "branch3x3.1", "branch3x3_double.2", "branch_pool.1"), start=1):
            inception.get_parameter(f"{last}.bn.bias").fill_(index)
        for index, last in enumerate(("branch3x3.1", "branch3x3_double.2"), start=1):
            downsampling.get_parameter(f"{last}.bn.bias").fill_(index)
        assert inception(x)[0, :, 0, 0].tolist() == [1] + [2] * 3 + [3] * 4 + [4] * 5
        assert downsampling(x)[0, :, 1, 1].tolist() == [1] * 3 + [2] * 4 + [9] * 3  # the input passes through


@pytest.mark.parametrize("name", NAMES)
def test_normalisation_for_bias_before_every_relu_and_no_dropout(name: str) -> None:
    kinds = [type(module) for module in on_meta(name).modules()]
    blocks = 3 + 8 * 7 + 2 * 5
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == blocks
    assert all(conv.bias is None for conv in convolutions(on_meta(name)))
    assert not {nn.Dropout, nn.LocalResponseNorm} & set(kinds)
    block = Inception(1, 1, (1, 1), (1, 1), average(), 1).eval().branch1x1
    with torch.no_grad():
        block.conv.weight.fill_(2)
        block.bn.bias.fill_(-3)
        shift = block.bn.get_buffer("running_mean").fill_(1) + 3  # after the convolution: 2 x, x being 1 and 4
        values = block(torch.tensor([1.0, 4.0]).view(1, 1, 1, 2)).flatten()
    torch.testing.assert_close(values, (torch.tensor([2.0, 8.0]) - shift).relu(), rtol=1e-4, atol=0)


def test_the_separable_convolution_of_the_appendix() -> None:
    net = on_meta("bn_inception_separable")
    assert isinstance(net, BNInception)
    assert isinstance(net.conv1, SeparableConvBN)
    # Row 1 of GoogLeNet's Table 1 prints 2.7K parameters and 34M operations, which are this layer's.
    weights = sum(conv.weight.numel() for conv in convolutions(net.conv1))
    assert weights == 7 * 7 * 3 * 8 + 24 * 64 == 2712
    assert round(weights * 112 * 112 / 1e6) == 34
    torch.manual_seed(0)
    layer = SeparableConvBN(2, 5, 3, 2, multiplier=4).eval()
    x = torch.randn(1, 2, 6, 6)
    with torch.no_grad():
        depthwise, pointwise = layer.depthwise.weight.view(2, 4, 3, 3), layer.pointwise.weight.view(5, 2, 4)
        whole = torch.einsum("ocm,cmhw->ochw", pointwise, depthwise)  # the one filter that the two amount to
        expected = torch.nn.functional.conv2d(x, whole, stride=2, padding=1).relu() / math.sqrt(1 + 1e-5)
        torch.testing.assert_close(layer(x), expected)


def test_parameters() -> None:
    # The rows of Figure 5 by hand: 1x1; reduction and 3x3; reduction and two 3x3; projection; two per map for the norm
    total, maps = 3 * 49 * 64 + 64 * 64 + 64 * 9 * 192 + 2 * (64 + 64 + 192), 192
    for (n1x1, reduce, n3x3, reduce_double, n3x3_double), (_, projection), _ in ROWS.values():
        passed = maps if projection is None else 0
        proj = projection or 0
        total += maps * (n1x1 + reduce + reduce_double + proj)
        total += 9 * (reduce * n3x3 + reduce_double * n3x3_double + n3x3_double**2)
        total += 2 * (n1x1 + reduce + n3x3 + reduce_double + 2 * n3x3_double + proj)
        maps = n1x1 + n3x3 + n3x3_double + proj + passed
    total += maps * 1000 + 1000
    assert sum(parameter.numel() for parameter in on_meta().parameters()) == total == 11_285_224
    separable = sum(parameter.numel() for parameter in on_meta("bn_inception_separable").parameters())
    assert total - separable == 3 * 49 * 64 - 2712


def test_cost_printed_in_table_3_of_inception_v3() -> None:
    assert multiply_adds("bn_inception") == 2_032_600_064
    assert round(multiply_adds("bn_inception") / 1e9, 1) == 2.0
    assert multiply_adds("bn_inception") / multiply_adds("googlenet") == pytest.approx(1.28, abs=0.005)


def test_thirty_percent_more_computation_than_googlenet() -> None:
    # The authors' GoogLeNet has the separable conv1 too: its Table 1 prints 34M for that row, not 118M.
    googlenet = multiply_adds("googlenet") + (2712 - 7 * 7 * 3 * 64) * 112 * 112
    assert googlenet == 1_498_677_248
    assert multiply_adds("bn_inception_separable") / googlenet == pytest.approx(1.3002, abs=5e-5)


@pytest.mark.parametrize("name", NAMES)
def test_logits_in_both_modes(name: str) -> None:
    net = on_meta(name, num_classes=7, in_channels=2)
    for training in (False, True):
        for size in ((224, 224), (130, 97), (33, 47)):
            assert net.train(training)(images(2, 2, *size)).shape == (2, 7)
    assert net.eval()(images(2, 2, 1, 1)).shape == (2, 7)


def test_values_in_both_modes() -> None:
    torch.manual_seed(0)
    net = bn_inception(num_classes=5)
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        assert net(x).equal(net(x))  # nothing is random
        before = net.eval()(x)
        net.train()(x)
        after = net.eval()(x)
    assert before.isfinite().all()
    assert not before.equal(after)  # the running averages moved


@pytest.mark.parametrize("name", NAMES)
def test_wrong_rank_and_channels(name: str) -> None:
    net = on_meta(name)
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 224, 224))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 224, 224))
    with pytest.raises(ValueError, match="at least 1"):
        net(images(1, 3, 0, 224))


@pytest.mark.parametrize("name", NAMES)
def test_fan_in_uniform(name: str) -> None:
    torch.manual_seed(0)
    net = _catalog.build(name)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = math.sqrt(3 / module.weight[0].numel())
            assert 0.95 * bound < module.weight.abs().max().item() <= bound * (1 + 1e-6)
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
