"""Are the derivatives the same? The gradients of every parameter and of the input in eval mode, by budget."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from repro import budget
from repro.budget import Verdict
from repro.mapping import Entry
from repro.parity.numbers import judged
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
    verdicts = {key: budget.agree(actual, truth) for key, actual, truth in _found(ours, theirs)}
    if not all(verdict.passed for verdict in verdicts.values()):  # unless float32 says that it is ill-conditioned
        rounding = pair.again(lambda _, theirs: _theirs(pair, theirs, torch.float32))
        rounding = rounding or _theirs(pair, pair.theirs, torch.float32)
        verdicts = {key: budget.agree(actual, truth, rounding[key]) for key, actual, truth in _found(ours, theirs)}
    return judged(pair, "backward.float64", verdicts, "gradient", _evidence(verdicts))


def backward32(pair: Pair) -> Result:
    """In float32, on the same side of every kink, neither is much further from the float64 truth than the other."""
    verdicts = _verdicts32(pair, pair.ours, pair.theirs)
    found = budget.pooled(verdicts)
    if not all(verdict.passed for verdict in found.values()):  # unless other kernels are as far off
        found = budget.pooled(verdicts, pair.again(lambda ours, theirs: _verdicts32(pair, ours, theirs)))
    followed = {"ours": pair.ours.steered["eval"], "theirs": pair.theirs.steered["eval"]}
    return judged(pair, "backward.float32", found, "gradient", {**_evidence(found), "kinks": followed})


def _verdicts32(pair: Pair, subject: Runs, reference: Runs) -> dict[str, Verdict]:
    truth = _both(pair, pair.ours, pair.theirs, torch.float64)[1]
    return {
        key: budget.judge(actual, expected, wide)
        for key, actual, expected in _found(*_both(pair, subject, reference, torch.float32))
        if (wide := truth[key]) is not None
    }


Gradients = Mapping[str, torch.Tensor | None]


def _both(pair: Pair, subject: Runs, reference: Runs, dtype: torch.dtype) -> tuple[Gradients, Gradients]:
    """Ours and theirs under the reference's keys, in the order in which backward comes to them."""
    ours = subject.gradients(dtype)
    theirs = _theirs(pair, reference, dtype)
    mine: dict[str, torch.Tensor | None] = {}
    for entry in _entries(pair):
        gradient = ours.parameters.get(entry.source)
        mine[entry.target] = entry.moved(gradient) if gradient is not None else None
    return {**mine, INPUT: ours.image}, theirs


def _theirs(pair: Pair, reference: Runs, dtype: torch.dtype) -> Gradients:
    gradients = reference.gradients(dtype)
    return {**{e.target: gradients.parameters.get(e.target) for e in _entries(pair)}, INPUT: gradients.image}


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


def _found(ours: Gradients, theirs: Gradients) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    pairs = ((key, ours[key], theirs[key]) for key in theirs)
    return [(key, one, other) for key, one, other in pairs if one is not None and other is not None]


def _evidence(verdicts: Mapping[str, Verdict]) -> dict[str, object]:
    return {"tensors": {key: verdict.evidence() for key, verdict in verdicts.items()}}
