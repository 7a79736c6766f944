"""The budget: what passes, what fails, and what is said about it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.budget import FACTOR, FINER, FLOAT64_LIMIT, GRADIENT_FACTOR, Verdict, agree, by_either, judge, pooled

# Differences below are multiples of this: exact in float32 beside numbers up to 1000, and far above one unit there.
TICK = 2.0**-10

outputs = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=20).filter(lambda x: max(x) - min(x) > 1)


def ramp(*shape: int) -> torch.Tensor:
    """Whole numbers from -8 upwards, float64: exact in every precision used here."""
    return torch.arange(-8, math.prod(shape) - 8, dtype=torch.float64).reshape(shape)


def with_errors(truth: torch.Tensor, *, reference: float, actual: float) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 results that are `reference` and `actual` ticks away from the truth everywhere."""
    return (truth + actual * TICK).float(), (truth + reference * TICK).float()


# --- what passes -------------------------------------------------------------------------------------------------


@given(values=outputs)
def test_equal_results_pass(values: list[float]) -> None:
    truth = torch.tensor(values, dtype=torch.float64)
    for verdict in (agree(truth, truth), judge(truth.float(), truth.float(), truth)):
        assert verdict.passed, verdict
        assert verdict.ratio == verdict.max_actual == verdict.rms_actual == 0
        assert verdict.problem == ""


@given(values=outputs, error=st.floats(0, 0.5))
def test_a_result_as_far_from_the_truth_as_the_reference_passes(values: list[float], error: float) -> None:
    truth = torch.tensor(values, dtype=torch.float64)
    verdict = judge((truth - error).float(), (truth + error).float(), truth)
    assert verdict.passed, verdict


# --- what fails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["the result", "the reference", "the float64 truth"])
def test_nan_and_infinity_fail_on_any_side_and_the_side_is_named(side: str, bad: float) -> None:
    tensors = {"the result": ramp(4, 5).float(), "the reference": ramp(4, 5).float(), "the float64 truth": ramp(4, 5)}
    tensors[side][2, 3] = bad
    verdict = judge(tensors["the result"], tensors["the reference"], tensors["the float64 truth"])
    assert not verdict.passed
    assert verdict.problem == f"{side} holds NaN or infinity"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_at_the_same_place_of_both_sides_fails(bad: float) -> None:
    truth = ramp(4, 5)
    truth[1, 1] = bad
    assert not agree(truth, truth).passed
    assert not judge(truth.float(), truth.float(), truth).passed


def test_the_index_of_a_nan_is_told() -> None:
    actual = ramp(4, 5).float()
    actual[2, 3] = math.nan
    verdict = judge(actual, ramp(4, 5).float(), ramp(4, 5))
    assert verdict.index == (2, 3)
    assert math.isnan(verdict.actual)
    assert verdict.truth == ramp(4, 5)[2, 3]


@pytest.mark.parametrize("value", [0.0, 1.0, -1e-30, 1e6])
def test_constant_outputs_prove_nothing(value: float) -> None:
    constant = torch.full((3, 4), value, dtype=torch.float64)
    for verdict in (agree(constant, constant), judge(constant.float(), constant.float(), constant)):
        assert not verdict.passed
        assert verdict.problem == f"every element is about {abs(value):.3g}: a comparison of constants proves nothing"


def test_nearly_constant_outputs_prove_nothing() -> None:
    nearly = 1 + 1e-8 * ramp(20)
    assert "a comparison of constants" in agree(nearly, nearly).problem
    assert agree(1 + 1e-4 * ramp(20), 1 + 1e-4 * ramp(20)).passed, "the check can pass"


def test_other_shapes_fail_even_where_they_broadcast() -> None:
    truth = ramp(3, 4)
    for shape in ((4,), (1, 3, 4), (12,), (4, 3)):
        actual = ramp(math.prod(shape)).reshape(shape)
        verdict = agree(actual, truth)
        assert not verdict.passed
        assert verdict.problem == f"shape {shape}, the reference's is (3, 4)"
    assert not judge(truth.float(), truth.float()[0], truth).passed


def test_an_output_without_elements_fails() -> None:
    nothing = torch.empty(3, 0, dtype=torch.float64)
    assert not agree(nothing, nothing).passed
    assert agree(nothing, nothing).problem


def test_integer_outputs_are_judged() -> None:
    truth = torch.tensor([3, 1, 2])
    assert judge(truth, truth, truth).passed
    assert not judge(torch.tensor([3, 2, 2]), truth, truth).passed


@given(values=outputs)
def test_a_permutation_of_the_values_fails(values: list[float]) -> None:
    swapped = list(values)
    low, high = values.index(min(values)), values.index(max(values))
    swapped[low], swapped[high] = values[high], values[low]
    truth, actual = (torch.tensor(x, dtype=torch.float64) for x in (values, swapped))
    assert not agree(actual, truth).passed
    assert not judge(actual.float(), truth.float(), truth).passed


def test_equal_means_and_deviations_are_not_enough() -> None:
    truth = torch.tensor([-5.0, 5.0], dtype=torch.float64)
    for values in ([1.0, -1.0], [5.0, -5.0]):
        actual = torch.tensor(values, dtype=torch.float64)
        assert not agree(actual, truth).passed
        assert not judge(actual.float(), truth.float(), truth).passed


def test_one_element_of_two_million_fails() -> None:
    truth = torch.linspace(-1, 1, 2_000_000, dtype=torch.float64).reshape(2, 1000, 1000)
    actual = truth.clone()
    actual[1, 234, 567] += 1e-6
    reference = truth.float()
    verdict = judge(actual.float(), reference, truth)
    assert not verdict.passed
    assert verdict.index == (1, 234, 567)
    assert not agree(actual, truth).passed
    assert judge(reference.clone(), reference, truth).passed, "the check can pass"


@given(data=st.data(), values=outputs)
def test_any_one_element_off_fails_and_is_the_one_told(data: st.DataObject, values: list[float]) -> None:
    truth = torch.tensor(values, dtype=torch.float64)
    index = data.draw(st.integers(0, len(values) - 1), label="index")
    actual = truth.clone()
    actual[index] += 0.125
    for verdict in (agree(actual, truth), judge(actual.float(), truth.float(), truth)):
        assert not verdict.passed, verdict
        assert verdict.index == (index,)


# --- where the line is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_an_error_of_factor_times_the_references_passes_and_one_just_above_fails(sign: int) -> None:
    truth = ramp(5, 7)
    actual, reference = with_errors(truth, reference=1, actual=sign * FACTOR)
    verdict = judge(actual, reference, truth)
    assert verdict.passed
    assert verdict.ratio == pytest.approx(FACTOR)
    actual, reference = with_errors(truth, reference=1, actual=sign * (FACTOR + 2.0**-6))
    assert not judge(actual, reference, truth).passed


def test_the_factor_can_be_stated() -> None:
    truth = ramp(5, 7)
    actual, reference = with_errors(truth, reference=1, actual=2)
    assert judge(actual, reference, truth, factor=2).passed
    assert not judge(actual, reference, truth, factor=1.99).passed


def test_a_small_error_everywhere_is_not_excused_by_one_large_error_of_the_reference() -> None:
    truth = ramp(10_000)
    reference = truth.clone()
    reference[17] += 1
    actual = truth + 0.5
    verdict = judge(actual.float(), reference.float(), truth)
    assert verdict.max_actual < verdict.max_reference
    assert not verdict.passed, "by the RMS: 0.5 against 0.01"


def test_one_large_error_is_not_excused_by_small_errors_of_the_reference() -> None:
    truth = ramp(10_000)
    reference = truth + 0.5
    actual = truth.clone()
    actual[17] += 3
    verdict = judge(actual.float(), reference.float(), truth)
    assert verdict.rms_actual < verdict.rms_reference
    assert not verdict.passed, "by the maximum: 3 against 0.5"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_where_the_reference_is_exact_one_unit_of_the_largest_value_stands_in(dtype: torch.dtype) -> None:
    truth = ramp(17)  # the largest value is 8
    unit = torch.finfo(dtype).eps * 8
    for ulps, passes in ((FACTOR, True), (FACTOR + 1, False)):
        actual = truth.clone()
        actual[-1] -= ulps * unit
        verdict = judge(actual.to(dtype), truth.to(dtype), truth)
        assert verdict.ratio == pytest.approx(ulps)
        assert verdict.passed is passes


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("share", "passes"), [(0.99, True), (1.01, False)])
def test_the_float64_limit_is_a_share_of_the_spread(sign: int, share: float, passes: bool) -> None:
    truth = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64)  # its spread is 1
    for scale in (1.0, 1e-20, 1e20):
        actual = truth.clone()
        actual[2] += sign * share * FLOAT64_LIMIT
        verdict = agree(actual * scale, truth * scale)
        assert verdict.passed is passes, scale
        assert verdict.ratio == pytest.approx(share, rel=1e-4)


@given(values=outputs, exponent=st.integers(-30, 30))
def test_a_verdict_does_not_depend_on_the_scale(values: list[float], exponent: int) -> None:
    truth = torch.tensor(values, dtype=torch.float64)
    actual = truth + 3e-11 * torch.arange(len(values))
    scale = 2.0**exponent
    assert agree(actual * scale, truth * scale).ratio == agree(actual, truth).ratio


# --- what is told ------------------------------------------------------------------------------------------------


def test_the_place_and_the_three_values_are_told() -> None:
    truth = ramp(3, 4, 5)
    actual, reference = with_errors(truth, reference=1, actual=0)
    actual[2, 1, 3] -= 7
    verdict = judge(actual, reference, truth)
    assert verdict.index == (2, 1, 3)
    here = float(truth[2, 1, 3])
    assert (verdict.actual, verdict.reference, verdict.truth) == (here - 7, here + TICK, here)


def test_errors_are_in_units_of_the_spread() -> None:
    truth = torch.tensor([-3.0, 3.0, -3.0, 3.0], dtype=torch.float64)
    actual, reference = with_errors(truth, reference=3, actual=-6)
    verdict = judge(actual, reference, truth)
    assert verdict.spread == 3
    assert verdict.max_reference == verdict.rms_reference == TICK
    assert verdict.max_actual == verdict.rms_actual == verdict.ratio * TICK == 2 * TICK


def test_a_single_element_is_judged_by_its_size() -> None:
    truth = torch.tensor([[5.0]], dtype=torch.float64)
    assert agree(truth, truth).passed
    assert not agree(truth + 1e-9, truth).passed
    actual, reference = with_errors(truth, reference=1, actual=5)
    verdict = judge(actual, reference, truth)
    assert not verdict.passed
    assert verdict.index == (0, 0)
    assert verdict.spread == 5
    assert agree(truth[0, 0], truth[0, 0]).index == ()
    assert "proves nothing" in agree(0 * truth, 0 * truth).problem


def verdicts() -> list[Verdict]:
    truth = ramp(3, 4)
    return [agree(truth, truth), agree(truth, truth[0]), agree(truth + 1, truth), agree(0 * truth, 0 * truth)]


@pytest.mark.parametrize("verdict", verdicts(), ids=lambda verdict: verdict.problem or f"passed {verdict.passed}")
def test_the_evidence_is_json(verdict: Verdict) -> None:
    evidence = verdict.evidence()
    assert str(json.loads(json.dumps(evidence))) == str(evidence)  # as text, in which NaN equals NaN
    assert evidence.keys() == vars(verdict).keys()


# --- what is zero in exact arithmetic ----------------------------------------------------------------------------


def bias_gradients(dtype: torch.dtype, *, seed: int = 0) -> torch.Tensor:
    """Of a convolution under a normalisation by the batch, which takes away whatever the bias adds."""
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(2, 4, 3).to(dtype), torch.randn(3, 2, 8, 8, dtype=torch.float64).to(dtype)
    torch.manual_seed(seed)
    order = torch.randperm(3)  # of the images: another order of sums, and the same gradient
    y = torch.nn.functional.batch_norm(conv(x[order]), None, None, training=True)
    weights = torch.arange(y.numel(), dtype=torch.float64).sin().to(dtype).reshape(y.shape)[order]
    (gradient,) = torch.autograd.grad((y * weights).sum(), conv.get_parameter("bias"))
    return gradient


def test_the_gradient_of_a_bias_under_a_normalisation_is_zero_and_passes() -> None:
    truth, narrow = bias_gradients(torch.float64), bias_gradients(torch.float32)
    actual, own = bias_gradients(torch.float64, seed=1), bias_gradients(torch.float32, seed=1)
    assert not torch.equal(actual, truth), "the two would be compared as numbers"
    assert not agree(actual, truth).passed
    assert judge(own, narrow, truth).passed
    for verdict in (agree(actual, truth, narrow), judge(own * 100, narrow, truth)):
        assert verdict.passed
        assert verdict.zero
        assert verdict.ratio == verdict.inverse == 0


NOISE = 1e-17 * torch.tensor([3.0, -1.0, 2.0, 5.0], dtype=torch.float64)
ROUNDING = 1e-8 * torch.tensor([-2.0, 1.0, 1.0, -4.0])


def test_zeros_are_told_apart_from_small_numbers() -> None:
    assert agree(-NOISE, NOISE, ROUNDING).zero
    assert not agree(-NOISE, NOISE, ROUNDING * 1e-4).passed, "float32 sees them as well: they are there"
    assert agree(NOISE, NOISE, NOISE.float()).passed
    assert not agree(NOISE, NOISE, NOISE.float()).zero


@pytest.mark.parametrize("side", ["actual", "truth"])
def test_what_is_zero_on_one_side_only_fails(side: str) -> None:
    there = NOISE.clone()
    there[2] = 1e-9  # a tenth of what float32 makes of zero, and no zero
    actual, truth = (there, NOISE) if side == "actual" else (NOISE, there)
    assert not agree(actual, truth, ROUNDING).passed


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_is_no_zero(bad: float, place: int) -> None:
    tensors = [NOISE.clone(), -NOISE, ROUNDING.clone()]
    tensors[place][1] = bad
    assert not agree(*tensors).passed
    assert not judge(tensors[2].clone(), tensors[2], tensors[0]).passed or place == 1


def test_a_float32_gradient_that_is_no_zero_fails_though_the_references_is() -> None:
    assert judge(-100 * ROUNDING, ROUNDING, NOISE).zero
    assert judge(ROUNDING, -100 * ROUNDING, NOISE).zero
    truth = NOISE.clone()
    truth[2] = 1e-3
    assert not judge(ROUNDING, truth.float(), truth).passed
    assert not judge(truth.float(), ROUNDING, truth).passed


def test_a_zero_that_is_exact_passes_where_float32_is_no_further_off() -> None:
    nothing = torch.zeros(4, dtype=torch.float64)
    assert agree(nothing, nothing, ROUNDING).zero
    assert not agree(nothing, nothing).passed
    assert not agree(nothing, nothing, nothing.float()).passed


# --- chunks ------------------------------------------------------------------------------------------------------

COUNTS = [1 << 15, (1 << 15) - 1, (1 << 15) + 1, 2 << 15, (2 << 15) + 1]


@pytest.mark.parametrize("count", COUNTS)
def test_a_tensor_of_several_chunks_is_measured_as_one(count: int) -> None:
    truth = torch.sin(torch.arange(count, dtype=torch.float64)) + 100
    actual = truth + 1e-9 * torch.cos(torch.arange(count, dtype=torch.float64) * 3)
    verdict = agree(actual, truth)
    error, spread = (actual - truth).abs(), float(truth.std(correction=0))
    assert verdict.spread == pytest.approx(spread, rel=1e-9)
    assert verdict.max_actual == pytest.approx(float(error.max()) / spread, rel=1e-9)
    assert verdict.rms_actual == pytest.approx(float(error.square().mean().sqrt()) / spread, rel=1e-9)
    assert verdict.index == (int(error.argmax()),)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("from_the_end", [True, False])
def test_the_worst_element_is_found_in_the_first_and_in_the_last_chunk(count: int, from_the_end: bool) -> None:
    truth = torch.linspace(-1, 1, count, dtype=torch.float64)
    index = count - 1 if from_the_end else 0
    actual, reference = truth.clone(), truth.clone()
    actual[index] += 1e-8
    reference[count // 2] += 1e-6
    verdict = agree(actual, truth)
    assert not verdict.passed
    assert verdict.index == (index,)
    assert judge(actual, reference, truth).max_reference == pytest.approx(1e-6 / verdict.spread)


@pytest.mark.parametrize("index", [0, (1 << 15) - 1, 1 << 15, 2 << 15])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_in_any_chunk_is_found_and_told(index: int, bad: float) -> None:
    truth = torch.linspace(-1, 1, (2 << 15) + 1, dtype=torch.float64)
    actual = truth.clone()
    actual[-1] += 1
    actual[index] = bad
    verdict = agree(actual, truth)
    assert verdict.problem == "the result holds NaN or infinity"
    assert verdict.index == (index,)
    reference = truth.float()
    reference[index] = bad
    assert judge(truth.float(), reference, truth).problem == "the reference holds NaN or infinity"


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "channels_last"])
def test_the_layout_in_memory_is_no_matter(layout: str) -> None:
    plain = torch.sin(torch.arange(4 * 30 * 20 * 20, dtype=torch.float64)).reshape(4, 30, 20, 20)
    if layout == "expanded":
        plain = plain[:1].expand(4, -1, -1, -1)
    laid_out = {
        "transposed": plain.transpose(0, 3).contiguous().transpose(0, 3),
        "strided": plain.repeat_interleave(2, -1)[..., ::2],
        "expanded": plain,
        "channels_last": plain.contiguous(memory_format=torch.channels_last),
    }[layout]
    assert not laid_out.is_contiguous()
    assert agree(laid_out, plain.contiguous()).ratio == 0
    actual = plain.clone(memory_format=torch.contiguous_format)
    actual[2, 7, 3, 11] += 1e-8
    for one, other in ((actual, laid_out), (laid_out, actual)):
        verdict = agree(one, other)
        assert not verdict.passed
        assert verdict.index == (2, 7, 3, 11)


# --- other kernels, and what is ill-conditioned ------------------------------------------------------------------


def distances(actual: float, reference: float, problem: str = "") -> Verdict:
    """A verdict on errors of these sizes, in units of the spread."""
    ratio, inverse = actual / reference, reference / actual
    passed = not problem and max(ratio, inverse) <= GRADIENT_FACTOR
    return Verdict(passed, ratio, inverse, actual, reference, actual, reference, problem=problem)


USUAL = {"a": distances(1e-6, 1e-6), "b": distances(1e-6, 1e-6)}


@pytest.mark.parametrize(
    ("again", "passes"),
    [
        ({}, False),
        ({"odd": distances(1e-5, 1e-5)}, True),  # by other kernels both are as far off as the reference was
        ({"odd": distances(1e-5, 1e-6)}, True),
        ({"odd": distances(1e-6, 1e-5)}, False),  # only the reference is, and that is what is in question
        ({"odd": distances(2e-6, 1e-5)}, True),  # but within the factor
        ({"odd": distances(1e-5, 1e-5, "NaN")}, False),  # nothing is learned of a run that went wrong
    ],
)
def test_what_fails_by_the_usual_kernels_may_be_as_far_off_as_others_are(
    again: dict[str, Verdict], passes: bool
) -> None:
    verdicts = {**USUAL, "odd": distances(1e-6, 1.1e-5)}
    found = pooled(verdicts, {**USUAL, **again} if again else None)
    assert found["odd"].passed is passes
    assert found["a"].passed


def test_errors_beyond_those_of_all_kernels_fail() -> None:
    verdicts = {**USUAL, "odd": distances(1e-6, 1e-3)}
    assert not pooled(verdicts, {**USUAL, "odd": distances(1e-5, 1e-5)})["odd"].passed


@pytest.mark.parametrize("swapped", [False, True], ids=["ours", "the reference"])
@pytest.mark.parametrize(
    ("again", "passes"),
    [
        (distances(1e-6, 1e-6), False),  # by other kernels both are near: being far is this side's own doing
        (distances(4.1e-6, 1e-6), False),  # it is far by any kernels
        (distances(1e-6, 4.1e-6), True),  # so are such kernels on the other side
        (distances(1e-6, 4.1e-6, "NaN"), False),
    ],
)
def test_an_output_may_be_as_far_off_as_the_other_side_is_by_other_kernels(
    again: Verdict, passes: bool, swapped: bool
) -> None:
    def side(verdict: Verdict) -> Verdict:
        errors = verdict.max_reference, verdict.max_actual
        return distances(*errors, verdict.problem) if swapped else verdict

    first = replace(side(distances(4.1e-6, 1e-6)), passed=False)
    assert by_either({"odd": first}, {"odd": side(again)})["odd"].passed is passes
    assert not by_either({"odd": first})["odd"].passed
    assert not by_either({"odd": replace(first, problem="NaN")}, {"odd": side(again)})["odd"].passed


@pytest.mark.parametrize(("share", "passes"), [(0.9, True), (1.1, False)])
def test_in_float64_a_sum_that_cancels_may_be_off_by_what_float32_shows(share: float, passes: bool) -> None:
    truth = ramp(1000)
    spread = float(truth.std(correction=0))
    float32 = truth.clone()
    float32[3] += 0.5 * spread  # half of it is lost in float32
    actual = truth.clone()
    actual[7] += share * GRADIENT_FACTOR * 0.5 * spread / FINER
    assert not agree(actual, truth).passed, "it is more than is allowed by itself"
    verdict = agree(actual, truth, float32.float())
    assert verdict.passed is passes
    assert verdict.ratio == pytest.approx(share, rel=1e-3)


def test_in_float64_nothing_is_excused_where_float32_is_near() -> None:
    truth = ramp(1000)
    actual = truth.clone()
    actual[7] += 2 * FLOAT64_LIMIT * float(truth.std(correction=0))
    assert not agree(actual, truth, truth.float()).passed
    assert not agree(actual, truth, torch.full((1000,), math.nan)).passed
    assert not agree(actual, truth, truth.float()[:10]).passed
