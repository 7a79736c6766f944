"""The checks of one pair: structure by proof, mapping, then both forwards by the measured budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from repro import budget, fill
from repro.errors import ReproError
from repro.graph import TraceError
from repro.mapping import KeyMap, Matching, key_map, match
from repro.parity.differences import Difference, differences
from repro.parity.network import BATCH, Network, shape_text, widened
from repro.references import Size
from repro.result import Outcome, Result

CHECKS = ("structure", "mapping", "forward.float64", "forward.float32")

Case = tuple[Size, int]  # (channels, height, width), batch


@dataclass(frozen=True)
class Plan:
    """What to compare on.

    sizes  input sizes at which equality is claimed; structure is proved at each
    cases  the forwards to run
    limit  an input size at which the reference is known to be another network, and why
    seed   of weights and inputs
    state  weights to use on the first side instead of closed-form ones
    """

    sizes: tuple[Size, ...]
    cases: tuple[Case, ...]
    limit: tuple[Size, str] | None = None
    seed: int = 0
    state: dict[str, torch.Tensor] | None = None


class Pair:
    """A subject with its weights, ready to be checked against one reference after another."""

    def __init__(self, subject: Network, plan: Plan) -> None:
        self.subject = subject
        self.plan = plan
        self._states: dict[torch.dtype, dict[str, torch.Tensor]] = {}
        self._outputs: dict[torch.dtype, list[list[torch.Tensor]]] = {}

    def check(self, reference: Network, limit: tuple[Size, str] | None = None) -> Iterator[Result]:
        """The results of all of `CHECKS`, in that order. Raises ReproError where a network cannot be traced."""
        structure, matchings = self._structure(reference, limit)
        yield structure
        if not matchings:
            for check in CHECKS[1:]:
                yield self._result(check, reference, Outcome.SKIP, "needs equal structure, which it has not")
            return
        mapping, keys = self._mapping(reference, matchings)
        yield mapping
        truth = self._forward(reference, keys, torch.float64)
        yield self._float64(reference, truth)
        yield self._float32(reference, truth, self._forward(reference, keys, torch.float32))

    def _structure(self, reference: Network, limit: tuple[Size, str] | None) -> tuple[Result, list[Matching]]:
        matchings: list[Matching] = []
        for size in self.plan.sizes:
            first, second = self.subject.canonical(size), reference.canonical(size)
            matching = match(first, second)
            if matching is None:
                return self._unequal(reference, size, matchings), []
            matchings.append(matching)
        proved = [[BATCH, *size] for size in self.plan.sizes]
        evidence: dict[str, Any] = {
            "proved_for": proved,
            "operations": len(matchings[0].nodes) - len(matchings[0].leaves),
            "symmetric_choices": matchings[0].choices,
        }
        message = f"proved equal for every input of shape {' and '.join(shape_text(shape) for shape in proved)}"
        outcome = Outcome.PASS
        for network in {side.source.spec: side for side in (self.subject, reference)}.values():
            if network.draws(self.plan.sizes[0]):
                outcome = Outcome.FAIL
                message += f"; but {network.source.spec} draws random numbers in eval mode: no two calls are equal"
            changed = network.graph(self.plan.sizes[0]).updated
            if changed:
                evidence.setdefault("changed_by_a_call", {})[network.source.spec] = changed
                message += (
                    f"; a call changes {changed[0]!r} of {network.source.spec}, and the proof is of the first one"
                )
        if reference.source.note:
            evidence["amended"] = reference.source.note
            message += f" ({reference.source.note})"
        if limit is not None:
            size, why = limit
            found = differences(self.subject.canonical(size), reference.canonical(size))
            if match(self.subject.canonical(size), reference.canonical(size)) is not None:
                outcome = Outcome.FAIL
                message += f"; and for {shape_text((BATCH, *size))} too, where the catalog says it is not: {why}"
            else:
                message += f"; not for {shape_text((BATCH, *size))}: {why}"
                evidence["stops_at"] = {"input": [BATCH, *size], "why": why, "differences": _evidence(found)}
        return self._result("structure", reference, outcome, message, evidence), matchings

    def _unequal(self, reference: Network, size: Size, matchings: list[Matching]) -> Result:
        found = differences(self.subject.canonical(size), reference.canonical(size))
        before = "".join(f"equal for {shape_text((BATCH, *s))}, but " for s in self.plan.sizes[: len(matchings)])
        first = str(found[0]) if found else "the same operations, joined differently"
        message = f"{before}different for {shape_text((BATCH, *size))}: {first}"
        evidence = {"input": [BATCH, *size], "differences": _evidence(found)}
        return self._result("structure", reference, Outcome.FAIL, message, evidence)

    def _mapping(self, reference: Network, matchings: Sequence[Matching]) -> tuple[Result, KeyMap]:
        size = self.plan.sizes[0]
        first, second = self.subject.canonical(size), reference.canonical(size)
        keys = key_map(first, second, matchings[0])
        if keys.unmapped_source and keys.unmapped_target:
            try:
                training = match(self.subject.canonical(size, True), reference.canonical(size, True))
            except TraceError:  # such as an auxiliary head that this size is too small for
                training = None
            if training is not None:
                keys = key_map(first, second, matchings[0], [training])
        problems = [
            f"at {shape_text(other)} {key!r} goes elsewhere"
            for other, matching in zip(self.plan.sizes[1:], matchings[1:], strict=True)
            for key in _moved_elsewhere(
                keys, key_map(self.subject.canonical(other), reference.canonical(other), matching)
            )
        ]
        source = {key: torch.empty(shape, device="meta") for key, shape in first.state.items()}
        mapped = keys.apply(source)
        problems += [
            f"{key!r} would get shape {tuple(tensor.shape)} in place of {second.state[key]}"
            for key, tensor in mapped.items()
            if tuple(tensor.shape) != second.state[key]
        ]
        problems += [
            f"{entry.target!r} holds other values than our {entry.source!r}, which are part of the network"
            for entry in keys.entries
            if entry.target in reference.fixed and entry.source in self.subject.fixed
            if not torch.equal(entry.moved(self._fixed(entry.source)), reference.fixed[entry.target])
        ]
        moved = sum(bool(entry.steps) for entry in keys.entries)
        message = f"{len(keys.entries)} of {len(second.state)} keys of the reference mapped"
        if moved:
            message += f", {moved} of them reshaped or permuted"
        for side, unmapped in (("ours", keys.unmapped_source), ("the reference", keys.unmapped_target)):
            if unmapped:
                message += f"; {len(unmapped)} of {side} left out ({next(iter(unmapped.values()))})"
        evidence = {
            "keys": {entry.target: entry.source for entry in keys.entries},
            "moved": {entry.target: [str(step) for step in entry.steps] for entry in keys.entries if entry.steps},
            "unmapped_subject": dict(keys.unmapped_source),
            "unmapped_reference": dict(keys.unmapped_target),
        }
        outcome = Outcome.FAIL if problems else Outcome.PASS
        return self._result("mapping", reference, outcome, "; ".join([*problems[:3], message]), evidence), keys

    def _fixed(self, key: str) -> torch.Tensor:
        return (self.plan.state or self.subject.fixed)[key]

    def _state(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        if torch.float32 not in self._states:
            given = self.plan.state
            own = given if given is not None else self.subject.conditioned(self.plan.sizes[0], self.plan.seed)
            self._states[torch.float32] = own
            self._states[torch.float64] = widened(own)
        return self._states[dtype]

    def _forward(self, reference: Network, keys: KeyMap, dtype: torch.dtype) -> list[list[torch.Tensor]]:
        state = self._state(dtype)
        if dtype not in self._outputs:
            self.subject.install(state)
            self._outputs[dtype] = [self.subject.outputs(images) for images in self._images(dtype)]
        reference.install(keys.apply(state))
        return [reference.outputs(images) for images in self._images(dtype)]

    def _images(self, dtype: torch.dtype) -> Iterator[torch.Tensor]:
        for size, batch in self.plan.cases:
            yield fill.image(self.plan.seed, batch, size).to(dtype)

    def _float64(self, reference: Network, truth: list[list[torch.Tensor]]) -> Result:
        verdicts = [
            [budget.agree(actual, expected) for actual, expected in zip(ours, theirs, strict=True)]
            for ours, theirs in zip(self._outputs[torch.float64], truth, strict=True)
        ]
        worst = _worst(verdicts)
        message = worst.problem or (
            f"largest difference {worst.max_actual:.1e} of the output's spread, {budget.FLOAT64_LIMIT:.0e} allowed"
        )
        return self._judged("forward.float64", reference, verdicts, message)

    def _float32(self, reference: Network, truth: list[list[torch.Tensor]], theirs: list[list[torch.Tensor]]) -> Result:
        verdicts = [
            [budget.judge(*three) for three in zip(*case, strict=True)]
            for case in zip(self._outputs[torch.float32], theirs, truth, strict=True)
        ]
        worst = _worst(verdicts)
        message = worst.problem or (
            f"{worst.ratio:.2f} times the reference's own distance from float64 "
            f"({worst.max_reference:.1e} of the output's spread), {budget.FACTOR:g} allowed"
        )
        if worst.inverse > budget.FACTOR:
            message += f" either way, and the reference is {worst.inverse:.3g} times as far as we are"
        return self._judged("forward.float32", reference, verdicts, message)

    def _judged(self, check: str, reference: Network, verdicts: list[list[budget.Verdict]], message: str) -> Result:
        worst = _worst(verdicts)
        if not worst.passed and not worst.problem:
            message += (
                f"; worst at index {list(worst.index)}: actual {worst.actual:.9g}, "
                f"reference {worst.reference:.9g}, float64 {worst.truth:.17g}"
            )
        cases = [
            {"input": [batch, *size], "outputs": [verdict.evidence() for verdict in row]}
            for (size, batch), row in zip(self.plan.cases, verdicts, strict=True)
        ]
        evidence = {"ratio": worst.ratio, "cases": cases}
        return self._result(check, reference, Outcome.PASS if worst.passed else Outcome.FAIL, message, evidence)

    def _result(
        self, check: str, reference: Network, outcome: Outcome, message: str, evidence: dict[str, Any] | None = None
    ) -> Result:
        subject = self.subject.source.spec.removeprefix("repro:")
        return Result(check, subject, reference.source.spec, outcome, message, evidence or {})


def _worst(verdicts: list[list[budget.Verdict]]) -> budget.Verdict:
    flat = [verdict for row in verdicts for verdict in row]
    if not flat:
        raise ReproError("the networks returned no tensor to compare")
    return max(flat, key=lambda v: (not v.passed, bool(v.problem), max(v.ratio, v.inverse), v.ratio))


def _moved_elsewhere(one: KeyMap, other: KeyMap) -> list[str]:
    there = {entry.target: (entry.source, entry.steps) for entry in other.entries}
    return [e.target for e in one.entries if e.target in there and there[e.target] != (e.source, e.steps)]


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
