"""Inception-v3 against the figures printed in arXiv:1512.00567 and those of the released network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import repro.models.inception_v3 as inception_v3_module
from repro.models.inception_v3 import InceptionV3, inception_v3, truncated_normal

CUT_AT_TWO = 0.8796  # the standard deviation that a unit normal has once it is cut at two deviations

# Table 1, column "input size", of the layers that the released network has
INPUTS = {
    "conv_1": (3, 299, 299),
    "conv_2": (32, 149, 149),
    "conv_3": (32, 147, 147),
    "conv_4": (64, 73, 73),
    "module_35a": (192, 35, 35),
    "module_35c": (288, 35, 35),
    "module_17a": (768, 17, 17),
    "module_8a": (1280, 8, 8),
    "avgpool": (2048, 8, 8),
    "fc": (2048,),
}


def on_meta(**arguments: int) -> InceptionV3:
    with torch.device("meta"):
        return inception_v3(**arguments)


@pytest.fixture(scope="module")
def net() -> InceptionV3:
    """For tests that change nothing in it."""
    return on_meta()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_input_sizes_of_table_1() -> None:
    net = on_meta().eval()
    sizes: dict[str, tuple[int, ...]] = {}

    def record(name: str) -> None:
        hook = lambda _module, inputs: sizes.__setitem__(name, tuple(inputs[0].shape[1:]))
        net.get_submodule(name).register_forward_pre_hook(hook)

    for name in INPUTS:
        record(name)
    assert net(images(1, 3, 299, 299)).shape == (1, 1000)
    assert sizes == INPUTS


def test_parameters(net: InceptionV3) -> None:
    sizes = {name: parameter.numel() for name, parameter in net.named_parameters()}
    without_head = sum(size for name, size in sizes.items() if not name.startswith("aux"))
    assert sum(sizes.values()) == 27_161_264
    assert without_head == 23_834_568
    assert without_head < 25e6  # abstract


def test_multiply_adds_of_the_released_network() -> None:
    net = on_meta().eval()
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, _inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, 299, 299))
    assert sum(counts) == 5_713_216_096


def test_kernels(net: InceptionV3) -> None:
    kernels = [module.kernel_size for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert kernels.count((1, 7)) == kernels.count((7, 1)) == 4 * 3 + 1  # Figure 6 with n = 7, and a reduction
    assert kernels.count((1, 3)) == kernels.count((3, 1)) == 2 * 2  # Figure 7
    assert (7, 7) not in kernels


def test_norms_and_average_pools(net: InceptionV3) -> None:
    assert {module.eps for module in net.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}
    pools = [module for module in net.modules() if isinstance(module, nn.AvgPool2d) and module.padding == 1]
    assert [pool.count_include_pad for pool in pools] == [True] * 9
    assert net.dropout.p == 0.5


def test_train_mode_outputs() -> None:
    net = on_meta(num_classes=7).train()
    outputs = net(images(2, 3, 299, 299))
    assert outputs._fields == ("logits", "aux")
    assert [tuple(output.shape) for output in outputs] == [(2, 7)] * 2
    outputs.aux.sum().backward()  # the head sits on the last 17x17 map (Figure 8)
    assert next(net.module_17d.parameters()).grad is not None
    assert next(net.reduction_17.parameters()).grad is None


def test_eval_mode_returns_logits() -> None:
    net = on_meta(num_classes=7, in_channels=1).eval()
    assert net(images(2, 1, 107, 139)).shape == (2, 7)


@pytest.mark.parametrize(("training", "smallest"), [(False, 75), (True, 299)])
def test_admissible_sizes(training: bool, smallest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = on_meta().train(training)
    outside = [(smallest - 1, 320), (320, smallest - 1)]
    net(images(2, 3, smallest, 320))
    net(images(2, 3, 320, smallest))
    for size in outside:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*at least {smallest}"):
            net(images(2, 3, *size))
    monkeypatch.setattr(inception_v3_module, "require_images", lambda *_, **__: None)
    for size in outside:
        with pytest.raises(RuntimeError):  # the bound is that of the arithmetic
            net(images(2, 3, *size))


def test_wrong_rank_and_channels(net: InceptionV3) -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        net(images(3, 299, 299))
    with pytest.raises(ValueError, match="4 channels"):
        net(images(1, 4, 299, 299))


def test_truncated_normal() -> None:
    net = on_meta()
    for name, _ in net.named_children():
        if name.startswith(("module", "reduction")):
            setattr(net, name, nn.Identity())  # the rest has real weights
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        nn.init.constant_(parameter, 9)
    torch.manual_seed(0)
    truncated_normal(net)
    special = {net.aux.conv2.conv: 0.01, net.aux.fc: 0.001, net.fc: 0.01}
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            std = special.get(module, 0.1)
            assert module.weight.std().item() == pytest.approx(CUT_AT_TWO * std, rel=0.06)
            assert 1.9 * std < module.weight.abs().max().item() <= 2 * std * (1 + 1e-6)
    assert not net.fc.bias.any()
    assert not net.aux.fc.bias.any()


def test_constructor_initialises_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[int, float] = {}
    monkeypatch.setattr(inception_v3_module, "cut_normal_", lambda weight, std: drawn.update({id(weight): std}))
    net = on_meta()
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert {id(layer.weight) for layer in layers} == set(drawn)
    assert sorted(drawn.values()) == [0.001, 0.01, 0.01] + [0.1] * 95
