"""What holds of the parts that the networks are made of.

Each property comes with implementations that keep it, ours among them, and with ones that have a mistake.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from repro import budget, models
from repro.graph import trace
from repro.layers import layers
from repro.models import preact_resnet, resnet, resnet_options, vgg, wide_resnet_cifar
from repro.models.vgg_dense import dense

EXAMPLES = 10  # of each part in the profile `ci`

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Part:
    """A statement about parts of one kind; `holds(build, draw)` raises AssertionError where it is not so.

    kept    name -> what keeps it
    broken  the mistake -> what has it, and what the failure must say
    """

    name: str
    statement: str
    holds: Callable[[Any, Draw], None]
    kept: Mapping[str, Any]
    broken: Mapping[str, tuple[Any, str]]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def awake(module: nn.Module) -> nn.Module:
    """In float64 and eval mode, with every value drawn: no normalisation is left that changes nothing."""
    torch.manual_seed(0)
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if key.endswith("running_var") else tensor.normal_()
    return module.double().eval()


def agrees(actual: Tensor, expected: Tensor, what: str) -> None:
    assert actual.shape == expected.shape, f"{what}: {tuple(actual.shape)}, expected {tuple(expected.shape)}"
    verdict = budget.agree(actual, expected)
    assert verdict.passed, f"{what}: off by {verdict.max_actual:.1e} of the spread"


# --- stacks of small windows ---------------------------------------------------------------------------------------


def stack_sees_as_one(build: Callable[[int, int], nn.Module], draw: Draw) -> None:
    depth, channels = draw(st.sampled_from([2, 3])), draw(st.integers(2, 8))
    side = 2 * depth + 1
    stack = awake(build(depth, channels))
    for parameter in stack.parameters():
        parameter.data.abs_()  # so that no ReLU keeps a gradient from a pixel
    field = layers(trace(stack, noise(1, channels, 15, 15)))[-1].receptive_field
    assert field == (side, side), f"{depth} convolutions see {field} pixels, expected {side}x{side}"
    image = torch.zeros(1, channels, 15, 15, dtype=torch.float64).requires_grad_()
    stack(image + 1)[0, :, 7, 7].square().sum().backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum(0).nonzero()
    reached = int(seen.min()), int(seen.max())
    assert reached == (7 - depth, 7 + depth), f"the middle sees pixels {reached[0]} to {reached[1]}"
    weights = sum(parameter.numel() for parameter in stack.parameters() if parameter.ndim > 1)
    assert weights < side**2 * channels**2, f"{weights} weights, one {side}x{side} has {side**2 * channels**2}"


def of_vgg(depth: int, channels: int) -> nn.Module:
    (block,) = vgg.convolutions(((f"conv3-{channels}",) * depth,), channels, vgg.conv_relu)
    assert isinstance(block, nn.Sequential)
    return block[:-1]  # without its pooling


def stack_of(depth: int, channels: int, kernel: int = 3, dilation: int = 1) -> nn.Module:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        *(nn.Conv2d(channels, channels, kernel, padding=padding, dilation=dilation) for _ in range(depth))
    )


# --- grouped convolutions ------------------------------------------------------------------------------------------

GROUPED = ("alexnet", "lenet5", "googlenet_bn", "resnext50_32x4d")


@functools.cache
def grouped_convolutions() -> list[dict[str, Any]]:
    """What the grouped convolutions of the catalog are built with, each once."""
    found: dict[str, dict[str, Any]] = {}
    for name in GROUPED:
        with torch.device("meta"):
            network = models.build(name)
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups")
                arguments = {argument: getattr(module, argument) for argument in names}
                found.setdefault(repr(arguments), arguments)
    return list(found.values())


def groups_are_blocks(build: Callable[..., nn.Conv2d], draw: Draw) -> None:
    arguments = draw(st.sampled_from(grouped_convolutions()))
    grouped = awake(build(**arguments))
    assert isinstance(grouped, nn.Conv2d)
    groups, out_channels, in_channels = (arguments[key] for key in ("groups", "out_channels", "in_channels"))
    rows, columns = out_channels // groups, in_channels // groups
    blocks = torch.zeros(out_channels, in_channels, *arguments["kernel_size"], dtype=torch.float64)
    expected = (out_channels, columns, *arguments["kernel_size"])
    assert grouped.weight.shape == expected, f"a weight of {tuple(grouped.weight.shape)}, expected {expected}"
    for g in range(groups):
        block = slice(g * rows, (g + 1) * rows)
        blocks[block, g * columns : (g + 1) * columns] = grouped.weight.detach()[block]
    side = max(arguments["kernel_size"]) + draw(st.integers(0, 3))
    x = noise(2, in_channels, side, side)
    bias = None if grouped.bias is None else grouped.bias.detach()
    with torch.no_grad():
        whole = F.conv2d(x, blocks, bias, arguments["stride"], arguments["padding"])
        agrees(grouped(x), whole, f"{groups} groups of {columns} channels")


class Interleaved(nn.Conv2d):
    """Neighbouring channels in different groups."""

    def forward(self, x: Tensor) -> Tensor:
        mixed = x.reshape(len(x), -1, self.groups, *x.shape[2:]).transpose(1, 2).flatten(1, 2)
        return super().forward(mixed)


def groups_swallowed(**arguments: Any) -> nn.Conv2d:
    return nn.Conv2d(**{**arguments, "groups": 1})


# --- shortcuts -----------------------------------------------------------------------------------------------------

Option = Callable[[int, int, int, Callable[[int], nn.Module]], nn.Module]


def _shortcut(option: Option, draw: Draw) -> tuple[nn.Module, Tensor, Tensor, int, bool]:
    """A shortcut, its input and output, the stride, and whether the shape changes."""
    channels, stride = draw(st.integers(1, 4)), draw(st.sampled_from([2, 1]))
    out_channels = channels + draw(st.sampled_from([3, 0, 1]))
    shortcut = awake(option(channels, out_channels, stride, nn.BatchNorm2d))
    x = noise(2, channels, draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    with torch.no_grad():
        y = shortcut(x)
        residual = F.conv2d(x, noise(out_channels, channels, 3, 3), stride=stride, padding=1)
    assert y.shape == residual.shape, f"{tuple(y.shape)}, and the residual is {tuple(residual.shape)}"
    return shortcut, x, y, stride, stride != 1 or out_channels != channels


def option_a_pads(option: Option, draw: Draw) -> None:
    shortcut, x, y, stride, _ = _shortcut(option, draw)
    assert not list(shortcut.parameters()), "the shortcut has parameters"
    assert torch.equal(y[:, : x.shape[1]], x[:, :, ::stride, ::stride]), "the channels are not those of the input"
    assert not y[:, x.shape[1] :].any(), "the channels added are not zero"


def option_b_projects(option: Option, draw: Draw) -> None:
    shortcut, x, y, stride, changes = _shortcut(option, draw)
    if changes:
        is_projection(shortcut, x, y, stride)
    else:
        assert torch.equal(y, x), "the shape does not change, and the shortcut is not the identity"


def option_c_always_projects(option: Option, draw: Draw) -> None:
    shortcut, x, y, stride, _ = _shortcut(option, draw)
    is_projection(shortcut, x, y, stride)


def is_projection(shortcut: nn.Module, x: Tensor, y: Tensor, stride: int) -> None:
    kernels = [parameter for parameter in shortcut.parameters() if parameter.ndim == 4]
    assert [kernel.shape[2:] for kernel in kernels] == [(1, 1)], "the shortcut is not one 1x1 convolution"
    norm = next((module for module in shortcut.modules() if isinstance(module, nn.BatchNorm2d)), None)
    assert norm is not None, "the projection is not normalised"
    with torch.no_grad():
        agrees(y, norm(F.conv2d(x, kernels[0], stride=stride)), "the projection")


def averaged(channels: int, out_channels: int, stride: int, norm: object) -> nn.Module:
    class Averaged(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.pad(F.avg_pool2d(x, stride, ceil_mode=True), (0, 0, 0, 0, 0, out_channels - channels))

    return Averaged()


def never_strided(channels: int, out_channels: int, stride: int, norm: Any) -> nn.Module:
    return resnet.option_b(channels, out_channels, 1, norm)


def bare(channels: int, out_channels: int, stride: int, norm: Any) -> nn.Module:
    return nn.Conv2d(channels, out_channels, 1, stride, bias=False)


# --- blocks that compute in place ----------------------------------------------------------------------------------


def input_left_alone(build: Callable[[int, int, int], nn.Module], draw: Draw) -> None:
    planes, stride = draw(st.integers(1, 4)), draw(st.sampled_from([1, 2]))
    channels = draw(st.sampled_from([planes, 4 * planes]))
    block = awake(build(channels, planes, stride))
    x = noise(draw(st.integers(1, 3)), channels, draw(st.integers(2, 6)), draw(st.integers(2, 6)))
    before = x.clone()
    with torch.no_grad():
        first = block(x)
        assert torch.equal(x, before), "the block writes into its input"
        assert torch.equal(block(x), first), "a second run differs"


def _of_resnet(block: Any) -> Callable[[int, int, int], nn.Module]:
    return lambda channels, planes, stride: block(channels, planes, stride, nn.BatchNorm2d)


def _plain(channels: int, planes: int, stride: int) -> nn.Module:
    return resnet_options.PlainBlock(channels, planes, stride, nn.BatchNorm2d)


def _of_preact(residual: Any, unit: Any) -> Callable[[int, int, int], nn.Module]:
    def build(channels: int, planes: int, stride: int) -> nn.Module:
        out_channels = planes * residual.expansion
        shortcut = residual.shortcut(channels, out_channels, stride)
        return unit(channels, residual(channels, planes, stride), shortcut)  # type: ignore[no-any-return]

    return build


def _of_wide(channels: int, planes: int, stride: int) -> nn.Module:
    return wide_resnet_cifar.group(channels, planes, stride, 2, (3, 3), dropout=0.3)


class RectifiedInPlace(resnet.BasicBlock):
    """As pre-activation is often written: without the normalisation that makes a copy first."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.relu(x))


# --- a VGG run densely ---------------------------------------------------------------------------------------------


def dense_is_mean_over_windows(build: Callable[[vgg.VGG], nn.Module], draw: Draw) -> None:
    with torch.device("meta"):
        network = models.build("vgg11", num_classes=5)
    assert isinstance(network, vgg.VGG)
    # One pooling in place of the convolutions: what is asked is how the classifier goes over their map.
    network.blocks = nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, 512, 1))
    network.fc1, network.fc2, network.fc3 = nn.Linear(512 * 7 * 7, 6), nn.Linear(6, 6), nn.Linear(6, 5)
    network.to_empty(device="cpu")
    awake(network)
    height, width = (32 * side for side in draw(st.sampled_from([(8, 9), (7, 7), (7, 8), (9, 7), (8, 8)])))
    x = noise(2, 3, height, width)
    with torch.no_grad():
        maps = network.blocks(x)
        windows = [maps[:, :, i : i + 7, j : j + 7] for i, j in itertools.product(*map(_starts, maps.shape[2:]))]
        scores = [network.fc3(F.relu(network.fc2(F.relu(network.fc1(window.flatten(1)))))) for window in windows]
        agrees(build(network).eval()(x), torch.stack(scores).mean(0), f"{len(windows)} windows")


def _starts(side: int) -> range:
    return range(side - 6)


def as_it_is(network: vgg.VGG) -> nn.Module:
    return network


PARTS = (
    Part(
        "a stack of 3x3 sees as one larger window",
        "two 3x3 convolutions cover a 5x5 and three a 7x7, with fewer weights (arXiv:1409.1556, section 2.3)",
        stack_sees_as_one,
        {"VGG": of_vgg, "torch": stack_of},
        {
            "one convolution missing": (lambda depth, channels: of_vgg(depth - 1, channels), "convolutions see"),
            "dilated by two": (functools.partial(stack_of, dilation=2), "convolutions see"),
            "a single large convolution": (lambda d, c: nn.Conv2d(c, c, 2 * d + 1, padding=d), "weights, one"),
        },
    ),
    Part(
        "groups are blocks of one dense convolution",
        "a grouped convolution of AlexNet, LeNet-5, GoogLeNet or ResNeXt is a dense one with a block-diagonal weight",
        groups_are_blocks,
        {"torch": nn.Conv2d},
        {
            "channels interleaved": (Interleaved, "off by"),
            "`groups` swallowed": (groups_swallowed, "a weight of"),
        },
    ),
    Part(
        "option A has no parameters",
        "shortcut A is every stride-th pixel and zeros for new channels (arXiv:1512.03385, section 3.3)",
        option_a_pads,
        {"option_a": resnet.option_a},
        {"a projection": (resnet.option_c, "has parameters"), "an average": (averaged, "not those of the input")},
    ),
    Part(
        "option B projects where the shape changes",
        "shortcut B is a normalised 1x1 convolution where the shape changes and else the identity (section 3.3)",
        option_b_projects,
        {"option_b": resnet.option_b},
        {
            "a projection everywhere": (resnet.option_c, "not the identity"),
            "zeros in place of it": (resnet.option_a, "not one 1x1 convolution"),
            "the stride forgotten": (never_strided, "and the residual is"),
        },
    ),
    Part(
        "option C projects everywhere",
        "shortcut C is a normalised 1x1 convolution, whether the shape changes or not (section 4.1)",
        option_c_always_projects,
        {"option_c": resnet.option_c},
        {
            "the identity where it fits": (resnet.option_b, "not one 1x1 convolution"),
            "no normalisation": (bare, "not normalised"),
        },
    ),
    Part(
        "a block leaves its input alone",
        "a residual block, whose ReLUs run in place, does not write into what it is given and its shortcut reads",
        input_left_alone,
        {
            "BasicBlock": _of_resnet(resnet.BasicBlock),
            "Bottleneck": _of_resnet(resnet.Bottleneck),
            "BottleneckV1_5": _of_resnet(resnet.BottleneckV1_5),
            "BasicBlockA": _of_resnet(resnet_options.BasicBlockA),
            "BasicBlockC": _of_resnet(resnet_options.BasicBlockC),
            "PlainBlock": _plain,
            "pre-activation Basic": _of_preact(preact_resnet.Basic, preact_resnet.Unit),
            "pre-activation Bottleneck": _of_preact(preact_resnet.Bottleneck, preact_resnet.ProjectionUnit),
            "wide": _of_wide,
        },
        {"a ReLU in place on the input": (_of_resnet(RectifiedInPlace), "writes into its input")},
    ),
    Part(
        "a dense VGG is the mean over windows",
        "a VGG run densely equals the VGG's classifier on every 7x7 crop of the map, averaged (section 3.2)",
        dense_is_mean_over_windows,
        {"dense": dense},
        {"the map pooled to 7x7 first, as torchvision does": (as_it_is, "windows")},
    ),
)
