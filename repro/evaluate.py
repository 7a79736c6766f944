"""Run a canonical graph on real tensors, node by node: the value of every node, not of the outputs alone.

An operation that a rewrite has changed has a small function here; any other is the ATen call that was recorded when it
was traced, on other tensors. Everything is differentiable where torch is, and as precise as the tensors it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from repro.errors import ReproError, first_line
from repro.graph import Edge, Graph, Node, is_random, name_of, norm_operands
from repro.movement import Movement


def evaluate(
    graph: Graph,
    state: Mapping[str, torch.Tensor],
    inputs: Sequence[torch.Tensor],
    draws: Mapping[int, torch.Tensor] | None = None,
) -> list[torch.Tensor]:
    """The value of every node of a canonical graph, by index.

    state   the parameters and buffers by state_dict key; where floating, of the inputs' dtype, which is the precision
    inputs  of the shapes that the graph was traced with
    draws   index of each `dropout` node -> which elements it keeps: 1 or 0, of the shape of its noise

    Raises ReproError for inputs of other shapes, a key that `state` lacks, and a random draw that is not given.
    """
    shapes = tuple(tuple(x.shape) for x in inputs)
    if shapes != graph.input_shapes:
        raise ReproError(f"inputs of shapes {shapes} were given; the graph was traced with {graph.input_shapes}")
    dtype = next((x.dtype for x in inputs if x.is_floating_point()), torch.get_default_dtype())
    remaining = iter(inputs)
    values: list[torch.Tensor] = []
    for index, node in enumerate(graph.nodes):
        if node.op == "input":
            values.append(next(remaining))
        elif node.op == "constant":
            constant = graph.constants[node.name]
            values.append(constant.to(dtype) if constant.is_floating_point() else constant)
        elif node.op in ("parameter", "buffer"):
            if node.name not in state:
                raise ReproError(f"no value was given for {node.name!r}, which the graph reads")
            values.append(state[node.name])
        else:
            operands = [values[edge.node] for edge in node.inputs]
            values.append(apply(graph, node, operands, (draws or {}).get(index)))
    return values


def apply(graph: Graph, node: Node, operands: Sequence[torch.Tensor], draw: torch.Tensor | None = None) -> torch.Tensor:
    """What one node of a canonical graph computes from its operands; `draw` is what a `dropout` keeps.

    Raises ReproError where it cannot be computed: operands of shapes that do not go together, a draw that is not given.
    """
    own = _OPERATIONS.get(node.op)
    try:
        if node.op == "dropout":
            return _dropout(node, operands[0], draw)
        return own(node, *operands) if own is not None else _as_recorded(graph, node, operands)
    except (RuntimeError, ValueError) as error:
        given = ", ".join(f"{tuple(x.shape)} {x.dtype}" for x in operands)
        raise ReproError(f"{_place(node)} cannot be computed from {given}: {first_line(error)}") from error


def _as_recorded(graph: Graph, node: Node, operands: Sequence[torch.Tensor]) -> torch.Tensor:
    """The recorded ATen call, reading `operands` in place of the tensors it read, in order."""
    func, args, kwargs = graph.calls[node.origin]
    if name_of(func) != node.op:
        raise ReproError(f"{_place(node)}: how {name_of(func)} became it is not known to repro.evaluate")
    if is_random(func):
        raise ReproError(f"{_place(node)} draws random numbers: of these only dropout can be given its draw")
    remaining = iter(operands)
    args, kwargs = pytree.tree_map(lambda x: next(remaining) if isinstance(x, Edge) else x, (args, kwargs))
    result = func(*args, **{name: value for name, value in kwargs.items() if name != "device"})
    outputs = [x for x in pytree.tree_leaves(result) if isinstance(x, torch.Tensor)]
    which: int = node.get("output", 0)
    return outputs[which]


def _place(node: Node) -> str:
    return f"{node.op} of {node.path or 'the root module'}" + (f" ({node.where})" if node.where else "")


def _dropout(node: Node, x: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    if keep is None:
        raise ReproError(f"{_place(node)}: it was not said which elements are dropped")
    p: float = node.get("p")
    return x * (keep.to(x.dtype).reshape(node.get("noise")) / (1 - p))


def _movement(node: Node, x: torch.Tensor) -> torch.Tensor:
    movement: Movement = node.get("movement")
    if tuple(x.shape) != movement.source:  # read by strides, memory of another layout would give no error but nonsense
        raise ReproError(f"{_place(node)} moves a tensor of shape {movement.source}, not {tuple(x.shape)}")
    return movement.apply(x)


def _as_strided(node: Node, x: torch.Tensor) -> torch.Tensor:
    """It reads memory and not values: its operand is laid out as it was in the trace."""
    strides, offset, size = node.get("memory")
    if offset or size != x.numel() * node.dtype.itemsize:
        raise ReproError(f"{_place(node)} reads memory that is not its operand's alone")
    laid_out = x.new_empty_strided(x.shape, strides).copy_(x)
    return laid_out.as_strided(node.get("size"), node.get("stride"), node.get("storage_offset"))


def _convolution(node: Node, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    stride, padding, dilation = node.get("stride"), node.get("padding"), node.get("dilation")
    padding_out = node.get("padding_out", (0,) * len(stride))
    transposed, groups = node.get("transposed"), node.get("groups")
    return torch.convolution(x, weight, bias, stride, padding, dilation, transposed, padding_out, groups)


def _batch_norm(node: Node, x: torch.Tensor, *operands: torch.Tensor) -> torch.Tensor:
    # A call that knows no running statistics has no such attribute.
    of = dict(zip(norm_operands(node), operands, strict=False))
    training: bool = node.get("training")
    mean, variance = (None, None) if training else (of["running_mean"], of["running_var"])
    return F.batch_norm(x, mean, variance, of.get("weight"), of.get("bias"), training, eps=node.get("eps"))


def _moving_average(node: Node, x: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    dims = [dim for dim in range(x.ndim) if dim != 1]
    new = x.mean(dims) if node.get("statistic") == "mean" else x.var(dims)  # torch keeps the unbiased variance
    momentum: float = node.get("momentum")
    return old + momentum * (new.detach() - old)


def _layer_norm(node: Node, x: torch.Tensor, *operands: torch.Tensor) -> torch.Tensor:
    of = dict(zip([name for name in ("weight", "bias") if node.get(name, node) is not None], operands, strict=True))
    return F.layer_norm(x, x.shape[-1:], of.get("weight"), of.get("bias"), node.get("eps"))


def _wider(node: Node, x: torch.Tensor) -> torch.dtype:
    """The dtype that the trace, which is in float32, has for a node; but float64 stays as it is."""
    return x.dtype if (x.dtype, node.dtype) == (torch.float64, torch.float32) else node.dtype


def _max_pool2d(node: Node, x: torch.Tensor) -> torch.Tensor:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    return torch.max_pool2d(x, *(node.get(name) for name in names))


def _avg_pool2d(node: Node, x: torch.Tensor) -> torch.Tensor:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    pooled: torch.Tensor = F.avg_pool2d(x, *(node.get(name) for name in names))
    return pooled


def _other(node: Node, operand: tuple[torch.Tensor, ...]) -> Any:
    """The second operand, or the number that stands in its place."""
    return operand[0] if operand else node.get("other")


# What rewrites emit or have changed the attributes of.
_OPERATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "movement": _movement,
    "as_strided": _as_strided,
    "linear": lambda _, x, weight, bias=None: F.linear(x, weight, bias),
    "mm": lambda _, x, y: torch.mm(x, y),
    "convolution": _convolution,
    "batch_norm": _batch_norm,
    "moving_average": _moving_average,
    "layer_norm": _layer_norm,
    "mean": lambda node, x: x.to(_wider(node, x)).mean(-1),
    "sum": lambda node, x: x.to(_wider(node, x)).sum(-1),
    "cast": lambda node, x: x.to(_wider(node, x), copy=True),
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "cat": lambda node, *parts: torch.cat(parts, node.get("dim")),
    "relu": lambda _, x: torch.relu(x),
    "silu": lambda _, x: F.silu(x),
    "hardtanh": lambda node, x: F.hardtanh(x, node.get("min_val"), node.get("max_val")),
    "stop": lambda _, x: x.detach(),
    "add": lambda node, x, *y: torch.add(x, _other(node, y), alpha=node.get("alpha", 1)),
    "sub": lambda node, x, *y: torch.sub(x, _other(node, y), alpha=node.get("alpha", 1)),
    "mul": lambda node, x, *y: torch.mul(x, _other(node, y)),
    "div": lambda node, x, *y: torch.div(x, _other(node, y), rounding_mode=node.get("rounding_mode")),
}
