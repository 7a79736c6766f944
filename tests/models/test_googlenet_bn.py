"""BN-GoogLeNet against its cost in Table 3 of arXiv:1512.00567, and against GoogLeNet where it is GoogLeNet."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import repro.models.googlenet_bn as googlenet_bn_module
from repro.models.googlenet import googlenet
from repro.models.googlenet_bn import GoogLeNetBN, googlenet_bn

SEPARABLE = 7 * 7 * 3 * 8 + 24 * 64  # the weights of conv1: Table 1 of GoogLeNet prints 2.7K


def on_meta(**arguments: int) -> GoogLeNetBN:
    with torch.device("meta"):
        return googlenet_bn(**arguments).eval()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def weights(net: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of the weights of the convolutions and dense layers, but for conv1."""
    return [
        tuple(module.weight.shape)
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.startswith("conv1")
    ]


def calls(net: nn.Module, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """The network's children in the order of their calls, each with the shape of its output."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, module in net.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.append((name, tuple(output.shape[1:])))
        )
    net(x)
    return seen


def test_weights_sizes_and_order_are_those_of_googlenet() -> None:
    with torch.device("meta"):
        other = googlenet()
    assert weights(on_meta()) == weights(other)
    for size in (224, 97):
        assert calls(on_meta(), images(1, 3, size, size)) == calls(other.eval(), images(1, 3, size, size))


def test_cost_of_table_3() -> None:
    net = on_meta()
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(images(1, 3, 224, 224))
    assert sum(counts) == 1_498_677_248
    assert round(sum(counts) / 1e9, 1) == 1.5
    plain = sum(counts) + (7 * 7 * 3 * 64 - SEPARABLE) * 112 * 112
    assert round(plain / 1e9, 1) == 1.6  # what the printed cost rules out


def test_parameters() -> None:
    with torch.device("meta"):
        other = googlenet()
    biases = sum(module.out_channels for module in other.modules() if isinstance(module, nn.Conv2d))
    total = sum(parameter.numel() for parameter in other.parameters())
    total += SEPARABLE - 7 * 7 * 3 * 64 - biases + 2 * biases  # a scale and a shift for each bias
    assert sum(parameter.numel() for parameter in on_meta().parameters()) == total


def test_every_convolution_is_normalised_and_no_dense_layer() -> None:
    net = on_meta()
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == len(convs) - 1 == 3 + 9 * 6 + 2  # the two of conv1 have one
    assert all(conv.bias is None for conv in convs)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in net.modules())


def test_what_is_kept_of_googlenet() -> None:
    net = on_meta()
    assert net.dropout.p == 0.4
    for head in (net.aux1, net.aux2):
        assert head.dropout.p == 0.7
        assert (head.avgpool.kernel_size, head.avgpool.stride) == (5, 3)
    assert [(norm.size, norm.alpha, norm.beta, norm.k) for norm in (net.norm1, net.norm2)] == [(5, 5e-4, 0.75, 2)] * 2


def test_train_mode_outputs() -> None:
    reads = {"logits": ("4a", "4b", "4d", "5b"), "aux1": ("4a",), "aux2": ("4a", "4b", "4d")}
    for index, name in enumerate(reads):
        net = on_meta(num_classes=7).train()
        outputs = net(images(2, 3, 224, 224))
        assert outputs._fields == ("logits", "aux1", "aux2")
        assert [tuple(output.shape) for output in outputs] == [(2, 7)] * 3
        outputs[index].sum().backward()
        for row in ("4a", "4b", "4d", "5b"):
            reached = next(net.get_submodule(f"inception_{row}").parameters()).grad is not None
            assert reached == (row in reads[name]), (name, row)


def test_values_in_both_modes() -> None:
    torch.manual_seed(0)
    net = googlenet_bn(num_classes=5)
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        assert not net(x)[0].equal(net(x)[0])  # the dropout
        net.eval()
        assert net(x).equal(net(x))
        assert net(x).isfinite().all()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name


@pytest.mark.parametrize(("training", "smallest", "largest"), [(False, 31, None), (True, 223, 270)])
def test_admissible_sizes(training: bool, smallest: int, largest: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    net = on_meta().train(training)
    inside = largest or 400
    outside = [(smallest - 1, inside), (inside, smallest - 1)] + ([] if largest is None else [(smallest, largest + 1)])
    net(images(2, 3, smallest, inside))
    net(images(2, 3, inside, smallest))
    for size in outside:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*{smallest}"):
            net(images(2, 3, *size))
    monkeypatch.setattr(googlenet_bn_module, "require_images", lambda *_, **__: None)
    for size in outside:
        with pytest.raises(RuntimeError):  # the bounds are those of the arithmetic
            net(images(2, 3, *size))


def test_wrong_rank_and_channels() -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        on_meta()(images(3, 224, 224))
    with pytest.raises(ValueError, match="4 channels"):
        on_meta()(images(1, 4, 224, 224))
