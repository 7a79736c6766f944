"""Where a check of numbers that fails begins to: the first place that differs, by evaluating both graphs."""

from __future__ import annotations

from dataclasses import replace

import torch

from repro.errors import ReproError
from repro.parity.divergence import Divergence, Phase, first_divergence
from repro.parity.network import BATCH
from repro.parity.pair import Pair
from repro.result import Outcome, Result

_PHASES: dict[str, Phase] = {"forward": "forward", "backward": "backward", "train": "backward"}

UNSEEN = (
    "; evaluated operation by operation the two agree, so that it may come from what a graph does not show: a hook, "
    "a backward of its own, a kernel"
)


def located(pair: Pair, result: Result) -> Result:
    """A failed result of forward, backward or train with the place added to it; any other as it is."""
    phase, _, precision = result.check.partition(".")
    told = result.outcome is not Outcome.FAIL or "missing" in result.evidence
    if told or phase not in _PHASES or not precision.startswith("float"):
        return result
    training = phase == "train"
    try:
        if phase != "forward" and (lost := written_over(pair, training)):
            evidence = {**result.evidence, "lost": lost[0]}
            return replace(result, message=f"{result.message}. {lost[1]}", evidence=evidence)
        found = divergence(pair, _PHASES[phase], training, getattr(torch, precision))
    except ReproError as error:
        return replace(result, message=f"{result.message}; the place could not be found: {error}")
    if found is None:
        is_buffer = result.evidence.get("tensor") in dict(pair.reference.module.named_buffers())
        return result if is_buffer else replace(result, message=result.message + UNSEEN)
    evidence = {**result.evidence, "divergence": found.evidence()}
    return replace(result, message=f"{result.message}. {found}", evidence=evidence)


def written_over(pair: Pair, training: bool) -> tuple[list[str], str] | None:
    """The modules whose kept values are written over before backward, and that in words; None if there are none."""
    for side, runs in (("here", pair.ours), ("there", pair.theirs)):
        lost = runs.overwritten(training, pair.training_size if training else pair.plan.backward[0])
        if lost:
            names = " and ".join(path or "the root module" for path in lost[:3])
            return lost, (
                f"A value that {names} kept {side} for backward is written over, in place or through .data, before "
                f"backward comes to it"
            )
    return None


def divergence(pair: Pair, phase: Phase, training: bool, dtype: torch.dtype) -> Divergence | None:
    """The first place where the two part, on the weights that each has; see `first_divergence`."""
    first, second = pair.graphs(training)
    size = pair.training_size if training else pair.plan.backward[0]
    states = pair.ours.state(dtype), pair.theirs.state(dtype)
    images = [pair.plan.images((size, BATCH), dtype)]
    return first_divergence(first, second, pair.partners(training), states, images, phase, dtype, pair.plan.seed)
