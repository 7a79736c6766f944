"""The layer table of a network, read off its graph: shapes, parameters, multiply-adds, receptive fields."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from repro.graph import LEAVES, Graph, Node, Shape, ancestors

_MOVES = frozenset(
    "view _unsafe_view reshape expand permute transpose t squeeze unsqueeze select slice unbind split split_with_sizes"
    " chunk clone alias detach lift_fresh".split()
)
_WINDOWED = frozenset({"convolution", "max_pool2d_with_indices", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d"})
_PADS = {"constant_pad_nd": "pad", "reflection_pad2d": "padding", "replication_pad2d": "padding"}
_MAPS = (4, 5)  # dimensions of a map: a normalisation across channels pools them as the third of three dimensions
_NAMES = {
    "convolution": "conv",
    "addmm": "linear",
    "mm": "linear",
    "native_batch_norm": "batch_norm",
    "_native_batch_norm_legit_no_training": "batch_norm",
    "native_group_norm": "group_norm",
    "native_layer_norm": "layer_norm",
    "max_pool2d_with_indices": "max_pool",
    "avg_pool2d": "avg_pool",
    "_adaptive_avg_pool2d": "avg_pool to",
}


@dataclass(frozen=True)
class Layer:
    """One operation.

    kind             what it is, with kernel, stride and groups where it has them: `conv 3x3/2 g32`
    output           its shape without the batch
    parameters       elements of the parameters that it is the first to read
    multiply_adds    of convolutions and matrix products, for one image; 0 for everything else
    receptive_field  (height, width) in pixels of the input that can reach one output element
    first            (row, column) of the input where that of the output element (0, 0) begins; negative in the padding
    step             (rows, columns) of the input between neighbouring output elements
    """

    path: str
    kind: str
    output: Shape
    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int]
    first: tuple[int, int]
    step: tuple[int, int]


@dataclass(frozen=True)
class _Field:
    """Receptive field, where the first one begins, distance between neighbours, and map size, per spatial dimension."""

    size: tuple[int, ...] = (1, 1)
    first: tuple[int, ...] = (0, 0)
    jump: tuple[int, ...] = (1, 1)
    extent: tuple[int, ...] = (1, 1)


def layers(graph: Graph) -> list[Layer]:
    """One row per operation, in execution order; views and copies are left out.

    graph: traced, not canonical, with one input of shape (batch, channels, height, width).
    """
    fields: dict[int, _Field] = {}
    counted: set[str] = set()
    rows: list[Layer] = []
    live = ancestors(graph.nodes, graph.outputs)
    batch = graph.input_shapes[0][0]
    for index, node in enumerate(graph.nodes):
        before = [fields[edge.node] for edge in node.inputs if edge.node in fields]
        if before or node.op == "input":  # what depends on parameters only sees no pixel
            fields[index] = _field(graph, node, before)
        if node.op in LEAVES or node.op in _MOVES or index not in live:
            continue
        new = {leaf.name: leaf.shape for leaf in _parameters(graph, node) if leaf.name not in counted}
        field = fields.get(index, _Field())
        counted.update(new)
        rows.append(
            Layer(
                path=node.path,
                kind=_kind(graph, node),
                output=node.shape[1:],
                parameters=sum(map(math.prod, new.values())),
                multiply_adds=multiply_adds(graph, node) // max(batch, 1),
                receptive_field=(field.size[0], field.size[1]),
                first=(field.first[0], field.first[1]),
                step=(field.jump[0], field.jump[1]),
            )
        )
    return rows


def parameter_count(graph: Graph) -> int:
    """Elements of all parameters, read or not, shared ones once."""
    leaves = (node for node in graph.nodes if node.op == "parameter")
    return sum(math.prod(node.shape) for node in leaves)


def multiply_adds(graph: Graph, node: Node) -> int:
    """Multiply-adds of one operation over the whole batch: convolutions and matrix products, biases not counted."""
    if node.op == "convolution":
        weight = graph.shape(node.inputs[1])
        return math.prod(graph.shape(node.inputs[0]) if node.get("transposed") else node.shape) * math.prod(weight[1:])
    if node.op in ("addmm", "mm", "bmm", "baddbmm"):
        inner = graph.shape(node.inputs[-1])[-2]
        return math.prod(node.shape) * inner
    return 0


def _parameters(graph: Graph, node: Node) -> list[Node]:
    found = []
    for edge in node.inputs:
        below = graph.node(edge)
        while below.op in _MOVES and below.inputs:
            below = graph.node(below.inputs[0])
        if below.op == "parameter":
            found.append(below)
    return found


def _window(graph: Graph, node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, stride, dilation and padding in the two last dimensions."""
    if node.op == "_adaptive_avg_pool2d":  # window i of n reaches from floor(i size / n) to ceil((i + 1) size / n)
        sizes = list(zip(graph.shape(node.inputs[0])[-2:], node.shape[-2:], strict=True))
        kernel = tuple(max(-((i + 1) * -size // n) - i * size // n for i in range(n)) for size, n in sizes)
        return kernel, tuple(max(size // n, 1) for size, n in sizes), (1, 1), (0, 0)
    kernel = graph.shape(node.inputs[1])[2:] if node.op == "convolution" else node.get("kernel_size")
    stride, dilation, padding = node.get("stride") or kernel, node.get("dilation") or (1, 1), node.get("padding")
    return tuple(kernel)[-2:], tuple(stride)[-2:], tuple(dilation)[-2:], tuple(padding)[-2:]


def _field(graph: Graph, node: Node, before: list[_Field]) -> _Field:
    """The field of what a node computes, from those of the operands that an input reaches."""
    extent = node.shape[-2:] if node.shapes and len(node.shape) in _MAPS else (1, 1)
    if not before:
        return _Field(extent=extent)
    seen = _moved(graph, node, _together(before))
    if node.op in _WINDOWED and len(node.shape) in _MAPS:
        kernel, stride, dilation, padding = _window(graph, node)
        size = tuple(s + (k - 1) * d * j for s, k, d, j in zip(seen.size, kernel, dilation, seen.jump, strict=True))
        first = tuple(f - p * j for f, p, j in zip(seen.first, padding, seen.jump, strict=True))
        return _Field(size, first, tuple(j * s for j, s in zip(seen.jump, stride, strict=True)), extent)
    if node.op in _MOVES:
        return seen if extent == (1, 1) else replace(seen, extent=extent)
    whole = len(node.shape) not in _MAPS
    if node.op == "mean" and node.get("dim"):
        rank = len(graph.shape(node.inputs[0]))
        whole = rank == 4 and {dim % rank for dim in node.get("dim")} >= {2, 3}
    if whole:  # a mean, or a matrix product over a flattened map, sees all of it at once
        size = tuple(s + (e - 1) * j for s, e, j in zip(seen.size, seen.extent, seen.jump, strict=True))
        return replace(seen, size=size, extent=extent)
    return replace(seen, extent=extent)


def _moved(graph: Graph, node: Node, seen: _Field) -> _Field:
    """The field after positions were added before a map, cut off it or skipped; elsewhere as it was."""
    added, every = [0, 0], [1, 1]
    if node.op in _PADS:  # amounts from the last dimension on, before and after in turn
        added = [*node.get(_PADS[node.op])[::2], 0, 0][:2][::-1]
    elif node.op == "slice" and len(node.shape) == 4 and node.get("dim") % 4 >= 2:
        rank, start = node.get("dim") % 4 - 2, node.get("start") or 0
        added[rank] = -(start if start >= 0 else start + graph.shape(node.inputs[0])[2 + rank])
        every[rank] = node.get("step")
    first = tuple(f - a * j for f, a, j in zip(seen.first, added, seen.jump, strict=True))
    return replace(seen, first=first, jump=tuple(j * e for j, e in zip(seen.jump, every, strict=True)))


def _together(fields: list[_Field]) -> _Field:
    """What several operands see together, each dimension for itself."""
    dimensions = range(len(fields[0].size))
    first = tuple(min(field.first[d] for field in fields) for d in dimensions)
    size = tuple(max(field.first[d] + field.size[d] for field in fields) - first[d] for d in dimensions)
    jump = tuple(max(field.jump[d] for field in fields) for d in dimensions)
    extent = tuple(max(field.extent[d] for field in fields) for d in dimensions)
    return _Field(size, first, jump, extent)


def _kind(graph: Graph, node: Node) -> str:
    name = _NAMES.get(node.op, node.op.lstrip("_"))
    if node.op == "_adaptive_avg_pool2d":
        name += f" {'x'.join(map(str, node.shape[-2:]))}"
    elif node.op in _WINDOWED and len(node.shape) == 4:
        kernel, stride, dilation, _ = _window(graph, node)
        name += f" {'x'.join(map(str, kernel))}"
        name += f"/{stride[0]}" if set(stride) != {1} else ""
        name += f" d{dilation[0]}" if set(dilation) != {1} else ""
        name += f" g{node.get('groups')}" if node.get("groups", 1) != 1 else ""
    return name
