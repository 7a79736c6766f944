"""Do they train alike? Outputs in train mode, and every parameter and buffer after one step of SGD, by budget."""

from __future__ import annotations

from functools import partial

import torch

from repro.budget import Verdict
from repro.parity.numbers import in_float32, in_float64, judged
from repro.parity.pair import Pair, Runs
from repro.result import Outcome, Result


def train64(pair: Pair) -> Result:
    """In float64, with the same dropout masks, what is returned and what is left behind agree to 1e-10."""
    size = pair.training_size
    counts = [len(runs.trained(torch.float64, size).outputs) for runs in (pair.ours, pair.theirs)]
    if counts[0] != counts[1]:
        return pair.result("train.float64", Outcome.FAIL, f"{counts[0]} outputs here, {counts[1]} there")
    verdicts = in_float64(pair, partial(_together, pair))
    return judged(pair, "train.float64", verdicts, "value", _evidence(pair, verdicts))


def train32(pair: Pair) -> Result:
    """In float32, on the same side of every kink, neither is much further from the float64 truth than the other."""
    verdicts = in_float32(pair, partial(_together, pair))
    followed = {"ours": pair.ours.steered["train"], "theirs": pair.theirs.steered["train"]}
    return judged(pair, "train.float32", verdicts, "value", {**_evidence(pair, verdicts), "kinks": followed})


def _together(
    pair: Pair, subject: Runs, reference: Runs, dtype: torch.dtype
) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """(what, ours, theirs), in the order in which a step comes to them: buffers, outputs, parameters from the end."""
    ours, theirs = (runs.trained(dtype, pair.training_size) for runs in (subject, reference))
    read = pair.reading_order
    parameters = {node.name for node in pair.subject.graph(pair.training_size, True).nodes if node.op == "parameter"}
    forward = sorted(pair.keys.entries, key=lambda entry: read.get(entry.source, len(read)))
    found = {e: (e.target, e.moved(ours.state[e.source]), theirs.state[e.target]) for e in forward}
    outputs = [(f"output {index}", *both) for index, both in enumerate(zip(ours.outputs, theirs.outputs, strict=True))]
    buffers = [found[entry] for entry in forward if entry.source not in parameters]
    return buffers + outputs + [found[entry] for entry in reversed(forward) if entry.source in parameters]


def _evidence(pair: Pair, verdicts: dict[str, Verdict]) -> dict[str, object]:
    tensors = {name: verdict.evidence() for name, verdict in verdicts.items()}
    return {"input": [pair.plan.backward[1], *pair.training_size], "rate": pair.ours.rate, "tensors": tensors}
