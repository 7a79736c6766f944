"""How much the checks see: faults planted in every network, and correct runs that must raise no alarm.

Each fault is planted in a copy of a healthy network, and the copy is checked against the original by every check in
whose domain a difference exists. What survives every check is a hole in them. Each correct run is the same network
computed in another legitimate way.
"""

from __future__ import annotations

import copy
import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import nn

from repro import checkpoint, models
from repro.canonical import VIEWS
from repro.errors import ReproError
from repro.faults import Fault, faults, kinds, off_by, places
from repro.graph import Graph, Node, TraceError
from repro.mapping import Entry, KeyMap
from repro.parity import initialisation
from repro.parity.causes import Difference, Side
from repro.parity.check import CHECKS, FUNCTIONS, check, made
from repro.parity.differences import differences
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan, Runs, channels_last
from repro.process import keep_memory
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

IMAGES = 2  # images of a trial

# The checks whose sensitivity to one element is measured.
_SENSITIVE = ("values", "forward.float64", "forward.float32", "backward.float64", "train.float64")

# In networks with fewer parameters than this every check in whose domain a fault is has to catch it, and each is asked
# where it is. In larger ones what eval mode shows is left to the checks of eval mode, and only the first check that
# catches a fault is asked, which is what a user reads first: finding a place costs several runs.
SMALL = 10**6

# From as many parameters on, a network has a share of the kinds and of the correct runs only; which, goes by its name.
LARGE, KINDS_SHARE, RUNS_SHARE = 4 * 10**7, 4, 4

# A network with as many, all its gradients and all that a step leaves, of two copies in two precisions, are over 8 GB.
HEAVY = 8 * 10**7

SEEDS = 2  # of weights, inputs and masks that a small network is run correctly with

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
    seen        check that was run -> what it made of it: `missed`; `located` or `misplaced`, if it was asked for the
                place; else `caught`
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
    """One correct run: the same network computed in another way, and the checks that call it different all the same.

    differs  whether any bit of what was computed is another, so that there was something to excuse
    """

    network: str
    how: str
    checks: int
    alarms: dict[str, str] = field(default_factory=dict)
    differs: bool = False


@dataclass(frozen=True)
class Threshold:
    """The smallest relative change of one element of one weight that a check notices, among the powers of two."""

    network: str
    key: str
    check: str
    relative: float


@dataclass(frozen=True)
class Study:
    """All trials and correct runs.

    unfinished: the networks whose process was killed, of which there is nothing here
    """

    trials: tuple[Trial, ...]
    reruns: tuple[Rerun, ...]
    thresholds: tuple[Threshold, ...] = ()
    unfinished: tuple[str, ...] = ()

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
        """No survivor, no false alarm, nothing disputed, nothing unfinished."""
        return not (self.survivors or self.false_alarms or self.disputed or self.unfinished)

    def evidence(self) -> dict[str, Any]:
        """All of it as JSON types."""
        planted = self.planted
        return {
            "planted": len(planted),
            "equivalent": len(self.trials) - len(planted),
            "caught": sum(trial.caught for trial in planted),
            "located": sum(trial.located for trial in planted),
            "correct_runs": len(self.reruns),
            "correct_runs_that_differ": sum(rerun.differs for rerun in self.reruns),
            "false_alarms": len(self.false_alarms),
            "kinds": [self._kind(kind) for kind in kinds() if any(trial.kind == kind for trial in self.trials)],
            "survivors": [vars(trial) for trial in self.survivors],
            "not_located": [vars(trial) for trial in planted if trial.caught and not trial.located],
            "disputed": [vars(trial) for trial in self.disputed],
            "alarms": [vars(rerun) for rerun in self.false_alarms],
            "equivalents": [vars(trial) for trial in self.trials if trial.equivalent],
            "correct": [vars(rerun) for rerun in self.reruns],
            "smallest_noticed": [vars(threshold) for threshold in self.thresholds],
            "unfinished": list(self.unfinished),
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
            "misplaced": sights.count("misplaced"),
        }


def study(names: Iterable[str], seed: int = 0, jobs: int = 1, done: Callable[[str], Any] = lambda _: None) -> Study:
    """Plant every kind of fault in these networks of the catalog, and run them correctly in every way.

    jobs: processes to share the networks out over; the heaviest have the machine to themselves. done: called with the
    name of each finished network. One whose process is killed a second time, with the machine to itself, is unfinished.
    """
    names = list(names)
    heavy = [name for name in names if _parameters(name) >= HEAVY]
    found: dict[str, Study] = {}

    def finish(group: Sequence[str], processes: int) -> None:
        for name, result in _studied(group, seed, processes):
            found[name] = result
            done(name)

    for group, processes in (([name for name in names if name not in heavy], jobs), *(([name], 1) for name in heavy)):
        with suppress(BrokenProcessPool):
            finish(group, processes)
    for name in [name for name in names if name not in found]:
        with suppress(BrokenProcessPool):
            finish([name], 1)
    every = [found[name] for name in names if name in found]
    return Study(
        tuple(trial for each in every for trial in each.trials),
        tuple(rerun for each in every for rerun in each.reruns),
        tuple(threshold for each in every for threshold in each.thresholds),
        tuple(name for name in names if name not in found),
    )


def _studied(names: Sequence[str], seed: int, processes: int) -> Iterator[tuple[str, Study]]:
    """What each network gives, in the order in which they are finished. Raises BrokenProcessPool."""
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_start, initargs=(processes,)) as pool:
        running = {pool.submit(_of_network, name, seed): name for name in names}
        for future in as_completed(running):
            yield running[future], future.result()


def _parameters(name: str) -> int:
    network = resolve(f"repro:{name}").module(with_values=False)
    return sum(parameter.numel() for parameter in network.parameters())


def _start(jobs: int) -> None:
    keep_memory()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _of_network(name: str, seed: int) -> Study:
    bench = Bench(models.get(name), seed)
    trials, reruns = tuple(bench.trials()), tuple(bench.correct_runs())
    for other in range(seed + 1, seed + (SEEDS if bench.small else 1)):
        reruns += tuple(Bench(models.get(name), other).correct_runs())
    return Study(trials, reruns, tuple(bench.thresholds()))


class Bench:
    """A healthy network of the catalog, run once, against which faulty copies and correct re-runs are held."""

    def __init__(self, variant: models.Variant, seed: int = 0) -> None:
        self.variant = variant
        self.seed = seed
        self.size = variant.other_size
        source = resolve(f"repro:{variant.name}")
        self.healthy = Network.of(source, self.size, Stopwatch())
        self.pristine = copy.deepcopy(self.healthy.module)
        self.other = Network(source, self.pristine, Stopwatch(), self.healthy.fixed)  # what only other weights go into
        self.state = self.healthy.conditioned(self.size, seed)
        self.plan = Plan(self._sizes(), ((self.size, IMAGES),), (self.size, IMAGES), seed, self.state, self.state)
        parameters = sum(tensor.numel() for tensor in self.state.values())
        self.small, self.large = parameters < SMALL, parameters >= LARGE
        self.runs = Runs(self.healthy, self.plan, self.state)

    def _sizes(self) -> tuple[Size, ...]:
        """What structure is proved at, and trained at where the smaller size is too small for an auxiliary head."""
        try:
            self.healthy.graph(self.size, True)
        except TraceError:
            return self.variant.input_size, self.size
        return (self.size,)

    def trials(self) -> Iterator[Trial]:
        """Every fault this network has a place for, one place a kind."""
        for fault in faults(self.pristine, self.size, self.seed, only=self._share(kinds(), KINDS_SHARE)):
            yield self.trial(fault)
            gc.collect()  # a planted fault is a class of its own, which holds on to its tensors until then

    def _share(self, names: Iterable[str], share: int) -> list[str]:
        """All of them, or a large network's part."""
        places = {name: crc32(f"{self.variant.name}/{name}".encode()) for name in names}
        return [name for name, place in places.items() if not self.large or place % share == 0]

    def trial(self, fault: Fault) -> Trial:
        """Plant one fault, and see what each check makes of it."""
        place = fault.key or f"{fault.op} of {fault.path or 'the root module'}"
        seen: dict[str, str] = {}
        message = ""
        modes = set(fault.modes or {"eval", "backward", "train"})  # what is equivalent must be silent everywhere
        if not self.small and "eval" in modes:
            modes = modes - {"backward", "train"}
        names = [name for name in CHECKS if any(name in _DOMAINS[mode] for mode in modes)]
        pair = self._faulty(fault)
        for name in names:
            if name in ("values", "forward.float64", "backward.float64", "train.float64") and not _comparable(pair):
                continue
            asked = self.small or not message
            placed = asked and (self.small or name == "forward.float64")
            try:
                result = self._start_of(pair) if name == "initialisation" else made(pair, name, placed)
            except ReproError as error:  # a check that cannot be made has not seen the fault
                result = pair.result(name, Outcome.ERROR, str(error))
                message = message or f"{name} could not be made: {error}"
            caught = result.outcome is Outcome.FAIL
            message = message or (result.message if caught else "")
            points = asked and caught and self._points(fault, pair, result)
            seen[name] = "missed" if not caught else "located" if points else "misplaced" if asked else "caught"
        return Trial(self.variant.name, fault.kind, place, fault.detail, fault.equivalent, seen, message)

    def _start_of(self, pair: Pair) -> Result:
        return initialisation.check(pair.reference.drawn, models.initialisation_of(self.variant))

    def _faulty(self, fault: Fault) -> Pair:
        state = dict(self.state)
        if fault.alter is not None:
            fault.alter(state)
        source = self.healthy.source
        if fault.start is not None:
            source = replace(source, build=lambda: _started(self.healthy.source, fault))
        if fault.plant is None and fault.start is None:
            network = self.other.twin()
        else:
            planted = copy.deepcopy(self.pristine)
            if fault.plant is not None:
                fault.plant(planted)
            network = Network(source, planted, Stopwatch(), self.healthy.fixed)
        plan = replace(self.plan, expected=state)
        shapes = {key: tuple(tensor.shape) for key, tensor in network.module.state_dict().items()}
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
                return str(next(iter(different))) == fault.key
            case "initialisation":
                return str(result.evidence["problems"][0]).startswith(f"{fault.key} ")
        if "lost" in result.evidence:
            return bool(fault.path in result.evidence["lost"])
        divergence = result.evidence.get("divergence")
        if divergence is not None:
            at = divergence["at"]
            if fault.key and at["key"] == fault.key:
                return True
            node = _node(fault, pair)
            there = [side for side in (at["subject"], at["reference"]) if side["module"] == fault.path]
            alone = _is_one_operation(fault, pair)
            return any(alone or (node is not None and side["line"] == node.where) for side in there)
        tensor = str(result.evidence.get("tensor", ""))
        return bool(fault.key) and (tensor == fault.key or ("." in tensor and tensor.rpartition(".")[0] == fault.path))

    def thresholds(self) -> Iterator[Threshold]:
        """What the checks notice of one element in the middle of the network; of small networks only."""
        weights = [key for key, tensor in self.state.items() if tensor.ndim > 1]
        key = weights[len(weights) // 2]
        for check_name in _SENSITIVE if self.small else ():
            noticed = [2.0**-k for k in range(1, 24) if self._notices(check_name, off_by(key, 2.0**-k))]
            if noticed:
                yield Threshold(self.variant.name, key, check_name, min(noticed))

    def _notices(self, check_name: str, fault: Fault) -> bool:
        return FUNCTIONS[check_name](self._faulty(fault)).outcome is Outcome.FAIL

    def correct_runs(self) -> Iterator[Rerun]:
        """The network in every other way it may be computed."""
        for how in self._share(_WAYS, RUNS_SHARE):
            pair, around = _WAYS[how](self)
            yield self._rerun(how, pair, around, check)
        yield self._rerun("image by image, forward", self._split(), nullcontext(), _forwards)
        if self.small and shutil.which("c++"):  # compiling takes a minute for a network of some size
            pair = self.pair()
            module = pair.reference.module  # what is run; what is traced is a copy of it
            module.forward = torch.compile(module.forward)
            yield self._rerun("torch.compile, forward", pair, nullcontext(), _forwards)

    def _split(self) -> Pair:
        """A batch given to the network one image after the other."""
        pair = self.pair()
        whole = pair.reference.module.forward
        pair.reference.module.forward = lambda images: torch.cat([whole(image) for image in images.split(1)])
        return pair

    def _rerun(
        self, how: str, pair: Pair, around: AbstractContextManager[Any], checks: Callable[[Pair], Iterable[Result]]
    ) -> Rerun:
        alarms: dict[str, str] = {}
        count = 0
        try:
            for dtype in (torch.float64, torch.float32):  # ours in the ordinary way, before anything is changed
                pair.ours.forwards(dtype)
                pair.ours.gradients(dtype)
                pair.ours.trained(dtype, pair.training_size)
            with around:
                for result in checks(pair):
                    count += result.outcome is not Outcome.SKIP
                    if result.outcome in (Outcome.FAIL, Outcome.ERROR):
                        alarms[result.check] = result.message
        except ReproError as error:
            alarms["error"] = str(error)
        ours, theirs = pair.ours.made, pair.theirs.made
        differs = any(ours[kind] != theirs[kind] for kind in ours.keys() & theirs.keys())
        return Rerun(self.variant.name, how, count, alarms, differs)

    def pair(self, state: dict[str, torch.Tensor] | None = None, batch: int = IMAGES) -> Pair:
        """The healthy network against another copy of it."""
        plan = replace(
            self.plan,
            forwards=((self.size, batch),),
            backward=(self.size, max(batch, 2)),  # a batch of one has no statistics where a map is one value
            expected=self.state if state is None else state,
        )
        network = Network(self.healthy.source, copy.deepcopy(self.pristine), Stopwatch(), self.healthy.fixed)
        return Pair(self.healthy, network, plan, ours=self.runs if batch == IMAGES else None)


def _forwards(pair: Pair) -> Iterator[Result]:
    """The checks that can be made of a module that has been compiled: its kinks and masks are out of reach."""
    for name in ("forward.float64", "forward.float32"):
        yield made(pair, name)


def _node(fault: Fault, pair: Pair) -> Node | None:
    """The operation a fault is in, in the traced graph that has it."""
    network = pair.subject if fault.side == "expected" else pair.reference
    size = pair.training_size if fault.training else pair.plan.backward[0]
    graph: Graph = network.graph(size, fault.training)
    return places(graph).get((fault.path, fault.op, fault.occurrence))


def _points_at_operation(fault: Fault, pair: Pair, training: bool) -> bool:
    """Whether the first structural difference is at the operation the fault is in, or at its one-operation module."""
    found = next(iter(differences(*pair.graphs(training))), None)
    node = _node(fault, pair)
    if found is None:
        return False
    sides = [side for side in (found.first, found.second, *found.rest) if side is not None]
    own = [side for side in (found.first if fault.side == "expected" else found.second, *_rest(found, fault)) if side]
    if node is not None and fault.training == training and any(side.origin == node.origin for side in own):
        return True
    if node is not None and any((side.path, side.where) == (node.path, node.where) for side in own):
        return True
    if any(side.op == "movement" for side in sides) and fault.op in VIEWS:
        return any(side.path == fault.path for side in sides)  # a chain of views is one operation
    return _is_one_operation(fault, pair) and any(side.path == fault.path for side in sides)


def _rest(found: Difference, fault: Fault) -> tuple[Side, ...]:
    """Those of a difference's further operations that stand in the network the fault's operation stands in."""
    if found.kind == "sharing":
        return found.rest[:1] if fault.side == "expected" else found.rest[1:]
    return found.rest if (found.kind == "extra") == (fault.side == "actual") else ()


def _is_one_operation(fault: Fault, pair: Pair) -> bool:
    """Whether the path of a fault is enough to find it: that of a layer, which runs once."""
    module = dict(pair.subject.module.named_modules()).get(fault.path)
    if not fault.path or module is None or any(True for _ in module.children()):
        return False
    size = pair.training_size if fault.training else pair.plan.backward[0]
    return (fault.path, fault.op, 1) not in places(pair.subject.graph(size, fault.training))


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


@contextmanager
def _without_mkldnn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of another setting when it puts all of them back
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _through_a_file(bench: Bench) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        checkpoint.save(path, bench.state)
        return dict(checkpoint.load(path).tensors)


def _through_float64(bench: Bench) -> dict[str, torch.Tensor]:
    return {key: x.double().float() if x.is_floating_point() else x.clone() for key, x in bench.state.items()}


def _channels_last(bench: Bench) -> dict[str, torch.Tensor]:
    return {key: channels_last(x) for key, x in bench.state.items()}


Way = Callable[[Bench], tuple[Pair, AbstractContextManager[Any]]]

_WAYS: dict[str, Way] = {
    "mkldnn off": lambda b: (b.pair(), _without_mkldnn()),
    "weights in channels_last": lambda b: (b.pair(_channels_last(b)), nullcontext()),
    "one thread": lambda b: (b.pair(), _threads(1)),
    "two threads": lambda b: (b.pair(), _threads(2)),
    "batch 1": lambda b: (b.pair(batch=1), nullcontext()),
    "batch 3": lambda b: (b.pair(batch=3), nullcontext()),
    "batch 8": lambda b: (b.pair(batch=8), nullcontext()),
    "weights through float64": lambda b: (b.pair(_through_float64(b)), nullcontext()),
    "weights through a file": lambda b: (b.pair(_through_a_file(b)), nullcontext()),
}
