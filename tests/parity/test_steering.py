"""Steering: the same masks whoever draws them in whatever order, and float32 on float64's side of every kink."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro import budget, fill
from repro.errors import ReproError
from repro.graph import trace
from repro.parity import steering as module_under_test
from repro.parity.steering import UNFOLLOWED, Steering

if TYPE_CHECKING:
    from tests.parity.conftest import Build, Check

Function = Callable[[torch.Tensor], torch.Tensor]

FORMATS = [torch.contiguous_format, torch.channels_last]


class Program(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def run(
    function: Function, x: torch.Tensor, training: bool = False, graph: Function | None = None, **settings: Any
) -> tuple[torch.Tensor, torch.Tensor, Steering]:
    """Value and derivative under steering, with the cotangent 1, 2, 3 ... so that every element counts differently."""
    traced = trace(Program(graph or function), torch.empty(x.shape), training=training)
    steering = Steering(traced, 0, **settings)
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    with steering:
        y = function(x)
    steering.finish()
    weights = torch.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return y.detach(), gradient, steering


def plain(function: Function, x: torch.Tensor) -> torch.Tensor:
    """The derivative without steering."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = function(x)
    weights = torch.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return gradient


# --- kinks -------------------------------------------------------------------------------------------------------

# ATen's name -> programs that call it, and where they have a kink.
ELEMENTWISE: dict[str, list[tuple[Function, tuple[float, ...]]]] = {
    "relu": [(torch.relu, (0.0,)), (lambda x: F.relu(x * 1, inplace=True), (0.0,))],
    "leaky_relu": [(lambda x: F.leaky_relu(x, 0.2), (0.0,)), (lambda x: F.leaky_relu_(x * 1, 0.2), (0.0,))],
    "elu": [(lambda x: F.elu(x, 2.0), (0.0,)), (F.selu, (0.0,)), (lambda x: F.elu(x * 1, 2.0, inplace=True), (0.0,))],
    "abs": [(torch.abs, (0.0,)), (lambda x: (x * 1).abs_(), (0.0,))],
    "hardtanh": [
        (F.hardtanh, (-1.0, 1.0)),
        (F.relu6, (0.0, 6.0)),
        (lambda x: F.hardtanh(x * 1, 0.0, 6.0, inplace=True), (0.0, 6.0)),
    ],
    "hardswish": [(F.hardswish, (-3.0, 3.0)), (lambda x: F.hardswish(x * 1, inplace=True), (-3.0, 3.0))],
    "hardsigmoid": [(F.hardsigmoid, (-3.0, 3.0)), (lambda x: F.hardsigmoid(x * 1, inplace=True), (-3.0, 3.0))],
    "clamp": [
        (lambda x: x.clamp(-0.5, 2), (-0.5, 2.0)),
        (lambda x: x.clamp(max=2), (2.0,)),
        (lambda x: (x * 1).clamp_(-0.5, 2), (-0.5, 2.0)),
        (lambda x: x.clamp(0), (0.0,)),
    ],
    "clamp_min": [(lambda x: torch.clamp_min(x, 0.25), (0.25,))],
    "clamp_max": [(lambda x: torch.clamp_max(x, 0.25), (0.25,))],
}
KINKS = [
    pytest.param(function, bound, id=f"{op} {number} at {bound:g}")
    for op, programs in ELEMENTWISE.items()
    for number, (function, bounds) in enumerate(programs)
    for bound in bounds
]

POOLS: dict[str, list[Function]] = {
    "max_pool2d_with_indices": [
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.max_pool2d(x, 3, 1, ceil_mode=True),
        lambda x: F.max_pool1d(x.flatten(2), 2),
    ],
    "adaptive_max_pool2d": [lambda x: F.adaptive_max_pool2d(x, 2), lambda x: F.adaptive_max_pool2d(x, 1)],
}
WINDOWS = [
    pytest.param(function, id=f"{op} {number}")
    for op, all_of in POOLS.items()
    for number, function in enumerate(all_of)
]


def test_every_kink_that_is_followed_is_tested() -> None:
    assert ELEMENTWISE.keys() == module_under_test._BREAKS.keys()
    assert POOLS.keys() == module_under_test._POOLS
    for op, function in [(op, f) for op, all_of in ELEMENTWISE.items() for f, _ in all_of] + [
        (op, f) for op, all_of in POOLS.items() for f in all_of
    ]:
        assert op in {node.op for node in trace(Program(function), torch.empty(2, 3, 4, 4)).nodes}


def images(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """(2, 3, 4, 4), spread over [-8, 8), no two alike and none near a kink."""
    values = torch.arange(96, dtype=torch.float64) * 37 % 96 / 6 - 8 + 0.013
    return values.reshape(2, 3, 4, 4).to(dtype)


def near(bound: float, above: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with one element beside `bound`; what float64 has on one side of it, float32 has on the other."""
    wide, narrow = images(), images(torch.float32)
    at = torch.tensor(bound, dtype=torch.float32)
    wide[1, 2, 1, 3] = bound + (1e-12 if above else -1e-12)
    narrow[1, 2, 1, 3] = torch.nextafter(at, torch.tensor(-torch.inf if above else torch.inf))
    return wide, narrow


@pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
@pytest.mark.parametrize(("function", "bound"), KINKS)
def test_float32_takes_the_side_of_float64_at_a_kink(
    function: Function, bound: float, above: bool, memory_format: torch.memory_format
) -> None:
    wide, narrow = near(bound, above)
    narrow = narrow.contiguous(memory_format=memory_format)
    _, truth, leader = run(function, wide)
    value, steered, follower = run(function, narrow, sides=leader.taken)
    unsteered = plain(function, narrow)
    assert budget.judge(steered, steered, truth).passed
    index = budget.judge(unsteered, steered, truth)
    assert not index.passed
    assert index.index == (1, 2, 1, 3)
    assert index.ratio > 100 * budget.FACTOR
    assert follower.moved == 1
    assert 0 < follower.furthest < 1e-6
    torch.testing.assert_close(value, function(narrow), rtol=0, atol=1e-6)
    assert (leader.moved, leader.furthest) == (0, 0.0)


@pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("function", WINDOWS)
def test_float32_chooses_the_pixel_that_float64_does(function: Function, memory_format: torch.memory_format) -> None:
    wide = images()
    wide[1, 2, 0, 0] = 9.0
    wide[1, 2, 0, 1] = 9.0 + 1e-12  # the larger of the two, which float32 does not see: it takes the first
    narrow = wide.float().contiguous(memory_format=memory_format)
    _, truth, leader = run(function, wide)
    value, steered, follower = run(function, narrow, sides=leader.taken)
    assert budget.judge(steered, steered, truth).passed
    assert not budget.judge(plain(function, narrow), steered, truth).passed
    assert follower.moved >= 1
    assert follower.furthest == 0, "the two are equal in float32"
    torch.testing.assert_close(value, function(narrow), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("function", "bound"), KINKS)
def test_away_from_kinks_nothing_is_moved(function: Function, bound: float) -> None:
    _, _, leader = run(function, images())
    value, gradient, follower = run(function, images(torch.float32), sides=leader.taken)
    assert torch.equal(value, function(images(torch.float32)))
    assert torch.equal(gradient, plain(function, images(torch.float32)))
    assert (follower.moved, follower.furthest) == (0, 0.0)


def test_what_was_moved_and_how_far_is_counted_over_all_places() -> None:
    def twice(x: torch.Tensor) -> torch.Tensor:
        return F.relu(x) + F.relu6(x - 1)

    wide, narrow = near(0.0, True)
    wide[0, 0, 0, 0], narrow[0, 0, 0, 0] = 1 + 1e-12, 0.5
    _, _, leader = run(twice, wide)
    _, _, follower = run(twice, narrow, sides=leader.taken)
    assert follower.moved == 2
    assert follower.furthest == pytest.approx(0.5 / float((narrow - 1).std()), rel=1e-3)


class Small(nn.Module):
    """Convolution, pooling, ReLU, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.fc = nn.Linear(64, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(self.pooled(x).relu().flatten(1))

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.conv(x), 2)
        return x


def test_an_activation_within_rounding_of_zero_spoils_float32_gradients_unless_steered() -> None:
    """The case for all of this: one element of 192 on the other side."""
    torch.manual_seed(0)
    net, x = Small(), torch.randn(3, 2, 8, 8)
    graph = trace(net, x)
    cotangent = torch.randn(3, 5)

    def gradients(dtype: torch.dtype, steering: Steering | None) -> torch.Tensor:
        images = x.to(dtype, copy=True).requires_grad_()
        with steering or torch.enable_grad():
            y = net.to(dtype)(images)
        (gradient,) = torch.autograd.grad((y * cotangent.to(dtype)).sum(), images)
        return gradient

    with torch.no_grad():
        for element in net.pooled(x).flatten().tolist():  # until the two precisions are on either side of zero
            net.float().conv.bias -= element
            if bool(((net.double().pooled(x.double()) > 0) != (net.float().pooled(x) > 0)).any()):
                break
            net.conv.bias += element
        else:
            pytest.fail("no bias puts an activation between the two precisions")
    leader = Steering(graph, 0)
    truth = gradients(torch.float64, leader)
    unsteered = gradients(torch.float32, None)
    follower = Steering(graph, 0, sides=leader.taken)
    steered = gradients(torch.float32, follower)
    follower.finish()
    assert follower.moved >= 1
    assert follower.furthest < 1e-6
    assert budget.judge(steered, steered, truth).max_actual < 1e-5
    verdict = budget.judge(unsteered, steered, truth)
    assert not verdict.passed
    assert verdict.max_actual > 1e-3
    assert verdict.ratio > 100 * budget.FACTOR


# Every activation and pooling of torch, but for what is smooth.
KINKED: dict[str, Callable[[], nn.Module]] = {
    "prelu": nn.PReLU,
    "rrelu": nn.RReLU,
    "celu": nn.CELU,
    "threshold": lambda: nn.Threshold(0.1, 0.2),
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "max_pool3d": lambda: nn.MaxPool3d(2),
    "fractional": lambda: nn.FractionalMaxPool2d(2, 2),
    "maximum": lambda: Program(lambda x: torch.maximum(x, x.flip(1))),
    "where": lambda: Program(lambda x: torch.where(x > 0, x, 2 * x)),
    "amax": lambda: Program(lambda x: x.amax(1)),
    "max": lambda: Program(lambda x: x.max(1).values),
    "topk": lambda: Program(lambda x: x.topk(2, 1).values),
    "mask": lambda: Program(lambda x: x * (x > 0)),
    "sign": lambda: Program(lambda x: x * x.sign()),
    "kthvalue": lambda: Program(lambda x: x.kthvalue(2, 1).values),
    "cummax": lambda: Program(lambda x: x.cummax(1).values),
    "adaptive_max_pool3d": lambda: nn.AdaptiveMaxPool3d(2),
}


@pytest.mark.parametrize("kink", KINKED)
def test_a_kink_is_followed_or_said_not_to_be(kink: str) -> None:
    graph = trace(KINKED[kink](), torch.empty(2, 4, 4, 4))
    followed = module_under_test._BREAKS.keys() | module_under_test._POOLS
    assert {node.op for node in graph.nodes} & (followed | UNFOLLOWED)


class Maximal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.fc = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(torch.maximum(self.one(x), self.two(x)).mean((2, 3)))


class Rows(nn.Module):
    """Takes its ReLU and its pooling on a map whose channels are last, or whose rows are columns."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(64, 5)

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x.relu(), 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(self.pooled(self.conv(x)).flatten(1))


class ChannelsLast(Rows):
    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2), 2)


class Columns(Rows):
    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x.mT.relu().mT, 2)


@pytest.mark.parametrize("other", [ChannelsLast, Columns])
def test_a_kink_is_followed_on_a_map_that_lies_otherwise(check: Check, other: Build) -> None:
    for results in (check(other, Rows), check(Rows, other)):
        assert results.unpassed == {}
        kinks = results["backward.float32"].evidence["kinks"]
        assert kinks["ours"]["elements"] == kinks["theirs"]["elements"] == 0


def test_without_following_a_kink_nothing_is_claimed_of_float32_gradients(check: Check) -> None:
    results = check(Maximal, Maximal)
    assert results.unpassed == {"backward.float32": "skip", "train.float32": "skip"}
    for name in results.unpassed:
        assert results[name].message.endswith("cannot be kept on the same side of the kinks of maximum")


class MaximalInTraining(Maximal):
    """Has its kink in an auxiliary head."""

    def forward(self, x: torch.Tensor) -> Any:
        logits = self.fc(self.one(x).mean((2, 3)) + self.two(x).mean((2, 3)))
        return (logits, super().forward(x)) if self.training else logits


def test_a_kink_that_only_training_has_is_seen(check: Check) -> None:
    assert check(MaximalInTraining, MaximalInTraining).unpassed == {"train.float32": "skip"}


# --- masks -------------------------------------------------------------------------------------------------------

DROPOUTS: dict[str, Function] = {
    "functional": lambda x: F.dropout(x, 0.25),
    "in place": lambda x: F.dropout(x * 1, 0.25, inplace=True),
    "module": nn.Dropout(0.25),
    "by hand": lambda x: x * (torch.bernoulli(torch.empty_like(x), p=0.75) / 0.75),
    "native": lambda x: torch.native_dropout(x, 0.25, True)[0],
}


@pytest.mark.parametrize("spelling", DROPOUTS)
def test_masks_are_closed_form_however_dropout_is_spelled(spelling: str) -> None:
    x = images().expand(2, 3, 4, 4)
    value, gradient, _ = run(DROPOUTS[spelling], x, training=True, names=None)
    place = next(
        i
        for i, node in enumerate(trace(Program(DROPOUTS[spelling]), x, training=True).nodes)
        if node.op in module_under_test.DRAWS
    )
    kept = fill.uniform(f"0/draw/{place}", (96,)).reshape(x.shape) < 0.75
    assert 0.6 < float(kept.double().mean()) < 0.9
    torch.testing.assert_close(value, x * kept / 0.75)
    assert torch.equal(gradient != 0, kept)


def test_masks_do_not_depend_on_torchs_generator_and_leave_it_alone() -> None:
    before = torch.get_rng_state()
    one = run(DROPOUTS["functional"], images(), training=True)[0]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(run(DROPOUTS["functional"], images(), training=True)[0], one)


def test_a_mask_belongs_to_its_place_and_not_to_the_order_of_draws() -> None:
    def first(x: torch.Tensor) -> torch.Tensor:
        one = F.dropout(x.exp(), 0.5)
        return torch.cat([one, F.dropout(x.tanh(), 0.5)])

    def other(x: torch.Tensor) -> torch.Tensor:
        two = F.dropout(x.tanh(), 0.5)
        return torch.cat([F.dropout(x.exp(), 0.5), two])

    x = images() / 8
    here, there = (
        [i for i, node in enumerate(trace(Program(f), x, training=True).nodes) if node.op == "bernoulli"]
        for f in (first, other)
    )
    expected = run(first, x, training=True)[0]
    names = dict(zip(there, here[::-1], strict=True))
    assert torch.equal(run(other, x, training=True, names=names)[0], expected)
    assert not torch.equal(run(other, x, training=True, names=dict(zip(there, here, strict=True)))[0], expected)


class OneOrder(nn.Module):
    """Two branches with dropout of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.fc = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3), nn.Linear(4, 5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> Any:
        one = self.drop(self.one(x).relu())
        two = self.drop(self.two(x).tanh())
        return self.fc((one + two).mean((2, 3)))


class OtherOrder(OneOrder):
    def forward(self, x: torch.Tensor) -> Any:
        two = self.drop(self.two(x).tanh())
        one = self.drop(self.one(x).relu())
        return self.fc((one + two).mean((2, 3)))


def test_two_networks_that_draw_in_another_order_train_alike(check: Check) -> None:
    assert check(OneOrder, OtherOrder).unpassed == {}
    assert check(OtherOrder, OneOrder).unpassed == {}


# --- runs that are not what was traced ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "traced", "message"),
    [
        (lambda x: x * 1, torch.relu, r"the run did not come past relu of module '', where the trace did"),
        (
            lambda x: x.relu().abs(),
            torch.relu,
            r"the run is at abs of shape \(2, 3, 4, 4\), where the trace has no more",
        ),
        (torch.abs, torch.relu, r"the run is at abs of shape .*, where the trace has relu of shape \(2, 3, 4, 4\)"),
        (
            lambda x: x[:, :2].relu(),
            torch.relu,
            r"the run is at relu of shape \(2, 2, 4, 4\), where the trace has relu of shape \(2, 3, 4, 4\)",
        ),
    ],
    ids=["too few", "too many", "another operation", "another shape"],
)
def test_a_run_that_parts_from_its_trace_is_refused(function: Function, traced: Function, message: str) -> None:
    with pytest.raises(ReproError, match=message):
        run(function, images(), graph=traced)


def test_a_batch_of_another_size_is_what_was_traced() -> None:
    graph = trace(Program(torch.relu), torch.empty(5, 3, 4, 4))
    steering = Steering(graph, 0)
    with steering:
        torch.relu(images())
    steering.finish()
    assert steering.taken.keys() == {1}
