"""What a planted fault is, the network it is planted in, and the registry of kinds."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from repro.graph import LEAVES, Graph, Node, TraceError, trace
from repro.parity.network import BATCH

# What a fault can be seen in.
FORWARD = frozenset({"eval", "train", "backward"})
VALUES = FORWARD | {"values"}
EVAL = frozenset({"eval", "backward"})
TRAIN = frozenset({"train"})
GRADIENT = frozenset({"backward", "train"})
INITIAL = frozenset({"initial"})

# A batch normalisation is another ATen operation in train mode, the one that returns the new running statistics.
_IN_TRAINING = {"native_batch_norm": "_native_batch_norm_legit_functional"}

Place = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake, where a report of it must point, and how to plant it.

    kind        which of `kinds()`
    path        the module a report must point at, "" for the root
    op          the operation it must point at, as in a traced graph; "" where `key` is what must be named
    occurrence  which of the nodes with that path and op in the graph, 0 first: a shared ReLU runs several times
    side        "expected" if that operation stands in the healthy network (it was changed or removed), "actual" if only
                the faulty one has it
    training    whether that graph is the one of train mode, because eval mode has no such operation
    key         the state_dict entry it must point at (of values, initial values and gradients), else ""
    modes       in what a difference exists in principle, all with equal weights, inputs and dropout masks: the outputs
                of "eval" mode; outputs, updated buffers or a step of SGD in "train" mode; the gradients "backward" from
                the outputs of eval mode; the "values" of a state_dict; the "initial" values
    equivalent  why it changes nothing, "" if it does; `modes` is empty then
    detail      what was done, with values: "stride 2 -> 1"

    Exactly one of these does it. What is planted lives in modules, not in tensors: it survives `load_state_dict`, also
    with `assign`, and `copy.deepcopy`.

    plant  changes a freshly built module in place, on any device, the meta device included
    alter  replaces entries of a state_dict by altered copies
    start  changes the initial values of a really built network in place
    """

    detail: str
    kind: str = ""
    path: str = ""
    op: str = ""
    occurrence: int = 0
    side: str = "expected"
    training: bool = False
    key: str = ""
    modes: frozenset[str] = FORWARD
    equivalent: str = ""
    plant: Callable[[nn.Module], None] | None = None
    alter: Callable[[MutableMapping[str, Tensor]], None] | None = None
    start: Callable[[nn.Module], None] | None = None


class Subject:
    """A healthy network, its graphs in both modes, and the questions that the kinds put to them.

    training  None where the network takes no input of this size in train mode
    """

    def __init__(self, network: nn.Module, size: Sequence[int]) -> None:
        self.network = copy.deepcopy(network).to("meta")
        self._size = tuple(size)
        self.graph = self._trace(self.network, training=False)
        self.training: Graph | None
        try:
            self.training = self._trace(self.network, training=True)
        except TraceError:
            self.training = None

    def _trace(self, network: nn.Module, training: bool) -> Graph:
        return trace(network, torch.empty(BATCH, *self._size, device="meta"), training=training)

    def admits(self, fault: Fault) -> bool:
        """Whether the network still runs with the fault planted, and is another program if it should be.

        In either mode if train mode has heads of its own, which may ask for other sizes.
        """
        if fault.plant is None:
            return True
        has_heads = self.training is not None and len(self.training.returned) > len(self.graph.returned)
        faulty = copy.deepcopy(self.network)
        fault.plant(faulty)
        try:
            traced = self._trace(faulty, fault.training)
            if has_heads:
                self._trace(faulty, not fault.training)
        except TraceError:
            return False
        healthy = self.training if fault.training else self.graph
        return not fault.op or healthy is None or _program(traced) != _program(healthy)

    @cached_property
    def signature(self) -> str:
        """What tells this network from others, the same on every machine."""
        return repr((type(self.network).__name__, list(self.graph.state.items()), len(self.graph.nodes)))

    @cached_property
    def places(self) -> dict[Place, Node]:
        """(path, op, occurrence) -> the operation, in dataflow order, of eval mode."""
        return places(self.graph)

    @cached_property
    def training_places(self) -> dict[Place, Node]:
        """The same of train mode; empty where it does not run at this size."""
        return places(self.training) if self.training else {}

    @cached_property
    def _paths(self) -> dict[str, None]:
        return dict.fromkeys(path for path, _, _ in self.places)

    @cached_property
    def _paths_of_training(self) -> dict[str, None]:
        return dict.fromkeys(path for path, _, _ in self.training_places if path not in self._paths)

    @cached_property
    def consumers(self) -> dict[int, list[Node]]:
        """Index of a node -> the operations of eval mode that read it."""
        found: dict[int, list[Node]] = {}
        for node in self.graph.nodes:
            for edge in node.inputs:
                found.setdefault(edge.node, []).append(node)
        return found

    def modules(self, *kinds: type[nn.Module]) -> Iterator[tuple[str, Any]]:
        """The modules of these types that run in eval mode, in the order in which they do."""
        modules = dict(self.network.named_modules())
        yield from ((path, modules[path]) for path in self._paths if isinstance(modules[path], kinds))

    def modules_of_training(self, *kinds: type[nn.Module]) -> Iterator[tuple[str, Any]]:
        """Those that run in eval mode, and then those that run in train mode only, such as auxiliary heads."""
        yield from self.modules(*kinds)
        modules = dict(self.network.named_modules())
        yield from ((path, modules[path]) for path in self._paths_of_training if isinstance(modules[path], kinds))

    def operations(self, *ops: str) -> Iterator[tuple[Place, Node]]:
        """The operations of eval mode with one of these names."""
        yield from ((place, node) for place, node in self.places.items() if node.op in ops)

    def only(self, path: str, op: str) -> Node | None:
        """The operation `op` of the module at `path` in eval mode, if it runs there exactly once."""
        return None if (path, op, 1) in self.places else self.places.get((path, op, 0))

    def source(self, node: Node, operand: int = 0) -> Node:
        """What produced an operand."""
        return self.graph.node(node.inputs[operand])

    def resizable(self, path: str, op: str) -> bool:
        """Whether another map size there could run: it meets no addition or concatenation with a map of the old size.

        Necessary, not sufficient; it spares a trace for every convolution inside a residual block.
        """
        changed = {node.origin for (where, name, _), node in self.places.items() if (where, name) == (path, op)}
        for node in self.graph.nodes:
            maps = [
                e.node for e in node.inputs if len(self.graph.shape(e)) >= 4 and self.graph.node(e).op not in LEAVES
            ]
            if changed.intersection(maps):
                if not changed.issuperset(maps):
                    return False
                changed.add(node.origin)
        return True

    def nearest_parameter(self, node: Node) -> str:
        """The key of a parameter of the last operation up to `node` that has one: the first that a gradient reaches."""
        reached = {node.origin}
        for index in range(node.origin, -1, -1):
            if index in reached:
                for edge in self.graph.nodes[index].inputs:
                    leaf = self.graph.node(edge)
                    if leaf.op == "parameter":
                        return leaf.name
                    reached.add(edge.node)
        return ""

    def at(self, place: Place, detail: str, *, side: str = "expected", modes: frozenset[str] = FORWARD) -> Fault:
        """A fault without its deed, whose report must point at `place`; give it one with `dataclasses.replace`.

        A module that runs in train mode only has its place in that graph, and a fault in it is seen in train mode only.
        """
        path, op, occurrence = place
        training = "eval" not in modes or path in self._paths_of_training
        if training:
            op, modes = _IN_TRAINING.get(op, op), modes & TRAIN
        return Fault(path=path, op=op, occurrence=occurrence, side=side, training=training, modes=modes, detail=detail)


def places(graph: Graph) -> dict[Place, Node]:
    """(path, op, occurrence) -> every operation of a traced graph, in its order."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[Place, Node] = {}
    for node in graph.nodes:
        if node.op not in LEAVES:
            found[node.path, node.op, seen[node.path, node.op]] = node
            seen[node.path, node.op] += 1
    return found


def _program(graph: Graph) -> Any:
    return [(node.op, node.attributes, node.inputs, node.shapes) for node in graph.nodes], graph.outputs


Candidates = Callable[[Subject], Iterator[Fault]]
_KINDS: dict[str, Candidates] = {}


def kind(name: str) -> Callable[[Candidates], Candidates]:
    """Register a function that yields the faults of one kind that a network has places for, in dataflow order."""

    def register(candidates: Candidates) -> Candidates:
        if name in _KINDS:
            raise ValueError(f"two kinds of fault are called {name!r}; the second is {candidates.__qualname__}")
        _KINDS[name] = candidates
        return candidates

    return register


def kinds() -> list[str]:
    """The names of all kinds of fault."""
    return list(_KINDS)


def faults(
    network: nn.Module, size: Sequence[int], seed: int = 0, places: int = 1, only: Sequence[str] | None = None
) -> Iterator[Fault]:
    """The faults to plant in copies of `network`: of each kind at most `places`, spread over its depth.

    network  is left as it is, and may be on any device
    size     (channels, height, width) of an input it takes
    only     the kinds wanted; all of them if None

    A place where the network no longer runs gives way to the next one; a kind without a place yields nothing. Which
    places are taken depends on seed, kind and network alone. Raises TraceError if the healthy network cannot be traced
    in eval mode, KeyError for an unknown kind.
    """
    subject = Subject(network, size)
    for name in kinds() if only is None else only:
        yield from of_kind(name, subject, seed, places)


def of_kind(name: str, subject: Subject, seed: int = 0, places: int = 1) -> Iterator[Fault]:
    """Those of one kind; see `faults`."""
    candidates = list(_KINDS[name](subject))
    for fault in _spread(subject, candidates, _fraction(f"{seed}/{name}/{subject.signature}"), places):
        yield replace(fault, kind=name)


def _spread(subject: Subject, candidates: list[Fault], offset: float, places: int) -> Iterator[Fault]:
    """One admissible candidate in each of `places` equal parts, from `offset` (0 to 1) of the part on."""
    left = dict(enumerate(candidates))
    for part in range(places):
        start = int((part + offset) / places * len(candidates))
        for index in sorted(left, key=lambda i: (i - start) % len(candidates)):
            if subject.admits(fault := left.pop(index)):
                yield fault
                break


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") / 2**32
