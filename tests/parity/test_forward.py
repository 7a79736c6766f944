"""Forward: faults that no graph shows, in float64 and in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from repro.parity.pair import channels_last
from repro.result import Outcome
from tests.parity.conftest import OTHER, SIZE, Build, Check, Net, Renamed

FAILED = {"forward.float64": "fail", "forward.float32": "skip"}  # and all the rest passed


def test_both_batches_of_every_size_are_run(check: Check) -> None:
    for name in ("forward.float64", "forward.float32"):
        cases = check(Net, Renamed, SIZE, OTHER)[name].evidence["cases"]
        assert [case["input"] for case in cases] == [[1, *SIZE], [3, *SIZE], [1, *OTHER], [3, *OTHER]]


def test_several_outputs_are_all_compared(check: Check) -> None:
    class Two(Net):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return {"features": x, "logits": [self.fc(x)]}

    class Wrong(Two):
        def forward(self, x: torch.Tensor) -> Any:
            outputs = super().forward(x)
            return {**outputs, "logits": [outputs["logits"][0] + hidden(x, 1e-6)]}

    results = check(Two, Two)
    assert results.unpassed == {}
    assert [len(case["outputs"]) for case in results["forward.float64"].evidence["cases"]] == [2, 2]
    assert check(Wrong, Two)["forward.float64"].outcome is Outcome.FAIL


def test_whole_numbers_beside_the_logits_are_compared(check: Check) -> None:
    class Classifier(Net):
        def forward(self, x: torch.Tensor) -> Any:
            logits = self.fc(self.features(x))
            return logits, logits.argmax(1)

    assert check(Classifier, Classifier).unpassed == {}


def real(x: torch.Tensor) -> bool:
    """Whether this is a forward and no trace: a fault behind it is in no graph."""
    return torch.is_inference_mode_enabled()


def hidden(x: torch.Tensor, amount: float) -> torch.Tensor | float:
    """Noise of this size that does not show in a trace: one way for the first image, the other for the rest."""
    return amount * torch.linspace(-1, 1, 5, dtype=x.dtype) if real(x) else 0.0


def faulty(fault: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Build:
    """`Net` with its logits changed by `fault(x, logits)` where numbers flow."""

    class Faulty(Net):
        def forward(self, x: torch.Tensor) -> Any:
            logits = self.fc(self.features(x))
            return fault(x, logits) if real(x) else logits

    return Faulty


def one_element(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    logits[-1, 3] += 1e-7
    return logits


@pytest.mark.control("forward.float64")
@pytest.mark.parametrize(
    "fault",
    [
        lambda x, logits: logits + hidden(x, 1e-8),
        lambda _, logits: logits * (1 + 1e-7),
        lambda _, logits: logits.roll(1, 1),
        lambda _, logits: -logits,
        one_element,
        lambda x, logits: logits.float().double() if x.dtype is torch.float64 else logits,
    ],
    ids=["noise", "scale", "permuted", "negated", "one element", "float32 inside"],
)
def test_a_fault_in_float64_fails_though_the_structure_is_proved(
    check: Check, fault: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    for results in (check(faulty(fault), Net), check(Net, faulty(fault))):
        assert results.unpassed == FAILED
    message = results["forward.float64"].message
    assert "of the spread, 1e-10 allowed; worst at index [" in message
    assert "actual " in message


def half_inside(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return logits.half().float() if x.dtype is torch.float32 else logits


@pytest.mark.control("forward.float32")
def test_a_fault_in_float32_only_fails_there_only(check: Check) -> None:
    results = check(faulty(half_inside), Net)
    assert results.unpassed == {"forward.float32": "fail"}
    assert results["forward.float32"].evidence["ratio"] > 4
    assert "times the reference's own distance from float64" in results["forward.float32"].message
    assert "; worst at index [" in results["forward.float32"].message


def test_a_reference_that_is_wrong_in_float32_only_is_noticed(check: Check) -> None:
    assert check(Net, faulty(half_inside))["forward.float32"].outcome is Outcome.FAIL


class ByLayout(Net):
    """Loses half of the digits where its weights are in channels_last, as other kernels lose more of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = super().forward(x)
        return logits if self.conv1.weight.is_contiguous() else half_inside(x, logits)


@pytest.mark.parametrize("subject", [ByLayout, Net])
def test_what_any_layout_of_both_sides_does_is_allowed_and_what_one_side_alone_does_is_not(
    check: Check, subject: Build
) -> None:
    torch.manual_seed(0)
    state = {key: tensor.detach().clone() for key, tensor in Net().state_dict().items()}
    relaid = {key: channels_last(tensor) for key, tensor in state.items()}
    for ours, theirs in ((state, relaid), (relaid, state)):
        results = check(subject, ByLayout, state=ours, expected=theirs)
        passes = subject is ByLayout or theirs is state
        assert (results["forward.float32"].outcome is Outcome.PASS) is passes, results["forward.float32"].message


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_fail_on_either_side_and_on_both(check: Check, bad: float) -> None:
    def fault(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[0, 2] = bad
        return logits

    wrong = faulty(fault)
    told = "value of output 0 for 1x2x8x8: "
    for subject, reference, side in (
        (wrong, Net, "the result"),
        (Net, wrong, "the float64 truth"),  # which the reference's float64 run is
        (wrong, wrong, "the float64 truth"),
    ):
        results = check(subject, reference)
        assert results.unpassed == FAILED
        assert results["forward.float64"].message.startswith(f"{told}{side} holds NaN or infinity")


@pytest.mark.parametrize("batch", [1, 3])
def test_nan_in_one_of_several_runs_is_enough(check: Check, batch: int) -> None:
    def fault(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        return logits * math.nan if x.shape[0] == batch else logits

    assert check(faulty(fault), Net).unpassed == FAILED


def test_a_constant_output_fails(check: Check) -> None:
    class Zero(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) * 0

    results = check(Zero, Zero)
    assert results.unpassed["forward.float64"] == "fail"
    assert "a comparison of constants proves nothing" in results["forward.float64"].message


def test_a_fault_at_one_size_or_one_batch_only_is_enough(check: Check) -> None:
    for spoilt in (lambda x: x.shape[2] == 12, lambda x: x.shape[0] == 1):

        def fault(x: torch.Tensor, logits: torch.Tensor, spoilt: Any = spoilt) -> torch.Tensor:
            return logits + hidden(x, 1e-6) if spoilt(x) else logits

        results = check(faulty(fault), Net, SIZE, OTHER)
        assert results["forward.float64"].outcome is Outcome.FAIL
        cases = results["forward.float64"].evidence["cases"]
        assert 0 < sum(not output["passed"] for case in cases for output in case["outputs"]) < len(cases)


def test_a_fault_hidden_from_training_mode_alone_is_none(check: Check) -> None:
    class Noisy(Net):
        def forward(self, x: torch.Tensor) -> Any:
            logits = self.fc(self.features(x))
            return logits + 1 if self.training else logits

    assert check(Noisy, Net).unpassed.keys() == {"train.structure", "train.float64", "train.float32"}


def test_a_failure_that_no_graph_shows_is_said_to_be_one(check: Check) -> None:
    message = check(faulty(one_element), Net)["forward.float64"].message
    assert message.startswith("value of output 0 for 1x2x8x8: largest difference ")
    assert "evaluated operation by operation the two agree" in message
