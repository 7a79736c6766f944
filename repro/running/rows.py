"""Whether the rows of a batch stay apart, told by the operations alone: each keeps its row, or nothing is said."""

from __future__ import annotations

from collections.abc import Sequence

from repro.graph import LEAVES, Graph, Node

# What each element, window or row of the result is made of lies in the same row of the operand.
_IN_A_ROW = frozenset(
    "relu hardtanh sigmoid tanh gelu silu elu leaky_relu neg exp pow clone detach alias contiguous"
    " avg_pool2d avg_pool3d max_pool2d_with_indices _adaptive_avg_pool2d native_group_norm constant_pad_nd".split()
)
_BETWEEN = frozenset("add sub mul div maximum minimum".split())
_ALONG = frozenset("cat split sum mean amax _softmax _log_softmax unsqueeze squeeze chunk".split())


def stay_apart(graph: Graph) -> bool:
    """Whether every operation on the images keeps each row of the batch to itself; False: not known.

    The batch is the first dimension of the input. A view may cut the others as it likes.
    """
    batch = graph.input_shapes[0][0]
    data: set[int] = set()
    for index, node in enumerate(graph.nodes):
        operands = [position for position, edge in enumerate(node.inputs) if edge.node in data]
        if node.op == "input":
            data.add(index)
        elif operands and node.op not in LEAVES:
            if node.shape[:1] != (batch,) or not _keeps(graph, node, operands):
                return False
            data.add(index)
    return True


def _keeps(graph: Graph, node: Node, operands: Sequence[int]) -> bool:
    """Whether an operation keeps the rows of these of its operands, whose first dimension is the batch."""
    shapes = [graph.shape(edge) for edge in node.inputs]
    match node.op:
        case "convolution" | "mm":
            return list(operands) == [0]
        case "addmm":
            return list(operands) == [1]  # bias, images, weights
        case "native_batch_norm":
            return list(operands) == [0] and node.get("training") is False
        case "view" | "reshape":
            return True  # the first dimension stays, so do the values of a row
        case "permute":
            return bool(tuple(node.get("dims", ()))[:1] == (0,))
    if node.op in _BETWEEN:  # a smaller operand is stretched along the first dimensions
        return all(len(shapes[position]) == len(node.shape) for position in operands)
    if node.op in _ALONG:
        dims = node.get("dim", 0)
        every = dims if isinstance(dims, tuple | list) else (dims,)
        rank = max(len(shapes[position]) for position in operands)
        return bool(every) and all(isinstance(each, int) and each % rank != 0 for each in every)
    return node.op in _IN_A_ROW and list(operands) == [0]
