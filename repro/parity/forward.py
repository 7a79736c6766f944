"""Do the kernels do what the algebra says? The outputs in eval mode, by budget."""

from __future__ import annotations

from typing import Any

import torch

from repro import budget
from repro.parity.network import shape_text
from repro.parity.numbers import judged
from repro.parity.pair import Pair, Runs
from repro.result import Outcome, Result


def forward64(pair: Pair) -> Result:
    """In float64 the outputs agree to 1e-10 of their spread."""
    counts = [len(runs.forwards(torch.float64)[0]) for runs in (pair.ours, pair.theirs)]
    if counts[0] != counts[1]:
        return pair.result("forward.float64", Outcome.FAIL, f"{counts[0]} outputs here, {counts[1]} there")
    rows = [
        [budget.agree(actual, expected) for actual, expected in zip(ours, theirs, strict=True)]
        for ours, theirs in zip(pair.ours.forwards(torch.float64), pair.theirs.forwards(torch.float64), strict=True)
    ]
    return _judged(pair, "forward.float64", rows)


def forward32(pair: Pair) -> Result:
    """In float32 neither is much further from the float64 truth than the other."""
    truth = pair.theirs.forwards(torch.float64)

    def judged_by(ours: Runs, theirs: Runs) -> list[list[budget.Verdict]]:
        cases = zip(ours.forwards(torch.float32), theirs.forwards(torch.float32), truth, strict=True)
        return [[budget.judge(*three) for three in zip(*case, strict=True)] for case in cases]

    rows = judged_by(pair.ours, pair.theirs)
    if not all(verdict.passed for row in rows for verdict in row):  # unless other kernels are as far off
        again = pair.again(judged_by) or rows
        rows = [[budget.by_either(*two) for two in zip(*both, strict=True)] for both in zip(rows, again, strict=True)]
    return _judged(pair, "forward.float32", rows)


def _judged(pair: Pair, check: str, rows: list[list[budget.Verdict]]) -> Result:
    evidence: list[dict[str, Any]] = []
    verdicts = {}
    for (size, batch), row in zip(pair.plan.forwards, rows, strict=True):
        evidence.append({"input": [batch, *size], "outputs": [verdict.evidence() for verdict in row]})
        for index, verdict in enumerate(row):
            verdicts[f"output {index} for {shape_text((batch, *size))}"] = verdict
    return judged(pair, check, verdicts, "value", {"cases": evidence})
