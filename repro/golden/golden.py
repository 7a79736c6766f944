"""Goldens: making one of a network, and holding a network against one."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import torch

import repro
from repro import budget, fill, models
from repro.errors import ReproError
from repro.golden import store
from repro.golden.inputs import inputs
from repro.golden.recording import DETAILED, NARROW, OTHERS, WIDE, Run, run, stages, sums
from repro.graph import Graph, TraceError, digest
from repro.parity.network import Network, Stopwatch, shape_text, widened
from repro.references import Size, Source
from repro.result import Outcome, Result

SEED = 0
ALL = slice(None)  # of the inputs

# A stage may be zero in exact arithmetic for one input, such as one without any light. Rounding errors of that are not
# measured by themselves but by this share of the stage's size for noise, the second input.
FLOOR, NOISE = 1e-3, 1

SMALLEST_MAP = 2  # to a side

CHECKS = ("golden.recipe", *(f"golden.{way.name}" for way in (*WIDE, *NARROW)))

_TOLD = ("network", "size", "elements", "reason", "made", "weights", "inputs", "returned", "stages")  # in the JSON


@dataclass(frozen=True)
class Golden:
    """What a network did.

    network   its specification, or what it is called where it has none
    size      of one input, without a batch
    elements  how many numbers are in its state_dict
    reason    why it was made, in its maker's words
    made      what it was made with: versions, device, command
    weights   digests of the closed-form weights: of their `names` and shapes, of `parameters`, and of `buffers`
    inputs    name -> digest
    returned  what it returns: label and dtype of each tensor, label and value of anything else
    stages    name -> shape, and for noise mean and root mean square: to be read, and compared by eye
    sums      (stages, inputs, SUMS), float64: see `recording.sums`
    sizes     (stages, inputs), float64: root mean square of all elements
    float32   (stages, inputs, 2), float64: greatest and root mean square error in that precision over the size, for
              the worst of the ways to compute it
    outputs   "output INDEX INPUT" -> all its elements, float64, for the DETAILED inputs: noise, and what such a
              network is made for; of the others the weighted sums hold outputs as still as they do every stage
    """

    network: str
    size: Size
    elements: int
    reason: str
    made: Mapping[str, str]
    weights: Mapping[str, str]
    inputs: Mapping[str, str]
    returned: Sequence[str]
    stages: Mapping[str, Mapping[str, Any]]
    sums: torch.Tensor
    sizes: torch.Tensor
    float32: torch.Tensor
    outputs: Mapping[str, torch.Tensor]

    @classmethod
    def load(cls, folder: Path, name: str) -> Golden:
        """Read it; see `store.load` for what is raised."""
        record, tensors = store.load(folder, name)
        numbers: dict[str, Any] = {key: tensors.pop(key) for key in ("sums", "sizes", "float32")}
        kept = {key: record[key] for key in _TOLD if key != "size"}
        return cls(**kept, size=tuple(record["size"]), **numbers, outputs=tensors)

    def save(self, folder: Path, name: str) -> None:
        """Write it; see `store.save`."""
        record = {key: getattr(self, key) for key in _TOLD}
        numbers = {"sums": self.sums, "sizes": self.sizes, "float32": self.float32}
        store.save(folder, name, record, {**numbers, **self.outputs})


@dataclass(frozen=True)
class Move:
    """The first place at which a network is not what its golden holds, in the order in which it computed.

    told   what is there and what was
    count  how many stages and outputs are not as they were
    last   the stage before, "" at the first
    """

    place: str
    told: str
    count: int
    last: str


@dataclass(frozen=True)
class Seen:
    """What a run in float64 did, by stage or output, and all elements of the outputs by "output INDEX INPUT"."""

    described: dict[str, dict[str, Any]]
    sums: dict[str, torch.Tensor]
    sizes: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]


class Subject:
    """A network with closed-form weights on the inputs of a golden; each run is made when it is asked for.

    names: of its stages as a golden has them; by default those of as many modules as fit.

    truth  (stage or output, name of an input) -> all its elements in float64, once `wide` was called with that input
    """

    def __init__(self, source: Source, size: Size, names: Iterable[str] | None = None) -> None:
        self.network = Network.of(source, size, Stopwatch(), batch=1)  # a thousand layers are slow to trace: once
        self.modules = dict(self.network.module.named_modules(remove_duplicate=False)).keys() - {""}
        self.own_stages = stages(self.network.graph(size))
        wanted = self.own_stages if names is None else {path for name in names for path in _paths(name)}
        self._paths = wanted & self.modules
        self.inputs = inputs(size, SEED)
        self._narrow = self.network.conditioned(size, SEED)
        self.elements = sum(tensor.numel() for tensor in self._narrow.values())
        self._installed: tuple[Any, ...] = ()
        self.truth: dict[tuple[str, str], torch.Tensor] = {}
        self.returned = _returned(self.network.graph(size))
        self._read = self.network.graph(size).readers()

    def weights(self) -> dict[str, str]:
        """Digests, as in `Golden.weights`."""
        named = dict(self.network.module.named_parameters(remove_duplicate=False))
        groups = {"names": hashlib.sha256(), "parameters": hashlib.sha256(), "buffers": hashlib.sha256()}
        for key, tensor in self._narrow.items():
            groups["names"].update(f"{key} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            if key not in self._read:
                continue  # what eval mode does not read may be the module's own
            groups["parameters" if key in named else "buffers"].update(fill.fingerprint(tensor))
        return {group: found.hexdigest()[:32] for group, found in groups.items()}

    def wide(self, way: Run, inputs: slice) -> Seen:
        """Run it in float64 on these inputs. The first time that it sees an input is the truth of it."""
        found = Seen({}, {}, {}, {})
        kinds = list(self.inputs)[inputs]

        def seen(name: str, tensor: torch.Tensor) -> None:
            found.described[name] = _described(tensor[min(NOISE, len(tensor) - 1)])
            found.sums[name], found.sizes[name] = sums(tensor), rms(tensor)
            for kind, row in zip(kinds, tensor, strict=True):
                copied = row.clone()  # what follows may write into it
                self.truth.setdefault((name, kind), copied)
                if name.startswith("output "):
                    found.outputs[f"{name} {kind}"] = copied

        self._run(way, inputs, seen)
        return found

    def keep(self, names: Collection[str]) -> None:
        """Forget the truth of all others."""
        self.truth = {key: row for key, row in self.truth.items() if key[0] in names}

    def narrow(self, way: Run, inputs: slice) -> dict[str, torch.Tensor]:
        """Stage or output -> greatest error and root mean square error in float32, (inputs, 2), absolute."""
        found: dict[str, torch.Tensor] = {}
        kinds = list(self.inputs)[inputs]

        def seen(name: str, tensor: torch.Tensor) -> None:
            if (name, kinds[0]) not in self.truth:
                return  # a program that does more in float32 does less in float64
            rows = [(row.double() - self.truth[name, kind]).abs_() for kind, row in zip(kinds, tensor, strict=True)]
            found[name] = torch.stack([torch.stack([row.amax(), rms(row[None])[0]]) for row in rows])

        self._run(way, inputs, seen)
        return found

    def _run(self, way: Run, inputs: slice, seen: Callable[[str, torch.Tensor], None]) -> None:
        if self._installed != (way.dtype, way.layout):
            state = widened(self._narrow) if way.dtype is torch.float64 else self._narrow
            self.network.install({key: way.layout(tensor) for key, tensor in state.items()})
            self._installed = way.dtype, way.layout
        run(self.network, torch.stack(list(self.inputs.values())[inputs]), way, self._paths, seen)


def _paths(stage: str) -> tuple[str, str]:
    """The modules that a stage may be of: PATH#2 is the second call of one, or the name of one."""
    return stage, stage.rpartition("#")[0]


def rms(tensor: torch.Tensor) -> torch.Tensor:
    """Root mean square of each row."""
    rows = tensor.reshape(len(tensor), -1)
    size: torch.Tensor = torch.linalg.vector_norm(rows, dim=1) / math.sqrt(rows.shape[1])
    return size


def make(source: Source, size: Size, reason: str, command: str) -> Golden:
    """The golden of a network as it is now.

    reason: why it is made. command: what was called to make it. Raises ReproError for a network that cannot be run, or
    of which something is NaN or infinite.
    """
    subject = Subject(source, size)
    if subject.network.draws(size):
        raise ReproError(f"{source.spec} draws random numbers in eval mode: it has no outputs to be held still")
    found, again = subject.wide(WIDE[0], ALL), subject.wide(WIDE[1], OTHERS)
    # What has as many rows as there are inputs, and with fewer inputs has not fewer, has no row for each.
    names = [name for name in found.sums if name in again.sums]
    for name in names:
        off = (found.sums[name][OTHERS] - again.sums[name]).abs().amax(1) / _scale(found.sizes[name])[OTHERS]
        if bool((off > budget.FLOAT64_LIMIT).any()):
            raise ReproError(
                f"{source.spec}: what {name} makes of one image depends on the others in the batch, or on the threads; "
                f"expected a network that takes each by itself"
            )
    subject.keep(names)
    errors = {name: torch.zeros(len(subject.inputs), 2, dtype=torch.float64) for name in names}
    # Correct kernels differ in how near they come, and another number of images may have others.
    for way, some in chain.from_iterable(((way, ALL), (way, way.inputs)) for way in NARROW):
        for name, off in subject.narrow(way, some).items():
            errors[name][some] = torch.maximum(errors[name][some], off)
    for name in names:
        finite = found.sums[name].isfinite().all(1) & errors[name].isfinite().all(1)
        if not finite.all():
            kind = list(subject.inputs)[int(finite.to(torch.int8).argmin())]
            raise ReproError(f"{source.spec}: {name} holds NaN or infinity for the input {kind!r}; nothing to keep")
    return Golden(
        network=source.spec,
        size=size,
        elements=subject.elements,
        reason=reason,
        made={
            "command": command,
            "repro": repro.__version__,
            "torch": torch.__version__.partition("+")[0],
            "torchvision": version("torchvision").partition("+")[0],
            "device": f"cpu, {platform.machine()}",
        },
        weights=subject.weights(),
        inputs={name: digest(image) for name, image in subject.inputs.items()},
        returned=subject.returned,
        stages={name: found.described[name] for name in names},
        sums=torch.stack([found.sums[name] for name in names]),
        sizes=torch.stack([found.sizes[name] for name in names]),
        float32=torch.stack([errors[name] / _scale(found.sizes[name])[:, None] for name in names]),
        outputs={key: row for key, row in found.outputs.items() if key.split()[-1] in list(subject.inputs)[DETAILED]},
    )


def check(golden: Golden, source: Source) -> Iterator[Result]:
    """Hold a network against its golden, one result for each of CHECKS. Raises ReproError where it cannot be run."""
    subject = Subject(source, golden.size, golden.stages)
    yield _recipe(golden, subject)
    seen = [subject.wide(way, way.inputs) for way in WIDE]
    # Something that is no batch may have as many rows as one way has images, and not as both have.
    known = golden.stages.keys() | set.intersection(*(set(found.sums) for found in seen))
    subject.keep(golden.stages)
    held = True
    for way, found in zip(WIDE, seen, strict=True):
        move = first_move(golden, way, replace(found, sums={key: x for key, x in found.sums.items() if key in known}))
        held = held and move is None
        yield _told(golden, way, move)
    for way in NARROW:
        if not held:
            message = "not judged: what it is judged by, the float64 values, moved"
            yield Result(f"golden.{way.name}", golden.network, "golden", Outcome.SKIP, message)
        else:
            yield _judged(golden, way, subject)


def first_move(golden: Golden, way: Run, found: Seen) -> Move | None:
    """Where a run in float64 first leaves its golden, None if it never does.

    Stages are compared by their shapes and weighted sums, outputs that are kept in full by their elements as well.
    """
    moves = {name: told for index, name in enumerate(golden.stages) if (told := _stage(golden, index, way, found))}
    moves |= {name: "it was not there" for name in found.sums if name not in golden.stages}
    order = _merged(list(golden.stages), list(found.sums))
    place = next((name for name in order if name in moves), None)
    if place is not None:
        index = order.index(place)
        return Move(place, moves[place], len(moves), order[index - 1] if index else "")
    outputs = {key: told for key in golden.outputs if (told := _output(golden, key, found))}
    if outputs:
        return Move(next(iter(outputs)), next(iter(outputs.values())), len(outputs), order[-1])
    return None


def _merged(kept: Sequence[str], found: Sequence[str]) -> list[str]:
    """All names in their order; one that was not kept stands after what it follows now."""
    order = list(kept)
    for index, name in enumerate(found):
        if name not in order:
            order.insert(order.index(found[index - 1]) + 1 if index else 0, name)
    return order


def _stage(golden: Golden, index: int, way: Run, found: Seen) -> str:
    """How a stage is not what it was, "" if it is."""
    name, described = list(golden.stages.items())[index]
    if name not in found.sums:
        return "it does not run any more"
    if (shape := found.described[name]["shape"]) != described["shape"]:
        return f"{shape}, it was {described['shape']}"
    off = (found.sums[name] - golden.sums[index][way.inputs]).abs().amax(1) / _scale(golden.sizes[index])[way.inputs]
    wrong = ~(off <= budget.FLOAT64_LIMIT)  # NaN is wrong
    kinds = ", ".join(kind for kind, is_wrong in zip(list(golden.inputs)[way.inputs], wrong, strict=True) if is_wrong)
    return (
        f"moved by {float(off.nan_to_num(math.inf, posinf=math.inf).max()):.1e} of its size, for {kinds}"
        if kinds
        else ""
    )


def _output(golden: Golden, key: str, found: Seen) -> str:
    """How an output that is kept in full is not what it was, "" if it is; `key` is its name and that of the input."""
    if key not in found.outputs:
        return ""  # not an input of this run
    expected, actual = golden.outputs[key], found.outputs[key]
    off = (actual - expected).abs() / (rms(expected[None])[0] or 1.0)
    if bool((off <= budget.FLOAT64_LIMIT).all()):
        return ""
    worst = int(off.nan_to_num(math.inf, posinf=math.inf).argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(worst), off.shape)]
    return f"{float(actual.flatten()[worst]):.6g} at {index}, {float(expected.flatten()[worst]):.6g} is kept"


def _recipe(golden: Golden, subject: Subject) -> Result:
    """Whether the weights and inputs are, bit for bit, those that the golden was made of."""
    if list(golden.returned) != subject.returned:
        message = f"it returns {'; '.join(subject.returned)}, and returned {'; '.join(golden.returned)}"
        return Result("golden.recipe", golden.network, "golden", Outcome.FAIL, message, {"changed": ["returned"]})
    found = {"weights": subject.weights(), "inputs": {name: digest(x) for name, x in subject.inputs.items()}}
    kept = {"weights": golden.weights, "inputs": golden.inputs}
    changed = [f"{group} {key}" for group in kept for key in kept[group] if kept[group][key] != found[group].get(key)]
    changed += ["inputs order"] * (not changed and list(golden.inputs) != list(subject.inputs))
    if not changed:
        message = "weights and inputs are, bit for bit, those of the golden"
        return Result("golden.recipe", golden.network, "golden", Outcome.PASS, message)
    why = {
        "weights names": "other parameters, other shapes or another order of them",
        "weights parameters": "the closed form gives other bits (repro/fill.py)",
        "weights buffers": "running statistics, which follow from what the network computes: look where float64 moved",
        "inputs order": "the inputs stand in another order, or there are others",
    }
    message = f"not as they were: {', '.join(changed)}; {why.get(changed[0], 'the inputs give other bits')}"
    if changed[0] == "weights names":
        message += _renamed(golden, subject)
    return Result("golden.recipe", golden.network, "golden", Outcome.FAIL, message, {"changed": changed})


def _renamed(golden: Golden, subject: Subject) -> str:
    """Which modules of those that are listened to are new, and which are gone."""
    deepest = max(name.count(".") for name in golden.stages)
    held = {path for name in golden.stages for path in _paths(name)}
    held |= {path[:end] for path in held for end in range(len(path)) if path[end] == "."}  # and what holds them
    new = sorted(path for path in subject.own_stages - held if path.count(".") <= deepest)
    computed = [name for name in golden.stages if not name.startswith("output ")]
    gone = [name for name in computed if not subject.modules & set(_paths(name))]
    found = [(told, paths) for told, paths in (("new", new), ("gone", gone)) if paths]
    return "".join(f"; {told}: {', '.join(paths[:5])}{', ...' * (len(paths) > 5)}" for told, paths in found)


def _told(golden: Golden, way: Run, move: Move | None) -> Result:
    check = f"golden.{way.name}"
    if move is None:
        message = f"{len(golden.stages)} stages and outputs are where they were"
        return Result(check, golden.network, "golden", Outcome.PASS, message, {"stages": len(golden.stages)})
    held = f"all before it are as they were, the last of them {move.last}" if move.last else "it is the first of all"
    message = f"{move.place}: {move.told}; {held}; {move.count} of {len(golden.stages)} stages moved"
    return Result(check, golden.network, "golden", Outcome.FAIL, message, vars(move))


def _judged(golden: Golden, way: Run, subject: Subject) -> Result:
    """Whether float32 is as near to the float64 truth as it was when the golden was made.

    The errors of a stage of few different elements are small by chance: none is held to less than the median of all
    stages, or one unit in the last place of its largest element.
    """
    errors = subject.narrow(way, way.inputs)
    if errors.keys() != golden.stages.keys():
        missing = next(name for name in golden.stages if name not in errors)
        message = f"{missing}: it runs in float64, and not in float32"
        return Result(f"golden.{way.name}", golden.network, "golden", Outcome.FAIL, message, {"at": missing})
    kinds = list(golden.inputs)[way.inputs]
    scales = torch.stack([_scale(row) for row in golden.sizes])[:, way.inputs, None]
    actual = torch.stack([errors[name] for name in golden.stages]) / scales
    largest = torch.stack(
        [torch.stack([subject.truth[name, kind].abs().amax() for kind in kinds]) for name in golden.stages]
    )
    unit = torch.finfo(torch.float32).eps * largest[..., None] / scales
    allowance = torch.maximum(golden.float32, golden.float32.median(0).values)[:, way.inputs].maximum(unit)
    ratio = torch.where(actual == 0, 0.0, actual / allowance)
    ratio = ratio.nan_to_num(math.inf, posinf=math.inf).amax(2)  # NaN is beyond all
    over = (ratio > budget.FACTOR).any(1)
    stage = int(over.to(torch.int8).argmax()) if over.any() else int(ratio.amax(1).argmax())
    kind = int(ratio[stage].argmax())
    value, place = float(ratio[stage, kind]), f"{list(golden.stages)[stage]} for {kinds[kind]}"
    told = "the first stage beyond" if over.any() else "the worst"
    message = (
        f"{place}: {value:.2f} times as far from the float64 truth as when the golden was made, {told}; "
        f"{budget.FACTOR:.0f} times are allowed"
    )
    outcome = Outcome.FAIL if over.any() else Outcome.PASS
    return Result(f"golden.{way.name}", golden.network, "golden", outcome, message, {"ratio": value, "at": place})


def _returned(graph: Graph) -> list[str]:
    """What a program returns, in the terms of `Golden.returned`."""
    tensors = [f"{label} {graph.node(edge).dtype}" for label, edge in graph.outputs if label.startswith("output")]
    return [*tensors, *(f"{label} = {value}" for label, value in graph.literals)]


def _scale(sizes: torch.Tensor) -> torch.Tensor:
    """What differences of a stage are measured by, for each input: its size, but some share of that for noise."""
    scale = torch.maximum(sizes, FLOOR * sizes[NOISE])
    return torch.where(scale > 0, scale, 1.0)


def _described(row: torch.Tensor) -> dict[str, Any]:
    described = {"mean": float(row.mean()), "rms": float(rms(row[None])[0])}
    return {"shape": shape_text(row.shape), **{key: float(f"{value:.5g}") for key, value in described.items()}}


def golden_size(source: Source, given: Size | None) -> Size:
    """The size of input that a golden is made for: as given, or one that costs little.

    For a network of the catalog the smaller one that it is verified at, its sides halved as often as it runs on that
    and convolutions still see maps of 2x2, in which each of nine weights is felt.
    """
    if given is not None:
        return given
    library, _, name = source.spec.partition(":")
    if library != "repro":
        return source.input_size or (3, 224, 224)
    variant = models.get(name)
    size: Size = min(variant.input_size, variant.other_size, key=math.prod)
    network = Network(source, source.module(with_values=False), Stopwatch(), batch=1)
    while True:
        half = (size[0], size[1] // 2, size[2] // 2)
        try:
            graph = network.graph(half)
        except TraceError:
            return size
        convolved = [graph.shape(node.inputs[0])[2:] for node in graph.nodes if node.op == "convolution"]
        if min(map(min, convolved)) < SMALLEST_MAP:
            return size
        size = half
