"""The library: what passes, what each phase catches in live modules, how it is told, and that nothing is touched."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import repro
from repro import Report, ReproError
from repro.graph import digest
from repro.result import Outcome

IMAGES = torch.linspace(-2, 2, 3 * 2 * 8 * 8).sin().mul(9).cos().reshape(3, 2, 8, 8)


class Net(nn.Module):
    """The reference of every test."""

    def __init__(self, stride: int = 1, padding: int = 1, eps: float = 1e-5, momentum: float = 0.1, p: float = 0.5):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4, eps, momentum)
        self.conv2 = nn.Conv2d(4, 4, 3, stride, padding)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.mid = nn.Linear(4, 4)
        self.drop = nn.Dropout(p)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.conv1(x)
        x = self.conv2(self.bn1(x).relu())
        x = self.conv3(x.relu()).mean((2, 3))
        x = self.fc(self.drop(self.mid(x).sigmoid()))
        return x


class Port(nn.Module):
    """The same under other names."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.net = Net(**changes)

    def forward(self, x: torch.Tensor) -> Any:
        return self.net(x)


@pytest.fixture
def expected() -> Net:
    """With weights as after some training: nothing is 0 or 1 any more."""
    net, generator = Net(), torch.Generator().manual_seed(7)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(-0.9, 0.9, generator=generator)
        net.bn1.get_buffer("running_var").abs_().add_(0.1)
    return net


Ported = Callable[..., Port]


@pytest.fixture
def ported(expected: Net) -> Ported:
    """`Port`, with changes and with the weights of the reference."""

    def make(**changes: Any) -> Port:
        port = Port(**changes)
        port.load_state_dict({f"net.{key}": tensor.clone() for key, tensor in expected.state_dict().items()})
        return port

    return make


def complaint(actual: nn.Module, expected: nn.Module, *, width: int = 71, **options: Any) -> str:
    """The message of the assertion that fails, whose lines must fit beside pytest's margin."""
    with pytest.raises(AssertionError) as caught:
        repro.assert_equivalent(actual, expected, IMAGES, **options)
    lines = str(caught.value).splitlines()
    assert [line for line in lines if len(line) > width] == []
    return " ".join(" ".join(lines).split())


def outcomes(report: Report) -> dict[str, str]:
    return {result.check: result.outcome.value for result in report}


# What passes ----------------------------------------------------------------------------------------------------------

NUMBERS = [f"{phase}.{dtype}" for phase in ("forward", "backward", "train") for dtype in ("float64", "float32")]


def test_a_port_with_its_weights_passes_every_check(expected: Net, ported: Ported) -> None:
    report = repro.assert_equivalent(ported(), expected, IMAGES)
    assert outcomes(report) == dict.fromkeys(
        [*("structure", "mapping", "values"), *NUMBERS[:4], "train.structure", *NUMBERS[4:]], "pass"
    )


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch_will_do(expected: Net, ported: Ported, batch: int) -> None:
    assert repro.assert_equivalent(ported(), expected, IMAGES[torch.arange(batch) % 3])


def test_a_matrix_of_features_is_an_input_too() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 4))
    assert repro.assert_equivalent(net, copy.deepcopy(net), torch.randn(4, 6))


def test_weights_in_float64_are_compared_too(expected: Net, ported: Ported) -> None:
    wide = copy.deepcopy(expected).double()
    assert repro.assert_equivalent(ported().double(), wide, IMAGES.double())
    with torch.no_grad():
        wide.fc.bias[3] += 1e-3
    assert "values fail net.fc.bias differs" in complaint(ported().double(), wide)


def test_map_state_dict_makes_a_port_that_passes(expected: Net) -> None:
    port = Port()
    assert "values fail" in complaint(port, expected)
    port.load_state_dict(repro.map_state_dict(expected, port, IMAGES))
    assert repro.assert_equivalent(port, expected, IMAGES)


def test_a_fresh_network_whose_branches_end_in_zero_passes(expected: Net, ported: Ported) -> None:
    port = ported()
    for net in (expected, port.net):
        nn.init.zeros_(net.conv2.weight)
        nn.init.zeros_(net.get_parameter("conv2.bias"))
    assert repro.assert_equivalent(port, expected, IMAGES)


# What each phase catches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stride": 2}, "convolution stride 2 here, 1 there; here net.conv2"),
        ({"padding": 0}, "convolution padding 0 here, 1 there; here net.conv2"),
        ({"eps": 1e-3}, "batch_norm eps 0.001 here, 1e-05 there; here net.bn1"),
    ],
)
def test_another_program_fails_structure(expected: Net, ported: Ported, changes: Any, told: str) -> None:
    text = complaint(ported(**changes), expected)
    assert text.startswith("actual (Port) is not equivalent to expected (Net) structure fail")
    assert told in text
    assert "skipped mapping, values, forward.float64" in text
    assert "nothing else can be compared until they agree" in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"p": 0.4}, "dropout p 0.4 here, 0.5 there; here net.drop"),
        ({"momentum": 0.2}, "momentum 0.2 here, 0.1 there; here net.bn1"),
    ],
)
def test_another_program_in_train_mode_fails_there(expected: Net, ported: Ported, changes: Any, told: str) -> None:
    text = complaint(ported(**changes), expected)
    assert "train.structure fail" in text
    assert told in text
    assert "In eval mode the two are one program." in text
    assert f"passing structure, mapping, values, {', '.join(NUMBERS[:4])}" in text


def test_swapped_weights_of_one_shape_are_named(expected: Net, ported: Ported) -> None:
    port = ported()
    port.net.conv2.weight, port.net.conv3.weight = port.net.conv3.weight, port.net.conv2.weight
    text = complaint(port, expected)
    assert "net.conv2.weight and net.conv3.weight are swapped" in text
    assert "failing too forward.float64, backward.float64, train.float64 passing structure, mapping" in text
    assert "repro.map_state_dict(expected, actual, inputs)" in text


def test_a_square_weight_that_is_transposed_is_named(expected: Net, ported: Ported) -> None:
    port = ported()
    port.net.mid.weight = nn.Parameter(port.net.mid.weight.detach().T.contiguous())
    assert "net.mid.weight is the reference's mid.weight with dimensions 0 and 1 exchanged" in complaint(port, expected)


@pytest.mark.parametrize("value", [0.25, float("nan"), float("inf")])
def test_one_element_is_enough(expected: Net, ported: Ported, value: float) -> None:
    port = ported()
    with torch.no_grad():
        port.net.conv2.weight[1, 2, 0, 1] = value
    text = complaint(port, expected)
    assert f"in 1 of 144 elements, most at [1, 2, 0, 1]: actual {value:.9g}" in text


def test_weights_that_are_nan_on_both_sides_fail(expected: Net, ported: Ported) -> None:
    port = ported()
    with torch.no_grad():
        expected.fc.weight[0, 0] = port.net.fc.weight[0, 0] = torch.nan
    assert "NaN or infinity" in complaint(port, expected, checks="forward")


def test_statistics_that_were_not_copied_are_noticed(expected: Net, ported: Ported) -> None:
    port = ported()
    port.net.bn1.reset_running_stats()
    text = complaint(port, expected)
    assert "values fail net.bn1.running_mean" in text
    assert "of 2 that differ" in text


def test_a_hook_on_a_gradient_fails_backward_and_nothing_before(expected: Net, ported: Ported) -> None:
    def double(_: nn.Module, inputs: Any, __: Any) -> Any:
        return tuple(2 * gradient for gradient in inputs)

    port = ported()
    port.net.conv2.register_full_backward_hook(double)
    text = complaint(port, expected)
    assert "backward.float64 fail gradient of bn1.bias" in text
    assert "a hook" in text
    assert "passing structure, mapping, values, forward.float64, forward.float32" in text


def test_it_runs_on_the_given_input(expected: Net, ported: Ported) -> None:
    class Touchy(Port):
        def forward(self, x: torch.Tensor) -> Any:
            y = self.net(x)
            if y.requires_grad:
                y.register_hook(lambda gradient: gradient * (2 if float(x[0, 0, 0, 0].detach()) == 7 else 1))
            return y

    port = Touchy()
    port.load_state_dict(ported().state_dict())
    assert repro.assert_equivalent(port, expected, IMAGES, checks=("forward", "backward"))
    with_seven = IMAGES.clone()
    with_seven[0, 0, 0, 0] = 7
    with pytest.raises(AssertionError, match=r"backward\.float64"):
        repro.assert_equivalent(port, expected, with_seven, checks=("forward", "backward"))


def test_one_image_is_enough_to_train_on() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3))
    assert repro.assert_equivalent(net, copy.deepcopy(net), torch.randn(1, 4))


def branching(rate: float) -> nn.Module:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training and float(x.sum()) > -1e9:
                x = nn.functional.dropout(x, rate)
            return self.fc(x)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    return Branching()


@pytest.mark.parametrize("checks", [("train",), repro.api.PHASES])
def test_what_could_not_be_checked_is_no_pass(checks: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match="not all could be checked") as caught:
        repro.assert_equivalent(branching(0.1), branching(0.9), torch.randn(2, 4), checks=checks)
    assert "train mode cannot be traced" in str(caught.value)
    assert repro.assert_equivalent(branching(0.1), branching(0.9), torch.randn(2, 4), checks=("structure", "forward"))


# Part of it -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checks", "made"),
    [
        ("structure", ["structure"]),
        (("values", "structure"), ["structure", "values"]),
        (["forward"], ["structure", *NUMBERS[:2]]),
        ({"train"}, ["structure", "train.structure", *NUMBERS[4:]]),
    ],
)
def test_only_the_checks_asked_for_are_made(expected: Net, ported: Ported, checks: Any, made: list[str]) -> None:
    assert list(outcomes(repro.assert_equivalent(ported(), expected, IMAGES, checks=checks))) == made


def test_what_was_not_asked_for_does_not_fail_and_structure_always_does(expected: Net, ported: Ported) -> None:
    assert repro.assert_equivalent(ported(p=0.1), expected, IMAGES, checks=("values", "forward", "backward"))
    assert "structure fail" in complaint(ported(stride=2), expected, checks="forward")


# Mistakes -------------------------------------------------------------------------------------------------------------


class Fixed(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x.view(2, 2, 8, 8))


class Uncopied(Net):
    def __init__(self) -> None:
        super().__init__()
        self.kept = self.fc.weight * 2


class Extra(Net):
    def get_extra_state(self) -> Any:
        return "more"

    def set_extra_state(self, state: Any) -> None:
        pass


def hooked() -> Net:
    net = Net()
    net.fc.weight.register_hook(lambda gradient: gradient * 2)  # type: ignore[no-untyped-call]
    return net


def on_meta() -> Net:
    with torch.device("meta"):
        return Net()


@pytest.mark.parametrize(
    ("actual", "told"),
    [
        ("torchvision:resnet18", "actual is a str; expected a torch.nn.Module"),
        (Net, "actual is a type; expected a torch.nn.Module"),
        (Net().half(), "actual: 'conv1.weight' is float16; expected float32 or float64"),
        (Net().double(), "actual is float64 and expected is float32; expected both in one precision"),
        (on_meta(), "actual: 'conv1.weight' is on the meta device and has no values"),
        (hooked(), "actual (Net): 'fc.weight' has a hook on its gradient"),
        (Uncopied(), "actual (Uncopied): copying it raised RuntimeError"),
        (Extra(), "actual: '_extra_state' of its state_dict is a str"),
        (Fixed(), "actual (Fixed) takes a batch of 2 and not of 3, with which it is traced (forward failed"),
        (nn.LazyLinear(3), "actual (LazyLinear): the module is lazy: its shapes are not known"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_said(expected: Net, actual: Any, told: str) -> None:
    with pytest.raises(ReproError) as caught:
        repro.assert_equivalent(actual, expected, IMAGES[:2])
    assert told in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_two_devices_are_a_mistake_and_one_is_not(expected: Net, ported: Ported) -> None:
    with pytest.raises(ReproError, match="actual is cuda:0 and expected is cpu; expected both on one device"):
        repro.assert_equivalent(ported().cuda(), expected, IMAGES)
    assert repro.assert_equivalent(ported().cuda(), copy.deepcopy(expected).cuda(), IMAGES.cuda())


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([IMAGES, IMAGES], "inputs is a list; expected one tensor, a batch; wrap a module of several inputs"),
        (3.0, "inputs is a float; expected one tensor, a batch"),
        (IMAGES.long(), "inputs holds int64; expected float32 or float64"),
        (IMAGES[0, 0, 0], "inputs has shape (8,); expected a batch of one or more"),
        (IMAGES[:0], "inputs has shape (0, 2, 8, 8)"),
        (IMAGES / 0, "inputs holds NaN or infinity"),
        (IMAGES[:, :1], "forward failed on an input of 3x1x8x8 in module"),
    ],
)
def test_an_input_that_cannot_be_used_is_said(expected: Net, ported: Ported, inputs: Any, told: str) -> None:
    with pytest.raises(ReproError) as caught:
        repro.assert_equivalent(ported(), expected, inputs)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("checks", "told"),
    [(("structre", "values"), "checks names 'structre'"), ((), "checks is empty"), ("f", "checks names 'f'")],
)
def test_unknown_checks_are_answered_with_those_that_there_are(expected: Net, checks: Any, told: str) -> None:
    with pytest.raises(ReproError) as caught:
        repro.assert_equivalent(expected, expected, IMAGES, checks=checks)
    assert str(caught.value) == f"{told}; expected some of structure, mapping, values, forward, backward, train"


# Nothing is touched ---------------------------------------------------------------------------------------------------


class Counting(Net):
    """Writes into a buffer of its own whenever it is called."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("hidden", torch.ones(1), persistent=False)

    def forward(self, x: torch.Tensor) -> Any:
        self.calls += 1
        return super().forward(x)


def state_of(module: nn.Module) -> dict[str, Any]:
    """Everything that a comparison could disturb, the identity of the tensors included."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "tensors": {key: (id(x), x.data_ptr(), x._version, digest(x), x.requires_grad) for key, x in tensors.items()},
        "gradients": {key: x.grad if x.grad is None else digest(x.grad) for key, x in module.named_parameters()},
        "modes": [(name, child.training) for name, child in module.named_modules()],
        "hooks": [[list(getattr(child, name)) for name in hooks] for child in module.modules()],
    }


def test_both_modules_the_input_and_the_generator_stay_as_they_are() -> None:
    actual, expected = Counting(), Counting()
    for net in (actual, expected):
        net(IMAGES).sum().backward()
        net.train()
        net.bn1.eval()
        net.conv1.requires_grad_(False)
        net.fc.register_forward_hook(lambda *_: None)
    expected.eval()
    inputs = IMAGES.clone().requires_grad_()
    before = state_of(actual), state_of(expected), digest(inputs), torch.get_rng_state()
    assert before[0]["gradients"]["fc.weight"] is not None
    repro.compare(actual, expected, inputs)
    repro.compare(actual, expected, input_size=(2, 8, 8))
    repro.compare(lambda: actual, expected, input_size=(2, 8, 8))
    with pytest.raises(AssertionError):
        repro.assert_equivalent(actual, expected, inputs)
    assert (state_of(actual), state_of(expected), digest(inputs)) == before[:3]
    assert torch.equal(torch.get_rng_state(), before[3])
    assert inputs.grad is None


# compare --------------------------------------------------------------------------------------------------------------


def test_weights_count_only_between_two_modules_with_inputs(expected: Net) -> None:
    other = Port()  # with other weights
    report = repro.compare(expected, other, IMAGES)
    assert not report.passed
    assert outcomes(report)["values"] == "fail"
    for same in (
        repro.compare(expected, other, input_size=(2, 8, 8)),
        repro.compare(expected, Port, IMAGES),
        repro.compare(Net, Port, IMAGES, seed=3),
        repro.compare(copy.deepcopy(expected).half(), on_meta(), input_size=(2, 8, 8)),
    ):
        assert same.passed
        assert "values" not in outcomes(same)


def test_a_specification_meets_a_module_and_a_callable() -> None:
    from repro.models import build

    for given in (build("lenet5"), lambda: build("lenet5")):
        assert repro.compare("repro:lenet5", given).passed
        assert repro.compare(given, "repro:lenet5").passed
    first = repro.compare("repro:lenet5", build("lenet5"))[0]
    assert (first.subject, first.reference) == ("lenet5", "second (LeNet5)")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((Net, 3), "second is an int; expected a torch.nn.Module, something to call that returns one, or a"),
        ((lambda: 3, Net), "first (<lambda>) returned an int; expected a torch.nn.Module"),
        ((lambda n: Net(), Net), "first (<lambda>): building it raised TypeError"),
        ((Net, Port), "input_size=(channels, height, width) compares at another size"),
        (("lenet5", Port), "did you mean repro:lenet5?"),
        ((Net, Fixed, IMAGES[:2]), "second (Fixed) takes a batch of 2 and not of 3"),
    ],
)
def test_what_compare_cannot_use_is_said(arguments: Any, told: str) -> None:
    with pytest.raises(ReproError) as caught:
        repro.compare(*arguments)
    assert told in str(caught.value)


@pytest.mark.parametrize("input_size", ["3x8x8", (), 0, (2, 8.0, 8), (2, 0, 8)])
def test_an_input_size_that_is_none_is_said(input_size: Any) -> None:
    with pytest.raises(ReproError, match="expected \\(channels, height, width\\) or one side"):
        repro.compare(Net, Net, input_size=input_size)


def test_inputs_and_input_size_together_are_a_mistake() -> None:
    with pytest.raises(ReproError, match="both inputs and input_size were given"):
        repro.compare(Net, Net, IMAGES, input_size=8)


# The report -----------------------------------------------------------------------------------------------------------


def test_a_report_is_true_if_nothing_failed(expected: Net, ported: Ported) -> None:
    good, bad = (repro.compare(ported(p=p), expected, IMAGES) for p in (0.5, 0.4))
    assert good
    assert not bad
    assert [result for result in bad if result.outcome is Outcome.FAIL] == [bad[7]]
    assert len(bad) == len(bad.results) == len(bad[:]) == 10
    assert repr(good) == "<Report: first (Port) against second (Net): 10 pass>"
    assert repr(bad) == "<Report: first (Port) against second (Net): 7 pass, 1 fail, 2 skip>"


def test_a_report_is_a_text_of_80_columns_and_json(expected: Net, ported: Ported) -> None:
    report = repro.compare(ported(stride=2), expected, IMAGES)
    lines = str(report).splitlines()
    assert lines[0] == "first (Port) against second (Net)"
    assert lines[1].startswith("structure         fail  different for 3x2x8x8: convolution stride 2 here, 1")
    assert max(map(len, lines)) < 80
    document = json.loads(report.json())
    assert document["results"][0]["evidence"]["differences"][0]["detail"]
    assert document["summary"] == {"pass": 0, "fail": 1, "skip": 9, "error": 0}


def test_a_report_is_a_table_in_a_notebook(expected: Net, ported: Ported) -> None:
    page = repro.compare(ported(stride=2), expected, IMAGES)._repr_html_()
    assert "<b>first (Port) against second (Net)</b>" in page
    assert page.count("<tr>") == 10


# The package ----------------------------------------------------------------------------------------------------------


def test_the_package_has_the_library_and_imports_torch_for_it_only() -> None:
    program = (
        "import sys, repro; assert set(repro.__all__) <= set(dir(repro)); print('torch' in sys.modules); "
        "repro.compare; print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(repro.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["False", "True"]


def test_a_name_that_the_package_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'repro' has no attribute 'assert_equal'"):
        repro.assert_equal  # type: ignore[attr-defined]  # noqa: B018


class Stacked(nn.Module):
    """Normalised by the batch over large maps, where the layout decides how exactly torch adds up."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 8, 8, 8)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
                for before, after in pairwise(channels)
            )
        )
        self.fc = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.layers(x).mean((2, 3)))
        return x


def test_another_layout_of_the_weights_is_no_difference() -> None:
    torch.manual_seed(0)
    expected = Stacked()
    actual = copy.deepcopy(expected).to(memory_format=torch.channels_last)
    assert repro.assert_equivalent(actual, expected, torch.randn(2, 3, 128, 128))
