"""Two networks and what is known of both: how they correspond, and what each of them did, every run made once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import torch

from repro import fill, models
from repro.errors import ReproError
from repro.graph import Graph, TraceError, digest
from repro.mapping import KeyMap, Matching, key_map_of_both_modes, match, settled
from repro.parity.differences import alignment
from repro.parity.kept import overwritten
from repro.parity.network import Gradients, Network, Trained, widened
from repro.parity.steering import Steering
from repro.references import Size
from repro.result import Outcome, Result

Found = TypeVar("Found")
Case = tuple[Size, int]  # (channels, height, width), batch

SHARE = 0.1  # of the parameters' size that a training step moves them by, so that a wrong gradient is seen in them


@dataclass(frozen=True)
class Plan:
    """What to compare on.

    sizes     input sizes at which equality is claimed; structure is proved at each
    forwards  the eval-mode forwards to run
    backward  the input to run backward and train on; a network that does not train on it trains on the first of `sizes`
    seed      of weights, inputs, cotangents and dropout masks
    state     weights to use on the first side instead of closed-form ones
    expected  weights of the reference's own, which must then be those; without them it gets the first side's, mapped
    inputs    a batch of the user's own, of the one size there then is, to run on instead of closed-form images
    """

    sizes: tuple[Size, ...]
    forwards: tuple[Case, ...]
    backward: Case
    seed: int = 0
    state: dict[str, torch.Tensor] | None = None
    expected: dict[str, torch.Tensor] | None = None
    inputs: torch.Tensor | None = None

    def images(self, case: Case, dtype: torch.dtype) -> torch.Tensor:
        """The input of a case; of the user's own images the first ones, over again where there are fewer."""
        size, batch = case
        if self.inputs is None:
            return fill.image(self.seed, batch, size).to(dtype)
        return self.inputs[torch.arange(batch) % len(self.inputs)].to(dtype)


class Runs:
    """What one network does with given weights; each run is made once and kept.

    names  node of its traced graph, by mode -> the same place of the first network's; None for the first itself
    first  the runs of the first network, whose learning rate and widened weights are taken; None for the first itself
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        state: Mapping[str, torch.Tensor],
        names: Mapping[bool, Mapping[int, int]] | None = None,
        first: Runs | None = None,
    ) -> None:
        self.network = network
        self._plan = plan
        self._names = names
        self._first = first
        done = (
            {id(x): first.state(torch.float64)[key] for key, x in first.state(torch.float32).items()} if first else {}
        )
        self._states = {torch.float32: dict(state), torch.float64: widened(state, done)}
        self._forwards: dict[torch.dtype, list[list[torch.Tensor]]] = {}
        self._gradients: dict[torch.dtype, Gradients] = {}
        self._trained: dict[torch.dtype, Trained] = {}
        self._sides: dict[bool, dict[int, torch.Tensor]] = {}
        self.steered: dict[str, dict[str, Any]] = {}

    def state(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The weights."""
        return self._states[dtype]

    def forwards(self, dtype: torch.dtype) -> list[list[torch.Tensor]]:
        """The outputs in eval mode for each case of the plan."""
        if dtype not in self._forwards:
            self._install(dtype)
            self._forwards[dtype] = [
                self.network.outputs(self._plan.images(case, dtype)) for case in self._plan.forwards
            ]
        return self._forwards[dtype]

    def gradients(self, dtype: torch.dtype) -> Gradients:
        """Outputs and derivatives in eval mode."""
        if dtype not in self._gradients:
            self._install(dtype)
            self.network.module.eval()
            steering = self._steering(self._plan.backward[0], False, dtype)
            images = self._plan.images(self._plan.backward, dtype)
            self._gradients[dtype] = self.network.backward(images, self._cotangent, steering)
            self._keep(steering, False, dtype)
        return self._gradients[dtype]

    @cached_property
    def rate(self) -> float:
        """The learning rate at which a step moves the parameters by `SHARE` of their size, to the next power of two."""
        weights = [self._states[torch.float64][key] for key in self.gradients(torch.float64).parameters]
        slopes = [g for g in self.gradients(torch.float64).parameters.values() if g is not None]
        ratio = _norm(weights) / (_norm(slopes) or 1.0)
        return 2.0 ** round(math.log2(SHARE * ratio)) if 0 < ratio < math.inf else 1.0

    def trained(self, dtype: torch.dtype, size: Size) -> Trained:
        """Outputs in train mode, and the state_dict after a step of SGD at the first network's rate."""
        if dtype not in self._trained:
            rate = (self._first or self).rate  # which may have to be found by a run
            self._install(dtype, copied=True)
            steering = self._steering(size, True, dtype)
            images = self._plan.images((size, self._plan.backward[1]), dtype)
            self._trained[dtype] = self.network.step(images, self._cotangent, steering, rate)
            self._keep(steering, True, dtype)
        return self._trained[dtype]

    @cached_property
    def relaid(self) -> Runs:
        """The same with weights in the other layout, for which there are other kernels that add up in another order."""
        state = {key: _relaid(x) for key, x in self._states[torch.float32].items()}
        runs = Runs(self.network, self._plan, state, self._names, self._first or self)
        runs._sides = self._sides
        return runs

    @property
    def made(self) -> dict[str, list[str]]:
        """Kind of run -> digests of what those that were made gave."""
        found: dict[str, list[torch.Tensor]] = {}
        for dtype, rows in self._forwards.items():
            found[f"forward {dtype}"] = [x for outputs in rows for x in outputs]
        for dtype, gradients in self._gradients.items():
            found[f"backward {dtype}"] = [x for x in gradients.parameters.values() if x is not None]
        for dtype, trained in self._trained.items():
            found[f"train {dtype}"] = list(trained.state.values())
        return {kind: [digest(x) for x in tensors] for kind, tensors in found.items()}

    def overwritten(self, training: bool, size: Size) -> list[str]:
        """The modules that keep a value for backward which is written over; see `kept.overwritten`."""
        self._install(torch.float64, copied=True)
        self.network.module.train(training)
        steering = self._steering(size, training, torch.float64)
        with steering:
            images = self._plan.images((size, self._plan.backward[1]), torch.float64)
            lost = overwritten(self.network.module, images)
        self.network.module.eval()
        return lost

    def _install(self, dtype: torch.dtype, copied: bool = False) -> None:
        state = self._states[dtype]
        if copied:
            state = {key: x.clone() for key, x in state.items()}
        if self.network.installed is not state:  # other runs may have this module too
            self.network.install(state)

    def _steering(self, size: Size, training: bool, dtype: torch.dtype) -> Steering:
        names = self._names[training] if self._names is not None else None
        sides = self._sides.get(training) if dtype is torch.float32 else None
        return Steering(self.network.graph(size, training), self._plan.seed, names, sides)

    def _keep(self, steering: Steering, training: bool, dtype: torch.dtype) -> None:
        if dtype is torch.float64:
            self._sides[training] = steering.taken
        else:
            mode = "train" if training else "eval"
            self.steered[mode] = {"elements": steering.moved, "furthest": steering.furthest}

    def _cotangent(self, index: int, output: torch.Tensor) -> torch.Tensor:
        return fill.cotangent(self._plan.seed, index, output)


class Pair:
    """A subject and one reference, ready to be checked; everything is computed when it is first asked for.

    limit      an input size at which the reference is known to be another network, and why
    untrained  why it is known to be another network in train mode, "" if it is not
    ours       the subject's runs, where it has been checked against another reference before
    keys       how the keys correspond, where that is known without a proof
    """

    def __init__(
        self,
        subject: Network,
        reference: Network,
        plan: Plan,
        limit: tuple[Size, str] | None = None,
        untrained: str = "",
        ours: Runs | None = None,
        keys: KeyMap | None = None,
    ) -> None:
        self.subject = subject
        self.reference = reference
        self.plan = plan
        self.limit = limit
        self.untrained = untrained
        self._ours = ours
        self._keys = keys

    @cached_property
    def matchings(self) -> list[Matching]:
        """The isomorphisms at each size of the plan, as far as there are any."""
        found: list[Matching] = []
        for size in self.plan.sizes:
            graphs = self.subject.canonical(size), self.reference.canonical(size)
            matching = match(*graphs)
            if matching is None:
                break
            known: list[tuple[str, str]] = []
            if matching.choices and self._alike:  # equal branches: the values tell which is which
                by_value = match(*graphs, partners=self._alike)
                matching, known = (by_value, self._alike) if by_value else (matching, known)
            found.append(settled(*graphs, matching, partial(self._trained, known)))
        return found

    def _trained(self, known: Iterable[tuple[str, str]]) -> Matching | None:
        """The isomorphism in train mode that pairs these leaves. Raises TraceError where one cannot be traced."""
        size = self.training_size
        return match(self.subject.canonical(size, True), self.reference.canonical(size, True), partners=known)

    @cached_property
    def _alike(self) -> list[tuple[str, str]]:
        """Keys that hold equal values, and no others do: they tell which of two equal branches is which."""
        if self.plan.state is None or self.plan.expected is None:
            return []
        ours, theirs = ({key: digest(x) for key, x in state.items()} for state in (self.plan.state, self.plan.expected))
        held = Counter(ours.values()), Counter(theirs.values())
        holder = {mark: key for key, mark in theirs.items()}
        return [(key, holder[mark]) for key, mark in ours.items() if held[0][mark] == held[1][mark] == 1]

    @property
    def equal(self) -> bool:
        """Whether the two are proved equal at every size of the plan."""
        return len(self.matchings) == len(self.plan.sizes)

    @cached_property
    def training_size(self) -> Size:
        """The size both train on: that of the plan's backward if they can, else the first that is claimed."""
        try:
            for network in (self.subject, self.reference):
                network.graph(self.plan.backward[0], True)
        except TraceError:  # such as an auxiliary head that this size is too small for
            return self.plan.sizes[0]
        return self.plan.backward[0]

    @cached_property
    def training(self) -> Matching | None:
        """The isomorphism in train mode. Raises TraceError where one cannot be traced."""
        return self._trained(self.matchings[0].leaves if self.matchings else ())

    @cached_property
    def keys(self) -> KeyMap:
        """The key map of eval mode, and of train mode for what only that reads."""
        if self._keys is not None:
            return self._keys
        size = self.plan.sizes[0]
        first, second = self.subject.canonical(size), self.reference.canonical(size)
        return key_map_of_both_modes(first, second, self.matchings[0], lambda: self.training)

    @cached_property
    def ours(self) -> Runs:
        """What the subject does."""
        if self._ours is None:
            given = self.plan.state
            state = given if given is not None else self.subject.conditioned(self.plan.sizes[0], self.plan.seed)
            self._ours = Runs(self.subject, self.plan, state)
        return self._ours

    @cached_property
    def theirs(self) -> Runs:
        """What the reference does, with the subject's weights if it is given none of its own."""
        names = {training: self._places(training) for training in (False, True)}
        given = self.plan.expected
        state = given if given is not None else self.keys.apply(self.ours.state(torch.float32))
        return Runs(self.reference, self.plan, state, names, self.ours)

    def again(self, of: Callable[[Runs, Runs], Found]) -> Found | None:
        """The same of both sides by other kernels; None for programs that do not run with weights in that layout."""
        with suppress(ReproError):
            return of(self.ours.relaid, self.theirs.relaid)
        return None

    @property
    def declared(self) -> models.Initialisation | None:
        """What the subject's initial values should be; None unless it is of the catalog."""
        library, _, name = self.subject.source.spec.partition(":")
        return models.initialisation_of(models.get(name)) if library == "repro" else None

    def graphs(self, training: bool) -> tuple[Graph, Graph]:
        """Both canonical graphs, for the input that backward runs on in this mode."""
        size = self.training_size if training else self.plan.backward[0]
        return self.subject.canonical(size, training), self.reference.canonical(size, training)

    def partners(self, training: bool) -> Mapping[int, int]:
        """Node of the subject's canonical graph -> the reference's: isomorphic, or else aligned as well as can be."""
        first, second = self.graphs(training)
        known = dict(zip(self.plan.sizes, self.matchings, strict=False))
        matching = self.training if training else known.get(self.plan.backward[0]) or match(first, second)
        return matching.nodes if matching is not None else alignment(first, second)

    @cached_property
    def reading_order(self) -> dict[str, int]:
        """Our keys, in the order in which eval mode reads them, then those that train mode reads only -> rank."""
        graphs = [self.subject.graph(self.plan.backward[0])]
        with suppress(TraceError):
            graphs.append(self.subject.graph(self.training_size, True))
        read = [
            (index, node.origin, position, key)
            for index, g in enumerate(graphs)
            for key, users in g.readers().items()
            for node, position in users
        ]
        return {key: rank for rank, key in enumerate(dict.fromkeys(key for *_, key in sorted(read)))}

    def _places(self, training: bool) -> dict[int, int]:
        """Node of the reference as traced -> the same place of the subject; empty where it cannot be traced."""
        try:
            first, second = self.graphs(training)
            pairs = self.partners(training).items()
        except TraceError:
            return {}
        return {second.nodes[other].origin: first.nodes[one].origin for one, other in pairs}

    def result(self, check: str, outcome: Outcome, message: str, evidence: dict[str, Any] | None = None) -> Result:
        """A result of one check of this pair."""
        subject = self.subject.source.spec.removeprefix("repro:")
        return Result(check, subject, self.reference.source.spec, outcome, message, evidence or {})


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """The same values in that layout, where a tensor has channels."""
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x


def _relaid(x: torch.Tensor) -> torch.Tensor:
    """The same values in channels_last; what is in channels_last already, as a user's own weights may be, in order."""
    return channels_last(x) if x.is_contiguous() else x.contiguous()


def _norm(tensors: Iterable[torch.Tensor]) -> float:
    return math.sqrt(sum(float(torch.linalg.vector_norm(tensor)) ** 2 for tensor in tensors))
