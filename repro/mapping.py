"""Graph isomorphism, and the state_dict mapping that it is.

Two canonical graphs are walked together from their outputs. Operands pair up in order; only where an operation
commutes is there a choice, and a number for everything below an operand settles all but the truly symmetric ones, which
are searched. A walk that ends is a proof: each node met has the same operation, attributes and shape as its partner and
its operands are partners, so both programs compute the same function once their leaves hold the same values. The
pairs of parameters and buffers met on the way are the key map; no name is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import torch

from repro.canonical import commutes
from repro.errors import ReproError
from repro.graph import Edge, Graph, Node, Shape, TraceError
from repro.movement import Movement

MAX_CHOICES = 10_000  # symmetric operands tried before the search gives up; no pair of the catalog has any


class MappingError(ReproError):
    """A state_dict does not fit a key map; the message names the keys and shapes."""


@dataclass(frozen=True)
class Entry:
    """One tensor of the target: the source's tensor `source`, of `shape`, moved by each of `steps` in turn."""

    target: str
    source: str
    shape: Shape
    steps: tuple[Movement, ...] = ()
    reason: str = "read at the same place of both graphs"

    def moved(self, tensor: torch.Tensor) -> torch.Tensor:
        """The target's tensor, made of the source's. Raises MappingError if that has another shape."""
        if tuple(tensor.shape) != self.shape:
            raise MappingError(f"{self.source} has shape {tuple(tensor.shape)}; the map expects {self.shape}")
        for step in self.steps:
            tensor = step.apply(tensor)
        return tensor


@dataclass(frozen=True)
class KeyMap:
    """How a source's state_dict becomes a target's.

    unmapped_source, unmapped_target  key -> why no entry has it; together with the entries, every key of both sides
    """

    entries: tuple[Entry, ...]
    unmapped_source: Mapping[str, str] = field(default_factory=dict)
    unmapped_target: Mapping[str, str] = field(default_factory=dict)

    def apply(self, state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The target's tensors, made from the source's; tensors that are not moved are shared, not copied.

        Raises MappingError for a missing key, an unknown key or a tensor of another shape.
        """
        known = {entry.source for entry in self.entries} | set(self.unmapped_source)
        for problem, keys in (("lacks", known - set(state_dict)), ("has the unknown", set(state_dict) - known)):
            if keys:
                raise MappingError(f"the state_dict {problem} key {_some(keys)}; the map was made for other keys")
        return {entry.target: entry.moved(state_dict[entry.source]) for entry in self.entries}

    def invert(self) -> KeyMap:
        """The map from the target back to the source."""
        entries = tuple(
            Entry(entry.source, entry.target, _result(entry), _inverse(entry), entry.reason) for entry in self.entries
        )
        return KeyMap(entries, self.unmapped_target, self.unmapped_source)


@dataclass(frozen=True)
class Matching:
    """An isomorphism of two canonical graphs.

    nodes    index in the first graph -> index in the second, leaves included
    leaves   (name in the first, name in the second) -> the movements under which both are read
    choices  symmetric operands that could have been paired either way, with the same function
    """

    nodes: Mapping[int, int]
    leaves: Mapping[tuple[str, str], tuple[Movement | None, Movement | None]]
    choices: int


def match(first: Graph, second: Graph, *, partners: Iterable[tuple[str, str]] = ()) -> Matching | None:
    """The isomorphism of two canonical graphs that pairs their outputs in order, or None if there is none.

    partners: names of leaves, each with that of the leaf that must be its partner.

    In train mode what the two leave behind counts as well: a buffer that one of them updates is the partner of one that
    the other updates likewise.
    """
    ends = first.returned, second.returned
    names = first.returned_names, second.returned_names
    if len(ends[0]) != len(ends[1]) or names[0] != names[1] or first.literals != second.literals:
        return None
    search = _Search(first, second)
    known = {f">{one}": other for one, other in partners} | {f"<{other}": one for one, other in partners}
    state = _State({}, {}, {}, known, [])
    return search.solve(state, list(zip(*ends, strict=True)))


def settled(first: Graph, second: Graph, matching: Matching, training: Callable[[], Matching | None]) -> Matching:
    """A matching of eval mode; where it had a choice, the one that agrees with the matching of train mode, if any does.

    Branches that are equal in eval mode may differ in train mode, as by a dropout in one of them.

    training: asked for only then; it may raise TraceError, as for an input too small for an auxiliary head.
    """
    if matching.choices:
        with suppress(TraceError):
            trained = training()
            if trained is not None:
                return match(first, second, partners=trained.leaves) or matching
    return matching


def key_map(source: Graph, target: Graph, matching: Matching, training: Iterable[Matching] = ()) -> KeyMap:
    """The key map that a matching of canonical graphs is, with every key of both sides accounted for.

    training: matchings of the same two modules in train mode, which also reach what eval does not run.
    """
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    why = Entry.reason
    for found in (matching, *training):
        for (source_key, target_key), (before, after) in found.leaves.items():
            mappable = source_key in source.state and target_key in target.state
            if not mappable or target_key in entries or source_key in taken:
                continue
            steps = [step for step in (before, after.inverse() if after is not None else None) if step is not None]
            both = steps[0].then(steps[1]) if len(steps) == 2 else None
            steps = [both] if both is not None else steps
            steps = [step for step in steps if not step.is_identity]
            entries[target_key] = Entry(target_key, source_key, source.state[source_key], tuple(steps), why)
            taken.add(source_key)
        why = "read at the same place of both graphs in train mode"
    _add_aliases(entries, taken, source, target)
    _add_counters(entries, taken, source, target)
    return KeyMap(
        tuple(entries[key] for key in target.state if key in entries),
        {key: _reason(key, source) for key in source.state if key not in taken},
        {key: _reason(key, target) for key in target.state if key not in entries},
    )


def key_map_of_both_modes(
    source: Graph, target: Graph, matching: Matching, training: Callable[[], Matching | None]
) -> KeyMap:
    """`key_map` of a matching in eval mode and, where that leaves keys of both sides over, of the one in train mode.

    training: asked for only then; it may raise TraceError, as for an input too small for an auxiliary head.
    """
    keys = key_map(source, target, matching)
    if keys.unmapped_source and keys.unmapped_target:
        with suppress(TraceError):
            trained = training()
            keys = key_map(source, target, matching, [trained] if trained is not None else [])
    return keys


def classes(*graphs: Graph) -> list[list[int]]:
    """For each node of each graph a number for all it computes, parameters told apart by their shapes only.

    Two nodes, of one graph or of two, have the same number if and only if they are alike in that sense.
    """
    numbers: dict[object, int] = {}
    found: list[list[int]] = []
    for graph in graphs:
        own: list[int] = []
        for node in graph.nodes:
            below = [own[edge.node] for edge in node.inputs]
            operands = tuple(sorted(below)) if commutes(node) else tuple(below)
            state = leaf(graph, node) is not None
            key = ("state", node.shape, node.dtype) if state else (*_does(node), operands)
            own.append(numbers.setdefault(key, len(numbers)))
        found.append(own)
    return found


def leaf(graph: Graph, node: Node) -> tuple[Node, Movement | None] | None:
    """The parameter or buffer a node is, and how it is moved if it is a rearranged one; None for any other node."""
    if node.op in ("parameter", "buffer"):
        return node, None
    if node.op == "movement" and graph.node(node.inputs[0]).op in ("parameter", "buffer"):
        movement: Movement = node.get("movement")
        return (graph.node(node.inputs[0]), movement) if movement.is_bijective else None
    return None


@dataclass
class _State:
    forward: dict[int, int]
    backward: dict[int, int]
    leaves: dict[tuple[str, str], tuple[Movement | None, Movement | None]]
    partners: dict[str, str]  # of leaf names, both ways, under "<name" and ">name"
    undecided: list[tuple[Node, Node]]

    def copy(self) -> _State:
        return _State(
            dict(self.forward), dict(self.backward), dict(self.leaves), dict(self.partners), list(self.undecided)
        )


def _does(node: Node) -> tuple[object, ...]:
    """What a node computes, but for its operands."""
    return node.op, node.name, node.attributes, node.shapes, node.dtypes


class _Search:
    def __init__(self, first: Graph, second: Graph) -> None:
        self.first, self.second = first, second
        self.class1, self.class2 = classes(first, second)
        self.choices = 0
        self.tried = 0

    def solve(self, state: _State, pending: list[tuple[Edge, Edge]]) -> Matching | None:
        """Follow `pending` as far as it is forced, then try each way of one undecided pair."""
        while True:
            if not self._propagate(state, pending):
                return None
            if not state.undecided:
                left_behind = self._left_behind(state)
                if left_behind is None:
                    return None
                if left_behind:
                    pending = left_behind
                    continue
                return Matching(state.forward, state.leaves, self.choices)
            one, other = state.undecided.pop()
            ways = self._ways(state, one, other)
            if not ways:
                return None
            self.choices += len(ways) - 1
            for way in ways[:-1]:
                self.tried += 1
                if self.tried > MAX_CHOICES:
                    raise ReproError(f"gave up pairing symmetric branches after {MAX_CHOICES} choices")
                found = self.solve(state.copy(), list(zip(one.inputs, way, strict=True)))
                if found is not None:
                    return found
            pending = list(zip(one.inputs, ways[-1], strict=True))

    def _propagate(self, state: _State, pending: list[tuple[Edge, Edge]]) -> bool:
        while pending:
            one, other = pending.pop()
            x, y = self.first.node(one), self.second.node(other)
            if one.node in state.forward or other.node in state.backward:
                if state.forward.get(one.node) != other.node:
                    return False
                continue
            if self.class1[one.node] != self.class2[other.node] or not self._pair_leaves(state, x, y):
                return False
            state.forward[one.node], state.backward[other.node] = other.node, one.node
            if leaf(self.first, x) is not None:
                continue
            if _does(x) != _does(y) or (x.op == "dropout" and not self._pair_draws(state, x, y)):
                return False
            if commutes(x):
                ways = self._ways(state, x, y)
                if not ways:
                    return False
                if len(ways) == 2:
                    state.undecided.append((x, y))
                    continue
                pending.extend(zip(x.inputs, ways[0], strict=True))
            else:
                pending.extend(zip(x.inputs, y.inputs, strict=True))
        return True

    def _left_behind(self, state: _State) -> list[tuple[Edge, Edge]] | None:
        """The updates of buffers that are partners and not yet walked; None if only one of two partners is updated."""
        if not (self.first.training and self.second.training):
            return []
        here, there = self.first.updates, self.second.updates
        pairs: list[tuple[Edge, Edge]] = []
        for one, other in ((name[1:], other) for name, other in state.partners.items() if name[0] == ">"):
            if (one in here) != (other in there):
                return None
            if one in here and state.forward.get(here[one].node) != there[other].node:
                pairs.append((here[one], there[other]))
        if not pairs and self._unread(0, state) != self._unread(1, state):
            return None
        return pairs

    def _unread(self, which: int, state: _State) -> list[int]:
        """What is left in buffers that no output reads, batch counters apart."""
        graph, numbers = ((self.first, self.class1), (self.second, self.class2))[which]
        read = {name[1:] for name in state.partners if name[0] == "><"[which]}
        left = (edge.node for name, edge in graph.updates.items() if name in graph.state and name not in read)
        return sorted(numbers[node] for node in left if graph.nodes[node].dtype.is_floating_point)

    def _ways(self, state: _State, one: Node, other: Node) -> list[tuple[Edge, ...]]:
        """The orders of the second node's operands that can still be partners of the first's."""
        ways = dict.fromkeys((other.inputs, other.inputs[::-1]))
        if len(set(one.inputs)) == 1:
            ways = dict.fromkeys((other.inputs,))
        return [way for way in ways if self._possible(state, one.inputs, way)]

    def _possible(self, state: _State, ones: tuple[Edge, ...], others: tuple[Edge, ...]) -> bool:
        return all(
            self.class1[one.node] == self.class2[other.node]
            and state.forward.get(one.node, other.node) == other.node
            and state.backward.get(other.node, one.node) == one.node
            for one, other in zip(ones, others, strict=True)
        )

    def _pair_draws(self, state: _State, x: Node, y: Node) -> bool:
        """A mask that is read twice on one side is read twice on the other."""
        one, other = str(x.origin), str(y.origin)
        return (
            state.partners.setdefault(f">draw {one}", other) == other
            and state.partners.setdefault(f"<draw {other}", one) == one
        )

    def _pair_leaves(self, state: _State, x: Node, y: Node) -> bool:
        here, there = leaf(self.first, x), leaf(self.second, y)
        if here is None or there is None:
            return here is there
        (one, before), (other, after) = here, there
        if (x.shape, x.dtype, one.attributes) != (y.shape, y.dtype, other.attributes):
            return False
        if self.first.training and self.second.training and one.op != other.op:  # one is trained and the other is not
            return False
        if state.partners.setdefault(">" + one.name, other.name) != other.name:
            return False
        if state.partners.setdefault("<" + other.name, one.name) != one.name:
            return False
        known = state.leaves.setdefault((one.name, other.name), (before, after))
        return known == (before, after) or _same_map(known, (before, after))


def _same_map(one: tuple[Movement | None, Movement | None], other: tuple[Movement | None, Movement | None]) -> bool:
    """Whether two ways of reading a pair of leaves imply the same map from the first leaf to the second."""

    def composed(pair: tuple[Movement | None, Movement | None]) -> tuple[bool, Movement | None]:
        """Whether it is one movement, and which; None is the identity."""
        before, after = pair
        if after is None:
            return True, before
        back = after.inverse()
        both = back if before is None else before.then(back)
        return both is not None, None if both is None or both.is_identity else both

    known, movement = composed(one)
    return known and (known, movement) == composed(other)


def _add_aliases(entries: dict[str, Entry], taken: set[str], source: Graph, target: Graph) -> None:
    """Further keys of a shared tensor get what its first key gets."""
    names: dict[str, list[str]] = {}
    for alias, first in source.aliases.items():
        names.setdefault(first, []).append(alias)
    for alias, first in target.aliases.items():
        if first in entries:
            known = entries[first]
            spare = [key for key in names.get(known.source, []) if key not in taken]
            taken.update(spare[:1])
            key = (spare or [known.source])[0]
            entries[alias] = Entry(alias, key, known.shape, known.steps, f"the same tensor as {first}")


def _add_counters(entries: dict[str, Entry], taken: set[str], source: Graph, target: Graph) -> None:
    """A batch counter changes no output; it belongs to the normalisation whose running mean is mapped."""
    for entry in list(entries.values()):
        here, mean, _ = entry.source.rpartition("running_mean")
        there, also_mean, _ = entry.target.rpartition("running_mean")
        source_key, target_key = f"{here}num_batches_tracked", f"{there}num_batches_tracked"
        there_are = mean and also_mean and source_key in source.state and target_key in target.state
        if there_are and target_key not in entries and source_key not in taken:
            why = "the batch counter beside a mapped running mean"
            entries[target_key] = Entry(target_key, source_key, source.state[source_key], (), why)
            taken.add(source_key)


def _reason(key: str, graph: Graph) -> str:
    mode = "train" if graph.training else "eval"
    if key in graph.aliases:
        return f"the same tensor as {graph.aliases[key]}"
    return f"no output depends on it in {mode} mode"


def _result(entry: Entry) -> Shape:
    return entry.steps[-1].shape if entry.steps else entry.shape


def _inverse(entry: Entry) -> tuple[Movement, ...]:
    return tuple(step.inverse() for step in reversed(entry.steps))


def _some(keys: set[str]) -> str:
    first, *rest = sorted(keys)
    return f"{first!r}" + (f" and {len(rest)} more" if rest else "")
