"""LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998).

Proceedings of the IEEE 86(11):2278-2324. The paper scales its pixels to -0.1 (background) and 1.175 (ink); scaling is
the caller's. What tutorials call LeNet-5, with max pooling and a dense C3 on 28x28 pixels, is `lenet5_28` here.
"""

from __future__ import annotations

import torch
from torch import nn

from repro.models._catalog import initialisation, variant
from repro.models._images import require_images

# Table I: the maps of S2 that each map of C3 reads, by how many they are.
THREE_INPUTS = ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5))
FOUR_CONSECUTIVE = ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5))
FOUR_INPUTS = (*FOUR_CONSECUTIVE, (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5))

# The targets of the ten classes, 7x12 bitmaps (section II.B). The glyphs are ours: Figure 3 shows the paper's only as
# small pictures, and nothing in the architecture depends on their exact pixels.
DIGITS = """
..###.. ...#... .#####. .#####. .....#. ####### ..####. ####### .#####. .#####.
.#...#. ..##... #.....# #.....# ....##. #...... .#..... ......# #.....# #.....#
#.....# .#.#... ......# ......# ...#.#. #...... #...... .....#. #.....# #.....#
#.....# ...#... ......# ......# ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. ......# .#...#. #.####. #...... ....#.. #.....# #.....#
#.....# ...#... ....#.. ..####. #....#. ##....# #.####. ....#.. .#####. #....##
#.....# ...#... ...#... ......# #....#. ......# ##....# ...#... #.....# .####.#
#.....# ...#... ..#.... ......# ####### ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# .....#. ......# #.....# ..#.... #.....# ......#
#.....# ...#... #...... ......# .....#. ......# #.....# ..#.... #.....# ......#
.#...#. ...#... #...... #.....# .....#. #.....# #.....# .#..... #.....# .....#.
..###.. .#####. ####### .#####. .....#. .#####. .#####. .#..... .#####. .####..
"""


class Squash(nn.Module):
    """f(a) = A tanh(S a) with A = 1.7159 and S = 2/3, so that f(1) = 1 (section II.B, appendix A)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """The sum of each 2x2 neighbourhood, times a coefficient, plus a bias; one pair a map (section II.B, layer S2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(channels, 1, 1))
        self.sum = nn.AvgPool2d(2, divisor_override=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.coefficient * self.sum(x) + self.bias
        return x


class PartialConvolution(nn.Module):
    """Layer C3: 16 maps that each read some of the six maps of S2 (Table I), and have weights for those only."""

    def __init__(self) -> None:
        super().__init__()
        self.three = nn.Conv2d(6 * 3, 6, 5, groups=6)  # maps 0 to 5
        self.four = nn.Conv2d(9 * 4, 9, 5, groups=9)  # maps 6 to 14
        self.six = nn.Conv2d(6, 1, 5)  # map 15 reads them all

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = x.chunk(6, dim=1)
        three = self.three(torch.cat([maps[i] for inputs in THREE_INPUTS for i in inputs], dim=1))
        four = self.four(torch.cat([maps[i] for inputs in FOUR_INPUTS for i in inputs], dim=1))
        return torch.cat([three, four, self.six(x)], dim=1)


class RadialBasis(nn.Module):
    """y_i = sum_j (x_j - w_ij)^2, with each w_i a fixed bitmap of -1 and +1 (section II.B, equation 7)."""

    targets: torch.Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        rows = [line.split() for line in DIGITS.split("\n") if line]
        bitmaps = ["".join(row[digit] for row in rows) for digit in range(num_classes)]
        codes = [[1.0 if pixel == "#" else -1.0 for pixel in bitmap] for bitmap in bitmaps]
        self.register_buffer("targets", torch.tensor(codes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.unsqueeze(1) - self.targets).square().sum(dim=2)


class LeNet5(nn.Module):
    """LeNet-5 of 1998 (section II.B, Figure 2): 60,000 trainable parameters.

    Input (batch, in_channels, height, width): 32x32 pixels; up to 35x35 the last rows and columns drop out of the
    subsampling, so that C5 still has one position. Output (batch, num_classes): the squared distances of F6 from the
    target of each class. They are not logits: the smallest marks the class. The paper draws targets for characters
    only, so num_classes is at most 10, the digits, and ValueError is raised for more.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        if not 1 <= num_classes <= 10:
            raise ValueError(f"num_classes={num_classes} was given; lenet5 has targets for the digits only, 1 to 10")
        self.in_channels = in_channels
        self.squash = Squash()
        self.c1 = nn.Conv2d(in_channels, 6, 5)  # 28x28
        self.s2 = Subsampling(6)  # 14x14
        self.c3 = PartialConvolution()  # 10x10
        self.s4 = Subsampling(16)  # 5x5
        self.c5 = nn.Conv2d(16, 120, 5)  # 1x1
        self.f6 = nn.Linear(120, 84)  # 84 = 7 * 12
        self.output = RadialBasis(num_classes)
        lecun_uniform(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "lenet5", self.in_channels, smallest=32, largest=35)
        x = self.squash(self.c1(x))
        x = self.squash(self.s2(x))
        x = self.squash(self.c3(x))
        x = self.squash(self.s4(x))
        x = self.squash(self.c5(x))
        x = self.squash(self.f6(x.flatten(1)))
        x = self.output(x)
        return x


class LeNet5On28(nn.Module):
    """The LeNet of tutorials: dense convolutions, sigmoids and max pooling on 28x28 pixels; in no paper.

    Input (batch, in_channels, height, width), 28x28, and up to 31x31 with the same 4x4 last map; output logits
    (batch, num_classes). The widths 6, 16, 120 and 84 are LeNet-5's.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.sigmoid = nn.Sigmoid()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(in_channels, 6, 5)  # 24x24, pooled 12x12
        self.conv2 = nn.Conv2d(6, 16, 5)  # 8x8, pooled 4x4
        self.fc1 = nn.Linear(16 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)
        glorot_uniform(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        require_images(x, "lenet5_28", self.in_channels, smallest=28, largest=31)
        x = self.pool(self.sigmoid(self.conv1(x)))
        x = self.pool(self.sigmoid(self.conv2(x)))
        x = self.sigmoid(self.fc1(x.flatten(1)))
        x = self.sigmoid(self.fc2(x))
        x = self.fc3(x)
        return x


@initialisation(
    locus="Proc. IEEE 86(11):2278-2324, appendix A; that biases and coefficients are drawn like weights is our reading",
    rules={
        "s?.*": "uniform(-2.4 / 4, 2.4 / 4)",  # a unit of a subsampling has four inputs
        "*": "uniform(-2.4 / fan_in, 2.4 / fan_in)",
    },
)
def lecun_uniform(network: nn.Module) -> None:
    """Uniform between -2.4/F and 2.4/F, with F the number of inputs of a unit (appendix A).

    The paper does not single out biases and coefficients; they are drawn like the weights of the same unit, and a bias
    is not counted as an input.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
        elif isinstance(module, Subsampling):
            fan_in = 4
        else:
            continue
        for parameter in module.parameters():
            nn.init.uniform_(parameter, -2.4 / fan_in, 2.4 / fan_in)


@initialisation(
    locus="Glorot and Bengio, AISTATS 2010, equation 16, from memory; no paper has this network",
    rules={
        "*.weight": "uniform(-sqrt(6 / (fan_in + fan_out)), sqrt(6 / (fan_in + fan_out)))",
        "*.bias": "0",
    },
)
def glorot_uniform(network: nn.Module) -> None:
    """Glorot and Bengio, AISTATS 2010, equation 16; zero biases. No paper gives this network an initialisation."""
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)


@variant(
    paper="Proc. IEEE 86(11):2278-2324, section II.B, Figure 2 and Table I",
    init="lecun_uniform",
    input_size=(1, 32, 32),
    other_size=(1, 35, 34),
)
def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """LeNet-5 of 1998: trainable subsampling, partial C3, distances from fixed bitmaps."""
    return LeNet5(num_classes, in_channels)


@variant(
    paper="no paper: the shape that tutorials call LeNet, after Proc. IEEE 86(11):2278-2324, section II.B",
    init="glorot_uniform",
    input_size=(1, 28, 28),
    other_size=(1, 31, 30),
)
def lenet5_28(num_classes: int = 10, in_channels: int = 1) -> LeNet5On28:
    """The LeNet of tutorials on 28x28 pixels: sigmoids, max pooling, a linear head."""
    return LeNet5On28(num_classes, in_channels)
