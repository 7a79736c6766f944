"""An ONNX graph as a torch module: a submodule for each node, parameters and buffers named after the initializers.

Written from ONNX's specification of the operators, versions 7 to 11 of the set. What is not understood is an error that
names it: an operation, an attribute, a mode, an output beyond the first. Initializers that no node reads are no part
of the network.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from repro.errors import ReproError
from repro.onnx_graph import OnnxGraph, OnnxNode

OPSETS = range(7, 12)

Ints = tuple[int, ...]
Function = Callable[..., torch.Tensor]

FUNCTIONS: dict[str, Function] = {}


def operator(name: str) -> Callable[[Function], Function]:
    """Enter a function of the operands, whose keywords are the attributes that are understood, with ONNX's defaults."""

    def enter(function: Function) -> Function:
        FUNCTIONS[name] = function
        return function

    return enter


class Operation(nn.Module):
    """One node, called with the operands that it is given in the file."""

    def __init__(self, node: OnnxNode) -> None:
        super().__init__()
        function = FUNCTIONS.get(node.op)
        if function is None:
            raise ReproError(
                f"the operation {node.op} is not understood; those that are: {', '.join(sorted(FUNCTIONS))}"
            )
        parameters = inspect.signature(function).parameters.values()
        self._follows_mode = any(each.name == "training" for each in parameters)
        mode = {"training": False} if self._follows_mode else {}
        known = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
        unknown = sorted(set(node.attributes) - (known - set(mode)))
        if unknown:
            raise ReproError(f"{node}: the attribute {unknown[0]!r} is not understood")
        if node.op == "BatchNormalization" and len(node.outputs) > 1:
            raise ReproError(f"{node} is in training mode, which is not understood: it has {len(node.outputs)} outputs")
        try:
            inspect.signature(function).bind(*node.inputs, **node.attributes, **mode)
        except TypeError as error:
            raise ReproError(f"{node}: {error}") from error
        self._function = function
        self._keywords = dict(node.attributes)

    def forward(self, *operands: Any) -> torch.Tensor:
        mode = {"training": self.training} if self._follows_mode else {}
        return self._function(*operands, **self._keywords, **mode)


class OnnxModule(nn.Module):
    """The network of a graph: images (batch, channels, height, width) in, the graph's output out.

    Statistics of normalisations are buffers, all other floating tensors are parameters. Train mode changes Dropout,
    and nothing else: ONNX leaves the mode of it open, and says of a BatchNormalization with one output that it tests.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        super().__init__()
        if graph.opset not in OPSETS:
            raise ReproError(
                f"operator set {graph.opset} is not understood; those from {OPSETS[0]} to {OPSETS[-1]} are"
            )
        statistics = {name for node in graph.nodes if node.op == "BatchNormalization" for name in node.inputs[3:]}
        read = {name: None for node in graph.nodes for name in node.inputs}
        last = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
        self._attributes: dict[str, str] = {}  # name in the file -> of the parameter or buffer
        self._numbers: dict[str, Any] = {"": None}  # name -> what is no tensor: shapes
        self._steps: list[tuple[str, tuple[str, ...], str, list[str]]] = []
        self._images, self._output = graph.images, graph.output
        for name in read:
            if name in graph.shapes or (name in graph.tensors and graph.tensors[name].dtype.kind == "f"):
                self._attributes[name] = self._own(name)
                kind = self.register_buffer if name in statistics else self._register
                kind(self._attributes[name], _values(graph, name))
            elif name in graph.tensors:
                self._numbers[name] = tuple(map(int, graph.tensors[name]))
        known, kept = {graph.images, *self._attributes, *self._numbers}, {graph.output, *self._numbers}
        for index, node in enumerate(graph.nodes):
            for name in node.inputs:
                if name not in known:
                    raise ReproError(f"{node} reads {name!r}, which no operation before it gives as its first output")
            step = self._own(f"{node.op}_{node.outputs[0]}")
            self.add_module(step, Operation(node))
            spent = [name for name in set(node.inputs) if last[name] == index and name not in kept]
            self._steps.append((step, node.inputs, node.outputs[0], spent))
            known.add(node.outputs[0])
        if graph.output not in known:
            raise ReproError(f"no operation gives {graph.output!r}, the output, as its first one")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[str, Any] = {self._images: x, **self._numbers}
        for step, inputs, output, spent in self._steps:
            for name in inputs:
                if name in self._attributes:
                    values[name] = getattr(self, self._attributes[name])
            values[output] = self.get_submodule(step)(*(values[name] for name in inputs))
            for name in spent:
                values.pop(name, None)
        result: torch.Tensor = values[self._output]
        return result

    def _register(self, name: str, values: torch.Tensor) -> None:
        self.register_parameter(name, nn.Parameter(values))

    def _own(self, name: str) -> str:
        """The name of an attribute for a name of the file. Raises ReproError if two names fall together."""
        own = re.sub(r"\W", "_", name)
        if hasattr(self, own):
            raise ReproError(f"two things of this graph would be called {own!r}, or torch's module has that name")
        return own


def _values(graph: OnnxGraph, name: str) -> torch.Tensor:
    if name in graph.shapes:
        shape, value = graph.shapes[name]
        return torch.full(shape, value)
    return torch.tensor(graph.tensors[name].copy())


# --- the operators -----------------------------------------------------------------------------------------------


@operator("Conv")
def conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    kernel_shape: Ints | None = None,
    strides: Ints = (1, 1),
    pads: Ints = (0, 0, 0, 0),
    dilations: Ints = (1, 1),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> torch.Tensor:
    """Convolution with zeros around the map."""
    kernel = tuple(weight.shape[2:])
    if kernel_shape not in (None, kernel):
        raise ReproError(f"Conv: kernel_shape {kernel_shape} is not that of the weight, {kernel}")
    before, after = _sides(x, kernel, strides, pads, dilations, auto_pad)
    if before == after:
        return F.conv2d(x, weight, bias, strides, before, dilations, group)
    return F.conv2d(_padded(x, before, after, 0.0), weight, bias, strides, 0, dilations, group)


@operator("MaxPool")
def max_pool(
    x: torch.Tensor,
    *,
    kernel_shape: Ints,
    strides: Ints = (1, 1),
    pads: Ints = (0, 0, 0, 0),
    dilations: Ints = (1, 1),
    ceil_mode: int = 0,
    auto_pad: str = "NOTSET",
) -> torch.Tensor:
    """The largest element of each window; what is padded is never the largest."""
    before, after = _sides(x, kernel_shape, strides, pads, dilations, auto_pad)
    up = bool(ceil_mode)
    if up:
        _require_begun(x, kernel_shape, strides, before, after, dilations)
    if before == after and all(2 * side <= size for side, size in zip(before, kernel_shape, strict=True)):
        return F.max_pool2d(x, kernel_shape, strides, before, dilations, up)
    return F.max_pool2d(_padded(x, before, after, -math.inf), kernel_shape, strides, 0, dilations, up)


@operator("AveragePool")
def average_pool(
    x: torch.Tensor,
    *,
    kernel_shape: Ints,
    strides: Ints = (1, 1),
    pads: Ints = (0, 0, 0, 0),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: str = "NOTSET",
) -> torch.Tensor:
    """The mean of each window: of the elements of the map in it, or of all of it with `count_include_pad`."""
    if auto_pad.startswith("SAME"):
        raise ReproError(f"AveragePool: auto_pad {auto_pad} is not understood; versions of ONNX differ in it")
    ones = (1,) * len(kernel_shape)
    before, after = _sides(x, kernel_shape, strides, pads, ones, auto_pad)
    counted, up = bool(count_include_pad), bool(ceil_mode)
    if up:
        _require_begun(x, kernel_shape, strides, before, after, ones)
    if up and counted:
        raise ReproError(
            "AveragePool: ceil_mode with count_include_pad is not understood; versions of ONNX differ in it"
        )
    if before == after and all(2 * side <= size for side, size in zip(before, kernel_shape, strict=True)):
        return F.avg_pool2d(x, kernel_shape, strides, before, up, counted)
    padded = _padded(x, before, after, 0.0)
    if counted:
        return F.avg_pool2d(padded, kernel_shape, strides)
    if padded.shape[2:] == kernel_shape:  # one window, and all of the map is in it
        return x.mean((2, 3), keepdim=True)
    inside = _padded(torch.ones_like(x), before, after, 0.0)
    return F.avg_pool2d(padded, kernel_shape, strides, 0, up) / F.avg_pool2d(inside, kernel_shape, strides, 0, up)


@operator("GlobalAveragePool")
def global_average_pool(x: torch.Tensor) -> torch.Tensor:
    """The mean of each map."""
    return x.mean((2, 3), keepdim=True)


@operator("LRN")
def response_norm(
    x: torch.Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> torch.Tensor:
    """Each value over (bias + alpha times the mean of squares of `size` neighbouring maps) ** beta, as torch has it."""
    if size % 2 == 0:
        raise ReproError(f"LRN: an even size, here {size}, is not understood; torch's would lie one map lower")
    return F.local_response_norm(x, size, alpha, beta, bias)


@operator("BatchNormalization")
def batch_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,  # noqa: ARG001  # of an average that only training mode takes
    spatial: int = 1,
) -> torch.Tensor:
    """By the statistics it is given, in any mode."""
    if spatial != 1:
        raise ReproError("BatchNormalization: statistics of each pixel (spatial 0) are not understood")
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, epsilon)


@operator("Gemm")
def gemm(
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803  # ONNX's name
    transB: int = 0,  # noqa: N803
) -> torch.Tensor:
    """Alpha times the product of two matrices, plus beta times a third."""
    if not transA and transB and alpha == 1 and (c is None or (beta == 1 and c.shape == b.shape[:1])):
        return F.linear(a, b, c)
    product = alpha * ((a.t() if transA else a) @ (b.t() if transB else b))
    return product if c is None else product + beta * c


@operator("Dropout")
def dropout(x: torch.Tensor, *, ratio: float = 0.5, training: bool) -> torch.Tensor:
    """Elements dropped with probability `ratio` and the others scaled up, in train mode."""
    return F.dropout(x, ratio, training)


@operator("Softmax")
def softmax(x: torch.Tensor, *, axis: int = 1) -> torch.Tensor:
    """Over all dimensions from `axis` on, taken as one."""
    return F.softmax(x.flatten(axis), -1).reshape(x.shape)


@operator("Reshape")
def reshape(x: torch.Tensor, shape: Ints) -> torch.Tensor:
    """A 0 keeps the size that `x` has in that place, a -1 is what remains."""
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])


@operator("Flatten")
def flatten(x: torch.Tensor, *, axis: int = 1) -> torch.Tensor:
    """To a matrix, whose rows are the dimensions before `axis`."""
    return x.reshape(math.prod(x.shape[:axis]), -1)


@operator("Unsqueeze")
def unsqueeze(x: torch.Tensor, *, axes: Ints) -> torch.Tensor:
    """With dimensions of size 1 in these places of the result."""
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator("Transpose")
def transpose(x: torch.Tensor, *, perm: Ints | None = None) -> torch.Tensor:
    """With its dimensions in another order, by default the reverse one."""
    return x.permute(perm or tuple(reversed(range(x.ndim))))


@operator("Concat")
def concat(*parts: torch.Tensor, axis: int) -> torch.Tensor:
    """One after the other along a dimension."""
    return torch.cat(parts, axis)


@operator("Sum")
def total(first: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """Of all operands, shapes aligned on the right."""
    for other in others:
        first = first + other
    return first


@operator("Add")
def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Shapes are aligned on the right, as everywhere since version 7 of the set."""
    return x + y


@operator("Mul")
def mul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """As `add`."""
    return x * y


@operator("Relu")
def relu(x: torch.Tensor) -> torch.Tensor:
    """max(x, 0)."""
    return F.relu(x)


@operator("Identity")
def identity(x: torch.Tensor) -> torch.Tensor:
    """Its operand."""
    return x


def _sides(
    x: torch.Tensor, kernel: Ints, strides: Ints, pads: Ints, dilations: Ints, auto_pad: str
) -> tuple[Ints, Ints]:
    """What is padded before and after each of the two spatial dimensions."""
    if x.ndim != 4 or {len(kernel), len(strides), len(dilations)} != {2} or len(pads) != 4:
        raise ReproError(
            f"windows over an input of shape {tuple(x.shape)} are not understood; only those of images are"
        )
    if auto_pad == "NOTSET":
        return pads[:2], pads[2:]
    if any(pads):
        raise ReproError(f"auto_pad {auto_pad} contradicts pads {pads}")
    if auto_pad == "VALID":
        return (0, 0), (0, 0)
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise ReproError(f"auto_pad {auto_pad} is not understood")
    sizes = zip(x.shape[2:], kernel, strides, dilations, strict=True)
    needed = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in sizes]
    less, more = tuple(n // 2 for n in needed), tuple(n - n // 2 for n in needed)
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def _padded(x: torch.Tensor, before: Ints, after: Ints, value: float) -> torch.Tensor:
    return F.pad(x, (before[1], after[1], before[0], after[0]), value=value)


def _require_begun(x: torch.Tensor, kernel: Ints, strides: Ints, before: Ints, after: Ints, dilations: Ints) -> None:
    """Raise ReproError if rounding up adds a window that begins behind the map: versions of ONNX differ in it."""
    for n, k, s, b, a, d in zip(x.shape[2:], kernel, strides, before, after, dilations, strict=True):
        windows = math.ceil((n + b + a - (k - 1) * d - 1) / s) + 1
        if (windows - 1) * s >= n + b:
            raise ReproError("ceil_mode adds a window that begins behind the map, in which versions of ONNX differ")
