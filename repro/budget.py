"""How far apart two results may be: measured on the reference itself, never chosen.

Run both sides in float64: that is the truth, and there they must agree to 1e-10 of the tensor's spread. At a working
precision the reference is itself some distance from the truth, and so are we: neither distance may be more than a small
multiple of the other.
The same rule serves every dtype and device, because the yardstick changes with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch

# Two correct programs that add in another order differ by rounding alone: over the catalog, with mkldnn off, on one
# thread and image by image, the worst ratio of two distances was 3.67; in another layout 4.18, and so what fails is
# judged by either layout (docs/design.md).
FACTOR = 4.0

# The same of gradients and of what a training step leaves, which are longer sums: the worst of them was 4.19.
GRADIENT_FACTOR = 8.0

# float64 carries 53 bits; a network of 150 layers keeps more than 33 of them (1e-10) on every network of the catalog.
FLOAT64_LIMIT = 1e-10

_CHUNK = 1 << 15  # elements looked at together: 256 KiB in float64, and few enough not to be shared out over threads

FINER = 2.0**29  # times that float64 rounds finer than float32

# What is this many times smaller in float64 than in float32 was rounding in both.
ZERO = 1e6

# Two rounding errors of one zero may differ by this much and no more: the smallest of few elements is small by chance.
ROUNDING = 1e3

_ERRORS = ("max_actual", "max_reference", "rms_actual", "rms_reference")  # of a verdict


@dataclass(frozen=True)
class Verdict:
    """One tensor judged. Errors are in units of the truth's spread (its standard deviation).

    ratio     the worse, for maximum and RMS, of the error of `actual` over that of `reference`; where the reference is
              closer than one unit in the last place of the largest value, that unit stands in for its error
    inverse   the same the other way round: how much further off the reference is
    index     where `actual` is furthest from the truth, with both values and the truth there
    problem   why no ratio could decide: shapes, NaN or infinity, a constant output; "" otherwise
    zero      all of it is rounding errors of what is zero in exact arithmetic, so that there is no error to speak of
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
    zero: bool = False

    def evidence(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


_ZERO = Verdict(True, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, spread=0.0, zero=True)


def judge(actual: torch.Tensor, reference: torch.Tensor, truth: torch.Tensor, factor: float = FACTOR) -> Verdict:
    """Judge `actual` by the reference's own distance from the float64 truth: neither may be `factor` times as far."""
    unit = torch.finfo(actual.dtype).eps if actual.is_floating_point() else 0.0

    def rule(own: float, yardstick: float, scale: float) -> float:
        allowance = max(yardstick, unit * scale)
        return own / allowance if allowance else math.inf if own else 0.0

    verdict = _judge(actual, reference, truth, rule, factor)
    if verdict.passed or not _vanishes(truth, reference) or not _vanishes(truth, actual):
        return verdict
    sizes = [float(torch.linalg.vector_norm(x, math.inf)) for x in (actual, reference)]
    return _ZERO if max(sizes) <= ROUNDING * min(sizes) else verdict


def pooled(verdicts: Mapping[str, Verdict], again: Mapping[str, Verdict] | None = None) -> dict[str, Verdict]:
    """The verdicts of `judge` on the tensors of one run, none held to less than the error that is usual in that run.

    The gradient of a bias is one long sum, and correct kernels that add it up in another order differ twelvefold in how
    near they come. Beside the errors of all other gradients, in units of each one's spread, such luck is no yardstick.

    again: the same by other kernels, both sides once more; neither side is then held to less than it does by either.
    """
    measured = [v for v in verdicts.values() if not v.problem and (v.max_actual or v.max_reference)]
    if not measured:
        return dict(verdicts)
    usual = {name: median(getattr(verdict, name) for verdict in measured) for name in _ERRORS}
    return _eased(verdicts, again or verdicts, usual, GRADIENT_FACTOR)


def by_either(verdicts: Mapping[str, Verdict], again: Mapping[str, Verdict] | None = None) -> dict[str, Verdict]:
    """The verdicts of `judge` on outputs, neither side held to less than it does by other kernels.

    again: as in `pooled`, without which the verdicts stay what they are.
    """
    return _eased(verdicts, again, dict.fromkeys(_ERRORS, 0.0), FACTOR) if again else dict(verdicts)


def _eased(
    verdicts: Mapping[str, Verdict], again: Mapping[str, Verdict], usual: Mapping[str, float], factor: float
) -> dict[str, Verdict]:
    """Each yardstick is the greatest of what it was, what it is by other kernels and what is usual."""

    def over(verdict: Verdict, second: Verdict, own: str, other: str) -> float:
        pairs = [(f"{which}_{own}", f"{which}_{other}") for which in ("max", "rms")]
        yardsticks = {b: max(getattr(verdict, b), 0.0 if second.problem else getattr(second, b)) for _, b in pairs}
        allowances = [(getattr(verdict, a), max(yardsticks[b], usual[b])) for a, b in pairs]
        return max((error / allowance if allowance else math.inf) if error else 0.0 for error, allowance in allowances)

    found = {}
    for name, verdict in verdicts.items():
        if not verdict.problem:
            ratio = min(verdict.ratio, over(verdict, again[name], "actual", "reference"))
            inverse = min(verdict.inverse, over(verdict, again[name], "reference", "actual"))
            verdict = replace(verdict, passed=max(ratio, inverse) <= factor, ratio=ratio, inverse=inverse)
        found[name] = verdict
    return found


def agree(actual: torch.Tensor, truth: torch.Tensor, float32: torch.Tensor | None = None) -> Verdict:
    """Judge a float64 result against the float64 truth: `ratio` is the greatest difference over what is allowed.

    float32: the reference's result in that precision. Where it is so far from the truth that the same rounding, `FINER`
    times smaller, would be more than `FLOAT64_LIMIT`, a small multiple of that is allowed: a sum of much that cancels.
    What is zero in exact arithmetic has a spread of nothing but rounding and agrees with any other such zero: the
    gradient of a bias under a normalisation by the batch.
    """
    verdict = _judge(actual, truth, truth, lambda own, _, __: own / FLOAT64_LIMIT, 1.0)
    if verdict.passed or float32 is None or float32.shape != truth.shape:
        return verdict
    if _vanishes(truth, float32) and _vanishes(actual, float32):
        return _ZERO
    off = _measure(float32.reshape(-1), float32.reshape(-1), truth.reshape(-1)).top_actual
    rounding = GRADIENT_FACTOR * off / FINER / (verdict.spread or math.inf)
    if verdict.problem or not FLOAT64_LIMIT < rounding < math.inf:
        return verdict
    ratio = verdict.max_actual / rounding
    return replace(verdict, passed=ratio <= 1.0, ratio=ratio, inverse=ratio)


def _vanishes(wide: torch.Tensor, narrow: torch.Tensor) -> bool:
    """Whether a float64 value is a millionth of what float32 makes of it: both are rounding errors of a zero."""
    if wide.dtype != torch.float64 or wide.shape != narrow.shape or not wide.numel():
        return False
    sizes = [float(torch.linalg.vector_norm(x, math.inf)) for x in (wide, narrow)]
    return sizes[0] < sizes[1] / ZERO and math.isfinite(sizes[1])


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
    found = _measure(actual.reshape(-1), reference.reshape(-1), truth.reshape(-1))
    spread = found.spread if truth.numel() > 1 else found.size
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(found.worst), truth.shape))
    at = float(actual[index]), float(reference[index]), float(truth[index])
    if not math.isfinite(found.top_actual + found.top_reference + found.size):
        for name, tensor in (("the result", actual), ("the reference", reference), ("the float64 truth", truth)):
            if not bool(tensor.isfinite().all()):
                problem = f"{name} holds NaN or infinity"
    elif actual.is_floating_point() and not spread > 1e-6 * found.size:
        problem = f"every element is about {found.size:.3g}: a comparison of constants proves nothing"
    if problem:
        return Verdict(False, spread=spread, index=index, actual=at[0], reference=at[1], truth=at[2], problem=problem)
    spread = spread or 1.0  # whole numbers that are all equal are compared as they are
    top_actual, top_reference = found.top_actual / spread, found.top_reference / spread
    rms_actual, rms_reference = found.rms_actual / spread, found.rms_reference / spread
    scale = found.size / spread
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


@dataclass(frozen=True)
class _Measured:
    """The truth's largest size and its spread; the largest and RMS errors; where `actual` is worst."""

    size: float
    spread: float
    top_actual: float
    top_reference: float
    rms_actual: float
    rms_reference: float
    worst: int


def _measure(actual: torch.Tensor, reference: torch.Tensor, truth: torch.Tensor) -> _Measured:
    """One pass in pieces that stay in a core's cache: whole large tensors would go to memory a dozen times."""
    first = float(truth[0])  # the sums of what is left of it do not cancel where the mean is large beside the spread
    alike = torch.equal(actual, reference)  # as two programs with the same kernels most often are
    exact = alike and truth.dtype == reference.dtype and torch.equal(reference, truth)
    none = torch.zeros((), dtype=torch.float64)

    def off(x: torch.Tensor, start: int) -> torch.Tensor:
        return (x[start : start + _CHUNK].double() - truth[start : start + _CHUNK].double()).abs_()

    rows: list[torch.Tensor] = []
    for start in range(0, truth.numel(), _CHUNK):
        errors = [none] * 4
        if not exact:
            own = off(actual, start)
            other = own if alike else off(reference, start)
            errors = [own.max(), own.dot(own), other.max(), other.dot(other)]
        t = truth[start : start + _CHUNK].double()
        smallest, largest = t.aminmax()
        t = t - first
        rows.append(torch.stack([smallest.abs(), largest.abs(), t.sum(), t.dot(t), *errors]))
    table = torch.stack(rows)
    size, own_top, other_top = (float(table[:, column].max()) for column in ([0, 1], 4, 6))
    total, squares, own_mean, other_mean = (float(table[:, column].sum()) / truth.numel() for column in (2, 3, 5, 7))
    worst = int(table[:, 4].argmax()) * _CHUNK  # a maximum is NaN where there is one, and so is found first
    worst += 0 if exact else int(off(actual, worst).argmax())
    spread = math.sqrt(max(squares - total * total, 0.0)) if math.isfinite(squares) else math.nan
    rms_own, rms_other = (math.sqrt(x) if math.isfinite(x) else math.nan for x in (own_mean, other_mean))
    return _Measured(size, spread, own_top, other_top, rms_own, rms_other, worst)
