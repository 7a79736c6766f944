"""What a paper prints of a network, measured on its graph: sizes, counts, costs, depths.

Each measure is a function of a subject, the traced network, and of a place in it: the path of a module, several of them
with spaces between, or "" for all of it. The conventions are the papers': a layer is what has weights, and bias,
normalisation, pooling and addition cost nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from repro.errors import ReproError
from repro.graph import LEAVES, Edge, Graph, Node, ancestors
from repro.layers import multiply_adds as node_multiply_adds
from repro.neighbours import ACROSS, PRODUCTS, VIEWS, after, called, holds, upstream


@dataclass(frozen=True)
class Subject:
    """A network as it is measured.

    graph           traced in eval mode at the input size that it was made for
    training        traced in train mode
    initialisation  pattern of parameter keys -> the law that they are drawn from, as declared beside the init function
    """

    graph: Graph
    training: Graph
    initialisation: Mapping[str, str]

    def around(self, at: str) -> Graph:
        """The graph that a place is in: that of eval mode, or what only train mode runs, as auxiliary heads."""
        paths = [node.path for node in self.graph.nodes if node.op not in LEAVES]
        return self.training if _nothing_at(paths, at) else self.graph


Measure = Callable[[Subject, str], Any]
Found = TypeVar("Found")

MEASURES: dict[str, Measure] = {}

_JOINS = frozenset({"cat", "add"})
_POOLS = {
    "max_pool2d_with_indices": "max",
    "avg_pool2d": "average",
    "_adaptive_avg_pool2d": "average to",
    "mean": "average",
}
_NORMS = {"native_batch_norm": "batch", "_native_batch_norm_legit_functional": "batch", "native_group_norm": "group"}


class PlaceError(ReproError):
    """There is nothing at a place that could be measured so."""


def measure(function: Measure) -> Measure:
    """Enter a measure under its own name."""
    MEASURES[function.__name__] = function
    return function


@measure
def parameters(subject: Subject, at: str) -> int:
    """Elements of all parameters that are read there: weights, biases, scales and shifts; shared ones once."""
    graph = subject.around(at)
    live = ancestors(graph.nodes, graph.outputs)
    leaves = [node for index, node in enumerate(graph.nodes) if index in live and node.op == "parameter"]
    return sum(math.prod(node.shape) for node in _at(leaves, [node.name for node in leaves], at, "parameters"))


@measure
def weights(subject: Subject, at: str) -> int:
    """Elements of the weights of convolutions and matrix products, without any bias."""
    graph = subject.around(at)
    leaves = {edge.node: graph.shape(edge) for node in _weighted(graph, at) if (edge := _weight(graph, node))}
    return sum(math.prod(shape) for shape in leaves.values())


@measure
def multiply_adds(subject: Subject, at: str) -> int:
    """Multiply-adds of convolutions and matrix products for one image, positions of padding included."""
    graph = subject.around(at)
    return sum(node_multiply_adds(graph, node) for node in _weighted(graph, at)) // _batch(graph)


@measure
def neurons(subject: Subject, at: str) -> int:
    """Elements of what convolutions and matrix products give for one image."""
    graph = subject.around(at)
    return sum(math.prod(node.shape[1:]) for node in _weighted(graph, at))


@measure
def connections(subject: Subject, at: str) -> int:
    """Pairs of a unit and what it reads: an input, or its bias (LeCun et al. 1998, section II.B)."""
    graph = subject.around(at)
    total = 0
    for node in _operations(graph, at):
        units = math.prod(node.shape[1:])
        if _is_layer(node):
            total += node_multiply_adds(graph, node) // _batch(graph)
            total += units * _has_bias(node)
        elif node.op == "avg_pool2d":
            total += units * math.prod(node.get("kernel_size"))
        elif node.op in ("add", "sub") and any(holds(graph, edge.node) for edge in node.inputs):
            total += units
    return _found(total, "connections", at)


@measure
def output(subject: Subject, at: str) -> list[int]:
    """The shape of the last thing computed there, without the batch."""
    graph = subject.around(at)
    return list(_operations(graph, at)[-1].shape[1:])


@measure
def side(subject: Subject, at: str) -> int:
    """The side of the square map that it ends with."""
    graph = subject.around(at)
    shape = _operations(graph, at)[-1].shape
    if len(shape) != 4:
        raise PlaceError(f"{at!r} ends with {math.prod(shape[1:])} values, which are no map")
    *_, height, width = shape
    if height != width:
        raise PlaceError(f"{at!r} ends with a map of {height}x{width}, which has not one side")
    return height


@measure
def depth(subject: Subject, at: str) -> int:
    """Layers with weights on the longest way from the input to the output: projections of shortcuts stand beside it."""
    graph = subject.around(at)
    return len(_longest(graph, at))


@measure
def layers(subject: Subject, at: str) -> int:
    """Convolutions and matrix products, all of them; a pooling has none."""
    graph = subject.around(at)
    return sum(_is_layer(node) for node in _operations(graph, at))


@measure
def convolutions(subject: Subject, at: str) -> list[str]:
    """Kernel and filters of each convolution on the longest way: `3x3 64`, and `3x3 64 g32 dilated 2` if it is so."""
    graph = subject.around(at)
    return [_convolution(graph, node) for node in _longest(graph, at) if node.op == "convolution"]


@measure
def every_convolution(subject: Subject, at: str) -> list[str]:
    """The same of all convolutions there, in the order of execution."""
    graph = subject.around(at)
    return [_convolution(graph, node) for node in _weighted(graph, at) if node.op == "convolution"]


@measure
def filters(subject: Subject, at: str) -> int:
    """Of the only convolution or matrix product there."""
    graph = subject.around(at)
    return _only(graph, at).shape[1]


@measure
def weight_shape(subject: Subject, at: str) -> list[int]:
    """Of the only convolution there: filters, input channels in a group, kernel."""
    graph = subject.around(at)
    node = _only(graph, at)
    return list(graph.shape(node.inputs[1])) if node.op == "convolution" else [node.shape[-1], _inner(graph, node)]


@measure
def inputs(subject: Subject, at: str) -> int:
    """What each unit of the only convolution or matrix product there reads."""
    graph = subject.around(at)
    node = _only(graph, at)
    return math.prod(graph.shape(node.inputs[1])[1:]) if node.op == "convolution" else _inner(graph, node)


@measure
def window(subject: Subject, at: str) -> list[int]:
    """Kernel side and stride of the only convolution or pooling there."""
    graph = subject.around(at)
    kernel, stride = _window(graph, _only_windowed(graph, at))
    return [kernel, stride]


@measure
def padding(subject: Subject, at: str) -> int:
    """Of the only convolution or pooling there, on each side."""
    graph = subject.around(at)
    return _same(_only_windowed(graph, at).get("padding"), at)


@measure
def strides(subject: Subject, at: str) -> list[int]:
    """Of each convolution on the longest way."""
    graph = subject.around(at)
    return [_same(node.get("stride"), at) for node in _longest(graph, at) if node.op == "convolution"]


@measure
def groups(subject: Subject, at: str) -> list[int]:
    """Of each convolution on the longest way."""
    graph = subject.around(at)
    return [node.get("groups") for node in _longest(graph, at) if node.op == "convolution"]


@measure
def pools(subject: Subject, at: str) -> list[str]:
    """Kind, kernel and stride of each pooling: `max 3x3/2`; of the whole map, `average 7x7/1`."""
    graph = subject.around(at)
    return [_pool(graph, node) for node in _operations(graph, at) if node.op in _POOLS]


@measure
def sequence(subject: Subject, at: str) -> list[str]:
    """What a network without branches is made of, in order: `3x3 64`, `max 2x2/2`, `LRN`."""
    graph = subject.around(at)
    told = {"convolution": _convolution, **dict.fromkeys(_POOLS, _pool), ACROSS: lambda *_: "LRN"}
    nodes = _operations(graph, at)
    return [told[node.op](graph, node) for node in nodes if node.op in told]


@measure
def lrn(subject: Subject, at: str) -> list[list[float]]:
    """n, alpha, beta and k of its local response normalisations, each once; alpha is a factor of the sum."""
    graph = subject.around(at)
    operations = _operations(graph, at)
    found = []
    for path in dict.fromkeys(node.path for node in operations if node.op == ACROSS):
        by_op = {node.op: node for node in operations if node.path == path}
        if lost := {"mul", "pow", "add"} - by_op.keys():
            raise PlaceError(f"{path}: it averages across channels, and has no {', '.join(sorted(lost))}: no LRN")
        size = by_op[ACROSS].get("kernel_size")[0]
        scale, exponent, offset = by_op["mul"].get("other"), by_op["pow"].get("exponent"), by_op["add"].get("other")
        found.append([size, scale / size, exponent, offset])
    return [
        one for index, one in enumerate(_found(found, "local response normalisations", at)) if one not in found[:index]
    ]


@measure
def factors(subject: Subject, at: str) -> list[float]:
    """The constants that values are multiplied by, each once."""
    graph = subject.around(at)
    found = [node.get("other") for node in _operations(graph, at) if node.op == "mul"]
    return list(dict.fromkeys(factor for factor in found if factor is not None))


@measure
def sources(subject: Subject, at: str) -> list[list[int]]:
    """Which of the maps before a partial convolution each of its maps reads, as LeNet-5's Table I has it."""
    graph = subject.around(at)
    found: list[list[int]] = []
    for node in _weighted(graph, at):
        before = graph.node(node.inputs[0])
        channels, groups = before.shape[1], node.get("groups")
        read = [edge.output for edge in before.inputs] if before.op == "cat" else list(range(channels))
        width = channels // groups
        for group in range(groups):
            found += [read[group * width : (group + 1) * width]] * (node.shape[1] // groups)
    return found


@measure
def image(subject: Subject, _: str) -> list[int]:
    """The input it was made for: channels, height, width."""
    return list(subject.graph.input_shapes[0][1:])


@measure
def units(subject: Subject, at: str) -> list[int]:
    """The width of each fully connected layer."""
    graph = subject.around(at)
    return [node.shape[-1] for node in _weighted(graph, at) if node.op in PRODUCTS]


@measure
def distinct_strides(subject: Subject, at: str) -> list[int]:
    """The strides that its convolutions have."""
    graph = subject.around(at)
    return sorted({_same(node.get("stride"), at) for node in _weighted(graph, at) if node.op == "convolution"})


@measure
def distinct_paddings(subject: Subject, at: str) -> list[int]:
    """The padding that its convolutions have."""
    graph = subject.around(at)
    return sorted({_same(node.get("padding"), at) for node in _weighted(graph, at) if node.op == "convolution"})


@measure
def distinct_pools(subject: Subject, at: str) -> list[str]:
    """The poolings that it has, each kind once."""
    return sorted(set(pools(subject, at)))


@measure
def dropouts(subject: Subject, at: str) -> list[float]:
    """The rate of each dropout, in the order of train mode; eval mode has none."""
    if any(node.op == "bernoulli" for node in subject.graph.nodes):
        raise PlaceError("there is dropout in eval mode")
    return [1 - node.get("p") for node in _operations(subject.training, at) if node.op == "bernoulli"]


@measure
def initialisation(subject: Subject, at: str) -> str:
    """The law declared for a pattern of keys, which the check of initial values holds the network to."""
    if at not in subject.initialisation:
        raise PlaceError(f"no law is declared for {at!r}; there are {', '.join(subject.initialisation)}")
    return subject.initialisation[at]


@measure
def incoming(subject: Subject, at: str) -> list[int]:
    """The shape of what the first operation there reads, without the batch."""
    graph = subject.around(at)
    return list(graph.shape(_operations(graph, at)[0].inputs[0])[1:])


@measure
def beside(subject: Subject, at: str) -> int:
    """Layers with weights that are not on the longest way: the projections of shortcuts, in a ResNet."""
    return int(layers(subject, at) - depth(subject, at))


@measure
def repeats(subject: Subject, at: str) -> int:
    """The modules that follow each other there."""
    inside = len(at.split(".")) if at else 0
    paths = [node.path.split(".") for node in _operations(subject.around(at), at)]
    return len({path[inside] for path in paths if len(path) > inside})


@measure
def branches(subject: Subject, at: str) -> list[str]:
    """The ways from what arrives to what is concatenated or added, sorted: `1x1 64, 3x3 96`; "" is what just passes."""
    graph = subject.around(at)
    here = {id(node) for node in _operations(graph, at)}
    told = {"convolution": _strided, **dict.fromkeys(_POOLS, _pool)}

    def ways(edge: Edge) -> list[tuple[str, ...]]:
        node = graph.node(edge)
        if id(node) not in here:
            return [()]
        below = [way for e in (node.inputs if node.op in _JOINS else node.inputs[:1]) for way in ways(e)]
        return [(*way, told[node.op](graph, node)) for way in below] if node.op in told else below

    joins = [node for node in _operations(graph, at) if node.op in _JOINS]
    if not joins:
        raise PlaceError(f"nothing is concatenated or added at {at!r}")
    last = joins[-1]
    return sorted(", ".join(way) for edge in last.inputs for way in ways(edge))


@measure
def distinct_filters(subject: Subject, at: str) -> list[int]:
    """The filters that its convolutions have, each number once, ascending."""
    graph = subject.around(at)
    return sorted({node.shape[1] for node in _weighted(graph, at) if node.op == "convolution"})


@measure
def distinct_sides(subject: Subject, at: str) -> list[int]:
    """The sides of the maps that its convolutions give, each once, ascending."""
    graph = subject.around(at)
    return sorted({_same(node.shape[2:], at) for node in _weighted(graph, at) if node.op == "convolution"})


@measure
def weights_and_biases(subject: Subject, at: str) -> int:
    """Elements of the parameters of convolutions and matrix products, without those of normalisations."""
    graph = subject.around(at)
    units = sum(node.shape[1] for node in _weighted(graph, at) if _has_bias(node))
    return int(weights(subject, at)) + units


@measure
def biases(subject: Subject, at: str) -> int:
    """How many of its convolutions and matrix products have a bias."""
    graph = subject.around(at)
    return sum(_has_bias(node) for node in _weighted(graph, at))


@measure
def normalisations(subject: Subject, at: str) -> list[str]:
    """The kinds of normalisation, each once: `batch, epsilon 0.001`, `LRN`; an empty list where there is none."""
    graph = subject.around(at)
    nodes = _operations(graph, at)
    found = {f"{_NORMS[node.op]}, epsilon {node.get('eps'):g}" for node in nodes if node.op in _NORMS}
    return sorted(found | {"LRN" for node in nodes if node.op == ACROSS})


@measure
def pool_edges(subject: Subject, at: str) -> list[str]:
    """What poolings do at the edge, each kind once: `max 3x3/2, padding 0, rounded up`.

    Rounded is the size of the map; an average says whether it counts the zeros that it is padded with.
    """
    graph = subject.around(at)
    nodes = _operations(graph, at)
    return sorted({_pool_edge(graph, node) for node in nodes if node.op in _POOLS and node.get("kernel_size")})


@measure
def classifier(subject: Subject, at: str) -> list[str]:
    """Fully connected layers and dropouts in the order of train mode: `dropout 0.5`, `4096`."""
    told = {"bernoulli": lambda node: f"dropout {1 - node.get('p'):g}"}
    told |= dict.fromkeys(PRODUCTS, lambda node: str(node.shape[-1]))
    return [told[node.op](node) for node in _operations(subject.training, at) if node.op in told]


@measure
def concatenations(subject: Subject, at: str) -> list[str]:
    """The shape that each concatenation gives: `256x35x35`."""
    graph = subject.around(at)
    return ["x".join(map(str, node.shape[1:])) for node in _operations(graph, at) if node.op == "cat"]


@measure
def order_of_outputs(subject: Subject, _: str) -> list[str]:
    """The module that each output of train mode comes from, in their order."""
    return [subject.training.node(edge).path for edge in subject.training.returned]


@measure
def convolutions_by_side(subject: Subject, at: str) -> list[int]:
    """How many convolutions on the longest way give maps of each size, the first size first."""
    graph = subject.around(at)
    return _by_side([node for node in _longest(graph, at) if node.op == "convolution"], at)


@measure
def additions(subject: Subject, at: str) -> int:
    """How often two maps are added there: the shortcuts of a residual network."""
    graph = subject.around(at)
    return len(_called(graph, at, "addition"))


@measure
def additions_by_side(subject: Subject, at: str) -> list[int]:
    """How many sums of two maps have each size, the first size first."""
    graph = subject.around(at)
    return _by_side(_called(graph, at, "addition"), at)


@measure
def distinct_kernels(subject: Subject, at: str) -> list[str]:
    """The kernels that its convolutions have: `3x3`, and `3x3 g32 dilated 2` if it is so."""
    graph = subject.around(at)
    told = [_convolution(graph, node).split(" ") for node in _weighted(graph, at) if node.op == "convolution"]
    return sorted({" ".join([kernel, *rest]) for kernel, _, *rest in told})


@measure
def after_layers(subject: Subject, at: str) -> list[str]:
    """What reads its convolutions and matrix products, each name once: `relu`, `output` (`repro.neighbours`)."""
    return _after(subject.around(at), at, "convolution", "fully connected")


@measure
def after_convolutions(subject: Subject, at: str) -> list[str]:
    """What reads its convolutions, each name once: `batch normalisation`."""
    return _after(subject.around(at), at, "convolution")


@measure
def after_normalisations(subject: Subject, at: str) -> list[str]:
    """What reads its normalisations, each name once: `addition`, `relu`."""
    return _after(subject.around(at), at, "batch normalisation", "group normalisation", "LRN")


@measure
def after_activations(subject: Subject, at: str) -> list[str]:
    """What reads its rectifiers, each name once: `convolution`, `max`."""
    return _after(subject.around(at), at, "relu")


@measure
def after_pools(subject: Subject, at: str) -> list[str]:
    """What reads its poolings, each name once: `convolution`, `fully connected`."""
    return _after(subject.around(at), at, "max", "average")


@measure
def after_additions(subject: Subject, at: str) -> list[str]:
    """What reads its sums of two maps, each name once: `relu`."""
    return _after(subject.around(at), at, "addition")


@measure
def ending(subject: Subject, _: str) -> list[str]:
    """The last pooling of the network and what follows it: `average 7x7/1`, `fully connected`."""
    graph, found = subject.graph, list[str]()
    names = called(graph)
    for index in upstream(graph, graph.returned[0].node):
        node = graph.nodes[index]
        if node.op in _POOLS:
            return [_pool(graph, node), *found]
        found.insert(0, names[index])
    raise PlaceError("there is no pooling")


@measure
def dropped(subject: Subject, at: str) -> list[str]:
    """What each dropout takes elements from, in the order of train mode: `relu`, `max`, `input`."""
    graph = subject.training
    names = called(graph)
    sources = [upstream(graph, node.inputs[0].node) for node in _called(graph, at, "dropout")]
    return [names[found[0]] if found else "input" for found in sources]


@measure
def formula(subject: Subject, at: str) -> list[str]:
    """The operations there by torch's names, in order, without views."""
    return [node.op for node in _operations(subject.around(at), at) if node.op not in VIEWS]


def _within(path: str, part: str) -> bool:
    return path == part or path.startswith(f"{part}.")


def _nothing_at(paths: Sequence[str], at: str) -> str:
    """The first module of a place, of several with a space between them, that no path is in; "" if there is none."""
    return next((part for part in at.split() if not any(_within(path, part) for path in paths)), "")


def _at(nodes: Sequence[Node], paths: Sequence[str], at: str, what: str) -> list[Node]:
    """Those whose path is at a place. Raises PlaceError if there are none in one of its modules."""
    empty = _nothing_at(paths, at)
    if empty or not nodes:
        raise PlaceError(f"there are no {what} at {empty!r}")
    parts = at.split()
    return [node for node, path in zip(nodes, paths, strict=True) if not at or any(_within(path, p) for p in parts)]


def _found(measured: Found, what: str, at: str) -> Found:
    if not measured:
        raise PlaceError(f"there are no {what} at {at!r}")
    return measured


def _operations(graph: Graph, at: str) -> list[Node]:
    """What is computed at a place on the way to an output."""
    live = ancestors(graph.nodes, graph.outputs)
    here = [node for index, node in enumerate(graph.nodes) if index in live and node.op not in LEAVES]
    return _at(here, [node.path for node in here], at, "operations")


def _weighted(graph: Graph, at: str) -> list[Node]:
    here = [node for node in _operations(graph, at) if _is_layer(node)]
    return _found(here, "convolutions or matrix products", at)


def _is_layer(node: Node) -> bool:
    return node.op == "convolution" or node.op in PRODUCTS


def _called(graph: Graph, at: str, *names: str) -> list[Node]:
    told = called(graph)
    return [node for node in _operations(graph, at) if told[node.origin] in names]


def _after(graph: Graph, at: str, *names: str) -> list[str]:
    here = _found(_called(graph, at, *names), " or ".join(names), at)
    return sorted(after(graph, [node.origin for node in here]))


def _by_side(nodes: Sequence[Node], at: str) -> list[int]:
    return list(Counter(_same(node.shape[2:], at) for node in nodes).values())


def _longest(graph: Graph, at: str) -> list[Node]:
    """The layers with weights on the way that has most of them, in order; the last such way where there are several."""
    chosen = {id(node) for node in _weighted(graph, at)}
    ways: list[tuple[int, int]] = []  # length of the longest way to each node, and the node before on it
    for index, node in enumerate(graph.nodes):
        length, before = max(((ways[edge.node][0], edge.node) for edge in node.inputs), default=(0, -1))
        ways.append((length + (id(node) in chosen), before))
        assert before < index
    end = max(range(len(ways)), key=lambda index: (ways[index][0], -index))
    way = []
    while end >= 0:
        if id(graph.nodes[end]) in chosen:
            way.append(graph.nodes[end])
        end = ways[end][1]
    return way[::-1]


def _only(graph: Graph, at: str) -> Node:
    return _single(_weighted(graph, at), "convolutions or matrix products", at)


def _only_windowed(graph: Graph, at: str) -> Node:
    here = [node for node in _operations(graph, at) if node.op == "convolution" or node.op in _POOLS]
    return _single(here, "convolutions or poolings", at)


def _single(nodes: Sequence[Node], what: str, at: str) -> Node:
    if len(nodes) != 1:
        raise PlaceError(f"there are {len(nodes)} {what} at {at!r}; expected one")
    return nodes[0]


def _weight(graph: Graph, node: Node) -> Any:
    """The edge from the parameter that a convolution or a matrix product multiplies with, past the views on the way."""
    for edge in node.inputs[1:] if node.op == "convolution" else reversed(node.inputs):
        below = edge
        while graph.node(below).op not in LEAVES and len(graph.node(below).inputs) == 1:
            below = graph.node(below).inputs[0]
        if graph.node(below).op == "parameter":
            return below
    return None


def _has_bias(node: Node) -> bool:
    return len(node.inputs) > 2 if node.op == "convolution" else node.op in ("addmm", "baddbmm")


def _inner(graph: Graph, node: Node) -> int:
    return graph.shape(node.inputs[-1])[-2]


def _window(graph: Graph, node: Node) -> tuple[int, int]:
    if node.op == "_adaptive_avg_pool2d":
        return _same(node.shape[-2:], node.path), 1
    if node.op == "mean":
        return _same(graph.shape(node.inputs[0])[-2:], node.path), 1
    kernel = graph.shape(node.inputs[1])[2:] if node.op == "convolution" else node.get("kernel_size")
    return _same(kernel, node.path), _same(node.get("stride") or kernel, node.path)


def _same(numbers: Sequence[int], at: str) -> int:
    if len(set(numbers)) != 1:
        raise PlaceError(f"at {at!r} there is {tuple(numbers)}, which is not one number")
    return numbers[0]


def _convolution(graph: Graph, node: Node) -> str:
    kernel = "x".join(map(str, graph.shape(node.inputs[1])[2:]))
    told = f" g{node.get('groups')}" if node.get("groups") != 1 else ""
    apart = _same(node.get("dilation"), node.path)
    return f"{kernel} {node.shape[1]}{told}" + (f" dilated {apart}" if apart != 1 else "")


def _strided(graph: Graph, node: Node) -> str:
    stride = _same(node.get("stride"), node.path)
    kernel, _, rest = _convolution(graph, node).partition(" ")
    return f"{kernel}/{stride} {rest}" if stride != 1 else f"{kernel} {rest}"


def _pool(graph: Graph, node: Node) -> str:
    kernel, stride = _window(graph, node)
    kind = "sum" if node.get("divisor_override") == 1 else _POOLS[node.op]
    return f"{kind} {kernel}x{kernel}/{stride}"


def _pool_edge(graph: Graph, node: Node) -> str:
    padding = _same(node.get("padding"), node.path)
    told = f"{_pool(graph, node)}, padding {padding}"
    if node.op == "avg_pool2d" and padding:
        told += " counted" if node.get("count_include_pad") else " not counted"
    return f"{told}, rounded {'up' if node.get('ceil_mode') else 'down'}"


def _batch(graph: Graph) -> int:
    return graph.input_shapes[0][0]
