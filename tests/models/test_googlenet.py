"""GoogLeNet against the figures printed in arXiv:1409.4842, and torchvision's network of that name."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

import repro.models.googlenet as paper_module
import repro.models.googlenet_torchvision as torchvision_module
from repro.models.googlenet import GoogLeNet, googlenet
from repro.models.googlenet_torchvision import GoogLeNetTorchvision, googlenet_torchvision

Network = GoogLeNet | GoogLeNetTorchvision
Build = Callable[..., Network]

BUILDERS = [googlenet, googlenet_torchvision]

# Table 1: row -> #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj; output size (channels, height, width)
INCEPTION_ROWS = {
    "3a": ((64, 96, 128, 16, 32, 32), (256, 28, 28)),
    "3b": ((128, 128, 192, 32, 96, 64), (480, 28, 28)),
    "4a": ((192, 96, 208, 16, 48, 64), (512, 14, 14)),
    "4b": ((160, 112, 224, 24, 64, 64), (512, 14, 14)),
    "4c": ((128, 128, 256, 24, 64, 64), (512, 14, 14)),
    "4d": ((112, 144, 288, 32, 64, 64), (528, 14, 14)),
    "4e": ((256, 160, 320, 32, 128, 128), (832, 14, 14)),
    "5a": ((256, 160, 320, 32, 128, 128), (832, 7, 7)),
    "5b": ((384, 192, 384, 48, 128, 128), (1024, 7, 7)),
}
OTHER_ROWS = {"conv1": (64, 112, 112), "conv2": (192, 56, 56), "avgpool": (1024, 1, 1)}
POOLED = [(64, 56, 56), (192, 28, 28), (480, 14, 14), (832, 7, 7)]  # the four rows called max pool

# Table 1, column params, in units of 1024 weights; the errata are left out (3b, 4a to 5b; conv1 is another layer)
PRINTED_PARAMS = {"conv2": 112, "3a": 159, "linear": 1000}
# Table 1, column ops, in millions; the erratum 5a and conv1 are left out
PRINTED_OPS = {
    "conv2": 360,
    "3a": 128,
    "3b": 304,
    "4a": 73,
    "4b": 88,
    "4c": 100,
    "4d": 119,
    "4e": 170,
    "5b": 71,
    "linear": 1,
}


def on_meta(build: Build, **arguments: int) -> Network:
    with torch.device("meta"):
        return build(**arguments)


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def children_called(net: Network, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """The network's children in the order of their calls, each with the shape of its output."""
    calls: list[tuple[str, tuple[int, ...]]] = []

    def record(name: str) -> None:
        child = net.get_submodule(name)
        child.register_forward_hook(lambda _module, _inputs, output: calls.append((name, tuple(output.shape[1:]))))

    for name, _ in net.named_children():
        record(name)
    net(x)
    return calls


def row(net: Network, name: str) -> list[nn.Module]:
    """The weighted layers of a row of Table 1."""
    parts: dict[str, list[nn.Module]] = {"conv2": [net.conv2_reduce, net.conv2], "linear": [net.fc]}
    found = parts[name] if name in parts else [net.get_submodule(f"inception_{name}")]
    return [module for part in found for module in part.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def weights(layers: list[nn.Module]) -> int:
    return sum(layer.get_parameter("weight").numel() for layer in layers)


@pytest.mark.parametrize("build", BUILDERS)
def test_output_sizes_of_table_1(build: Build) -> None:
    net = on_meta(build).eval()
    calls = children_called(net, images(1, 3, 224, 224))
    assert [size for name, size in calls if name.startswith("pool")] == POOLED
    sizes = dict(calls)
    assert {name: sizes[name] for name in OTHER_ROWS} == OTHER_ROWS
    assert {name: sizes[f"inception_{name}"] for name in INCEPTION_ROWS} == {
        name: size for name, (_, size) in INCEPTION_ROWS.items()
    }
    assert sizes["fc"] == (1000,)


@pytest.mark.parametrize(("build", "large"), [(googlenet, 5), (googlenet_torchvision, 3)])
def test_filters_of_table_1(build: Build, large: int) -> None:
    net = on_meta(build)
    for name, (filters, _) in INCEPTION_ROWS.items():
        convs = [layer for layer in row(net, name) if isinstance(layer, nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == list(filters), name
        assert [conv.kernel_size[0] for conv in convs] == [1, 1, 3, 1, large, 1], name


def test_params_column_of_table_1() -> None:
    net = on_meta(googlenet)
    for name, printed in PRINTED_PARAMS.items():
        assert abs(weights(row(net, name)) / 1024 - printed) <= 0.5, name


def test_ops_column_of_table_1() -> None:
    net = on_meta(googlenet)
    sizes = {"conv2": (192, 56, 56), "linear": (1000, 1, 1)} | {
        name: size for name, (_, size) in INCEPTION_ROWS.items()
    }
    for name, printed in PRINTED_OPS.items():
        ops = weights(row(net, name)) * math.prod(sizes[name][1:])
        assert abs(ops / 1e6 - printed) < 1, name  # 4a is printed truncated, the others rounded


def test_order_of_figure_3() -> None:
    net = on_meta(googlenet).eval()
    names = [name for name, _ in children_called(net, images(1, 3, 224, 224))]
    assert names[:8] == ["conv1", "pool", "norm1", "conv2_reduce", "conv2", "norm2", "pool", "inception_3a"]
    assert names[-3:] == ["avgpool", "dropout", "fc"]


def test_relu_after_every_convolution() -> None:
    net = on_meta(googlenet)
    blocks = [module for module in net.modules() if isinstance(module, nn.Sequential) and len(module) == 2]
    kinds = [(type(block[0]), type(block[1])) for block in blocks]
    assert kinds.count((nn.Conv2d, nn.ReLU)) == 3 + 9 * 6 + 2
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == 3 + 9 * 6 + 2


def test_branches_are_concatenated_in_the_order_of_table_1() -> None:
    inception = paper_module.Inception(3, 1, (2, 3), (2, 4), 5)
    with torch.no_grad():
        for parameter in inception.parameters():
            parameter.zero_()
        for index, last in enumerate(("branch1x1", "branch3x3.1", "branch5x5.1", "branch_pool.1"), start=1):
            inception.get_parameter(f"{last}.0.bias").fill_(index)
        assert inception(torch.zeros(1, 3, 2, 2))[0, :, 0, 0].tolist() == [1] + [2] * 3 + [3] * 4 + [4] * 5


def test_response_normalisation_is_alexnets_formula() -> None:
    x = torch.rand(1, 7, 2, 2, dtype=torch.float64) * 50
    squares = torch.nn.functional.pad(x**2, (0, 0, 0, 0, 2, 2))
    expected = x / (2 + 1e-4 * sum(squares[:, i : i + 7] for i in range(5))) ** 0.75
    net = on_meta(googlenet)
    assert isinstance(net, GoogLeNet)
    for norm in (net.norm1, net.norm2):
        torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(
    ("build", "total", "without_heads"),
    [(googlenet, 13_378_280, 6_998_552), (googlenet_torchvision, 13_004_888, 6_624_904)],
)
def test_parameters(build: Build, total: int, without_heads: int) -> None:
    sizes = {name: parameter.numel() for name, parameter in on_meta(build).named_parameters()}
    assert sum(sizes.values()) == total
    assert sum(size for name, size in sizes.items() if not name.startswith("aux")) == without_heads


@pytest.mark.parametrize("build", BUILDERS)
def test_heads_of_section_5(build: Build) -> None:
    net = on_meta(build).train()
    pooled: list[tuple[int, ...]] = []
    for head in (net.aux1, net.aux2):
        head.avgpool.register_forward_hook(lambda _module, _inputs, output: pooled.append(tuple(output.shape[1:])))
    net(images(2, 3, 224, 224))
    assert pooled == [(512, 4, 4), (528, 4, 4)]
    if build is googlenet:
        assert {(head.avgpool.kernel_size, head.avgpool.stride) for head in (net.aux1, net.aux2)} == {(5, 3)}
    for head in (net.aux1, net.aux2):
        assert next(head.conv.parameters()).shape[0] == 128
        assert head.fc1.out_features == 1024
        assert head.dropout.p == 0.7


def test_dropout() -> None:
    assert on_meta(googlenet).dropout.p == 0.4  # Table 1
    assert on_meta(googlenet_torchvision).dropout.p == 0.2


@pytest.mark.parametrize(
    ("build", "order"), [(googlenet, ("logits", "aux1", "aux2")), (googlenet_torchvision, ("logits", "aux2", "aux1"))]
)
def test_train_mode_outputs(build: Build, order: tuple[str, ...]) -> None:
    reads = {"logits": ("4d", "5b", "4a"), "aux1": ("4a",), "aux2": ("4a", "4b", "4d")}  # rows behind each output
    for index, name in enumerate(order):
        net = on_meta(build, num_classes=7).train()
        outputs = net(images(2, 3, 224, 224))
        assert outputs._fields == order
        assert [tuple(output.shape) for output in outputs] == [(2, 7)] * 3
        outputs[index].sum().backward()
        for inception in ("4a", "4b", "4d", "4e", "5b"):
            reached = next(net.get_submodule(f"inception_{inception}").parameters()).grad is not None
            assert reached == (name == "logits" or inception in reads[name]), (name, inception)


@pytest.mark.parametrize("build", BUILDERS)
def test_eval_mode_returns_logits_and_skips_the_heads(build: Build) -> None:
    net = on_meta(build, num_classes=7, in_channels=1).eval()
    calls = dict(children_called(net, images(2, 1, 97, 130)))
    assert calls["fc"] == (7,)
    assert "aux1" not in calls
    assert "aux2" not in calls
    assert net(images(2, 1, 224, 224)).shape == (2, 7)


@pytest.mark.parametrize(
    ("build", "training", "smallest", "largest"),
    [
        (googlenet, False, 31, None),
        (googlenet, True, 223, 270),
        (googlenet_torchvision, False, 15, None),
        (googlenet_torchvision, True, 15, None),
    ],
)
def test_admissible_sizes(
    build: Build, training: bool, smallest: int, largest: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = on_meta(build).train(training)
    inside = largest or 400
    outside = [(smallest - 1, inside), (inside, smallest - 1)] + ([] if largest is None else [(smallest, largest + 1)])
    net(images(2, 3, smallest, inside))
    net(images(2, 3, inside, smallest))
    for size in outside:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*{smallest}"):
            net(images(2, 3, *size))
    module: ModuleType = paper_module if build is googlenet else torchvision_module
    monkeypatch.setattr(module, "require_images", lambda *_, **__: None)
    for size in outside:
        with pytest.raises(RuntimeError):  # the bounds are those of the arithmetic
            net(images(2, 3, *size))


@pytest.mark.parametrize("build", BUILDERS)
def test_wrong_rank_and_channels(build: Build) -> None:
    net = on_meta(build)
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 224, 224))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 224, 224))


def test_caffe_xavier() -> None:
    torch.manual_seed(0)
    net = googlenet()
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = math.sqrt(3 / module.weight[0].numel())
            assert 0.95 * bound < module.weight.abs().max().item() <= bound * (1 + 1e-6)
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            classifier = name in ("fc.bias", "aux1.fc2.bias", "aux2.fc2.bias")
            assert (parameter == (0 if classifier else 0.2)).all(), name


def test_normal_001() -> None:
    torch.manual_seed(0)
    net = googlenet_torchvision()
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.01, rel=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-3
    assert net.fc.bias.any()
