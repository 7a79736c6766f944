"""A second evaluation of networks, in float64, from the formulas of their papers by NumPy alone.

Nothing here is shared with the modules: neither code nor operations nor the connection table of LeNet-5, which is the
ledger's. Arrays are (batch, channels, height, width); weights come under the networks' state_dict keys. So do LeNet-5's
targets, held to what the paper prints of them: Figure 3 shows them as small pictures, whose pixels nobody could read
twice and get the same, so that which pixel is ink is taken as given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from repro.papers import paper

Array = npt.NDArray[numpy.float64]
Weights = Mapping[str, Array]
Oracle = Callable[[Weights, Array], Array]

ORACLES: dict[str, Oracle] = {}


def oracle(function: Oracle) -> Oracle:
    """Enter the evaluation of the network of the catalog that has its name."""
    ORACLES[function.__name__] = function
    return function


@oracle
def lenet5(w: Weights, x: Array) -> Array:
    """LeCun et al. 1998, section II.B: C1, S2, C3 by Table I, S4, C5, F6, and equation 7."""
    x = squash(convolution(x, w["c1.weight"], w["c1.bias"]))
    x = squash(subsampling(x, w["s2.coefficient"], w["s2.bias"]))
    x = squash(partial(x, w))
    x = squash(subsampling(x, w["s4.coefficient"], w["s4.bias"]))
    x = squash(convolution(x, w["c5.weight"], w["c5.bias"]))
    x = squash(linear(x, w["f6.weight"], w["f6.bias"]))
    distances: Array = ((x[:, None, :] - codes(w["output.targets"])) ** 2).sum(2)
    return distances


@oracle
def alexnet(w: Weights, x: Array) -> Array:
    """Krizhevsky et al. 2012, section 3.5 and Figure 2: two columns, joined in the third layer and in the last ones."""
    x = relu(convolution(x, w["conv1.weight"], w["conv1.bias"], stride=4))
    x = maximum(response_normalisation(x), 3, 2)
    x = relu(columns(x, w["conv2.weight"], w["conv2.bias"], padding=2))
    x = maximum(response_normalisation(x), 3, 2)
    x = relu(convolution(x, w["conv3.weight"], w["conv3.bias"], padding=1))
    x = relu(columns(x, w["conv4.weight"], w["conv4.bias"], padding=1))
    x = maximum(relu(columns(x, w["conv5.weight"], w["conv5.bias"], padding=1)), 3, 2)
    x = relu(linear(x, w["fc6.weight"], w["fc6.bias"]))
    x = relu(linear(x, w["fc7.weight"], w["fc7.bias"]))
    return linear(x, w["fc8.weight"], w["fc8.bias"])


@oracle
def nin_cifar10(w: Weights, x: Array) -> Array:
    """Lin et al. 2013, section 3, with the windows of the first author's file: poolings round up."""
    x = maximum(mlpconv(x, w, "mlpconv1", padding=2), 3, 2, round_up=True)
    x = maximum(mlpconv(x, w, "mlpconv2", padding=2), 3, 2, round_up=True)
    return average(mlpconv(x, w, "mlpconv3", padding=1))


@oracle
def nin_imagenet(w: Weights, x: Array) -> Array:
    """The same with the four mlpconv layers of the first author's file for ImageNet."""
    x = maximum(mlpconv(x, w, "mlpconv1", stride=4), 3, 2, round_up=True)
    x = maximum(mlpconv(x, w, "mlpconv2", padding=2), 3, 2, round_up=True)
    x = maximum(mlpconv(x, w, "mlpconv3", padding=1), 3, 2, round_up=True)
    return average(mlpconv(x, w, "mlpconv4", padding=1))


def convolution(x: Array, weight: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    """Each filter times each window of the input, summed, plus its bias."""
    x = numpy.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    seen = sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]  # n, c, rows, columns, i, j
    sums: Array = numpy.tensordot(seen, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) + bias[:, None, None]
    return sums


def columns(x: Array, weight: Array, bias: Array, padding: int) -> Array:
    """Two halves of the filters, each of which sees its own half of the maps (AlexNet, section 3.5)."""
    halves = zip(numpy.split(x, 2, 1), numpy.split(weight, 2), numpy.split(bias, 2), strict=True)
    return numpy.concatenate([convolution(*half, padding=padding) for half in halves], 1)


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """Weighted sums of all that is there, channel by channel and row by row."""
    sums: Array = x.reshape(len(x), -1) @ weight.T + bias
    return sums


def relu(x: Array) -> Array:
    """max(0, x), and NaN where there was one."""
    return numpy.where(x < 0, 0.0, x)


def maximum(x: Array, size: int, stride: int, round_up: bool = False) -> Array:
    """The largest value of each window; rounding up, the last ones may reach past the edge, where there is nothing."""
    if round_up:
        more = [(0, 0), (0, 0), *((0, -(side - size) % stride) for side in x.shape[2:])]
        x = numpy.pad(x, more, constant_values=-numpy.inf)
    windows: Array = sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride].max((4, 5))
    return windows


def average(x: Array) -> Array:
    """The mean of each whole map (NIN, section 3.2)."""
    means: Array = x.mean((2, 3))
    return means


def response_normalisation(x: Array, k: float = 2, n: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> Array:
    """Each value over (k + alpha times the sum of squares of n neighbouring maps) ** beta (AlexNet, section 3.3)."""
    total = numpy.zeros_like(x)
    for i in range(x.shape[1]):
        total[:, i] = (x[:, max(0, i - n // 2) : i + n // 2 + 1] ** 2).sum(1)
    normalised: Array = x / (k + alpha * total) ** beta
    return normalised


def mlpconv(x: Array, w: Weights, name: str, stride: int = 1, padding: int = 0) -> Array:
    """A convolution and two layers of a perceptron that slides with it, a ReLU after each (NIN, equation 2)."""
    x = relu(convolution(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], stride, padding))
    for layer in ("cccp1", "cccp2"):
        weight, bias = w[f"{name}.{layer}.weight"], w[f"{name}.{layer}.bias"]
        x = relu(numpy.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x) + bias[:, None, None])
    return x


def squash(x: Array) -> Array:
    """f(a) = A tanh(S a) with A = 1.7159 and S = 2/3 (LeNet-5, appendix A)."""
    return 1.7159 * numpy.tanh(x * 2 / 3)


def subsampling(x: Array, coefficient: Array, bias: Array) -> Array:
    """The four values of a 2x2 neighbourhood added, times a coefficient, plus a bias (section II.B, layer S2)."""
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    corners = [x[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    total: Array = coefficient * (corners[0] + corners[1] + corners[2] + corners[3]) + bias
    return total


def codes(targets: Array) -> Array:
    """Ten different bitmaps of 7 x 12 pixels, each -1 or +1 (section II.B, Figure 3). Raises ValueError for others."""
    if targets.shape != (10, 7 * 12) or not (abs(targets) == 1).all() or len(numpy.unique(targets, axis=0)) != 10:
        raise ValueError(f"the targets, {targets.shape}, are not ten different bitmaps of 84 pixels that are -1 or +1")
    return targets


def partial(x: Array, w: Weights) -> Array:
    """Layer C3: each map convolves the maps of S2 that Table I gives it."""
    fact = next(fact for fact in paper("lenet").facts if fact.id == "lenet.C3.table")
    kernels = [kernel for name in ("three", "four", "six") for kernel in w[f"c3.{name}.weight"]]
    biases = [bias for name in ("three", "four", "six") for bias in w[f"c3.{name}.bias"]]
    return numpy.concatenate([_of(x, *one) for one in zip(fact.value, kernels, biases, strict=True)], 1)


def _of(x: Array, inputs: Sequence[int], kernel: Array, bias: float) -> Array:
    return convolution(x[:, list(inputs)], kernel[None], numpy.array([bias]))
