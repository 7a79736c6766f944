"""Which operations stand next to each other in a traced network, by the names that papers give them.

A view moves values, a factor or a bias scales and shifts them, a concatenation puts them side by side: none of these
stands between two operations. An operation without a name here is called what torch calls it, so that one which does
not belong shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repro.graph import LEAVES, Graph, Node, ancestors

PRODUCTS = frozenset({"addmm", "mm", "bmm", "baddbmm"})
ACROSS = "avg_pool3d"  # what a normalisation across channels is made of

_NAMES = {
    "convolution": "convolution",
    **dict.fromkeys(PRODUCTS, "fully connected"),
    "native_batch_norm": "batch normalisation",
    "native_group_norm": "group normalisation",
    "max_pool2d_with_indices": "max",
    "avg_pool2d": "average",
    "_adaptive_avg_pool2d": "average",
    "mean": "average",
    "add": "addition",
}
VIEWS = frozenset({"t", "view", "_unsafe_view", "unsqueeze", "squeeze", "split", "cat"})
_SCALINGS = frozenset({"mul", "add", "sub", "div"})

# What marks a module that is one operation made of several -> these, and what it is called where the last of them is.
_COMPOSED = {
    ACROSS: {**dict.fromkeys(("mul", "constant_pad_nd", ACROSS, "pow"), ""), "div": "LRN"},
    "bernoulli": {**dict.fromkeys(("empty", "expand", "bernoulli", "div"), ""), "mul": "dropout"},
}


def called(graph: Graph) -> list[str]:
    """What each node is called, in their order; "" of what stands between nothing."""
    composed = {node.path: _COMPOSED[node.op] for node in graph.nodes if node.op in _COMPOSED}
    return [_name(graph, node, composed.get(node.path, {})) for node in graph.nodes]


def after(graph: Graph, nodes: Iterable[int]) -> set[str]:
    """What the operations are called that read these nodes; "output" is where the network ends."""
    names = called(graph)
    readers: dict[int, list[int]] = {}
    for index in ancestors(graph.nodes, [("", edge) for edge in graph.returned]):
        for edge in graph.nodes[index].inputs:
            readers.setdefault(edge.node, []).append(index)
    returned = {edge.node for edge in graph.returned}
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        index = pending.pop()
        if index in returned:
            found.add("output")
        for reader in readers.get(index, ()):
            if names[reader]:
                found.add(names[reader])
            else:
                pending.append(reader)
    return found


def upstream(graph: Graph, index: int) -> list[int]:
    """The nodes with a name on the way back from a node to an input, its own first; of a sum, by the first operand."""
    names = called(graph)
    found = []
    while graph.nodes[index].op not in LEAVES:
        found += [index] if names[index] else []
        index = next(edge.node for edge in graph.nodes[index].inputs if not holds(graph, edge.node))
    return found


def holds(graph: Graph, index: int) -> bool:
    """Whether a node is a parameter or buffer, or a view of one."""
    node = graph.nodes[index]
    while node.op not in LEAVES and len(node.inputs) == 1:
        node = graph.node(node.inputs[0])
    return node.op in ("parameter", "buffer")


def is_scaling(graph: Graph, node: Node) -> bool:
    """Whether a node is arithmetic of one map with a number, or with what the network holds."""
    return node.op in _SCALINGS and sum(not holds(graph, edge.node) for edge in node.inputs) < 2


def _name(graph: Graph, node: Node, composed: Mapping[str, str]) -> str:
    if node.op in composed:
        return composed[node.op]
    if node.op in LEAVES or node.op in VIEWS or is_scaling(graph, node):
        return ""
    if node.op == "native_batch_norm" and node.get("training"):
        return "normalisation by the batch at hand"  # in eval mode, where it is by the running statistics
    return _NAMES.get(node.op, node.op)
