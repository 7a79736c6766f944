"""How far apart two results may be: measured on the reference itself, never chosen.

Run both sides in float64: that is the truth, and there they must agree to 1e-10 of the tensor's spread. At a working
precision the reference is itself some distance from the truth, and so are we: neither distance may be more than a small
multiple of the other.
The same rule serves every dtype and device, because the yardstick changes with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

# Two correct programs that add in another order differ by rounding alone: over the catalog, with mkldnn off, in
# channels_last, on one thread and image by image, the worst ratio of two distances was 2.09 (docs/design.md).
FACTOR = 4.0

# float64 carries 53 bits; a network of 150 layers keeps more than 33 of them (1e-10) on every network of the catalog.
FLOAT64_LIMIT = 1e-10


@dataclass(frozen=True)
class Verdict:
    """One tensor judged. Errors are in units of the truth's spread (its standard deviation).

    ratio     the worse, for maximum and RMS, of the error of `actual` over that of `reference`; where the reference is
              closer than one unit in the last place of the largest value, that unit stands in for its error
    inverse   the same the other way round: how much further off the reference is
    index     where `actual` is furthest from the truth, with both values and the truth there
    problem   why no ratio could decide: shapes, NaN or infinity, a constant output; "" otherwise
    """

    passed: bool
    ratio: float = math.nan
    inverse: float = math.nan
    max_actual: float = math.nan
    max_reference: float = math.nan
    rms_actual: float = math.nan
    rms_reference: float = math.nan
    spread: float = math.nan
    index: tuple[int, ...] = ()
    actual: float = math.nan
    reference: float = math.nan
    truth: float = math.nan
    problem: str = ""

    def evidence(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def judge(actual: torch.Tensor, reference: torch.Tensor, truth: torch.Tensor, factor: float = FACTOR) -> Verdict:
    """Judge `actual` by the reference's own distance from the float64 truth: neither may be `factor` times as far."""
    unit = torch.finfo(actual.dtype).eps if actual.is_floating_point() else 0.0

    def rule(own: float, yardstick: float, scale: float) -> float:
        allowance = max(yardstick, unit * scale)
        return own / allowance if allowance else math.inf if own else 0.0

    return _judge(actual, reference, truth, rule, factor)


def agree(actual: torch.Tensor, truth: torch.Tensor, limit: float = FLOAT64_LIMIT) -> Verdict:
    """Judge a float64 result against the float64 truth: `ratio` is the greatest difference over the limit."""
    return _judge(actual, truth, truth, lambda own, _, __: own / limit, 1.0)


def _judge(
    actual: torch.Tensor,
    reference: torch.Tensor,
    truth: torch.Tensor,
    rule: Callable[[float, float, float], float],
    factor: float,
) -> Verdict:
    problem = ""
    if not actual.shape == reference.shape == truth.shape:
        problem = f"shape {tuple(actual.shape)}, the reference's is {tuple(reference.shape)}"
    elif actual.dtype != reference.dtype:
        problem = f"dtype {actual.dtype}, the reference's is {reference.dtype}"
    elif not truth.numel():
        problem = f"shape {tuple(truth.shape)}: without an element there is nothing to compare"
    if problem:
        return Verdict(False, problem=problem)
    t = truth.double()
    size = float(t.abs().max())
    spread = float(t.std(correction=0)) if t.numel() > 1 else size
    error_actual, error_reference = (actual.double() - t).abs(), (reference.double() - t).abs()
    worst = int(error_actual.nan_to_num(nan=float("inf")).argmax())
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), t.shape))
    at = float(actual[index]), float(reference[index]), float(t[index])
    for name, tensor in (("the result", actual), ("the reference", reference), ("the float64 truth", t)):
        if not bool(tensor.isfinite().all()):
            problem = f"{name} holds NaN or infinity"
    if not problem and actual.is_floating_point() and not spread > 1e-6 * size:
        problem = f"every element is about {size:.3g}: a comparison of constants proves nothing"
    if problem:
        return Verdict(False, spread=spread, index=index, actual=at[0], reference=at[1], truth=at[2], problem=problem)
    spread = spread or 1.0  # whole numbers that are all equal are compared as they are
    top_actual, top_reference = float(error_actual.max()) / spread, float(error_reference.max()) / spread
    rms_actual, rms_reference = (float(e.square().mean().sqrt()) / spread for e in (error_actual, error_reference))
    scale = size / spread
    ratio = max(rule(top_actual, top_reference, scale), rule(rms_actual, rms_reference, scale))
    inverse = max(rule(top_reference, top_actual, scale), rule(rms_reference, rms_actual, scale))
    return Verdict(
        max(ratio, inverse) <= factor,
        ratio,
        inverse,
        top_actual,
        top_reference,
        rms_actual,
        rms_reference,
        spread,
        index,
        *at,
    )
