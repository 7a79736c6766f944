"""How one state_dict becomes the other, and whether every key of both is accounted for."""

from __future__ import annotations

import torch

from repro.mapping import KeyMap, key_map
from repro.parity.network import shape_text
from repro.parity.pair import Pair
from repro.result import Outcome, Result


def mapping(pair: Pair) -> Result:
    """The key map has the shapes of the reference, is the same at every size, and keeps fixed buffers."""
    subject, reference, plan, keys = pair.subject, pair.reference, pair.plan, pair.keys
    first, second = subject.canonical(plan.sizes[0]), reference.canonical(plan.sizes[0])
    problems = [
        f"at {shape_text(other)} {key!r} goes elsewhere"
        for other, matching in zip(plan.sizes[1:], pair.matchings[1:], strict=True)
        for key in moved_elsewhere(keys, key_map(subject.canonical(other), reference.canonical(other), matching))
    ]
    mapped = keys.apply({key: torch.empty(shape, device="meta") for key, shape in first.state.items()})
    problems += [
        f"{key!r} would get shape {tuple(tensor.shape)} in place of {second.state[key]}"
        for key, tensor in mapped.items()
        if tuple(tensor.shape) != second.state[key]
    ]
    fixed = plan.state or subject.fixed
    problems += [
        f"{entry.target!r} holds other values than our {entry.source!r}, which are part of the network"
        for entry in keys.entries
        if entry.target in reference.fixed and entry.source in subject.fixed
        if not torch.equal(entry.moved(fixed[entry.source]), reference.fixed[entry.target])
    ]
    moved = {entry.target: [str(step) for step in entry.steps] for entry in keys.entries if entry.steps}
    message = f"{len(keys.entries)} of {len(second.state)} keys of the reference mapped"
    if moved:
        message += f", {len(moved)} of them reshaped or permuted"
    for side, unmapped in (("ours", keys.unmapped_source), ("the reference", keys.unmapped_target)):
        if unmapped:
            message += f"; {len(unmapped)} of {side} left out ({next(iter(unmapped.values()))})"
    evidence = {
        "keys": {entry.target: entry.source for entry in keys.entries},
        "moved": moved,
        "unmapped_subject": dict(keys.unmapped_source),
        "unmapped_reference": dict(keys.unmapped_target),
    }
    outcome = Outcome.FAIL if problems else Outcome.PASS
    return pair.result("mapping", outcome, "; ".join([*problems[:3], message]), evidence)


def moved_elsewhere(one: KeyMap, other: KeyMap) -> list[str]:
    """The target keys that two key maps fill from different places."""
    there = {entry.target: (entry.source, entry.steps) for entry in other.entries}
    return [e.target for e in one.entries if e.target in there and there[e.target] != (e.source, e.steps)]
