"""The checks of one pair: what each of them catches, and what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.errors import ReproError
from repro.parity.check import CHECKS, Pair, Plan
from repro.parity.network import Network, Stopwatch
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

PASS, FAIL, SKIP = Outcome.PASS, Outcome.FAIL, Outcome.SKIP

SIZE = (2, 8, 8)
OTHER = (2, 12, 9)

Build = Callable[[], nn.Module]


class Net(nn.Module):
    """The subject of most tests."""

    stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, self.stride, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 5)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        x = self.pool(x)
        return x.flatten(1)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.fc(self.features(x))
        return x


class Renamed(nn.Module):
    """The same network: other names, other order of definition, other words for the same operations."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 5)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding="same")
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(F.relu(self.norm(self.first(x)), inplace=True))
        x = self.head(x.mean(dim=(-2, -1)))
        return x


class Strided(Net):
    stride = 2


def network(build: Build, size: Size = SIZE, name: str = "") -> Network:
    spec = name or getattr(build, "__name__", "network")
    return Network.of(Source(spec, build, on_meta=False), size, Stopwatch())


def check(
    subject: Build,
    reference: Build,
    *sizes: Size,
    limit: tuple[Size, str] | None = None,
    state: dict[str, torch.Tensor] | None = None,
) -> dict[str, Result]:
    """The results by check; the forwards run on one and three images of each size."""
    sizes = sizes or (SIZE,)
    plan = Plan(sizes, tuple((size, batch) for size in sizes for batch in (1, 3)), state=state)
    pair = Pair(network(subject, sizes[0]), plan)
    results = list(pair.check(network(reference, sizes[0]), limit))
    assert [result.check for result in results] == list(CHECKS)
    return {result.check: result for result in results}


def outcomes(results: Mapping[str, Result]) -> list[Outcome]:
    return [results[name].outcome for name in CHECKS]


# --- what passes -------------------------------------------------------------------------------------------------


def test_a_renamed_copy_passes() -> None:
    results = check(Net, Renamed, SIZE, OTHER)
    assert outcomes(results) == [PASS] * 4
    assert results["structure"].message == "proved equal for every input of shape 3x2x8x8 and 3x2x12x9"
    keys = results["mapping"].evidence["keys"]
    assert {keys["head.weight"], keys["first.weight"], keys["norm.running_var"]} == {
        "fc.weight",
        "conv1.weight",
        "bn1.running_var",
    }
    assert len(keys) == 10
    assert results["forward.float64"].message.endswith("of the output's spread, 1e-10 allowed")


def test_results_are_about_the_subject_and_the_reference_and_hold_json_types_only() -> None:
    for subject, reference in ((Net, Renamed), (Net, Strided)):
        for result in check(subject, reference).values():
            assert (result.subject, result.reference) == (subject.__name__, reference.__name__)
            assert json.loads(json.dumps(asdict(result)))["evidence"] == result.evidence


def test_both_batches_of_every_size_are_run() -> None:
    for name in ("forward.float64", "forward.float32"):
        cases = check(Net, Renamed, SIZE, OTHER)[name].evidence["cases"]
        assert [case["input"] for case in cases] == [[1, *SIZE], [3, *SIZE], [1, *OTHER], [3, *OTHER]]


def test_several_outputs_are_all_compared() -> None:
    class Two(Net):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return {"features": x, "logits": [self.fc(x)]}

    class Wrong(Two):
        def forward(self, x: torch.Tensor) -> Any:
            outputs = super().forward(x)
            return {**outputs, "logits": [outputs["logits"][0] + hidden(x, 1e-6)]}

    results = check(Two, Two)
    assert outcomes(results) == [PASS] * 4
    assert [len(case["outputs"]) for case in results["forward.float64"].evidence["cases"]] == [2, 2]
    assert check(Wrong, Two)["forward.float64"].outcome is FAIL


def test_whole_numbers_beside_the_logits_are_compared() -> None:
    class Classifier(Net):
        def forward(self, x: torch.Tensor) -> Any:
            logits = self.fc(self.features(x))
            return logits, logits.argmax(1)

    assert outcomes(check(Classifier, Classifier)) == [PASS] * 4


# --- structure ---------------------------------------------------------------------------------------------------


def test_a_wrong_stride_fails_the_structure_at_both_module_paths_and_the_rest_is_skipped() -> None:
    class RenamedAndStrided(Renamed):
        def __init__(self) -> None:
            super().__init__()
            self.second = nn.Conv2d(4, 4, 3, 2, padding=1)

    results = check(Net, RenamedAndStrided)
    assert outcomes(results) == [FAIL, SKIP, SKIP, SKIP]
    assert "convolution stride 1 here, 2 there" in results["structure"].message
    assert "different for 3x2x8x8" in results["structure"].message
    first = results["structure"].evidence["differences"][0]
    assert (first["subject"]["module"], first["reference"]["module"]) == ("conv2", "second")
    assert "test_check.py:" in first["subject"]["line"]
    assert results["mapping"].message == "needs equal structure, which it has not"


def test_a_size_at_which_two_networks_part_is_named() -> None:
    class Average(Net):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool2d(8)  # type: ignore[assignment]

    assert outcomes(check(Average, Net, SIZE)) == [PASS] * 4
    results = check(Average, Net, SIZE, (2, 8, 15))
    assert outcomes(results) == [FAIL, SKIP, SKIP, SKIP]
    assert results["structure"].message.startswith("equal for 3x2x8x8, but different for 3x2x8x15: ")


class Flat(nn.Module):
    """Keeps the rows of a batch apart."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.flatten(1))


class Mixed(Flat):
    """Of the same shapes, with rows made of several images: features first, the batch after them."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.transpose(0, 1).reshape(-1, 32))


class Torn(Flat):
    """The `view(-1, K)` of tutorials: on images of twice K elements, twice as many rows."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.view(-1, 32))


class Halves(Flat):
    """Two rows an image, and their mean: one row an image."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(x.view(-1, 2, 32)).mean(1)


def test_mixing_the_rows_of_a_batch_fails_the_structure() -> None:
    assert outcomes(check(Flat, Flat, (2, 4, 4))) == [PASS] * 4
    assert check(Mixed, Flat, (2, 4, 4))["structure"].outcome is FAIL


def test_a_view_that_tears_rows_is_the_flattening_only_at_the_size_it_was_written_for() -> None:
    assert outcomes(check(Torn, Flat, (2, 4, 4))) == [PASS] * 4
    assert check(Torn, Halves, (2, 8, 4))["structure"].outcome is FAIL
    assert outcomes(check(Halves, Halves, (2, 8, 4))) == [PASS] * 4


def test_other_outputs_fail_the_structure() -> None:
    class Twice(Net):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.fc(self.features(x))
            return x, x

    assert check(Twice, Net)["structure"].message.endswith(": 2 outputs here, 1 there")


def test_an_amendment_of_the_reference_is_told() -> None:
    reference = Network.of(Source("amended", Net, on_meta=False, note="with its stride moved"), SIZE, Stopwatch())
    result = next(Pair(network(Net), Plan((SIZE,), ())).check(reference))
    assert result.evidence["amended"] == "with its stride moved"
    assert result.message.endswith(" (with its stride moved)")


# --- the limit of a proof ----------------------------------------------------------------------------------------


class Fixed(Net):
    """Equal to `Net` on 8x8 images only."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)  # type: ignore[assignment]


def test_a_declared_limit_is_checked_and_told() -> None:
    results = check(Net, Fixed, limit=((2, 8, 15), "a fixed window"))
    assert outcomes(results) == [PASS] * 4
    assert results["structure"].message.endswith("3x2x8x8; not for 3x2x8x15: a fixed window")
    stop = results["structure"].evidence["stops_at"]
    assert stop["input"] == [3, 2, 8, 15]
    assert stop["why"] == "a fixed window"
    assert stop["differences"]


def test_a_declared_limit_that_is_none_fails() -> None:
    results = check(Net, Renamed, limit=(OTHER, "a fixed window"))
    assert results["structure"].outcome is FAIL
    assert results["structure"].message.endswith(
        "; and for 3x2x12x9 too, where the catalog says it is not: a fixed window"
    )


# --- mapping -----------------------------------------------------------------------------------------------------


def test_a_linear_layer_and_the_convolution_it_is_are_mapped_with_the_reshape() -> None:
    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 5, 4)

        def forward(self, x: torch.Tensor) -> Any:
            return self.conv(x).flatten(1)

    results = check(Flat, Convolved, (2, 4, 4))
    assert outcomes(results) == [PASS] * 4
    assert results["mapping"].evidence["keys"] == {"conv.weight": "fc.weight", "conv.bias": "fc.bias"}
    assert results["mapping"].evidence["moved"] == {"conv.weight": ["reshape(5, 2, 4, 4)"]}
    assert results["mapping"].message == "2 of 2 keys of the reference mapped, 1 of them reshaped or permuted"


def test_a_key_that_nothing_reads_is_left_out_with_the_reason() -> None:
    class Spare(Net):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Parameter(torch.ones(3))

    results = check(Spare, Net)
    assert outcomes(results) == [PASS] * 4
    assert results["mapping"].evidence["unmapped_subject"] == {"spare": "no output depends on it in eval mode"}
    assert results["mapping"].evidence["unmapped_reference"] == {}


class Auxiliary(Net):
    """A head that runs in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.features(x)
        return (self.fc(x), self.aux(x)) if self.training else self.fc(x)


def test_what_runs_in_training_only_is_mapped_by_the_graphs_of_training() -> None:
    class AlsoAuxiliary(Auxiliary):
        def __init__(self) -> None:
            super().__init__()
            self.helper, self.aux = self.aux, nn.Linear(1, 1)
            del self.aux

        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return (self.fc(x), self.helper(x)) if self.training else self.fc(x)

    results = check(Auxiliary, AlsoAuxiliary)
    assert outcomes(results) == [PASS] * 4
    assert results["mapping"].evidence["keys"]["helper.weight"] == "aux.weight"
    assert results["mapping"].evidence["unmapped_subject"] == {}


def test_what_runs_in_training_only_and_differs_is_left_out() -> None:
    class OtherAuxiliary(Auxiliary):
        def forward(self, x: torch.Tensor) -> Any:
            x = self.features(x)
            return (self.fc(x), self.aux(x).relu()) if self.training else self.fc(x)

    mapping = check(Auxiliary, OtherAuxiliary)["mapping"]
    assert mapping.evidence["unmapped_subject"].keys() == {"aux.weight", "aux.bias"}
    assert mapping.evidence["unmapped_reference"].keys() == {"aux.weight", "aux.bias"}


def test_googlenets_auxiliary_heads_are_mapped() -> None:
    size = (3, 64, 64)
    ours, theirs = (
        Network.of(resolve(spec), size, Stopwatch())
        for spec in ("repro:googlenet_torchvision", "torchvision:googlenet")
    )
    structure, mapping = islice(Pair(ours, Plan((size,), ())).check(theirs), 2)
    assert (structure.outcome, mapping.outcome) == (PASS, PASS)
    assert mapping.evidence["unmapped_subject"] == mapping.evidence["unmapped_reference"] == {}
    keys = mapping.evidence["keys"]
    assert keys.keys() == theirs.module.state_dict().keys()
    heads = {target.partition(".")[0]: source.partition(".")[0] for target, source in keys.items() if "aux" in target}
    assert heads == {"aux1": "aux1", "aux2": "aux2"}


# --- faults that no structure shows ------------------------------------------------------------------------------


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
    fault: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    for results in (check(faulty(fault), Net), check(Net, faulty(fault))):
        assert outcomes(results)[:3] == [PASS, PASS, FAIL]
    message = results["forward.float64"].message
    assert "of the output's spread, 1e-10 allowed; worst at index [" in message
    assert "actual " in message


def half_inside(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return logits.half().float() if x.dtype is torch.float32 else logits


def test_a_fault_in_float32_only_fails_there_only() -> None:
    results = check(faulty(half_inside), Net)
    assert outcomes(results) == [PASS, PASS, PASS, FAIL]
    assert results["forward.float32"].evidence["ratio"] > 4
    assert "times the reference's own distance from float64" in results["forward.float32"].message
    assert "; worst at index [" in results["forward.float32"].message


def test_a_reference_that_is_wrong_in_float32_only_is_noticed() -> None:
    assert check(Net, faulty(half_inside))["forward.float32"].outcome is FAIL


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_fail_on_either_side_and_on_both(bad: float) -> None:
    def fault(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits[0, 2] = bad
        return logits

    wrong = faulty(fault)
    for subject, reference, side in (
        (wrong, Net, "the result"),
        (Net, wrong, "the float64 truth"),  # which the reference's float64 run is
        (wrong, wrong, "the float64 truth"),
    ):
        results = check(subject, reference)
        assert outcomes(results) == [PASS, PASS, FAIL, FAIL]
        assert results["forward.float64"].message == f"{side} holds NaN or infinity"


@pytest.mark.parametrize("batch", [1, 3])
def test_nan_in_one_of_several_runs_is_enough(batch: int) -> None:
    def fault(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        return logits * math.nan if x.shape[0] == batch else logits

    assert outcomes(check(faulty(fault), Net)) == [PASS, PASS, FAIL, FAIL]


def test_a_constant_output_fails() -> None:
    class Zero(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) * 0

    results = check(Zero, Zero)
    assert outcomes(results) == [PASS, PASS, FAIL, FAIL]
    assert "a comparison of constants proves nothing" in results["forward.float64"].message


def test_a_fault_at_one_size_or_one_batch_only_is_enough() -> None:
    for spoilt in (lambda x: x.shape[2] == 12, lambda x: x.shape[0] == 1):

        def fault(x: torch.Tensor, logits: torch.Tensor, spoilt: Any = spoilt) -> torch.Tensor:
            return logits + hidden(x, 1e-6) if spoilt(x) else logits

        results = check(faulty(fault), Net, SIZE, OTHER)
        assert results["forward.float64"].outcome is FAIL
        cases = results["forward.float64"].evidence["cases"]
        assert 0 < sum(not output["passed"] for case in cases for output in case["outputs"]) < len(cases)


def test_a_fault_hidden_from_training_mode_alone_is_none() -> None:
    class Noisy(Net):
        def forward(self, x: torch.Tensor) -> Any:
            logits = self.fc(self.features(x))
            return logits + 1 if self.training else logits

    assert outcomes(check(Noisy, Net)) == [PASS] * 4


# --- weights -----------------------------------------------------------------------------------------------------


def test_given_weights_are_the_ones_compared_with() -> None:
    torch.manual_seed(0)
    state = {key: tensor.detach().clone() for key, tensor in Net().state_dict().items()}
    assert outcomes(check(Net, Renamed, state=state)) == [PASS] * 4
    state["fc.bias"][1] = math.nan
    results = check(Net, Renamed, state=state)
    assert outcomes(results) == [PASS, PASS, FAIL, FAIL]


def test_one_subject_serves_several_references() -> None:
    pair = Pair(network(Net), Plan((SIZE,), ((SIZE, 3),)))
    outcomes = [[result.outcome for result in pair.check(network(build))] for build in (Renamed, Strided, Net)]
    assert outcomes == [[PASS] * 4, [FAIL, SKIP, SKIP, SKIP], [PASS] * 4]


def test_a_tensor_in_no_state_dict_keeps_its_value() -> None:
    class Hidden(Net):
        offset: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("offset", torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), persistent=False)

        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) + self.offset

    assert outcomes(check(Hidden, Hidden)) == [PASS] * 4


def test_a_kernel_in_no_state_dict_is_compared() -> None:
    class Blurred(nn.Module):
        kernel: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3)
            self.register_buffer(
                "kernel", torch.tensor([[0.25, 0.5], [0.0, 0.25]]).expand(2, 1, 2, 2), persistent=False
            )

        def forward(self, x: torch.Tensor) -> Any:
            return F.conv2d(self.conv(x), self.kernel, groups=2)

    class Sharpened(Blurred):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = self.kernel.flip(3)

    assert outcomes(check(Blurred, Blurred)) == [PASS] * 4
    assert check(Blurred, Sharpened)["structure"].outcome is FAIL


def test_numbers_written_in_the_forward_are_compared() -> None:
    class Shifted(Net):
        shifts: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)

        def forward(self, x: torch.Tensor) -> Any:
            return self.fc(self.features(x)) + torch.tensor(self.shifts, dtype=x.dtype)

    class ShiftedOtherwise(Shifted):
        shifts = (1.0, 2.0, 3.0, 4.0, 6.0)

    assert outcomes(check(Shifted, Shifted)) == [PASS] * 4
    assert check(Shifted, ShiftedOtherwise)["structure"].outcome is FAIL


def test_tied_weights_are_compared() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(2, 2, 3, padding=1) for _ in range(2))
            self.two.weight = self.one.weight

        def forward(self, x: torch.Tensor) -> Any:
            return self.two(self.one(x).relu())

    class Untied(Tied):
        def __init__(self) -> None:
            super().__init__()
            self.two = nn.Conv2d(2, 2, 3, padding=1)

    assert outcomes(check(Tied, Tied)) == [PASS] * 4
    assert check(Tied, Untied)["structure"].outcome is FAIL


def test_nothing_to_compare_is_an_error() -> None:
    pair = Pair(network(Net), Plan((SIZE,), ()))
    with pytest.raises(ReproError, match="no tensor to compare"):
        list(pair.check(network(Renamed)))


def names(results: Sequence[Result]) -> list[str]:
    return [result.check for result in results]


def test_results_come_as_they_are_found() -> None:
    pair = Pair(network(Net), Plan((SIZE,), ((SIZE, 1),)))
    stopwatch = pair.subject.stopwatch
    running = pair.check(network(Renamed))
    assert names(list(islice(running, 2))) == ["structure", "mapping"]
    assert stopwatch.seconds == 0
    assert names(list(running)) == ["forward.float64", "forward.float32"]
    assert stopwatch.seconds > 0
