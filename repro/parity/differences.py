"""Where two canonical graphs part: the places in dataflow order, equal causes collapsed into one entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Any

from repro.canonical import commutes
from repro.graph import LEAVES, Edge, Graph, Node
from repro.mapping import classes, leaf
from repro.parity.causes import Difference, Side, causes, side, weights


def differences(first: Graph, second: Graph) -> list[Difference]:
    """Every place where two canonical graphs differ, in dataflow order; empty if and only if none was found."""
    found, partner = _account(first, second)
    return causes(found, first, second, partner)


def alignment(first: Graph, second: Graph) -> dict[int, int]:
    """Node of the first graph -> the node of the second that `differences` takes for it: inputs and what computes."""
    return _account(first, second)[1]


def _account(first: Graph, second: Graph) -> tuple[list[Difference], dict[int, int]]:
    """All differences under the alignment that needs fewer of them, and that alignment."""
    class1, class2 = classes(first, second)
    order1, order2 = dataflow(first, class1), dataflow(second, class2)
    equal = _equal_so_far(class1, class2, order1, order2)
    rest1 = [index for index in order1 if index not in equal]
    rest2 = [index for index in order2 if index not in set(equal.values())]
    # Layers of the right width at the wrong place, or of the wrong width at the right one: whichever says less.
    told = [_tell(first, second, equal, _align(first, second, rest1, rest2, label)) for label in (_label, _operation)]
    return min(told, key=lambda account: len(account[0]))


def _equal_so_far(
    class1: Sequence[int], class2: Sequence[int], order1: Sequence[int], order2: Sequence[int]
) -> dict[int, int]:
    """Partners that compute the same from the inputs on, whatever becomes of it."""
    waiting: dict[int, list[int]] = {}
    for index in reversed(order2):
        waiting.setdefault(class2[index], []).append(index)
    return {index: waiting[class1[index]].pop() for index in order1 if waiting.get(class1[index])}


def _tell(
    first: Graph, second: Graph, equal: dict[int, int], pairs: list[tuple[int | None, int | None]]
) -> tuple[list[Difference], dict[int, int]]:
    inputs = {node.name: index for index, node in enumerate(second.nodes) if node.op == "input"}
    partner = {i: inputs[node.name] for i, node in enumerate(first.nodes) if node.op == "input" and node.name in inputs}
    partner.update(equal)
    partner.update((one, other) for one, other in pairs if one is not None and other is not None)
    found = [difference for one, other in pairs for difference in compare(first, second, one, other, partner)]
    found += _compare_sharing(first, second, partner) + _compare_outputs(first, second, partner)
    if first.training and second.training:
        found += _compare_training(first, second, partner)
    return found, partner


def _compare_sharing(first: Graph, second: Graph, partner: dict[int, int]) -> list[Difference]:
    """Parameters that are one on one side and two on the other, told where the first of the two is read."""
    found = []
    here: dict[str, tuple[str, int, int]] = {}
    there: dict[str, tuple[str, int, int]] = {}
    for one, other in partner.items():
        for x, y in zip(_leaves(first, one), _leaves(second, other), strict=False):
            known_x, known_y = here.setdefault(x, (y, one, other)), there.setdefault(y, (x, one, other))
            if known_x[0] != y:
                detail, (_, i, j) = f"{x} here is {known_x[0]} and {y} there", known_x
            elif known_y[0] != x:
                detail, (_, i, j) = f"{y} there is {known_y[0]} and {x} here", known_y
            else:
                continue
            sides = side(first, i), side(second, j)
            rest = side(first, one), side(second, other)
            found.append(Difference("sharing", detail, *sides, ((sides[0].path, sides[1].path),), rest))
    return found


def _compare_training(first: Graph, second: Graph, partner: dict[int, int]) -> list[Difference]:
    """Parameters that only one side trains, and buffers that only one side updates."""
    found = []
    for one, other in partner.items():
        for x, y in zip(_leaf_nodes(first, one), _leaf_nodes(second, other), strict=False):
            here, there = side(first, one), side(second, other)
            places = ((here.path, there.path),)
            trained = [leaf.op == "parameter" and leaf.get("requires_grad", True) for leaf in (x, y)]
            if trained[0] != trained[1]:
                text = "there, and is here" if trained[0] else "here, and is there"
                found.append(Difference("training", f"{x.name} is not trained {text}", here, there, places))
            updates = first.updates.get(x.name), second.updates.get(y.name)
            if (updates[0] is None) != (updates[1] is None):
                text = "here, and not there" if updates[0] is not None else "there, and not here"
                found.append(Difference("training", f"{x.name} is updated {text}", here, there, places))
    return found


def _compare_outputs(first: Graph, second: Graph, partner: dict[int, int]) -> list[Difference]:
    ends1, ends2 = first.returned, second.returned
    told1, told2 = (
        ", ".join([*graph.returned_names, *(f"{label} = {value}" for label, value in graph.literals)])
        or "tensors alone"
        for graph in (first, second)
    )
    if told1 != told2:
        return [Difference("wiring", f"returns {told1} here, {told2} there", None, None, ())]
    if len(ends1) != len(ends2):
        return [Difference("wiring", f"{len(ends1)} outputs here, {len(ends2)} there", None, None, ())]
    found = []
    for index, (one, other) in enumerate(zip(ends1, ends2, strict=True)):
        if partner.get(one.node, other.node) != other.node:
            here, there = side(first, one.node), side(second, other.node)
            detail = f"output {index} is that of {here.op} here, of {there.op} there"
            found.append(Difference("wiring", detail, here, there, ((here.path, there.path),)))
    return found


def dataflow(graph: Graph, below: Sequence[int]) -> list[int]:
    """The computing nodes, each after what it reads, in an order set by the function, not by the program.

    below: what each node computes, as a number (`repro.mapping.classes`).
    """
    depth: list[int] = []
    for node in graph.nodes:
        depth.append(1 + max((depth[edge.node] for edge in node.inputs), default=0))
    order: list[int] = []
    seen: set[int] = set()
    ends = [*graph.returned, *(graph.updates.values() if graph.training else ())]
    stack = [(edge.node, False) for edge in reversed(ends)]
    while stack:
        index, ready = stack.pop()
        if ready:
            order.append(index)
        elif index not in seen and leaf(graph, graph.nodes[index]) is None and graph.nodes[index].op not in LEAVES:
            seen.add(index)
            stack.append((index, True))
            inputs = [edge.node for edge in graph.nodes[index].inputs]
            if commutes(graph.nodes[index]):
                inputs.sort(key=lambda i: (-depth[i], below[i]))
            stack.extend((i, False) for i in reversed(inputs))
    return order


def _align(
    first: Graph, second: Graph, order1: Sequence[int], order2: Sequence[int], label: Callable[[Graph, int], Any]
) -> list[tuple[int | None, int | None]]:
    """Pair the nodes of two orders; one that has no partner stands alone."""
    label1 = [label(first, index) for index in order1]
    label2 = [label(second, index) for index in order2]
    pairs: list[tuple[int | None, int | None]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, label1, label2, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs.extend(zip(order1[i1:i2], order2[j1:j2], strict=True))
            continue
        ops1 = [first.nodes[index].op for index in order1[i1:i2]]
        ops2 = [second.nodes[index].op for index in order2[j1:j2]]
        for inner, k1, k2, m1, m2 in SequenceMatcher(None, ops1, ops2, autojunk=False).get_opcodes():
            here, there = order1[i1 + k1 : i1 + k2], order2[j1 + m1 : j1 + m2]
            if inner == "equal" or len(here) == len(there):  # as many others in the same place: taken for each other
                pairs.extend(zip(here, there, strict=True))
            else:
                pairs.extend((index, None) for index in here)
                pairs.extend((None, index) for index in there)
    return pairs


def _label(graph: Graph, index: int) -> tuple[str, tuple[tuple[int, ...], ...]]:
    node = graph.nodes[index]
    return node.op, weights(graph, node)


def _operation(graph: Graph, index: int) -> str:
    return graph.nodes[index].op


def _leaf_nodes(graph: Graph, index: int) -> list[Node]:
    found = (leaf(graph, graph.node(edge)) for edge in graph.nodes[index].inputs)
    return [each[0] for each in found if each is not None]


def _leaves(graph: Graph, index: int) -> list[str]:
    return [node.name for node in _leaf_nodes(graph, index)]


def compare(
    first: Graph, second: Graph, one: int | None, other: int | None, partner: dict[int, int]
) -> list[Difference]:
    """How one node differs from the one it is aligned with, by what is written: at most one difference."""
    if other is None or one is None:
        found = []
        if one is not None:
            here = side(first, one)
            found.append(Difference("missing", f"{here.op} here, nothing there", here, None, ((here.path, ""),)))
        if other is not None:
            there = side(second, other)
            found.append(Difference("extra", f"nothing here, {there.op} there", None, there, (("", there.path),)))
        return found
    here, there = side(first, one), side(second, other)
    places = ((here.path, there.path),)
    if here.op != there.op:
        return [Difference("operation", f"{here.op} here, {there.op} there", here, there, places)]
    if here.op == "movement" and here.attributes != there.attributes:
        # A movement spells out whole shapes, so that everything upstream shows in it: only its own doing counts.
        movements = first.nodes[one].get("movement"), second.nodes[other].get("movement")
        if movements[0].source != movements[1].source:
            return []
    detail = ", ".join(
        f"{here.op} {name} {_short(a)} here, {_short(b)} there" for name, a, b in _attribute_pairs(here, there)
    )
    if detail:
        return [Difference("attributes", detail, here, there, places)]
    if here.weights != there.weights:
        return [
            Difference(
                "weights", f"{here.op} with weights {_shapes(here)} here, {_shapes(there)} there", here, there, places
            )
        ]
    types = [
        (g.nodes[i].dtype, [g.node(e).dtype for e in g.nodes[i].inputs]) for g, i in ((first, one), (second, other))
    ]
    if types[0][0] != types[1][0] and types[0][1] == types[1][1]:
        names = [str(dtype).removeprefix("torch.") for dtype, _ in types]
        return [Difference("dtype", f"{here.op} in {names[0]} here, in {names[1]} there", here, there, places)]
    constants1, constants2 = _constants(first, one), _constants(second, other)
    if constants1 != constants2:
        detail = (
            f"{here.op} with the constant {' '.join(constants1) or 'none'} here, {' '.join(constants2) or 'none'} there"
        )
        return [Difference("constant", detail, here, there, places)]
    return _compare_wiring(first, second, one, other, partner)


def _compare_wiring(first: Graph, second: Graph, one: int, other: int, partner: dict[int, int]) -> list[Difference]:
    here, there = side(first, one), side(second, other)
    read1 = [edge for edge in first.nodes[one].inputs if _computes(first, edge)]
    read2 = [edge for edge in second.nodes[other].inputs if _computes(second, edge)]
    expected = [partner.get(edge.node, -1) for edge in read1]
    actual = [edge.node for edge in read2]
    if commutes(first.nodes[one]):
        expected, actual = sorted(expected), sorted(actual)
    partners = set(partner.values())
    alone = -1 in expected or any(index not in partners for index in actual)
    if expected == actual or alone:  # an operand without a partner is reported where it stands
        return []
    names1 = [first.nodes[edge.node].path or first.nodes[edge.node].op for edge in read1]
    names2 = [second.nodes[edge.node].path or second.nodes[edge.node].op for edge in read2]
    detail = f"{here.op} reads {', '.join(names1)} here, {', '.join(names2)} there"
    return [Difference("wiring", detail, here, there, ((here.path, there.path),))]


def _constants(graph: Graph, index: int) -> list[str]:
    """What a node reads that depends on no input: the value if it is one number, else a digest."""
    read = [graph.node(edge) for edge in graph.nodes[index].inputs]
    values = [(node, graph.constants[node.name]) for node in read if node.op == "constant"]
    return [
        f"{value.item()} ({str(value.dtype).removeprefix('torch.')})" if value.numel() == 1 else f"{node.name[:8]}"
        for node, value in values
    ]


def _computes(graph: Graph, edge: Edge) -> bool:
    node = graph.node(edge)
    return node.op == "input" or (node.op not in LEAVES and leaf(graph, node) is None)


def _attribute_pairs(here: Side, there: Side) -> list[tuple[str, Any, Any]]:
    # `windows` is the size of a pooled map: it follows from the input's size and the other attributes.
    derived = {"windows"}
    left, right = dict(here.attributes), dict(there.attributes)
    names = [name for name in left | right if name not in derived]
    return [(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _short(value: Any) -> str:
    if isinstance(value, tuple) and value and all(item == value[0] for item in value):
        return str(value[0])
    return str(value)


def _shapes(side: Side) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in side.weights) or "none"
