"""Where two programs part in numbers, forward or backward: the first place, and every place that is wrong by itself.

It is told twice. Running free, each program on its own values: that says where it is wrong. Fed in, each operation on
the reference's values: that says whether it is wrong *there*. Operations that only one side has are taken together with
the one that reads them, so that what is compared begins and ends with the same values on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import torch

from repro import budget, fill
from repro.budget import Verdict
from repro.errors import ReproError
from repro.evaluate import apply, evaluate
from repro.graph import LEAVES, Edge, Graph, Node
from repro.mapping import classes, leaf
from repro.movement import reshape
from repro.parity.causes import Side, side
from repro.parity.differences import compare, dataflow

Phase = Literal["forward", "backward"]
State = Mapping[str, torch.Tensor]
_Finding = tuple[str, Verdict]  # what is wrong, and by how much


@dataclass(frozen=True)
class Place:
    """An operation and what the reference has in its place.

    key     the parameter or buffer of the subject that holds other values than the reference's; "" if none does
    detail  what is known to be different: in values, as written, and before it
    """

    subject: Side
    reference: Side
    key: str
    detail: str

    def __str__(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"{_named(self.subject)}, in the reference {_named(self.reference)}{detail}"

    def evidence(self) -> dict[str, Any]:
        """The fields as JSON types."""
        sides = {"subject": _plain(self.subject), "reference": _plain(self.reference)}
        return {**sides, "key": self.key, "detail": self.detail}


@dataclass(frozen=True)
class Divergence:
    """The first place where two programs part: the first that is wrong by itself or, if none is, that is wrong at all.

    quantity    what is wrong there: `its value`, `output 0`, or `the gradient it passes to` something
    index       of the worst element, with what the subject has there (given the reference's values, where that is
                wrong), the reference, and the reference in float64
    error       the largest error and what is allowed, in units of the standard deviation of the float64 truth
    problem     why there is no such error: other shapes, NaN, infinity; "" otherwise
    after       the operation that agrees and comes before it, in the order of the phase
    wrong_here  whether it is still wrong when it is given the reference's values
    causes      all that are wrong when given the reference's values, in the order of the phase
    """

    phase: Phase
    dtype: str
    at: Place
    quantity: str
    index: tuple[int, ...]
    actual: float
    expected: float
    truth: float
    error: float
    allowance: float
    problem: str
    after: Side | None
    wrong_here: bool
    causes: tuple[Place, ...]

    def __str__(self) -> str:
        how = self.problem or (
            f"at {list(self.index)} it is {self.actual:.9g} and should be {self.expected:.9g}, off by "
            f"{self.error:.1e} of the spread, {self.allowance:.1e} allowed"
        )
        before = f"the last before it that agrees is {_named(self.after)}" if self.after else "nothing comes before it"
        fed = "is still wrong: the fault is here" if self.wrong_here else "is right: the fault is in what it reads"
        others = [str(cause) for cause in self.causes if cause != self.at]
        return (
            f"{self.phase} in {self.dtype} parts at {self.at}. What is wrong is {self.quantity}: {how}; {before}. "
            f"Given the reference's values it {fed}."
            + (f" Wrong by themselves are {'also ' * self.wrong_here}{'; '.join(others)}." if others else "")
        )

    def evidence(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {
            **vars(self),
            "at": self.at.evidence(),
            "index": list(self.index),
            "after": _plain(self.after) if self.after else None,
            "causes": [cause.evidence() for cause in self.causes],
        }


def first_divergence(
    first: Graph,
    second: Graph,
    partner: Mapping[int, int],
    states: tuple[State, State],
    inputs: Sequence[torch.Tensor],
    phase: Phase,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Divergence | None:
    """The first place where the subject, `first`, parts from the reference, `second`; None if it does nowhere.

    first, second  canonical graphs
    partner        node of the first -> the same place of the second: a matching's `nodes`, or `differences.alignment`
    states         the parameters and buffers of each side, by its own keys
    inputs         of the shapes that both were traced with
    phase          `backward` follows the derivative of all outputs times closed-form cotangents, from the outputs on
    dtype          what to run in: float64 is judged by `budget.agree`, any other by `budget.judge`
    seed           of cotangents and dropout masks, as in a `Plan`

    Raises ReproError if one of the programs cannot be evaluated on these.
    """
    comparison = _Comparison(first, second, partner, phase, seed)
    return comparison.divergence(states, inputs, dtype)


@dataclass(frozen=True)
class _Run:
    """One run of one program: the value of every node and, in backward, the derivative by it where there is one."""

    values: list[torch.Tensor]
    gradients: dict[int, torch.Tensor]


@dataclass(frozen=True)
class _Outcome:
    """What comes of some operations: a value and, in backward, the gradients they pass on, by the node that gets it."""

    value: torch.Tensor
    passed: Mapping[int, torch.Tensor]


class _Program:
    """One side: its graph, with a node for each returned tensor, and which of its nodes the other side has too."""

    def __init__(self, graph: Graph, partners: set[int], draws: Mapping[int, torch.Tensor]) -> None:
        self.graph = graph
        self.partners = partners
        self.draws = draws
        self._segments: dict[int, tuple[list[int], list[int]]] = {}

    def segment(self, index: int) -> tuple[list[int], list[int]]:
        """What a node is computed from, back to nodes that both sides have; and the nodes on the way, itself last."""
        if index not in self._segments:
            ends: set[int] = set()
            inner = {index}
            pending = [index]
            while pending:
                for edge in self.graph.nodes[pending.pop()].inputs:
                    if edge.node in self.partners or _is_given(self.graph, edge.node):
                        ends.add(edge.node)
                    elif edge.node not in inner:
                        inner.add(edge.node)
                        pending.append(edge.node)
            self._segments[index] = sorted(ends), sorted(inner)
        return self._segments[index]

    def run(self, state: State, inputs: Sequence[torch.Tensor], dtype: torch.dtype, phase: Phase, seed: int) -> _Run:
        """All values and gradients, from given weights and inputs."""
        backward = phase == "backward"
        trained = {node.name for node in self.graph.nodes if backward and _is_trained(self.graph, node)}
        own = {key: _start(tensor, dtype, key in trained) for key, tensor in state.items()}
        with torch.set_grad_enabled(backward):
            values = evaluate(self.graph, own, [_start(x, dtype, backward) for x in inputs], self.draws)
        ends = [(k, values[edge.node]) for k, edge in enumerate(self.graph.returned) if values[edge.node].requires_grad]
        gradients: dict[int, torch.Tensor] = {}
        if ends:
            slopes = [fill.cotangent(seed, k, x) for k, x in ends]
            gradients = _gradients([x for _, x in ends], slopes, dict(enumerate(values)))
        return _Run([value.detach() for value in values], gradients)

    def outcome(
        self, index: int, given: Mapping[int, torch.Tensor], gradient: torch.Tensor | None, phase: Phase
    ) -> _Outcome:
        """What a node's segment makes of values at its beginning and, in backward, of the gradient at its end."""
        nodes, backward = self.graph.nodes, phase == "backward"
        starts = {i: _start(x, x.dtype, backward and _is_trained(self.graph, nodes[i])) for i, x in given.items()}
        values = dict(starts)
        with torch.set_grad_enabled(backward):
            for inner in self.segment(index)[1]:
                operands = [values[edge.node] for edge in nodes[inner].inputs]
                values[inner] = apply(self.graph, nodes[inner], operands, self.draws.get(inner))
        value = values[index]
        if gradient is None or not value.requires_grad or gradient.shape != value.shape:
            return _Outcome(value.detach(), {})
        return _Outcome(value.detach(), _gradients([value], [gradient], starts))


class _Comparison:
    """Two programs, which of their places are the same, and what they give there."""

    subject: _Run
    reference: _Run
    truth: _Run

    def __init__(self, first: Graph, second: Graph, partner: Mapping[int, int], phase: Phase, seed: int) -> None:
        first, second = _with_ends(first), _with_ends(second)
        ends = [(one.node, other.node) for one, other in zip(first.returned, second.returned, strict=False)]
        self.partner = {**partner, **_same_leaves(first, second, partner), **dict(ends)}
        self.back = {other: one for one, other in self.partner.items()}
        self.number = {one: k for k, (one, _) in enumerate(ends)}
        places = {other: first.nodes[one].origin for one, other in self.partner.items()}
        self.first = _Program(first, set(self.partner), _masks(first, {}, seed))
        self.second = _Program(second, set(self.back), _masks(second, places, seed))
        self.phase: Phase = phase
        self.seed = seed
        order = [index for index in dataflow(first, classes(first, second)[0]) if index in self.partner]
        self.order = order if phase == "forward" else order[::-1]

    def divergence(
        self, states: tuple[State, State], inputs: Sequence[torch.Tensor], dtype: torch.dtype
    ) -> Divergence | None:
        """Run both, and each operation by itself, and tell where they part."""
        self.subject = self.first.run(states[0], inputs, dtype, self.phase, self.seed)
        self.reference = self.truth = self.second.run(states[1], inputs, dtype, self.phase, self.seed)
        if dtype is not torch.float64:
            self.truth = self.second.run(states[1], inputs, torch.float64, self.phase, self.seed)
        told = self._wrong_value if self.phase == "forward" else self._wrong_gradient
        wrong: dict[int, _Finding] = {}
        causes: dict[int, _Finding] = {}
        for index in self.order:
            expected = truth = self._free(self.second, self.reference, self.partner[index])
            if self.truth is not self.reference:
                truth = self._free(self.second, self.truth, self.partner[index])
            found = told(index, self._free(self.first, self.subject, index), expected, truth)
            if found is not None:
                wrong[index] = found
            fed = self._fed(index) if wrong else None
            if fed is not None:  # derivatives read values, so that a wrong value is a cause backward too
                found = None
                if not fed.value.isnan().equal(expected.value.isnan()) or not expected.value.isnan().any():
                    found = told(index, fed, expected, truth) or self._wrong_value(index, fed, expected, truth)
                if found is not None:
                    causes[index] = found
        if not wrong:
            return None
        at, (quantity, verdict) = next(iter((causes or wrong).items()))
        before = [index for index in self.order[: self.order.index(at)] if index not in {**wrong, **self.number}]
        ratio, error = max((verdict.ratio, verdict.max_actual), (verdict.inverse, verdict.max_reference))
        return Divergence(
            phase=self.phase,
            dtype=str(dtype).removeprefix("torch."),
            at=self._place(at, at in causes),
            quantity=quantity,
            index=verdict.index,
            actual=verdict.actual,
            expected=verdict.reference,
            truth=verdict.truth,
            error=error,
            allowance=error / ratio * (1.0 if dtype is torch.float64 else budget.FACTOR),
            problem=verdict.problem,
            after=side(self.first.graph, before[-1]) if before else None,
            wrong_here=at in causes,
            causes=tuple(self._place(index, True) for index in causes),
        )

    def _free(self, program: _Program, run: _Run, index: int) -> _Outcome:
        """What a node gives on its own side's values."""
        if self.phase == "forward":
            return _Outcome(run.values[index], {})
        given = {start: run.values[start] for start in program.segment(index)[0]}
        return program.outcome(index, given, run.gradients.get(index), self.phase)

    def _fed(self, index: int) -> _Outcome | None:
        """What a node of the subject gives with its own weights on the reference's values; None if these do not fit."""
        given = {}
        for start in self.first.segment(index)[0]:
            own = _is_given(self.first.graph, start)
            given[start] = self.subject.values[start] if own else self.reference.values[self.partner[start]]
        try:
            return self.first.outcome(index, given, self.reference.gradients.get(self.partner[index]), self.phase)
        except ReproError:  # such as a layer of another width, which a cause before it explains
            return None

    def _wrong_value(self, index: int, actual: _Outcome, expected: _Outcome, truth: _Outcome) -> _Finding | None:
        """The value, and its verdict, if it is out of budget."""
        verdict = _judge(actual.value, expected.value, truth.value)
        quantity = f"output {self.number[index]}" if index in self.number else "its value"
        return (quantity, verdict) if verdict is not None else None

    def _wrong_gradient(self, index: int, actual: _Outcome, expected: _Outcome, truth: _Outcome) -> _Finding | None:
        """The first gradient passed on that is out of budget, and its verdict; None if none is."""
        if actual.value.shape != expected.value.shape:
            return self._wrong_value(index, actual, expected, truth)
        gradient = self.reference.gradients.get(self.partner[index])
        size = float(torch.linalg.vector_norm(gradient)) if gradient is not None else 0.0
        pairs = [(start, self.partner.get(start, -1)) for start in actual.passed]
        pairs += [(self.back.get(start, -1), start) for start in expected.passed]
        for one, other in dict.fromkeys(pairs):
            three = actual.passed.get(one), expected.passed.get(other), truth.passed.get(other)
            some = next(x for x in three if x is not None)
            x, y, t = (torch.zeros_like(some) if x is None else x for x in three)
            verdict = _judge(x, y, t, size / math.sqrt(max(some.numel(), 1)))
            if verdict is not None:
                return f"the gradient it passes to {self._receiver(one, other)}", verdict
        return None

    def _receiver(self, one: int, other: int) -> str:
        program, index = (self.first, one) if one >= 0 else (self.second, other)
        found = leaf(program.graph, program.graph.nodes[index])
        node = found[0] if found is not None else program.graph.nodes[index]
        return node.name or _named(side(program.graph, index))

    def _place(self, index: int, here: bool) -> Place:
        """The operation at a node; where it is wrong, the first before it that the other side has not."""
        other = self.partner[index]
        end = index in self.number  # no operation but the fact that a value is returned
        extra = self.first.segment(index)[1][:-1] if here else []
        missing = self.second.segment(other)[1][:-1] if here else []
        shown = [i for i in extra if self.first.graph.nodes[i].op != "movement"] or extra
        absent = [i for i in missing if self.second.graph.nodes[i].op != "movement"] or missing
        one = shown[0] if shown else self.first.graph.nodes[index].inputs[0].node if end else index
        two = absent[0] if absent else self.second.graph.nodes[other].inputs[0].node if end else other
        written = compare(self.first.graph, self.second.graph, index, other, self.partner)
        key, values = self._weights(index)
        details = [
            *values,
            *(difference.detail for difference in written),
            *(f"the reference has no {_named(side(self.first.graph, i))}" for i in shown),
            *(f"{_named(side(self.second.graph, i))} of the reference is missing" for i in absent),
        ]
        return Place(side(self.first.graph, one), side(self.second.graph, two), key, "; ".join(details))

    def _weights(self, index: int) -> tuple[str, list[str]]:
        """The first key whose values are not the reference's, and what is known of all that a node reads."""
        key, told = "", []
        for one in self.first.segment(index)[0]:
            if not _is_given(self.first.graph, one) or one not in self.partner:
                continue
            ours, theirs = self.subject.values[one], self.reference.values[self.partner[one]]
            if not torch.equal(ours, theirs):
                name = self._receiver(one, -1)
                key = key or name
                told.append(f"{name} {self._known(one, ours, theirs)}")
        return key, told

    def _known(self, one: int, ours: torch.Tensor, theirs: torch.Tensor) -> str:
        """How a weight is related to what the reference has."""
        name = self._receiver(-1, self.partner[one])
        weights = [i for i in self.partner if _is_given(self.first.graph, i)]
        for i in weights:
            if i != one and torch.equal(ours, self.reference.values[self.partner[i]]):
                swapped = torch.equal(self.subject.values[i], theirs)
                too = (
                    f", and {self._receiver(i, -1)} those of {name}: they are swapped"
                    if swapped
                    else f", not of {name}"
                )
                return f"holds the values of the reference's {self._receiver(-1, self.partner[i])}{too}"
        for a, b in combinations(range(theirs.ndim), 2):
            if torch.equal(ours, theirs.transpose(a, b).reshape(ours.shape)):
                return f"is the reference's {name} with dimensions {a} and {b} exchanged"
        for count in range(1, theirs.ndim + 1):
            for dims in combinations(range(theirs.ndim), count):
                if torch.equal(ours, theirs.flip(dims)):
                    return f"is the reference's {name} flipped along dimension {' and '.join(map(str, dims))}"
        return f"differs from the reference's {name} in {int((ours != theirs).sum())} of {ours.numel()} elements"


def _is_given(graph: Graph, index: int) -> bool:
    """Whether a node is a weight or constant, perhaps moved: no input, and not computed."""
    node = graph.nodes[index]
    return node.op in LEAVES[1:] or leaf(graph, node) is not None


def _is_trained(graph: Graph, node: Node) -> bool:
    """Whether there are derivatives by it: not by buffers, constants and frozen parameters."""
    found = leaf(graph, node)
    node = found[0] if found is not None else node
    return node.op not in ("buffer", "constant") and bool(node.get("requires_grad", True))


def _start(tensor: torch.Tensor, dtype: torch.dtype, derive: bool) -> torch.Tensor:
    """The same values in this precision, where derivatives may begin."""
    return tensor.detach().to(dtype).requires_grad_(derive) if tensor.is_floating_point() else tensor


def _gradients(
    ends: Sequence[torch.Tensor], slopes: Sequence[torch.Tensor], by: Mapping[int, torch.Tensor]
) -> dict[int, torch.Tensor]:
    """The derivatives by those tensors that have any."""
    reached = [index for index, x in by.items() if x.requires_grad]
    found = torch.autograd.grad(ends, [by[index] for index in reached], slopes, allow_unused=True)
    return {index: gradient for index, gradient in zip(reached, found, strict=True) if gradient is not None}


def _judge(actual: torch.Tensor, expected: torch.Tensor, truth: torch.Tensor, size: float = 0.0) -> Verdict | None:
    """The verdict on a tensor that is out of budget; None for one that is not.

    size: that of the terms a gradient is the sum of. Where they cancel, what is left of them are rounding errors.
    """
    if actual.dtype == expected.dtype and torch.equal(actual, expected):
        return None  # also what no budget could judge: constants, and the infinity of a mask
    wide = actual.dtype is torch.float64
    verdict = budget.agree(actual, truth) if wide else budget.judge(actual, expected, truth)
    if verdict.passed:
        return None
    if math.isnan(verdict.spread) or not actual.is_floating_point():
        return verdict
    largest = float(truth.abs().max())
    unit = max(size if wide else 0.0, largest if verdict.problem else 0.0)  # a constant has no spread
    limit = budget.FLOAT64_LIMIT if wide else budget.FACTOR * torch.finfo(actual.dtype).eps
    return None if float((actual - expected).abs().max()) <= limit * unit else verdict


def _same_leaves(first: Graph, second: Graph, partner: Mapping[int, int]) -> dict[int, int]:
    """The weights and constants that nodes which are partners read in the same order."""
    found: dict[int, int] = {}
    for one, other in partner.items():
        ours = [edge.node for edge in first.nodes[one].inputs if _is_given(first, edge.node)]
        theirs = [edge.node for edge in second.nodes[other].inputs if _is_given(second, edge.node)]
        if [first.nodes[i].shape for i in ours] == [second.nodes[i].shape for i in theirs]:
            for i, j in zip(ours, theirs, strict=True):
                found.setdefault(i, j)
    return found


def _with_ends(graph: Graph) -> Graph:
    """The same graph with a node that moves nothing for each returned tensor, so that ends have partners too."""
    nodes = list(graph.nodes)
    outputs = []
    for label, edge in graph.outputs:
        if edge in graph.returned:
            source = graph.node(edge)
            movement = (("movement", reshape(source.shape, source.shape)),)
            outputs.append((label, Edge(len(nodes))))
            nodes.append(replace(source, op="movement", attributes=movement, inputs=(edge,), name=""))
    return replace(graph, nodes=tuple(nodes), outputs=tuple(outputs))


def _masks(graph: Graph, places: Mapping[int, int], seed: int) -> dict[int, torch.Tensor]:
    """What each dropout keeps: a function of its place in the subject as traced, where it has one."""
    found = {}
    for index, node in enumerate(graph.nodes):
        if node.op == "dropout":
            place = places.get(index, node.origin)
            found[index] = fill.kept(seed, place, node.get("noise"), 1 - node.get("p"))
    return found


def _named(place: Side) -> str:
    return f"{place.op} of {place}"


def _plain(place: Side) -> dict[str, Any]:
    return {"op": place.op, "module": place.path, "line": place.where, "origin": place.origin}
