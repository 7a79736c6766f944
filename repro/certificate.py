"""A canonical graph written down in an order that only its function sets, so that equal writings are isomorphic graphs.

Nodes are numbered as a walk from the outputs leaves them, operands before what reads them, and each is written with
what it does and with the numbers of its operands. Two graphs with one text are the same graph but for the names of
parameters: number for number, their nodes do the same to partners, which is all that `repro.mapping.match` proves. No
colouring has to be discrete for that. Where operands commute, a number for everything below them says which is walked
first; of operands that it does not tell apart either may be, so that isomorphic graphs may have two texts. Equal texts
prove, unequal ones prove nothing.

Two numbers may be left open: of channels of an image, and of classes. The text has a word for a dimension where it is
the one or the other, so that networks of one text are the same for equal numbers of both. The words stand only where a
dimension follows from them: in the input and the weight of a convolution that reads it, and from an output back to the
layer that it comes from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from repro.canonical import commutes
from repro.graph import Edge, Graph, Shape
from repro.mapping import leaf
from repro.movement import Movement


def digest(graph: Graph, classes: int | None = None) -> str:
    """Of the text of a canonical graph: 32 hexadecimal digits.

    classes: what an image is given a number for each of, if that dimension is to be left open. With it the number of
    channels of the images, of shape (batch, channels, height, width), is left open too.
    """
    return _hashed(text(graph, classes), 16)


def text(graph: Graph, classes: int | None = None) -> str:
    """What `digest` is of."""
    open_shapes = _open_shapes(graph, classes) if classes is not None else {}
    return _Writer(graph, open_shapes).text()


class _Writer:
    def __init__(self, graph: Graph, open_shapes: dict[int, str]) -> None:
        self.graph = graph
        self.open_shapes = open_shapes
        self.leaves = [leaf(graph, node) for node in graph.nodes]
        self.done = [self._does(index) for index in range(len(graph.nodes))]
        self.colours: list[str] = []
        for node, does in zip(graph.nodes, self.done, strict=True):
            below = [self.colours[edge.node] for edge in node.inputs]
            self.colours.append(_hashed(" ".join([does, *(sorted(below) if commutes(node) else below)]), 8))
        self.numbers: dict[int, int] = {}
        self.states: dict[str, int] = {}  # of parameters and buffers, by name
        self.read: list[str] = []  # their names, by number
        self.draws: dict[int, int] = {}  # of masks of dropout, which may be read twice, by the node that draws them
        self.lines: list[str] = []

    def text(self) -> str:
        graph = self.graph
        for edge in graph.returned:
            self._walk(edge.node)
            self.lines.append(f"returned {self.numbers[edge.node]}")
        if graph.training:
            self._left_behind()
        self.lines += self._read_in_several_ways()
        return "\n".join([str(graph.training), repr(graph.literals), repr(graph.returned_names), *self.lines])

    def _walk(self, last: int) -> None:
        """Write a node, and before it all that it depends on and that is not written yet."""
        stack = [(last, False)]
        while stack:
            index, ready = stack.pop()
            if index in self.numbers:
                continue
            node = self.graph.nodes[index]
            below = [] if self.leaves[index] else [edge.node for edge in node.inputs]
            if commutes(node):
                below.sort(key=self.colours.__getitem__)
            if not ready:
                stack.append((index, True))
                stack.extend((each, False) for each in reversed(below))
                continue
            operands = [self.numbers[each] for each in below]
            self.numbers[index] = len(self.numbers)
            self.lines.append(f"{self.done[index]} of {operands}{self._which(index)}")

    def _which(self, index: int) -> str:
        """Which parameter, buffer or draw a node reads, so that one read twice is not two."""
        state, node = self.leaves[index], self.graph.nodes[index]
        if state is not None:
            if state[0].name not in self.states:
                self.states[state[0].name] = len(self.read)
                self.read.append(state[0].name)
            return f" state {self.states[state[0].name]}"
        return f" draw {self.draws.setdefault(node.origin, len(self.draws))}" if node.op == "dropout" else ""

    def _does(self, index: int) -> str:
        """What a node computes, but for its operands; of a parameter no name, and no movement if that loses nothing."""
        node, state = self.graph.nodes[index], self.leaves[index]
        shapes = self.open_shapes.get(index) or repr(node.shapes)
        if state is not None:
            kind = state[0].op if self.graph.training else "state"  # one is trained and the other is not
            return f"{kind} {state[0].attributes} {shapes} {node.dtypes}"
        if index in self.open_shapes and node.op == "movement":
            return f"reshape {shapes} {node.dtypes}"
        return f"{node.op} {node.name} {node.attributes} {shapes} {node.dtypes}"

    def _left_behind(self) -> None:
        """What training leaves in the buffers that were read, and in others but for the counters of batches."""
        updates = self.graph.updates
        for number, name in enumerate(self.read):  # which grows, where what is left depends on what was not read yet
            if name in updates:
                self._walk(updates[name].node)
                self.lines.append(f"left in state {number}: {self.numbers[updates[name].node]}")
        unread = [edge.node for key, edge in updates.items() if key in self.graph.state and key not in self.states]
        counted = sorted(self.colours[node] for node in unread if self.graph.nodes[node].dtype.is_floating_point)
        self.lines.append(f"left elsewhere: {counted}")

    def _read_in_several_ways(self) -> Iterable[str]:
        """The movements of a parameter that is read under more than one: they have to agree with each other."""
        ways: dict[str, list[tuple[int, Movement | None]]] = {}
        for index, number in self.numbers.items():
            state = self.leaves[index]
            if state is not None:
                ways.setdefault(state[0].name, []).append((number, state[1]))
        for found in ways.values():
            if len(found) > 1:
                yield from (f"{number} is moved by {movement!r}" for number, movement in found)


def _hashed(written: str, size: int) -> str:
    return hashlib.blake2b(written.encode(), digest_size=size).hexdigest()


def _open_shapes(graph: Graph, classes: int) -> dict[int, str]:
    """Nodes of which a dimension is the number of channels or of classes -> their shapes with a word for it."""
    found: dict[int, str] = {}
    for index, node in enumerate(graph.nodes):
        if node.op == "input" and len(node.shape) == 4:
            found[index] = f"images channels {node.shape[2:]}"
        if node.op == "convolution" and not node.get("transposed"):
            image, weight = graph.node(node.inputs[0]), graph.node(node.inputs[1])
            if image.op == "input" and len(image.shape) == 4 and leaf(graph, weight) is not None:
                # Its second dimension is that of the image through the number of groups, which is an attribute.
                found[node.inputs[1].node] = f"{weight.shape[0]} channels {weight.shape[2:]}"
    for edge in graph.returned:
        found |= _head(graph, edge, classes)
    return found


def _head(graph: Graph, end: Edge, classes: int) -> dict[int, str]:
    """The nodes from the layer with the weights of the classes to an output, and those weights; none if it has none."""
    images = graph.shape(end)[0] if graph.shape(end) else 0
    found: dict[int, str] = {}
    edge = end
    while True:
        node = graph.node(edge)
        found[edge.node] = _by_classes(node.shape, images, classes)
        if node.op in ("linear", "convolution") and not node.get("transposed"):
            for weight in node.inputs[1:]:
                shape = graph.shape(weight)
                if leaf(graph, graph.node(weight)) is None or shape[:1] != (classes,):
                    return {}
                found[weight.node] = f"classes {shape[1:]}"
            return found if all(found.values()) else {}
        moved = node.get("movement")
        if len(node.inputs) != 1 or not found[edge.node] or (moved is not None and not moved.is_reshape):
            return {}
        edge = node.inputs[0]


def _by_classes(shape: Shape, images: int, classes: int) -> str:
    """A shape with a word for the number of classes; empty if that is not where a layer has it."""
    if shape[:2] == (images, classes):
        return f"images classes {shape[2:]}"
    return f"images*classes {shape[1:]}" if shape[:1] == (images * classes,) else ""
