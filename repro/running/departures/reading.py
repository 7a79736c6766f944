"""A traced network as a teacher reads it: its layers, poolings, additions and concatenations, and what follows each.

What follows one (normalisation, activation, dropout) belongs to it, so that two networks are compared layer by layer
and a ReLU that is missing is told of the layer that lacks it. Activations act on each element and batch normalisation
on each channel: done behind a concatenation they are done to each branch, and a monotone activation behind a max
pooling is the same as before it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from repro.graph import LEAVES, Edge, Graph, Node, Shape, ancestors
from repro.neighbours import PRODUCTS, called, holds

WEIGHTED = ("conv", "linear")
POOLS = ("max", "average")
JOINS = ("add", "cat")

ACTIVATIONS = {
    "relu": "ReLU",
    "hardtanh": "ReLU6",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "_prelu_kernel": "PReLU",
    "rrelu_with_noise": "RReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "softplus",
    "hardswish": "hard swish",
    "hardsigmoid": "hard sigmoid",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
}
_NORMS = {"native_group_norm": "group normalisation", "native_layer_norm": "layer normalisation"}
_SOFTMAX = {"_softmax": "softmax", "_log_softmax": "log-softmax"}


@dataclass(frozen=True)
class After:
    """What is done to the values of a part before the next one reads them: `ReLU`, `batch normalisation`, `dropout`.

    detail  its constants: epsilon, the rate of a dropout, (n, alpha, beta, k) of a response normalisation
    """

    name: str
    detail: tuple[float, ...] = ()


@dataclass(frozen=True)
class Part:
    """One layer, pooling, addition or concatenation.

    kind     `conv`, `linear`, `max`, `average`, `add`, `cat`; or torch's name of what joins two maps otherwise
    width    channels or units that it gives
    inputs   channels or units that it reads
    whole    whether its window is the whole map
    sources  the parts that it reads, by number; -1 is the image
    after    in order
    beside   whether it leads to another output only, as an auxiliary classifier does
    """

    kind: str
    path: str
    where: str
    width: int = 0
    inputs: int = 0
    kernel: Shape = ()
    stride: Shape = ()
    padding: Shape = ()
    groups: int = 1
    bias: bool = False
    ceil: bool = False
    whole: bool = False
    sources: tuple[int, ...] = ()
    after: tuple[After, ...] = ()
    beside: bool = False

    def has(self, name: str) -> After | None:
        """What is done to its values under that name; None if nothing is."""
        return next((each for each in self.after if each.name == name), None)

    @property
    def activation(self) -> str:
        """The name of its activation; empty if it has none."""
        return next((each.name for each in self.after if each.name in ACTIVATIONS.values()), "")

    @property
    def norm(self) -> After | None:
        """Its normalisation but for the response normalisation, which is told for itself."""
        return next((each for each in self.after if each.name.endswith(" normalisation")), None)


@dataclass
class _Reader:
    graph: Graph
    parts: list[Part] = field(default_factory=list)
    owner: dict[int, int] = field(default_factory=dict)  # node -> the part that its values are of
    padded: dict[int, Shape] = field(default_factory=dict)  # node -> what was added on each side of the map

    def read(self) -> list[Part]:
        graph, names = self.graph, called(self.graph)
        live = ancestors(graph.nodes, [("", edge) for edge in graph.returned])
        for index in sorted(live):
            node = graph.nodes[index]
            if node.op == "input":
                self.owner[index] = -1
            data = [edge for edge in node.inputs if edge.node in self.owner]
            if node.op in LEAVES or not data or holds(graph, index):
                continue
            part, after = self._part(node, data), _after(graph, node, names[index])
            if part is not None:
                self.parts.append(part)
                self.owner[index] = len(self.parts) - 1
                continue
            self.owner[index] = of = self.owner[data[0].node]
            if node.op == "constant_pad_nd" and len(node.shape) == 4:
                self.padded[index] = tuple(node.get("pad")[:4:2])[::-1]
            if after is not None and of >= 0:
                self.parts[of] = replace(self.parts[of], after=(*self.parts[of].after, after))
        return self.parts

    def _part(self, node: Node, data: Sequence[Edge]) -> Part | None:
        graph = self.graph
        sources = tuple(dict.fromkeys(self.owner[edge.node] for edge in data))
        before = graph.shape(data[0])
        part = functools.partial(Part, path=node.path, where=node.where, sources=sources)
        if node.op == "convolution":
            weight = graph.shape(node.inputs[1])
            kernel, stride, added = weight[2:], node.get("stride"), self.padded.get(data[0].node, (0, 0))
            padding = tuple(a + b for a, b in zip(node.get("padding"), added, strict=False))
            return part(
                "conv",
                width=weight[0],
                inputs=before[1],
                kernel=kernel,
                stride=stride,
                padding=padding,
                groups=node.get("groups"),
                bias=len(node.inputs) > 2,
                whole=before[2:] == kernel and set(padding) == {0},
            )
        if node.op in PRODUCTS:
            return part("linear", width=node.shape[-1], inputs=before[-1], bias=node.op == "addmm")
        if node.op in ("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "_adaptive_max_pool2d", "mean"):
            return _pool(node, before, part)
        if node.op == "cat" and len(data) > 1:
            return part("cat", width=node.shape[1] if len(node.shape) > 1 else 0)
        if len(data) > 1 and len(node.shape) in (2, 4) and len(sources) > 1:
            return part("add" if node.op == "add" else node.op, width=node.shape[1])
        if node.op == "add" and len(data) > 1 and len(node.shape) == 4 and node.inputs[0] != node.inputs[1]:
            return part("add", width=node.shape[1])
        return None


def _pool(node: Node, before: Shape, part: Callable[..., Part]) -> Part | None:
    if len(before) != 4 or (node.op == "mean" and len(node.shape) == 4 and node.shape[2:] == before[2:]):
        return None
    adaptive = node.op.startswith("_adaptive")
    if node.shape == before and (adaptive or set(before[2:]) == {1}):  # nothing is done
        return None
    whole = node.op == "mean" or set(node.shape[2:]) == {1}
    fixed = not whole and not adaptive
    return part(
        "max" if "max" in node.op else "average",
        width=before[1],
        inputs=before[1],
        kernel=tuple(node.get("kernel_size")) if fixed else before[2:],
        stride=tuple(node.get("stride") or node.get("kernel_size")) if fixed else (1, 1),
        padding=tuple(node.get("padding")) if fixed else (0, 0),
        ceil=bool(node.get("ceil_mode")),
        whole=whole,
    )


def _after(graph: Graph, node: Node, name: str) -> After | None:
    """What an operation does to the values of a part; None of a view, a factor, and what has no name for a reader."""
    if "batch_norm" in node.op:
        return After("batch normalisation", (node.get("eps"),))
    if node.op in _NORMS:
        return After(_NORMS[node.op], (node.get("eps"),))
    if node.op in ACTIVATIONS:
        return After(ACTIVATIONS[node.op])
    if node.op in _SOFTMAX:
        return After(_SOFTMAX[node.op])
    if name == "dropout":
        return After("dropout", (_rate(graph, node),))
    return After("LRN", _response(graph, node)) if name == "LRN" else None


def _rate(graph: Graph, node: Node) -> float:
    """Of the bernoulli draw that a dropout multiplies with, which is of what it keeps."""
    return next((round(1 - each.get("p"), 6) for each in _back(graph, node.inputs[-1]) if each.op == "bernoulli"), 0.5)


def _response(graph: Graph, node: Node) -> tuple[float, ...]:
    """n, alpha / n, beta and k of the divisor of a response normalisation."""
    found: dict[str, float] = {}
    for each in _back(graph, node.inputs[-1]):
        kernel = each.get("kernel_size")
        value = max(kernel) if kernel else each.get("other", each.get("exponent"))
        found.setdefault("pool" if kernel else each.op, value or 0.0)
    size = found.get("pool", 1)
    return tuple(
        float(f"{each:.3g}") for each in (size, found.get("mul", 1) / size, found.get("pow", 1), found.get("add", 0))
    )


def _back(graph: Graph, edge: Edge) -> Iterator[Node]:
    """What computes an operand, back along the first operands to what is no arithmetic of constants."""
    node = graph.node(edge)
    while node.op in ("div", "bernoulli", "expand", "pow", "add", "mul", "squeeze", "view", "avg_pool3d", "avg_pool2d"):
        yield node
        if not node.inputs or node.op in ("avg_pool3d", "avg_pool2d"):
            return
        node = graph.node(node.inputs[0])


def read(graph: Graph) -> list[Part]:
    """The parts of a traced network, each after what it reads, in an order that its function sets and not its text."""
    parts = _carried(_Reader(graph).read())
    readers = _readers(parts)
    depth: list[int] = []
    for part in parts:
        depth.append(1 + max((depth[source] for source in part.sources if source >= 0), default=0))
    ends = sorted((index for index, found in enumerate(readers) if not found), key=lambda i: -depth[i])
    order = _order(parts, readers, depth, ends)
    main = set(_order(parts, readers, depth, ends[:1]))
    number = {old: new for new, old in enumerate(order)}
    found = [
        replace(parts[i], sources=tuple(number.get(s, -1) for s in parts[i].sources), beside=i not in main)
        for i in order
    ]
    joins = [index for index, part in enumerate(found) if part.kind in JOINS and not part.beside]
    start = joins[-1] + 1 if joins else 0
    # Behind the last branch, a convolution of the whole map is a fully connected layer (VGG, arXiv:1409.1556, 3.2).
    return found[:start] + [replace(p, kind="linear") if p.kind == "conv" and p.whole else p for p in found[start:]]


def _carried(parts: list[Part]) -> list[Part]:
    """With what is done behind a concatenation or a max pooling told of what it is done to."""
    readers = _readers(parts)
    for index in reversed(range(len(parts))):
        part = parts[index]
        behind = [parts[reader] for reader in readers[index]]
        if part.activation or len(behind) != 1 or behind[0].kind not in ("max", "cat"):
            continue
        if behind[0].kind == "cat":
            done = tuple(
                x for x in behind[0].after if x.name == "batch normalisation" or x.name == behind[0].activation
            )
        else:
            norm = behind[0].norm
            done = tuple(x for x in behind[0].after if x.name == behind[0].activation and norm is None)
        parts[index] = replace(part, after=(*part.after, *done))
    return [replace(part, after=()) if part.kind == "cat" else _plain(part) for part in parts]


def _plain(part: Part) -> Part:
    if part.kind != "max" or part.norm is not None:
        return part
    return replace(part, after=tuple(each for each in part.after if each.name != part.activation))


def _readers(parts: Sequence[Part]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in parts]
    for index, part in enumerate(parts):
        for source in part.sources:
            if source >= 0:
                found[source].append(index)
    return found


def _order(
    parts: Sequence[Part], readers: Sequence[Sequence[int]], depth: Sequence[int], ends: Sequence[int]
) -> list[int]:
    """Depth first from the ends; of a sum the longer way first, of a concatenation the branches by what they are."""
    order: list[int] = []
    seen: set[int] = set()
    stack = [(index, False) for index in reversed(ends)]
    while stack:
        index, ready = stack.pop()
        if ready:
            order.append(index)
        elif index >= 0 and index not in seen:
            seen.add(index)
            stack.append((index, True))
            sources = list(parts[index].sources)
            if parts[index].kind == "cat":
                sources.sort(key=lambda i: _branch(parts, readers, i))
            elif len(sources) > 1:
                sources.sort(key=lambda i: -depth[i] if i >= 0 else 0)
            stack.extend((source, False) for source in reversed(sources))
    return order


def _branch(parts: Sequence[Part], readers: Sequence[Sequence[int]], index: int) -> tuple[int, int, int]:
    """What a branch is: whether it pools, how many layers it has back to where the ways part, their largest kernel."""
    pools = length = largest = 0
    while index >= 0:
        part = parts[index]
        pools |= part.kind in POOLS
        length += part.kind in WEIGHTED
        largest = max(largest, *part.kernel) if part.kind == "conv" else largest
        source = part.sources[0] if len(part.sources) == 1 else -1
        index = source if source >= 0 and len(readers[source]) == 1 else -1
    return pools, length, largest
