"""Tensors by budget: one verdict each, and the sentence for the worst of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from repro import budget
from repro.budget import Verdict
from repro.errors import ReproError
from repro.parity.pair import Pair, Runs
from repro.result import Outcome, Result

Verdicts = Mapping[str, Verdict]  # what was compared -> how it came out

# The verdicts on one run, eased by what is known of its rounding: without those of a run by other kernels, and with.
Eased = Callable[..., dict[str, Verdict]]

# What two runs gave in a precision: (what, ours, theirs).
Together = Callable[[Runs, Runs, torch.dtype], Sequence[tuple[str, torch.Tensor, torch.Tensor]]]


def in_float64(pair: Pair, together: Together) -> dict[str, Verdict]:
    """How the tensors of both sides come out in float64; float32 is asked for only where one is too far off."""
    compared = together(pair.ours, pair.theirs, torch.float64)
    verdicts = {name: budget.agree(actual, truth) for name, actual, truth in compared}
    if not all(verdict.passed for verdict in verdicts.values()):  # unless float32 says that it is ill-conditioned
        narrow = pair.again(lambda ours, theirs: together(ours, theirs, torch.float32))
        narrow = narrow or together(pair.ours, pair.theirs, torch.float32)
        rounding = {name: theirs for name, _, theirs in narrow}
        verdicts = {name: budget.agree(actual, truth, rounding.get(name)) for name, actual, truth in compared}
    return verdicts


def in_float32(pair: Pair, together: Together, eased: Eased = budget.pooled) -> dict[str, Verdict]:
    """How they come out in float32, by what `eased` allows; other kernels run only where one is too far off."""
    truths = {name: truth for name, _, truth in together(pair.ours, pair.theirs, torch.float64)}

    def judged_by(ours: Runs, theirs: Runs) -> dict[str, Verdict]:
        compared = together(ours, theirs, torch.float32)
        return {n: budget.judge(actual, expected, truths[n]) for n, actual, expected in compared if n in truths}

    verdicts = judged_by(pair.ours, pair.theirs)
    found = eased(verdicts)
    if not all(verdict.passed for verdict in found.values()):  # unless other kernels are as far off
        found = eased(verdicts, pair.again(judged_by))
    return found


def judged(pair: Pair, check: str, verdicts: Verdicts, what: str, evidence: dict[str, Any]) -> Result:
    """The result of a check by numbers; of several tensors that differ it tells of the first.

    what: names one of them, as "gradient", for the message. Raises ReproError if there is nothing to judge.
    """
    if not verdicts:
        raise ReproError(f"there is no {what} to compare")
    if pair.plan.expected is not None:
        verdicts = {key: verdict for key, verdict in verdicts.items() if not _idle(verdict, check)}
        if not verdicts:
            told = f"every {what} is one constant on both sides, from which nothing can be learned"
            return pair.result(check, Outcome.SKIP, told, evidence)
    failed = [key for key, verdict in verdicts.items() if not verdict.passed]
    name = failed[0] if failed else max(verdicts, key=lambda key: max(verdicts[key].ratio, verdicts[key].inverse))
    verdict = verdicts[name]
    message = verdict.problem or (
        _told_in_float64(verdict) if check.endswith("float64") else _told_in_float32(verdict, _factor(check))
    )
    if failed and not verdict.problem:
        message += (
            f"; worst at index {list(verdict.index)}: actual {verdict.actual:.9g}, "
            f"reference {verdict.reference:.9g}, float64 {verdict.truth:.17g}"
        )
    if len(verdicts) > 1:
        first = f"; the first of {len(failed)} that differ" if len(failed) > 1 else ""
        message = f"{what} of {name}: {message}{first}" if failed else f"{len(verdicts)} tensors; {message}"
    ratio = max(each.ratio for each in verdicts.values())
    outcome = Outcome.FAIL if failed else Outcome.PASS
    return pair.result(check, outcome, message, {"ratio": ratio, "tensor": name, "failed": failed, **evidence})


def _factor(check: str) -> float:
    return budget.FACTOR if check.startswith("forward") else budget.GRADIENT_FACTOR


def _told_in_float64(worst: Verdict) -> str:
    allowed = worst.max_actual / worst.ratio if worst.ratio else budget.FLOAT64_LIMIT
    return f"largest difference {worst.max_actual:.1e} of the spread, {allowed:.0e} allowed"


def _told_in_float32(worst: Verdict, factor: float) -> str:
    told = (
        f"{worst.ratio:.2f} times the reference's own distance from float64 "
        f"({worst.max_reference:.1e} of the spread), {factor:g} allowed"
    )
    if worst.inverse > factor:
        told += f" either way, and the reference is {worst.inverse:.3g} times as far as we are"
    return told


def _idle(verdict: Verdict, check: str) -> bool:
    """Whether a tensor is one constant on both sides, which weights of the user's own may make: a zero scale does."""
    unit = budget.FLOAT64_LIMIT if check.endswith("float64") else budget.FACTOR * torch.finfo(torch.float32).eps
    return bool(verdict.problem) and abs(verdict.actual - verdict.truth) <= unit * abs(verdict.truth)
