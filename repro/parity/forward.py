"""Do the kernels do what the algebra says? The outputs in eval mode, by budget."""

from __future__ import annotations

from functools import partial

import torch

from repro import budget
from repro.parity.network import shape_text
from repro.parity.numbers import Verdicts, in_float32, judged
from repro.parity.pair import Case, Pair, Runs
from repro.result import Outcome, Result


def forward64(pair: Pair) -> Result:
    """In float64 the outputs agree to 1e-10 of their spread."""
    counts = [len(runs.forwards(torch.float64)[0]) for runs in (pair.ours, pair.theirs)]
    if counts[0] != counts[1]:
        return pair.result("forward.float64", Outcome.FAIL, f"{counts[0]} outputs here, {counts[1]} there")
    verdicts = {name: budget.agree(*both) for name, *both in _together(pair, pair.ours, pair.theirs, torch.float64)}
    return _judged(pair, "forward.float64", verdicts)


def forward32(pair: Pair) -> Result:
    """In float32 neither is much further from the float64 truth than the other."""
    return _judged(pair, "forward.float32", in_float32(pair, partial(_together, pair), budget.by_either))


def _together(pair: Pair, ours: Runs, theirs: Runs, dtype: torch.dtype) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """The outputs of both sides in every case of the plan."""
    cases = zip(pair.plan.forwards, ours.forwards(dtype), theirs.forwards(dtype), strict=True)
    return [
        (_named(index, case), *both) for case, *sides in cases for index, both in enumerate(zip(*sides, strict=True))
    ]


def _named(index: int, case: Case) -> str:
    size, batch = case
    return f"output {index} for {shape_text((batch, *size))}"


def _judged(pair: Pair, check: str, verdicts: Verdicts) -> Result:
    cases = [
        {
            "input": [batch, *size],
            "outputs": [verdicts[_named(index, (size, batch))].evidence() for index in range(len(outputs))],
        }
        for (size, batch), outputs in zip(pair.plan.forwards, pair.theirs.forwards(torch.float64), strict=True)
    ]
    return judged(pair, check, verdicts, "value", {"cases": cases})
