"""ZFNet against Figure 3 and section 3 of its paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import repro.models.zfnet as zfnet_module
from repro.models import _catalog
from repro.models.zfnet import ZFNet, ZFNet512, gaussian_zero_biases, zfnet

WIDTHS = {"zfnet": (384, 384, 256), "zfnet_wide": (512, 1024, 512)}

# Figure 3: the sides of the drawing, the caption's 96 maps of 55x55 and its 9216 inputs of the first dense layer
FIGURE_3 = {
    "conv1": (96, 110, 110),
    "norm1": (96, 55, 55),
    "conv2": (256, 26, 26),
    "norm2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}


def on_meta(name: str = "zfnet", **arguments: int) -> ZFNet:
    with torch.device("meta"):
        net = _catalog.build(name, **arguments).eval()
    assert isinstance(net, ZFNet)
    return net


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def calls(net: nn.Module, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """The network's children in the order of their calls, each with the shape of its output."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, module in net.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.append((name, tuple(output.shape[1:])))
        )
    net(x)
    return seen


def multiply_adds(net: nn.Module, x: torch.Tensor) -> int:
    counts: list[int] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda layer, inputs, output: counts.append(layer.weight.numel() * output[0, 0].numel())
            )
    net(x)
    return sum(counts)


def test_sizes_of_figure_3() -> None:
    found = calls(on_meta(), images(1, 3, 224, 224))
    sizes = dict(found)
    assert {name: sizes[name] for name in FIGURE_3} == FIGURE_3
    assert [size for name, size in found if name == "pool"] == [(96, 55, 55), (256, 13, 13), (256, 6, 6)]
    assert math.prod((256, 6, 6)) == on_meta().fc6.in_features == 9216


def test_kernels_of_figure_3() -> None:
    net = on_meta()
    assert {name: tuple(p.shape) for name, p in net.named_parameters() if "conv" in name and "weight" in name} == {
        "conv1.weight": (96, 3, 7, 7),
        "conv2.weight": (256, 96, 5, 5),
        "conv3.weight": (384, 256, 3, 3),  # all maps of the layer below: no groups, as the text of section 3 has it
        "conv4.weight": (384, 384, 3, 3),
        "conv5.weight": (256, 384, 3, 3),
    }
    assert (net.pool.kernel_size, net.pool.stride) == (3, 2)


def test_the_order_is_relu_pool_norm_and_dropout_follows_layers_6_and_7() -> None:
    assert " ".join(name for name, _ in calls(on_meta(), images(1, 3, 224, 224))) == (
        "conv1 relu pool norm1 conv2 relu pool norm2 conv3 relu conv4 relu conv5 relu pool "
        "fc6 relu dropout fc7 relu dropout fc8"
    )


def test_contrast_normalisation_has_the_constants_of_alexnet() -> None:
    x = torch.rand(1, 7, 2, 2, dtype=torch.float64) * 50
    squares = torch.nn.functional.pad(x**2, (0, 0, 0, 0, 2, 2))
    expected = x / (2 + 1e-4 * sum(squares[:, i : i + 7] for i in range(5))) ** 0.75
    net = on_meta()
    for norm in (net.norm1, net.norm2):
        torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize("name", WIDTHS)
def test_parameters_and_multiply_adds(name: str) -> None:
    first, second, third = WIDTHS[name]
    # inputs of one output, outputs of one position, positions
    layers = [
        (3 * 7 * 7, 96, 110**2),
        (96 * 5 * 5, 256, 26**2),
        (256 * 3 * 3, first, 13**2),
        (first * 3 * 3, second, 13**2),
        (second * 3 * 3, third, 13**2),
        (third * 6 * 6, 4096, 1),
        (4096, 4096, 1),
        (4096, 1000, 1),
    ]
    net = on_meta(name)
    assert sum(parameter.numel() for parameter in net.parameters()) == sum((n + 1) * out for n, out, _ in layers)
    assert multiply_adds(net, images(1, 3, 224, 224)) == sum(n * out * positions for n, out, positions in layers)


def test_the_initialisation_is_that_of_section_3() -> None:
    net = on_meta()
    net.fc6 = net.fc7 = nn.Linear(16, 16)  # fifty million weights less
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        nn.init.constant_(parameter, 9)
    torch.manual_seed(0)
    gaussian_zero_biases(net)
    for name, parameter in net.named_parameters():
        if not name.endswith("weight"):
            assert not parameter.any(), name
        elif parameter.numel() > 1000:
            assert parameter.std().item() == pytest.approx(0.01, rel=0.05), name
            assert abs(parameter.mean().item()) < 0.0005, name


def test_dropout_moves_only_training() -> None:
    torch.manual_seed(0)
    net = zfnet(num_classes=10)
    assert net.dropout.p == 0.5
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert not net(x).equal(net(x))
        net.eval()
        assert net(x).equal(net(x))
        assert net(x).isfinite().all()


def test_admissible_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    net = on_meta()
    outside = ((206, 224), (224, 206), (239, 224), (224, 239))
    for size in ((207, 238), (238, 207)):
        assert net(images(1, 3, *size)).shape == (1, 1000)
    for size in outside:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*207 to 238"):
            net(images(1, 3, *size))
    monkeypatch.setattr(zfnet_module, "require_images", lambda *_, **__: None)
    for size in outside:
        with pytest.raises(RuntimeError):  # the bounds are those of the arithmetic
            net(images(1, 3, *size))


def test_wrong_rank_and_channels() -> None:
    with pytest.raises(ValueError, match="3-dimensional"):
        on_meta()(images(3, 224, 224))
    with pytest.raises(ValueError, match="4 channels"):
        on_meta()(images(1, 4, 224, 224))


# --- ZFNet-512 of ONNX's model zoo, whose graph `repro verify` compares it with ----------------------------------


def zoos() -> ZFNet512:
    with torch.device("meta"):
        net = _catalog.build("zfnet512").eval()
    assert isinstance(net, ZFNet512)
    return net


def test_the_zoos_order_sizes_and_widths() -> None:
    found = calls(zoos(), images(1, 3, 224, 224))
    assert " ".join(name for name, _ in found) == (
        "conv1 relu norm1 pool conv2 relu norm2 pool conv3 relu conv4 relu conv5 relu pool5 fc6 relu fc7 relu fc8"
    )
    sizes = [size for name, size in found if name != "relu" and "norm" not in name]
    convolutions = [(96, 109, 109), (96, 54, 54), (256, 25, 25), (256, 12, 12), *[(512, 12, 12)] * 3]
    assert sizes == [*convolutions, (512, 6, 6), (4096,), (1024,), (1000,)]


def test_the_zoos_admissible_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    net = zoos()
    for size in ((219, 250), (250, 219)):
        assert net(images(1, 3, *size)).shape == (1, 1000)
    outside = ((218, 224), (224, 218), (251, 224), (224, 251))
    for size in outside:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} image.*219 to 250"):
            net(images(1, 3, *size))
    monkeypatch.setattr(zfnet_module, "require_images", lambda *_, **__: None)
    for size in outside:
        with pytest.raises(RuntimeError):
            net(images(1, 3, *size))
