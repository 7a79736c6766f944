"""How much the checks see: faults planted in every network, and correct runs that must raise no alarm.

Each fault is planted in a copy of a healthy network, and the copy is checked against the original by every check in
whose domain a difference exists. What survives every check is a hole in them. Each correct run is the same network
computed in another legitimate way.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from repro import checkpoint, models
from repro.canonical import VIEWS
from repro.errors import ReproError
from repro.faults import Fault, faults, kinds, places
from repro.graph import Graph, Node
from repro.mapping import Entry, KeyMap
from repro.parity import initialisation
from repro.parity.check import CHECKS, check, made
from repro.parity.differences import differences
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan, Runs
from repro.references import Source, resolve
from repro.result import Outcome, Result

BATCH = 2  # images of a trial

# The checks in whose domain a difference must exist, by the mode a fault is seen in.
_DOMAINS = {
    "eval": ("structure", "forward.float64"),
    "backward": ("backward.float64",),
    "train": ("train.structure", "train.float64"),
    "values": ("values",),
    "initial": ("initialisation",),
}


@dataclass(frozen=True)
class Trial:
    """One fault, planted once.

    equivalent  why it changes nothing in principle, "" if it does
    seen        check that was run -> what it made of it: `missed`, `caught` or `located`
    message     what the first check that caught it says
    """

    network: str
    kind: str
    place: str
    detail: str
    equivalent: str
    seen: dict[str, str]
    message: str = ""

    @property
    def caught(self) -> bool:
        """Whether any check saw it."""
        return any(sight != "missed" for sight in self.seen.values())

    @property
    def located(self) -> bool:
        """Whether the first check that saw it, the one a user reads first, points at the very operation or key."""
        return next((sight == "located" for sight in self.seen.values() if sight != "missed"), False)


@dataclass(frozen=True)
class Rerun:
    """One correct run: the same network computed in another way, and the checks that call it different all the same."""

    network: str
    how: str
    checks: int
    alarms: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """All trials and correct runs."""

    trials: tuple[Trial, ...]
    reruns: tuple[Rerun, ...]

    @property
    def planted(self) -> list[Trial]:
        """The trials of faults that change something in principle."""
        return [trial for trial in self.trials if not trial.equivalent]

    @property
    def survivors(self) -> list[Trial]:
        """The faults that no check saw."""
        return [trial for trial in self.planted if not trial.caught]

    @property
    def false_alarms(self) -> list[Rerun]:
        """The correct runs that some check calls different."""
        return [rerun for rerun in self.reruns if rerun.alarms]

    @property
    def disputed(self) -> list[Trial]:
        """The faults that are said to change nothing, and that a check saw."""
        return [trial for trial in self.trials if trial.equivalent and trial.caught]

    @property
    def sound(self) -> bool:
        """No survivor, no false alarm, nothing disputed."""
        return not (self.survivors or self.false_alarms or self.disputed)

    def evidence(self) -> dict[str, Any]:
        """All of it as JSON types."""
        planted = self.planted
        return {
            "planted": len(planted),
            "equivalent": len(self.trials) - len(planted),
            "caught": sum(trial.caught for trial in planted),
            "located": sum(trial.located for trial in planted),
            "correct_runs": len(self.reruns),
            "false_alarms": len(self.false_alarms),
            "kinds": [self._kind(kind) for kind in kinds() if any(trial.kind == kind for trial in self.trials)],
            "survivors": [vars(trial) for trial in self.survivors],
            "not_located": [vars(trial) for trial in planted if trial.caught and not trial.located],
            "disputed": [vars(trial) for trial in self.disputed],
            "alarms": [vars(rerun) for rerun in self.false_alarms],
            "equivalents": [vars(trial) for trial in self.trials if trial.equivalent],
            "correct": [vars(rerun) for rerun in self.reruns],
        }

    def _kind(self, kind: str) -> dict[str, Any]:
        trials = [trial for trial in self.planted if trial.kind == kind]
        equivalents = [trial for trial in self.trials if trial.kind == kind and trial.equivalent]
        return {
            "kind": kind,
            "planted": len(trials),
            "equivalent": len(equivalents),
            "reasons": sorted({trial.equivalent for trial in equivalents}),
            "caught": sum(trial.caught for trial in trials),
            "located": sum(trial.located for trial in trials),
            "checks": {name: self._sights(trials, name) for name in CHECKS if any(name in t.seen for t in trials)},
        }

    def _sights(self, trials: Sequence[Trial], check_name: str) -> dict[str, int]:
        sights = [trial.seen[check_name] for trial in trials if check_name in trial.seen]
        return {
            "planted": len(sights),
            "caught": sum(sight != "missed" for sight in sights),
            "located": sights.count("located"),
        }


def study(names: Iterable[str], seed: int = 0, jobs: int = 1, done: Callable[[str], Any] = lambda _: None) -> Study:
    """Plant every kind of fault in these networks of the catalog, and run them correctly in every way.

    jobs: processes to share the networks out over. done: called with the name of each finished network.
    """
    trials: list[Trial] = []
    reruns: list[Rerun] = []
    names = list(names)
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(jobs,)) as pool:
        for name, found in zip(names, pool.map(_of_network, names, [seed] * len(names)), strict=True):
            trials += found.trials
            reruns += found.reruns
            done(name)
    return Study(tuple(trials), tuple(reruns))


def _start(jobs: int) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _of_network(name: str, seed: int) -> Study:
    bench = Bench(models.get(name), seed)
    return Study(tuple(bench.trials()), tuple(bench.correct_runs()))


class Bench:
    """A healthy network of the catalog, run once, against which faulty copies and correct re-runs are held."""

    def __init__(self, variant: models.Variant, seed: int = 0) -> None:
        self.variant = variant
        self.seed = seed
        self.size = variant.other_size
        source = resolve(f"repro:{variant.name}")
        self.healthy = Network.of(source, self.size, Stopwatch())
        self.pristine = copy.deepcopy(self.healthy.module)
        self.state = self.healthy.conditioned(self.size, seed)
        self.plan = Plan((self.size,), ((self.size, BATCH),), (self.size, BATCH), seed, self.state, self.state)
        self.runs = Runs(self.healthy, self.plan, self.state)

    def trials(self, only: Sequence[str] | None = None) -> Iterator[Trial]:
        """Every fault this network has a place for, one place a kind."""
        for fault in faults(self.pristine, self.size, self.seed, only=only):
            yield self.trial(fault)

    def trial(self, fault: Fault) -> Trial:
        """Plant one fault, and see what each check makes of it."""
        place = fault.key or f"{fault.op} of {fault.path or 'the root module'}"
        seen: dict[str, str] = {}
        message = ""
        modes = fault.modes or {"eval", "backward", "train"}  # what is equivalent must be silent everywhere
        names = [name for name in CHECKS if any(name in _DOMAINS[mode] for mode in modes)]
        pair = self._faulty(fault)
        for name in names:
            if name in ("values", "forward.float64", "backward.float64", "train.float64") and not _comparable(pair):
                continue
            result = self._start_of(pair) if name == "initialisation" else made(pair, name)
            caught = result.outcome is Outcome.FAIL
            seen[name] = "missed" if not caught else "located" if self._points(fault, pair, result) else "caught"
            message = message or (result.message if caught else "")
        return Trial(self.variant.name, fault.kind, place, fault.detail, fault.equivalent, seen, message)

    def _start_of(self, pair: Pair) -> Result:
        return initialisation.check(pair.reference.drawn, models.initialisation_of(self.variant))

    def _faulty(self, fault: Fault) -> Pair:
        module = copy.deepcopy(self.pristine)
        if fault.plant is not None:
            fault.plant(module)
        state = dict(self.state)
        if fault.alter is not None:
            fault.alter(state)
        source = self.healthy.source
        if fault.start is not None:
            source = replace(source, build=lambda: _started(self.healthy.source, fault))
        network = Network(source, module, Stopwatch(), self.healthy.fixed)
        plan = replace(self.plan, expected=state)
        shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
        common = [key for key, tensor in state.items() if shapes.get(key) == tuple(tensor.shape)]
        keys = KeyMap(
            tuple(Entry(key, key, shapes[key]) for key in common),
            {key: "the faulty network lacks it" for key in state if key not in common},
            {key: "only the faulty network has it" for key in shapes if key not in common},
        )
        return Pair(self.healthy, network, plan, ours=self.runs, keys=keys)

    def _points(self, fault: Fault, pair: Pair, result: Result) -> bool:
        """Whether a result points at the operation or the key that the fault is in."""
        match result.check:
            case "structure" | "train.structure":
                return _points_at_operation(fault, pair, result.check == "train.structure")
            case "values":
                different = result.evidence["different"]
                return next(iter(different)) == fault.key
            case "initialisation":
                return str(result.evidence["problems"][0]).startswith(f"{fault.key} ")
        if "lost" in result.evidence:
            return fault.path in result.evidence["lost"]
        divergence = result.evidence.get("divergence")
        if divergence is not None:
            sides = [cause[side] for cause in [divergence["at"]] for side in ("subject", "reference")]
            if fault.key and divergence["at"]["key"] == fault.key:
                return True
            node = _node(fault, pair)
            if node is not None and any((s["module"], s["line"]) == (node.path, node.where) for s in sides):
                return True
            return any(s["module"] == fault.path for s in sides)
        tensor = str(result.evidence.get("tensor", ""))
        return bool(fault.key) and tensor.rpartition(".")[0] == fault.path

    def correct_runs(self) -> Iterator[Rerun]:
        """The network in every other way it may be computed."""
        for how, run in _WAYS.items():
            yield self._rerun(how, *run(self))

    def _rerun(self, how: str, pair: Pair, around: AbstractContextManager[Any]) -> Rerun:
        alarms: dict[str, str] = {}
        count = 0
        try:
            with around:
                for result in check(pair):
                    count += result.outcome is not Outcome.SKIP
                    if result.outcome in (Outcome.FAIL, Outcome.ERROR):
                        alarms[result.check] = result.message
        except ReproError as error:
            alarms["error"] = str(error)
        return Rerun(self.variant.name, how, count, alarms)

    def pair(self, state: dict[str, torch.Tensor] | None = None, batch: int = BATCH) -> Pair:
        """The healthy network against another copy of it."""
        plan = replace(
            self.plan,
            forwards=((self.size, batch),),
            backward=(self.size, batch),
            expected=self.state if state is None else state,
        )
        network = Network(self.healthy.source, copy.deepcopy(self.pristine), Stopwatch(), self.healthy.fixed)
        return Pair(self.healthy, network, plan, ours=self.runs if batch == BATCH else None)


def _node(fault: Fault, pair: Pair) -> Node | None:
    """The operation a fault is in, in the traced graph that has it."""
    network = pair.subject if fault.side == "expected" else pair.reference
    size = pair.training_size if fault.training else pair.plan.backward[0]
    graph: Graph = network.graph(size, fault.training)
    return places(graph).get((fault.path, fault.op, fault.occurrence))


def _points_at_operation(fault: Fault, pair: Pair, training: bool) -> bool:
    first = next(iter(differences(*pair.graphs(training))), None)
    side = first and (first.first if fault.side == "expected" else first.second)
    node = _node(fault, pair)
    if side is None or node is None:
        return False
    if fault.training == training and side.origin == node.origin:
        return True
    if side.op == "movement" and node.op in VIEWS:  # a chain of views is one operation, and stands where it ends
        return side.path == node.path
    return (side.path, side.where) == (node.path, node.where)


def _comparable(pair: Pair) -> bool:
    """Whether both have the same keys with the same shapes, so that the same weights fit."""
    return not pair.keys.unmapped_source and not pair.keys.unmapped_target


def _started(source: Source, fault: Fault) -> nn.Module:
    module = source.build()
    if fault.start is not None:
        fault.start(module)
    return module


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _through_a_file(bench: Bench) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        checkpoint.save(path, bench.state)
        return dict(checkpoint.load(path).tensors)


def _through_float64(bench: Bench) -> dict[str, torch.Tensor]:
    return {key: x.double().float() if x.is_floating_point() else x.clone() for key, x in bench.state.items()}


def _channels_last(bench: Bench) -> dict[str, torch.Tensor]:
    return {key: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x for key, x in bench.state.items()}


Way = Callable[[Bench], tuple[Pair, AbstractContextManager[Any]]]

_WAYS: dict[str, Way] = {
    "mkldnn off": lambda b: (b.pair(), torch.backends.mkldnn.flags(enabled=False)),
    "weights in channels_last": lambda b: (b.pair(_channels_last(b)), nullcontext()),
    "one thread": lambda b: (b.pair(), _threads(1)),
    "two threads": lambda b: (b.pair(), _threads(2)),
    "batch 1": lambda b: (b.pair(batch=1), nullcontext()),
    "batch 3": lambda b: (b.pair(batch=3), nullcontext()),
    "batch 8": lambda b: (b.pair(batch=8), nullcontext()),
    "weights through float64": lambda b: (b.pair(_through_float64(b)), nullcontext()),
    "weights through a file": lambda b: (b.pair(_through_a_file(b)), nullcontext()),
}
