"""Are the two programs the same one? By proof, in eval mode and in train mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repro.mapping import match
from repro.parity.causes import Difference
from repro.parity.differences import differences
from repro.parity.network import BATCH, shape_text
from repro.parity.pair import Pair
from repro.references import Size
from repro.result import Outcome, Result


def structure(pair: Pair) -> Result:
    """The eval-mode graphs are isomorphic at every size of the plan."""
    if not pair.equal:
        return _unequal(pair)
    subject, reference, sizes = pair.subject, pair.reference, pair.plan.sizes
    proved = [[BATCH, *size] for size in sizes]
    first = pair.matchings[0]
    evidence: dict[str, Any] = {
        "proved_for": proved,
        "operations": len(first.nodes) - len(first.leaves),
        "symmetric_choices": first.choices,
    }
    message = f"proved equal for every input of shape {' and '.join(shape_text(shape) for shape in proved)}"
    outcome = Outcome.PASS
    for network in {side.source.spec: side for side in (subject, reference)}.values():
        if network.draws(sizes[0]):
            outcome = Outcome.FAIL
            message += f"; but {network.source.spec} draws random numbers in eval mode: no two calls are equal"
        changed = list(network.graph(sizes[0]).updates)
        if changed:
            evidence.setdefault("changed_by_a_call", {})[network.source.spec] = changed
            message += f"; a call changes {changed[0]!r} of {network.source.spec}, and the proof is of the first one"
    if reference.source.note:
        evidence["amended"] = reference.source.note
        message += f" ({reference.source.note})"
    if pair.limit is not None:
        size, why = pair.limit
        found = differences(subject.canonical(size), reference.canonical(size))
        if match(subject.canonical(size), reference.canonical(size)) is not None:
            outcome = Outcome.FAIL
            message += f"; and for {shape_text((BATCH, *size))} too, where the catalog says it is not: {why}"
        else:
            message += f"; not for {shape_text((BATCH, *size))}: {why}"
            evidence["stops_at"] = {"input": [BATCH, *size], "why": why, "differences": _evidence(found)}
    return pair.result("structure", outcome, message, evidence)


def train_structure(pair: Pair) -> Result:
    """The train-mode graphs are isomorphic: the same dropout, gradients stopped alike, the same buffers updated."""
    size = pair.training_size
    shape = shape_text((BATCH, *size))
    if pair.untrained:
        if pair.training is None:
            return pair.result("train.structure", Outcome.SKIP, f"not claimed: {pair.untrained}")
        told = f"equal for {shape}, where the catalog says it is not: {pair.untrained}"
        return pair.result("train.structure", Outcome.FAIL, told)
    if pair.training is None:
        return _different(pair, "train.structure", size, True, "")
    outputs = len(pair.subject.graph(size, True).returned)
    updated = len(pair.subject.graph(size, True).updates)
    message = f"proved equal for every input of shape {shape}: {outputs} output{'s' * (outputs > 1)}"
    message += f", {updated} buffers updated" if updated else ""
    evidence = {"proved_for": [[BATCH, *size]], "outputs": outputs, "updated": updated}
    return pair.result("train.structure", Outcome.PASS, message, evidence)


def _unequal(pair: Pair) -> Result:
    size = pair.plan.sizes[len(pair.matchings)]
    before = "".join(f"equal for {shape_text((BATCH, *s))}, but " for s in pair.plan.sizes[: len(pair.matchings)])
    return _different(pair, "structure", size, False, before)


def _different(pair: Pair, check: str, size: Size, training: bool, before: str) -> Result:
    found = differences(pair.subject.canonical(size, training), pair.reference.canonical(size, training))
    first = str(found[0]) if found else "the same operations, joined differently"
    message = f"{before}different for {shape_text((BATCH, *size))}: {first}"
    return pair.result(check, Outcome.FAIL, message, {"input": [BATCH, *size], "differences": _evidence(found)})


def _evidence(found: Sequence[Difference]) -> list[dict[str, Any]]:
    def side(which: Any) -> Any:
        if which is None:
            return None
        return {
            "op": which.op,
            "module": which.path,
            "line": which.where,
            "output_shape": list(which.shape),
            "weights": [list(shape) for shape in which.weights],
            "attributes": {name: _plain(value) for name, value in which.attributes},
        }

    return [
        {
            "text": str(difference),
            "kind": difference.kind,
            "detail": difference.detail,
            "subject": side(difference.first),
            "reference": side(difference.second),
            "places": [list(place) for place in difference.places],
        }
        for difference in found
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
