"""Are the derivatives the same? The gradients of every parameter and of the input in eval mode, by budget."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch

from repro.budget import Verdict
from repro.mapping import Entry
from repro.parity.numbers import in_float32, in_float64, judged
from repro.parity.pair import Pair, Runs
from repro.result import Outcome, Result

INPUT = "the input"


def backward64(pair: Pair) -> Result:
    """In float64 every gradient agrees to 1e-10 of its spread, and what has none here has none there."""
    ours, theirs = _both(pair, pair.ours, pair.theirs, torch.float64)
    missing = [
        f"no gradient reaches {_named(pair, key, side)!r} {side}{_frozen(pair, key, side)}, and one does {other}"
        for key in theirs
        for side, other, mine, its in (("here", "there", ours, theirs), ("there", "here", theirs, ours))
        if mine[key] is None and its[key] is not None
    ]
    if missing:
        more = f"; and {len(missing) - 1} more" if len(missing) > 1 else ""
        first = next(key for key in theirs if (ours[key] is None) != (theirs[key] is None))
        evidence = {"missing": missing, "tensor": first}
        return pair.result("backward.float64", Outcome.FAIL, missing[0] + more, evidence)
    verdicts = in_float64(pair, partial(_together, pair))
    return judged(pair, "backward.float64", verdicts, "gradient", _evidence(verdicts))


def backward32(pair: Pair) -> Result:
    """In float32, on the same side of every kink, neither is much further from the float64 truth than the other."""
    verdicts = in_float32(pair, partial(_together, pair))
    followed = {"ours": pair.ours.steered["eval"], "theirs": pair.theirs.steered["eval"]}
    return judged(pair, "backward.float32", verdicts, "gradient", {**_evidence(verdicts), "kinks": followed})


Gradients = Mapping[str, torch.Tensor | None]


def _both(pair: Pair, subject: Runs, reference: Runs, dtype: torch.dtype) -> tuple[Gradients, Gradients]:
    """Ours and theirs under the reference's keys, in the order in which backward comes to them."""
    ours, theirs = subject.gradients(dtype), reference.gradients(dtype)
    mine: dict[str, torch.Tensor | None] = {}
    entries = _entries(pair)
    for entry in entries:
        gradient = ours.parameters.get(entry.source)
        mine[entry.target] = entry.moved(gradient) if gradient is not None else None
    its = {entry.target: theirs.parameters.get(entry.target) for entry in entries}
    return {**mine, INPUT: ours.image}, {**its, INPUT: theirs.image}


def _entries(pair: Pair) -> list[Entry]:
    """The parameters of the key map, in the order in which backward comes to them."""
    read = pair.reading_order
    trained, theirs = (dict(n.module.named_parameters(remove_duplicate=False)) for n in (pair.subject, pair.reference))
    return sorted(
        (entry for entry in pair.keys.entries if entry.source in trained or entry.target in theirs),
        key=lambda entry: -read.get(entry.source, len(read)),
    )


def _named(pair: Pair, key: str, side: str) -> str:
    """The reference's key, or what ours is called."""
    source = next((entry.source for entry in pair.keys.entries if entry.target == key), key)
    return source if side == "here" else key


def _frozen(pair: Pair, key: str, side: str) -> str:
    """Why no gradient does, if that is how the parameter was made."""
    module = pair.subject.module if side == "here" else pair.reference.module
    parameter = dict(module.named_parameters(remove_duplicate=False)).get(_named(pair, key, side))
    return " (its requires_grad is off)" if parameter is not None and not parameter.requires_grad else ""


def _together(
    pair: Pair, subject: Runs, reference: Runs, dtype: torch.dtype
) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """The gradients that there are on both sides."""
    ours, theirs = _both(pair, subject, reference, dtype)
    pairs = ((key, ours[key], theirs[key]) for key in theirs)
    return [(key, one, other) for key, one, other in pairs if one is not None and other is not None]


def _evidence(verdicts: Mapping[str, Verdict]) -> dict[str, object]:
    return {"tensors": {key: verdict.evidence() for key, verdict in verdicts.items()}}
