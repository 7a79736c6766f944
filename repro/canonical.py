"""Rewrites under which programs that are equal in exact arithmetic become equal graphs.

Every rewrite is one small function with its proof obligation in its docstring: why both sides are the same function
of every input of the traced shape. In-place operations are already gone (`repro.graph` functionalises), and a
program's dead code and repeated subexpressions go here: a node stands for a value, not for a line of code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from repro.graph import LEAVES, NORM_OPERANDS, Edge, Graph, Node, Shape, ancestors, is_random
from repro.movement import Movement, merge, of_view, reshape, rowwise, sorted_rows, split

Rewrite = Callable[["Builder", Node], Edge | None]

_REWRITES: dict[str, list[Rewrite]] = {}

_COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum"})

VIEWS = frozenset(
    "view _unsafe_view reshape _reshape_alias expand permute transpose t squeeze unsqueeze select slice unbind split"
    " split_with_sizes chunk diagonal unfold".split()
)
_COPIES = frozenset("clone alias detach contiguous lift_fresh lift_fresh_copy _to_copy".split())
_UNARY = frozenset(
    "relu sigmoid tanh gelu silu hardtanh hardswish hardsigmoid elu leaky_relu softplus mish exp log neg abs sqrt rsqrt"
    " stop reciprocal pow erf sin cos clamp clamp_min clamp_max".split()
)
_BINARY = frozenset("add mul sub div maximum minimum".split())


def rewrite(*ops: str) -> Callable[[Rewrite], Rewrite]:
    """Try the decorated function on every node with one of these operations."""

    def register(function: Rewrite) -> Rewrite:
        for op in ops:
            _REWRITES.setdefault(op, []).append(function)
        return function

    return register


def canonical(graph: Graph) -> Graph:
    """The canonical form of a traced graph: same function, every node with one output, `origin` pointing back."""
    builder = Builder(graph)
    image: dict[Edge, Edge] = {}
    for index in sorted(ancestors(graph.nodes, graph.outputs)):
        node = graph.nodes[index]
        inputs = tuple(image[edge] for edge in node.inputs)
        for output, shape in enumerate(node.shapes):
            which = (("output", output),) if len(node.shapes) > 1 else ()
            attributes, dtypes = node.attributes + which, (node.dtypes[output],)
            single = replace(node, inputs=inputs, shapes=(shape,), dtypes=dtypes, attributes=attributes)
            image[Edge(index, output)] = builder.add(single)
    outputs = tuple((label, image[edge]) for label, edge in graph.outputs)
    return builder.finish(outputs)


class Builder:
    """A graph under construction, in which equal nodes are one node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self._known: dict[Any, Edge] = {}
        self._random = {index for index, (func, *_) in graph.calls.items() if is_random(func)}

    def __getitem__(self, edge: Edge) -> Node:
        return self.nodes[edge.node]

    def add(self, node: Node) -> Edge:
        """Rewrite `node` as far as it goes and return where its value is."""
        for rule in _REWRITES.get(node.op, ()):
            edge = rule(self, node)
            if edge is not None:
                return edge
        call = node.origin if node.origin in self._random else None  # no two draws are the same value
        key = (node.op, node.attributes, node.inputs, node.shapes, node.dtypes, node.name, call)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Edge(len(self.nodes))
            self.nodes.append(node)
        return known

    def emit(self, like: Node, op: str, inputs: tuple[Edge, ...], shape: Shape, **attributes: Any) -> Edge:
        """Add a node that stands where `like` stood."""
        pairs = tuple(attributes.items())
        return self.add(replace(like, op=op, inputs=inputs, shapes=(shape,), attributes=pairs, name=""))

    def move(self, like: Node, edge: Edge, movement: Movement) -> Edge:
        """Add a movement of the value at `edge`."""
        like = replace(like, dtypes=(self[edge].dtype,))
        return self.emit(like, "movement", (edge,), movement.shape, movement=movement)

    def reshape(self, like: Node, edge: Edge, shape: Shape) -> Edge:
        """Add a reshape of the value at `edge`."""
        return self.move(like, edge, reshape(self[edge].shape, shape))

    def finish(self, outputs: tuple[tuple[str, Edge], ...]) -> Graph:
        """The graph of what the outputs depend on."""
        keep = sorted(ancestors(self.nodes, outputs))
        place = {index: Edge(position) for position, index in enumerate(keep)}
        nodes = tuple(
            replace(self.nodes[index], inputs=tuple(place[edge.node] for edge in self.nodes[index].inputs))
            for index in keep
        )
        # `calls` stay those of the traced graph, which `origin` indexes: repro.evaluate makes them again.
        return replace(self.graph, nodes=nodes, outputs=tuple((label, place[edge.node]) for label, edge in outputs))


def without(node: Node, *names: str) -> dict[str, Any]:
    """The attributes of a node but for these."""
    return {name: value for name, value in node.attributes if name not in names}


def commutes(node: Node) -> bool:
    """Whether its two operands may change places."""
    return node.op in _COMMUTATIVE and len(node.inputs) == 2 and node.get("alpha", 1) == 1


@rewrite(*VIEWS)
def views_are_movements(b: Builder, n: Node) -> Edge | None:
    """A view reads elements of its input and computes nothing; torch itself is asked which, by strides."""
    source = b[n.inputs[0]].shape
    if n.dtype != b[n.inputs[0]].dtype:  # view(dtype) reads the bits as something else
        return None
    if n.op in ("view", "_unsafe_view", "reshape", "_reshape_alias"):
        return b.reshape(n, n.inputs[0], n.shape)
    operation = getattr(torch.ops.aten, n.op)
    views = operation(torch.empty(source, device="meta"), **without(n, "output"))
    view = views if isinstance(views, torch.Tensor) else views[n.get("output", 0)]
    return b.move(n, n.inputs[0], of_view(source, view))


@rewrite("detach")
def gradients_stop_in_training(b: Builder, n: Node) -> Edge | None:
    """A detached value is the same value, but training is about derivatives too; only what has none is left alone."""
    source = b[n.inputs[0]]
    if not b.graph.training or source.op in ("buffer", "constant", "stop"):
        return None
    return b.emit(n, "stop", n.inputs, n.shape) if n.dtype.is_floating_point else None


@rewrite(*_COPIES)
def copies_are_nothing(b: Builder, n: Node) -> Edge | None:
    """A copy has its source's values; one that changes the dtype is kept as a cast."""
    return n.inputs[0] if n.dtype == b[n.inputs[0]].dtype else b.emit(n, "cast", n.inputs, n.shape)


@rewrite("copy")
def overwriting_is_the_new_value(b: Builder, n: Node) -> Edge | None:
    """What was written over is gone, if all of it was and by values of the same dtype."""
    new = b[n.inputs[1]]
    return n.inputs[1] if (new.shape, new.dtype) == (n.shape, n.dtype) else None


@rewrite("movement")
def movements_compose(b: Builder, n: Node) -> Edge | None:
    """Moving what was moved is one movement (`Movement.then`), and one that moves nothing is its input."""
    movement: Movement = n.get("movement")
    if movement.is_identity:
        return n.inputs[0]
    before = b[n.inputs[0]]
    both = before.get("movement").then(movement) if before.op == "movement" else None
    return b.move(n, before.inputs[0], both) if both is not None else None


@rewrite(*_UNARY, *_BINARY)
def movements_sink_below_elementwise(b: Builder, n: Node) -> Edge | None:
    """f acts on each element alone, so f(move(x)) = move(f(x)); for two operands if both are moved alike."""
    movements = [b[edge].get("movement") for edge in n.inputs]
    first = movements[0]
    if first is None or any(movement != first for movement in movements):
        return None
    sources = tuple(b[edge].inputs[0] for edge in n.inputs)
    if _is_parameter(b, sources[0]):
        return None
    return b.move(n, b.add(replace(n, inputs=sources, shapes=(first.source,))), first)


@rewrite(*_BINARY)
def broadcasting_is_explicit(b: Builder, n: Node) -> Edge | None:
    """Broadcasting aligns shapes on the right, so an operand of lower rank has leading ones."""
    rank = len(n.shape)
    ranks = [len(b[edge].shape) for edge in n.inputs]
    if all(r == rank for r in ranks):
        return None
    full = (b.reshape(n, edge, (1,) * (rank - len(b[edge].shape)) + b[edge].shape) for edge in n.inputs)
    return b.add(replace(n, inputs=tuple(full)))


@rewrite("add", "sub", "mul", "div")
def scalars_are_attributes(b: Builder, n: Node) -> Edge | None:
    """A constant with one element is a number; adding 0 and multiplying by 1 do nothing; alpha=1 is no factor."""
    if n.get("alpha", 0) == 1:
        return b.add(replace(n, attributes=tuple(pair for pair in n.attributes if pair[0] != "alpha")))
    if len(n.inputs) == 2 and b[n.inputs[1]].op == "constant" and math.prod(b[n.inputs[1]].shape) == 1:
        number = b.graph.constants[b[n.inputs[1]].name].item()
        if (b[n.inputs[0]].shape, b[n.inputs[0]].dtype) == (n.shape, n.dtype):
            return b.add(replace(n, inputs=n.inputs[:1], attributes=(*n.attributes, ("other", number))))
    neutral = 0 if n.op in ("add", "sub") else 1
    if len(n.inputs) != 1 or n.get("other") != neutral or n.get("rounding_mode") or b[n.inputs[0]].dtype != n.dtype:
        return None
    return n.inputs[0]


@rewrite("mul")
def silu_by_hand(b: Builder, n: Node) -> Edge | None:
    """silu(x) is x sigmoid(x) by definition."""
    for x, other in (n.inputs, n.inputs[::-1]) if len(n.inputs) == 2 else ():
        if b[other].op == "sigmoid" and b[other].inputs[0] == x:
            return b.emit(n, "silu", (x,), n.shape)
    return None


@rewrite("relu")
def relu_is_idempotent(b: Builder, n: Node) -> Edge | None:
    """relu(relu(x)) = relu(x), and so is its derivative where there is one."""
    return n.inputs[0] if b[n.inputs[0]].op == "relu" else None


@rewrite("mul")
def dropout_by_hand(b: Builder, n: Node) -> Edge | None:
    """Dropout is x times m / q, where m is drawn from {0, 1} with mean q; its node stands where m is drawn."""
    for x, other in (n.inputs, n.inputs[::-1]) if len(n.inputs) == 2 else ():
        noise = b[other]
        drawn = b[noise.inputs[0]] if noise.op == "div" and len(noise.inputs) == 1 else noise
        scaled = drawn.get("p") is not None and noise.get("other") == drawn.get("p") and not noise.get("rounding_mode")
        if drawn.op == "bernoulli" and scaled and b[x].shape == n.shape:
            return b.emit(drawn, "dropout", (x,), n.shape, p=round(1 - drawn.get("p"), 12), noise=drawn.shape)
    return None


@rewrite("native_dropout")
def fused_dropout(b: Builder, n: Node) -> Edge | None:
    """The same in one operation."""
    if n.get("output") != 0 or not n.get("train"):
        return None
    return b.emit(n, "dropout", n.inputs, n.shape, p=round(n.get("p"), 12), noise=n.shape)


@rewrite("dropout")
def dropout_counts_elements(b: Builder, n: Node) -> Edge | None:
    """Every element is drawn for by itself, in memory order, so that a reshape may come before or after."""
    before = b[n.inputs[0]]
    if before.op != "movement" or not before.get("movement").is_reshape or n.get("noise") != n.shape:
        return None
    source = before.get("movement").source
    dropped = b.emit(n, "dropout", before.inputs, source, p=n.get("p"), noise=source)
    return b.reshape(n, dropped, n.shape)


@rewrite("pow")
def squares_are_products(b: Builder, n: Node) -> Edge | None:
    """x to the power 2 is x x."""
    return b.emit(n, "mul", (n.inputs[0], n.inputs[0]), n.shape) if n.get("exponent") == 2 else None


@rewrite("clamp", "clamp_min")
def clamping_at_zero_is_relu(b: Builder, n: Node) -> Edge | None:
    """relu(x) = max(x, 0)."""
    return b.emit(n, "relu", n.inputs, n.shape) if n.get("min") == 0 and n.get("max") is None else None


@rewrite("clamp")
def clamping_is_hardtanh(b: Builder, n: Node) -> Edge | None:
    """hardtanh(x) = min(max(x, low), high)."""
    low, high = n.get("min"), n.get("max")
    if low is None or high is None or len(n.inputs) > 1:
        return None
    return b.emit(n, "hardtanh", n.inputs, n.shape, min_val=low, max_val=high)


@rewrite("cat")
def cat_is_flat(b: Builder, n: Node) -> Edge | None:
    """Concatenating a concatenation along the same dimension concatenates its parts; one part alone is itself."""
    dim = n.get("dim") % len(n.shape)
    if len(n.inputs) == 1:
        return n.inputs[0]
    parts: list[Edge] = []
    for edge in n.inputs:
        inner = b[edge]
        parts.extend(inner.inputs if inner.op == "cat" and inner.get("dim") == dim else (edge,))
    if tuple(parts) == n.inputs and n.attributes == (("dim", dim),):
        return None
    return b.emit(n, "cat", tuple(parts), n.shape, dim=dim)


@rewrite("addmm", "mm")
def matrix_product_with_a_weight_is_linear(b: Builder, n: Node) -> Edge | None:
    """linear(x, w, b) = x w^T + b by definition; here the product's second factor is a (moved) parameter."""
    *bias, x, weight = n.inputs
    if not _is_parameter(b, weight) or (bias and (n.get("alpha") != 1 or n.get("beta") != 1)):
        return None
    if bias and b[bias[0]].shape != n.shape[1:]:
        return None
    columns, rows = b[weight].shape
    transposed = b.move(n, weight, of_view((columns, rows), torch.empty(columns, rows, device="meta").t()))
    return b.emit(n, "linear", (x, transposed, *bias), n.shape, bias=bool(bias))


@rewrite("bmm")
def batched_product_with_one_weight_is_linear(b: Builder, n: Node) -> Edge | None:
    """If every matrix of the batch meets the same weight, the rows of all of them do: one linear map."""
    x, weights = n.inputs
    moved = b[weights].get("movement")
    if moved is None or not _is_parameter(b, weights):
        return None
    batch, inner, columns = b[weights].shape
    rows = n.shape[0] * n.shape[1]
    digits = moved.digits if batch == 1 else moved.digits[1:]
    if batch > 1 and moved.digits[:1] != ((batch, 0),):
        return None
    one = b.move(n, b[weights].inputs[0], Movement(moved.source, (inner, columns), digits, moved.offset))
    product = b.emit(n, "mm", (b.reshape(n, x, (rows, inner)), one), (rows, columns))
    return b.reshape(n, product, n.shape)


@rewrite("add")
def adding_a_vector_to_linear_is_its_bias(b: Builder, n: Node) -> Edge | None:
    """linear(x, w) + v = linear(x, w, v) for a vector v along the last dimension, also after rows were moved."""
    plain = len(n.inputs) == 2 and len(n.shape) > 0 and n.get("alpha", 1) == 1
    for x, vector in (n.inputs, n.inputs[::-1]) if plain else ():
        moved = b[x].get("movement")
        product = b[x] if moved is None else b[b[x].inputs[0]]
        width = n.shape[-1]
        along = b[vector].shape == (1,) * (len(n.shape) - 1) + (width,) and _is_parameter(b, vector)
        if product.op != "linear" or product.get("bias") or not along or b[x].shape != n.shape:
            continue
        if product.shape[-1] != width or (moved is not None and rowwise(moved, width) is None):
            continue
        inputs = (*product.inputs, b.reshape(n, vector, (width,)))
        mapped = b.emit(n, "linear", inputs, product.shape, bias=True)
        return mapped if moved is None else b.move(n, mapped, moved)
    return None


@rewrite("linear")
def linear_moves_rows_along(b: Builder, n: Node) -> Edge | None:
    """Each row is mapped alone, so selecting or permuting rows before or after is the same."""
    x, weight, *bias = n.inputs
    moved = b[x].get("movement")
    outputs, width = b[weight].shape
    rows = rowwise(moved, width) if moved is not None else None
    if rows is None or rows.is_reshape:
        return None
    count = rows.source[0]
    source = b.reshape(n, b[x].inputs[0], (count, width))
    mapped = b.emit(n, "linear", (source, weight, *bias), (count, outputs), bias=bool(bias))
    return b.move(n, mapped, _rows_of(rows, outputs, n.shape))


@rewrite("linear")
def linear_takes_rows_in_memory_order(b: Builder, n: Node) -> Edge | None:
    """Each row is mapped alone, so the rows of a rearranged source may come in the order in which it holds them."""
    x, weight, *bias = n.inputs
    moved = b[x].get("movement")
    outputs, width = b[weight].shape
    found = sorted_rows(moved, width) if moved is not None else None
    if found is None:
        return None
    ordered, back = found
    source = b.move(n, b[x].inputs[0], ordered)
    mapped = b.emit(n, "linear", (source, weight, *bias), (ordered.shape[0], outputs), bias=bool(bias))
    return b.move(n, mapped, _rows_of(back, outputs, n.shape))


@rewrite("linear")
def columns_moved_alike_are_not_moved(b: Builder, n: Node) -> Edge | None:
    """A row's products are summed over its columns, which may come in any order if the weight's come in the same.

    Done only where the weight comes simpler of it, having been moved as the input was. A program that flattens its maps
    in another order than its weight was made for is another network, until the weight is moved as well.
    """
    x, weight, *bias = n.inputs
    moved = b[x].get("movement")
    outputs, width = b[weight].shape
    parts = split(moved.digits, width) if moved is not None and _is_parameter(b, weight) else None
    if parts is None:
        return None
    columns = Movement((width,), (width,), merge(parts[1]))
    if columns.is_identity or not columns.is_bijective:
        return None
    back = Movement(b[weight].shape, b[weight].shape, merge([(outputs, width), *columns.inverse().digits]))
    restored = b.move(n, weight, back)
    if _moves(b, restored) >= _moves(b, weight):
        return None
    ordered = b.move(n, b[x].inputs[0], replace(moved, digits=merge([*parts[0], (width, 1)])))
    return b.emit(n, "linear", (ordered, restored, *bias), n.shape, bias=bool(bias))


def _moves(b: Builder, edge: Edge) -> int:
    """How much a value was moved: 0 for one that was not."""
    moved = b[edge].get("movement")
    return 0 if moved is None else len(moved.digits)


@rewrite("convolution")
def convolution_has_full_attributes(b: Builder, n: Node) -> Edge | None:
    """One number stands for all spatial dimensions; without transposition there is no output padding."""
    if n.get("bias", n) is None or n.get("output_padding") is not None:
        spatial = len(n.shape) - 2
        attributes = without(n, "bias", "output_padding")
        attributes.update({name: _each(attributes[name], spatial) for name in ("stride", "padding", "dilation")})
        if n.get("transposed"):
            attributes["padding_out"] = _each(n.get("output_padding"), spatial)
        return b.emit(n, "convolution", n.inputs, n.shape, **attributes)
    return None


@rewrite("convolution")
def zero_padding_is_the_convolutions(b: Builder, n: Node) -> Edge | None:
    """A convolution pads with zeros, so zeros padded alike on both sides before it are its own padding."""
    before = b[n.inputs[0]]
    if before.op != "constant_pad_nd" or before.get("value") != 0 or n.get("transposed"):
        return None
    pad = before.get("pad")
    spatial = len(n.shape) - 2
    sides = [(pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)]
    if len(sides) > spatial or any(left != right or left < 0 for left, right in sides):
        return None
    extra = [left for left, _ in sides] + [0] * (spatial - len(sides))
    padding = tuple(own + more for own, more in zip(n.get("padding"), reversed(extra), strict=True))
    attributes = without(n) | {"padding": padding}
    return b.emit(n, "convolution", (before.inputs[0], *n.inputs[1:]), n.shape, **attributes)


@rewrite("add")
def adding_along_channels_to_convolution_is_its_bias(b: Builder, n: Node) -> Edge | None:
    """convolution(x, w) + v = convolution(x, w, v) for a v along the channels, also after both were moved alike."""
    plain = len(n.inputs) == 2 and n.get("alpha", 1) == 1
    for x, vector in (n.inputs, n.inputs[::-1]) if plain else ():
        moved = b[x].get("movement")
        product = b[x] if moved is None else b[b[x].inputs[0]]
        channels = product.shape[1] if product.op == "convolution" and len(product.inputs) == 2 else 0
        if not _is_parameter(b, vector) or math.prod(b[vector].shape) != channels or b[x].shape != n.shape:
            continue
        over_maps = torch.empty(channels, device="meta").view(-1, *(1,) * (len(product.shape) - 2))
        bias = of_view((channels,), over_maps.expand(product.shape))
        given = of_view((channels,), torch.empty(b[vector].shape, device="meta").expand(n.shape))
        if (bias if moved is None else bias.then(moved)) != given:
            continue
        inputs = (*product.inputs, b.reshape(n, vector, (channels,)))
        summed = b.emit(n, "convolution", inputs, product.shape, **without(product))
        return summed if moved is None else b.move(n, summed, moved)
    return None


@rewrite("convolution")
def convolution_over_the_whole_map_is_linear(b: Builder, n: Node) -> Edge | None:
    """A kernel that covers the whole unpadded map has one position: a linear map of the flattened input."""
    x, weight, *bias = n.inputs
    batch, channels, *size = b[x].shape if len(b[x].shape) == len(n.shape) else (0, 0)
    outputs, _, *kernel = b[weight].shape
    if size != kernel or n.get("groups") != 1 or any(n.get("padding")) or n.get("transposed"):
        return None
    width = channels * math.prod(kernel)
    flat, matrix = b.reshape(n, x, (batch, width)), b.reshape(n, weight, (outputs, width))
    mapped = b.emit(n, "linear", (flat, matrix, *bias), (batch, outputs), bias=bool(bias))
    return b.reshape(n, mapped, n.shape)


@rewrite(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_native_batch_norm_legit_functional",
    "cudnn_batch_norm",
)
def batch_norm(b: Builder, n: Node) -> Edge | None:
    """All spellings normalise by the running statistics in eval, by the batch's in training; momentum has no part."""
    if n.get("output") != 0:
        return None
    attributes = {"training": bool(n.get("training", False)), "eps": n.get("eps", n.get("epsilon"))}
    absent = {name: None for name in NORM_OPERANDS if n.get(name, n) is None}
    return b.emit(n, "batch_norm", n.inputs, n.shape, **attributes, **absent)


@rewrite("_native_batch_norm_legit_functional")
def moving_average(b: Builder, n: Node) -> Edge | None:
    """The new running statistics: (1 - momentum) times the old ones plus momentum times those of the batch."""
    statistic = {3: "mean", 4: "variance"}.get(n.get("output"))
    if statistic is None:
        return None
    old = n.inputs[-2] if statistic == "mean" else n.inputs[-1]
    return b.emit(n, "moving_average", (n.inputs[0], old), n.shape, statistic=statistic, momentum=n.get("momentum"))


@rewrite("native_layer_norm")
def layer_norm(b: Builder, n: Node) -> Edge | None:
    """The normalised dimensions are the last ones: each row of that many elements is normalised alone."""
    if n.get("output") != 0:
        return None
    normalised: Shape = n.get("normalized_shape")
    width = math.prod(normalised)
    x, *affine = n.inputs
    rows = b.reshape(n, x, (math.prod(n.shape) // width, width))
    flat = tuple(b.reshape(n, edge, (width,)) for edge in affine)
    attributes = without(n, "output", "normalized_shape")
    return b.reshape(n, b.emit(n, "layer_norm", (rows, *flat), b[rows].shape, **attributes), n.shape)


@rewrite("layer_norm")
def layer_norm_moves_rows_along(b: Builder, n: Node) -> Edge | None:
    """Each row is normalised alone, so selecting or permuting rows before or after is the same."""
    x, *affine = n.inputs
    moved = b[x].get("movement")
    width = n.shape[-1]
    rows = rowwise(moved, width) if moved is not None else None
    if rows is None or rows.is_reshape:
        return None
    source = b.reshape(n, b[x].inputs[0], (rows.source[0], width))
    normed = b.add(replace(n, inputs=(source, *affine), shapes=((rows.source[0], width),)))
    return b.move(n, normed, _rows_of(rows, width, n.shape))


@rewrite("mean", "sum")
def reductions_are_over_rows(b: Builder, n: Node) -> Edge | None:
    """Moving the reduced dimensions last and flattening them changes no sum; kept dimensions have size 1."""
    if n.get("rows"):
        return None
    source = b[n.inputs[0]].shape
    dims = n.get("dim") or range(len(source))
    reduced = sorted(dim % len(source) for dim in ((dims,) if isinstance(dims, int) else dims))
    kept = [dim for dim in range(len(source)) if dim not in reduced]
    view = torch.empty(source, device="meta").permute([*kept, *reduced])
    moved = b.move(n, n.inputs[0], of_view(source, view))
    count, width = math.prod(source[dim] for dim in kept), math.prod(source[dim] for dim in reduced)
    if width == 1 and n.dtype == b[n.inputs[0]].dtype:
        return b.reshape(n, moved, n.shape)
    flat = b.reshape(n, moved, (count, width))
    return b.reshape(n, b.emit(n, n.op, (flat,), (count,), rows=True, dtype=n.get("dtype")), n.shape)


@rewrite("max_pool2d_with_indices", "max_pool2d", "avg_pool2d")
def pooling_has_full_attributes(b: Builder, n: Node) -> Edge | None:
    """The stride defaults to the kernel; rounding up matters only where it adds a window; no padding, none to count."""
    if n.get("output", 0) != 0 or n.get("windows"):
        return None
    kernel = _each(n.get("kernel_size"), 2)
    stride = _each(n.get("stride") or kernel, 2)
    padding, dilation = _each(n.get("padding"), 2), _each(n.get("dilation", 1), 2)
    size = b[n.inputs[0]].shape[-2:]
    reach = [s + 2 * p - d * (k - 1) - 1 for s, p, d, k in zip(size, padding, dilation, kernel, strict=True)]
    floor = tuple(r // s + 1 for r, s in zip(reach, stride, strict=True))
    rounded_up = floor != n.shape[-2:]
    attributes = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "ceil_mode": rounded_up,
        "windows": floor,
    }
    if n.op == "avg_pool2d":
        attributes["count_include_pad"] = bool(n.get("count_include_pad")) or not (any(padding) or rounded_up)
        attributes["divisor_override"] = n.get("divisor_override")
        return b.emit(n, "avg_pool2d", n.inputs, n.shape, **attributes)
    return b.emit(n, "max_pool2d", n.inputs, n.shape, **attributes, dilation=dilation)


@rewrite("max_pool2d")
def padding_is_never_the_largest(b: Builder, n: Node) -> Edge | None:
    """Minus infinity around a map is what a max pooling pads with itself, and what a window past the edge finds there.

    The windows begin where they began, and there are as many: `n.shape` says so. That is a pooling if rounding down or
    up gives that number.
    """
    before = b[n.inputs[0]]
    pad = before.get("pad", ())
    if before.op != "constant_pad_nd" or before.get("value") != -math.inf or len(pad) != 4 or min(pad) < 0:
        return None
    kernel, stride, dilation = n.get("kernel_size"), n.get("stride"), n.get("dilation")
    padding = tuple(own + more for own, more in zip(n.get("padding"), (pad[2], pad[0]), strict=True))
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        return None
    size = torch.empty(1, 1, *b[before.inputs[0]].shape[-2:], device="meta")
    pooled = [torch.max_pool2d(size, kernel, stride, padding, dilation, up).shape for up in (False, True)]
    if not any(n.shape[-2:] == shape[-2:] for shape in pooled):
        return None
    attributes = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return b.emit(n, "max_pool2d", before.inputs, n.shape, **attributes)


@rewrite("avg_pool2d")
def average_of_the_whole_map_is_a_mean(b: Builder, n: Node) -> Edge | None:
    """One window that covers the map without padding averages the map; a window of one pixel averages nothing."""
    source = b[n.inputs[0]].shape
    if any(n.get("padding")) or n.get("divisor_override") or n.get("ceil_mode"):
        return None
    if n.get("kernel_size") == source[-2:]:
        return b.emit(n, "mean", n.inputs, n.shape, dim=(-2, -1), keepdim=True, dtype=None)
    return n.inputs[0] if n.get("kernel_size") == n.get("stride") == (1, 1) else None


@rewrite("_adaptive_avg_pool2d")
def adaptive_pooling(b: Builder, n: Node) -> Edge | None:
    """Where the size divides, the windows are equal and disjoint: plain pooling with that kernel and stride."""
    size, target = b[n.inputs[0]].shape[-2:], n.shape[-2:]
    if any(before % after for before, after in zip(size, target, strict=True)):
        return None
    kernel = tuple(before // after for before, after in zip(size, target, strict=True))
    plain = {"padding": (0, 0), "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    return b.emit(n, "avg_pool2d", n.inputs, n.shape, kernel_size=kernel, stride=kernel, **plain)


def _is_parameter(b: Builder, edge: Edge) -> bool:
    """Whether a value is a parameter or buffer, perhaps moved."""
    node = b[edge]
    return node.op in LEAVES[1:3] or (node.op == "movement" and b[node.inputs[0]].op in LEAVES[1:3])


def _rows_of(rows: Movement, width: int, shape: Shape) -> Movement:
    """The movement that moves whole rows of `width` elements as `rows` moves single ones."""
    digits = tuple((size, stride * width) for size, stride in rows.digits)
    whole = Movement((rows.source[0], width), shape, (*digits, (width, 1)), rows.offset * width)
    return reshape(whole.source, whole.source).then(whole) or whole


def _each(value: Any, dimensions: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * dimensions if len(values) == 1 else values
