"""Networks that neither torchvision nor timm has, against a second evaluation of their papers' formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from repro import budget, fill
from repro.errors import ReproError, first_line
from repro.models import Variant
from repro.oracle import ORACLES
from repro.parity.network import Network, Stopwatch, shape_text, widened
from repro.references import resolve
from repro.result import Outcome, Result

BATCH = 2


def check(variant: Variant, stopwatch: Stopwatch, seed: int = 0) -> Iterator[Result]:
    """One result if there is a second evaluation: float64 outputs at both sizes, to 1e-10 of their spread."""
    if variant.name in ORACLES:
        yield _check(variant, stopwatch, seed)


def _check(variant: Variant, stopwatch: Stopwatch, seed: int) -> Result:
    oracle = ORACLES[variant.name]
    try:
        network = Network.of(resolve(f"repro:{variant.name}"), variant.input_size, stopwatch)
        state = widened(network.conditioned(variant.input_size, seed))
        arrays = {key: tensor.numpy() for key, tensor in state.items()}
        network.install(state)
        verdicts = {}
        for size in (variant.input_size, variant.other_size):
            images = fill.image(seed, BATCH, size).double()
            expected = torch.from_numpy(oracle(arrays, images.numpy()))
            verdicts[shape_text((BATCH, *size))] = budget.agree(network.outputs(images)[0], expected)
    except (KeyError, ValueError) as error:  # it has no such weight, or one of another shape
        message = f"its weights are not those of the paper's formulas: {first_line(error)}"
        return Result("formulas", variant.name, "numpy", Outcome.FAIL, message, {"difference": math.inf, "cases": {}})
    except ReproError as error:
        return Result("formulas", variant.name, "numpy", Outcome.ERROR, str(error))
    shape, worst = max(verdicts.items(), key=lambda pair: (not pair[1].passed, pair[1].ratio))
    message = worst.problem or (
        f"{worst.max_actual:.1e} of the spread from the paper's formulas in NumPy at worst, for {shape}; "
        f"{budget.FLOAT64_LIMIT:.0e} is allowed"
    )
    cases = {shape: verdict.evidence() for shape, verdict in verdicts.items()}
    evidence = {"difference": worst.max_actual, "cases": cases}
    outcome = Outcome.PASS if all(verdict.passed for verdict in verdicts.values()) else Outcome.FAIL
    return Result("formulas", variant.name, "numpy", outcome, message, evidence)
