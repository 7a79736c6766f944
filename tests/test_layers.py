"""The layer table: shapes, parameters, multiply-adds and receptive fields, against arithmetic done by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from repro import models
from repro.graph import Graph, trace
from repro.layers import Layer, layers, parameter_count


def table(module: nn.Module, *size: int, batch: int = 1) -> list[Layer]:
    return layers(trace(module.eval(), torch.empty(batch, *size)))


def by_path(module: nn.Module, *size: int) -> dict[str, Layer]:
    """The last row of each path."""
    return {row.path: row for row in table(module, *size)}


@functools.cache
def traced(name: str) -> tuple[nn.Module, Graph]:
    with torch.device("meta"):
        module = models.build(name).eval()
    return module, trace(module, torch.empty(1, *models.get(name).input_size))


class Small(nn.Module):
    """Every kind of row, on 2x8x6 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=2, padding=1)  # 4x4x3
        self.bn = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.pool = nn.MaxPool2d(2)  # 4x2x1
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.bn(self.conv(x)).relu())
        x = self.fc(self.pool(x).flatten(1))
        return x


# --- a small network, row by row ---------------------------------------------------------------------------------


def test_every_column_of_a_small_network() -> None:
    assert table(Small(), 2, 8, 6) == [
        # weights 4 * 2 * 3 * 3 and 4 biases; each of 4 * 4 * 3 outputs takes 2 * 3 * 3 multiply-adds
        Layer("conv", "conv 3x3/2", (4, 4, 3), 76, 4 * 4 * 3 * 18, (3, 3), (-1, -1), (2, 2)),
        Layer("bn", "batch_norm", (4, 4, 3), 8, 0, (3, 3), (-1, -1), (2, 2)),
        Layer("", "relu", (4, 4, 3), 0, 0, (3, 3), (-1, -1), (2, 2)),
        # neighbours are 2 pixels apart: 3 + 2 * 2, and one of padding is 2 more
        Layer("depthwise", "conv 3x3 g4", (4, 4, 3), 36, 4 * 4 * 3 * 9, (7, 7), (-3, -3), (2, 2)),
        Layer("pool", "max_pool 2x2/2", (4, 2, 1), 0, 0, (9, 9), (-3, -3), (4, 4)),
        # neighbours are 4 pixels apart, and the map is 2x1
        Layer("fc", "linear", (5,), 45, 5 * 8, (13, 9), (-3, -3), (4, 4)),
    ]


def test_the_batch_of_the_trace_changes_no_row() -> None:
    assert table(Small(), 2, 8, 6, batch=3) == table(Small(), 2, 8, 6)


def test_a_matrix_product_without_bias_is_a_linear_layer() -> None:
    assert table(nn.Linear(7, 3, bias=False), 7) == [Layer("", "linear", (3,), 21, 21, (1, 1), (0, 0), (1, 1))]


def test_a_transposed_convolution_multiplies_once_for_each_input_element_and_tap() -> None:
    row = table(nn.ConvTranspose2d(2, 4, 3, stride=2, bias=False), 2, 5, 5)[0]
    assert row.output == (4, 11, 11)
    assert row.multiply_adds == (2 * 5 * 5) * (4 * 3 * 3)


# --- totals ------------------------------------------------------------------------------------------------------

# resnet18, 224x224, by stage: outputs of a convolution times taps of its kernel, summed
#   conv1     64*112^2 * 3*49
#   conv2_x   4 * 64*56^2 * 64*9
#   conv3_x   128*28^2 * (64*9 + 3*128*9 + 64)      the first 3x3 and the projection read 64 channels
#   conv4_x   256*14^2 * (128*9 + 3*256*9 + 128)
#   conv5_x   512*7^2 * (256*9 + 3*512*9 + 256)
#   fc        512*1000
RESNET18 = (
    64 * 112**2 * 3 * 49
    + 4 * 64 * 56**2 * 64 * 9
    + 128 * 28**2 * (64 * 9 + 3 * 128 * 9 + 64)
    + 256 * 14**2 * (128 * 9 + 3 * 256 * 9 + 128)
    + 512 * 7**2 * (256 * 9 + 3 * 512 * 9 + 256)
    + 512 * 1000
)

# vgg16, 224x224: nine taps for each channel read
VGG16 = (
    9 * 224**2 * (3 * 64 + 64 * 64)
    + 9 * 112**2 * (64 * 128 + 128 * 128)
    + 9 * 56**2 * (128 * 256 + 2 * 256 * 256)
    + 9 * 28**2 * (256 * 512 + 2 * 512 * 512)
    + 9 * 14**2 * (3 * 512 * 512)
    + (512 * 49 * 4096 + 4096 * 4096 + 4096 * 1000)
)

# lenet5: C1, the connections of Table I (60 pairs of maps), C5 and F6
LENET5 = 6 * 28**2 * 25 + 60 * 10**2 * 25 + 120 * 16 * 25 + 120 * 84


@pytest.mark.parametrize(
    ("name", "expected"),
    [("resnet18", RESNET18), ("vgg16", VGG16), ("lenet5", LENET5)],
)
def test_multiply_adds_are_those_counted_by_hand(name: str, expected: int) -> None:
    _, graph = traced(name)
    assert sum(row.multiply_adds for row in layers(graph)) == expected


def test_the_numbers_counted_by_hand_are_those_commonly_quoted() -> None:
    assert (RESNET18, VGG16, LENET5) == (1_814_073_344, 15_470_264_320, 325_680)


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "lenet5", "resnet50_v1_5"])
def test_the_rows_parameters_add_up_to_the_modules(name: str) -> None:
    module, graph = traced(name)
    total = sum(parameter.numel() for parameter in module.parameters())
    assert sum(row.parameters for row in layers(graph)) == parameter_count(graph) == total


class Shared(nn.Module):
    """One convolution used twice, a weight under two names, and a parameter that nothing reads."""

    def __init__(self, *, tied: bool = False, unread: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 3, 3, padding=1)
        if tied:
            self.other.weight = self.conv.weight
        if unread:
            self.spare = nn.Parameter(torch.zeros(11))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.other(self.conv(self.conv(x)))
        return x


def test_a_module_used_twice_has_its_parameters_counted_once() -> None:
    rows = table(Shared(), 3, 4, 4)
    assert [(row.path, row.parameters) for row in rows] == [("conv", 84), ("conv", 0), ("other", 84)]
    assert [row.receptive_field for row in rows] == [(3, 3), (5, 5), (7, 7)]
    assert {row.multiply_adds for row in rows} == {3 * 4 * 4 * 27}


def test_a_weight_under_two_names_is_counted_once() -> None:
    module = Shared(tied=True)
    graph = trace(module.eval(), torch.empty(1, 3, 4, 4))
    assert [row.parameters for row in layers(graph)] == [84, 0, 3]
    assert parameter_count(graph) == sum(parameter.numel() for parameter in module.parameters()) == 87


def test_a_parameter_that_nothing_reads_is_in_the_total_and_in_no_row() -> None:
    graph = trace(Shared(unread=True).eval(), torch.empty(1, 3, 4, 4))
    assert sum(row.parameters for row in layers(graph)) == 168
    assert parameter_count(graph) == 168 + 11


class Idle(nn.Module):
    """Computes something that it does not return."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Conv2d(1, 1, 1)
        self.unused = nn.Conv2d(1, 1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.unused(x)
        return torch.as_tensor(self.used(x))


def test_what_no_output_depends_on_has_no_row() -> None:
    assert [row.path for row in table(Idle(), 1, 4, 4)] == ["used"]
    assert parameter_count(trace(Idle().eval(), torch.empty(1, 1, 4, 4))) == 2 + 10


# --- receptive fields --------------------------------------------------------------------------------------------


def field(module: nn.Module, side: int = 64, channels: int = 1) -> tuple[int, int]:
    """The receptive field of the last row."""
    return table(module, channels, side, side)[-1].receptive_field


def conv(kernel: int | tuple[int, int], stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, dilation=dilation)


def test_stacked_3x3_convolutions_see_what_vggs_section_2_3_says() -> None:
    assert field(nn.Sequential(conv(3), conv(3))) == (5, 5)
    assert field(nn.Sequential(conv(3), conv(3), conv(3))) == (7, 7)


def test_a_stride_widens_what_follows_it() -> None:
    assert field(conv(3, stride=2)) == (3, 3)
    assert field(nn.Sequential(conv(3, stride=2), conv(3))) == (7, 7)
    assert field(nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), conv(3))) == (4 + 2 * 4, 4 + 2 * 4)


def test_dilation_spreads_the_taps() -> None:
    assert field(conv(3, dilation=2)) == (5, 5)
    assert field(nn.Sequential(conv(3), conv(3, dilation=2), conv(3, dilation=4))) == (15, 15)
    assert table(conv(3, dilation=2), 1, 9, 9)[0].kind == "conv 3x3 d2"


def test_height_and_width_are_told_apart() -> None:
    assert field(nn.Sequential(conv((1, 7)), conv((3, 1)))) == (3, 7)


class Parallel(nn.Module):
    """Branches on the same input, side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def padded(height: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(1, 1, (height, width), padding=(height // 2, width // 2))


@pytest.mark.parametrize("order", [1, -1])
def test_a_concatenation_sees_what_its_widest_branch_sees(order: int) -> None:
    assert field(Parallel(*[padded(3, 3), padded(5, 5)][::order])) == (5, 5)


@pytest.mark.parametrize("order", [1, -1])
def test_a_concatenation_of_a_tall_and_a_wide_branch_sees_as_far_as_either(order: int) -> None:
    assert field(Parallel(*[padded(1, 3), padded(5, 1)][::order])) == (5, 3)


def test_a_shortcut_narrows_nothing() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = padded(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(x + self.conv(x))

    assert field(nn.Sequential(Residual(), Residual())) == (5, 5)


def test_what_depends_on_parameters_only_sees_no_pixel() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1, padding=1)
            self.scale = nn.Parameter(torch.ones(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) * self.scale.view(1, -1, 1, 1)  # type: ignore[no-any-return]

    last = table(Scaled(), 3, 5, 5)[-1]
    assert (last.receptive_field, last.first) == ((1, 1), (-1, -1))


@pytest.mark.parametrize(
    ("move", "first", "step"),
    [
        (lambda x: x[:, :, 1:, 3:], (1, 3), (1, 1)),
        (lambda x: x[:, :, -8:, ::2], (1, 0), (1, 2)),
        (lambda x: x[:, 1:], (0, 0), (1, 1)),
        (lambda x: F.pad(x, (2, 0, 1, 5)), (-1, -2), (1, 1)),
        (lambda x: F.pad(x, (2, 0)), (0, -2), (1, 1)),
        (lambda x: F.pad(x, (2, 0, 1, 1), mode="reflect"), (-1, -2), (1, 1)),
        (lambda x: F.pad(x, (2, 0, 1, 1), mode="replicate"), (-1, -2), (1, 1)),
    ],
)
def test_crops_and_paddings_move_the_first_field(
    move: Callable[[torch.Tensor], torch.Tensor], first: tuple[int, int], step: tuple[int, int]
) -> None:
    class Moved(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(move(F.max_pool2d(x, 1)))

    last = table(Moved(), 2, 9, 9)[-1]
    assert (last.first, last.step) == (first, step)


def test_branches_that_see_to_either_side_see_both_together() -> None:
    class Sides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(F.pad(x, (2, 0, 2, 0))) + self.conv(F.pad(x, (0, 2, 0, 2)))  # type: ignore[no-any-return]

    last = table(Sides(), 1, 9, 9)[-1]
    assert (last.receptive_field, last.first) == ((5, 5), (-2, -2))


def test_a_global_average_sees_the_whole_map() -> None:
    # 31 positions 2 pixels apart, 3 pixels wide
    for pool in (nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(31)):
        assert field(nn.Sequential(conv(3, stride=2), pool)) == (3 + 30 * 2, 3 + 30 * 2)


@pytest.mark.parametrize(("side", "expected"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_an_adaptive_average_sees_its_own_window_only(side: int, expected: int) -> None:
    assert field(nn.AdaptiveAvgPool2d(side), side=8) == (expected, expected)


def test_a_mean_over_channels_sees_no_further() -> None:
    class OverChannels(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(1, keepdim=True)

    assert field(nn.Sequential(conv(3), OverChannels())) == (3, 3)


def grown(layers: list[tuple[int, int]]) -> list[int]:
    """The receptive field after each (kernel, stride): kernel - 1 steps more, of the product of the strides so far."""
    sizes: list[int] = []
    jump = 1
    for kernel, stride in layers:
        sizes.append((sizes[-1] if sizes else 1) + (kernel - 1) * jump)
        jump *= stride
    return sizes


def test_vgg16_sees_212_pixels_after_its_last_pooling_and_404_after_fc6() -> None:
    blocks = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]
    expected = grown([layer for repeats, _ in blocks for layer in [(3, 1)] * repeats + [(2, 2)]])
    assert expected[-1] == 212  # as Araujo, Norris, Sim list it, distill.pub, November 2019
    rows = layers(traced("vgg16")[1])
    spatial = [row.receptive_field[0] for row in rows if row.kind.startswith(("conv", "max_pool"))]
    assert spatial == expected
    first_linear = next(row for row in rows if row.kind == "linear")
    assert first_linear.receptive_field == (404, 404)  # a 7x7 window of positions 32 pixels apart: 212 + 6 * 32


def test_a_normalisation_across_channels_sees_one_position() -> None:
    rows = layers(traced("alexnet")[1])
    spatial = [row.receptive_field[0] for row in rows if row.kind.startswith(("conv", "max_pool"))]
    assert spatial == [11, 19, 51, 67, 99, 131, 163, 195]  # 11x11/4, 3x3/2, 5x5, 3x3/2, three 3x3, 3x3/2


@pytest.mark.parametrize(("name", "last"), [("resnet50", 483), ("resnet50_v1_5", 427)])
def test_resnet50s_stages_see_what_arithmetic_says(name: str, last: int) -> None:
    def block(stride: int) -> list[tuple[int, int]]:
        return [(1, stride), (3, 1), (1, 1)] if name == "resnet50" else [(1, 1), (3, stride), (1, 1)]

    chain = [(7, 2), (3, 2)]
    stages = []
    for repeats, stride in ((3, 1), (4, 2), (6, 2), (3, 2)):
        chain += [layer for index in range(repeats) for layer in block(stride if index == 0 else 1)]
        stages.append(grown(chain)[-1])
    assert stages[-1] == last
    rows = {row.path: row for row in layers(traced(name)[1])}
    ends = [f"backbone.conv{stage + 2}_x.{repeats - 1}.bn3" for stage, repeats in enumerate((3, 4, 6, 3))]
    assert [rows[end].receptive_field for end in ends] == [(size, size) for size in stages]


def test_an_inception_block_sees_as_far_both_ways() -> None:
    rows = layers(traced("inception_v3")[1])
    ends = [row for row in rows if row.kind == "cat"]
    assert ends
    assert all(row.receptive_field[0] == row.receptive_field[1] for row in ends)
