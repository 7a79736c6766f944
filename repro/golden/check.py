"""Holding a network against its golden, and where it first leaves it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from repro import budget
from repro.golden.golden import Golden
from repro.golden.recording import NARROW, WIDE, Run
from repro.golden.subject import Seen, Subject, distance, paths, rms, scale
from repro.graph import digest
from repro.references import Source
from repro.result import Outcome, Result

CHECKS = ("golden.recipe", *(f"golden.{way.name}" for way in (*WIDE, *NARROW)))


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
    off = distance(found.sums[name], golden.sums[index][way.inputs], golden.sizes[index], way.inputs)
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
    held = {path for name in golden.stages for path in paths(name)}
    held |= {path[:end] for path in held for end in range(len(path)) if path[end] == "."}  # and what holds them
    new = sorted(path for path in subject.own_stages - held if path.count(".") <= deepest)
    computed = [name for name in golden.stages if not name.startswith("output ")]
    gone = [name for name in computed if not subject.modules & set(paths(name))]
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
    scales = torch.stack([scale(row) for row in golden.sizes])[:, way.inputs, None]
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
