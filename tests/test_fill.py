"""The closed-form fill: the same bits everywhere, and every one of them felt in the output."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from repro import fill
from repro.budget import FLOAT64_LIMIT
from repro.graph import trace

BITS_OF_100_003 = "c4ddda13e32cf76baa07854ec2baa8a0e804fbc65f207017edb86b9750557214"

keys = st.text(max_size=20)


# --- uniform: the same bits --------------------------------------------------------------------------------------


def splitmix64(seed: int, count: int) -> list[int]:
    """Figure 17 of Steele, Lea, Flood, OOPSLA 2014, in Python's own integers."""
    words = []
    for step in range(1, count + 1):
        word = (seed + step * 0x9E3779B97F4A7C15) % 2**64
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        words.append(word ^ word >> 31)
    return words


def test_the_reading_of_splitmix_in_this_file_gives_the_published_sequence() -> None:
    # From seed 1234567: the test vector of Vigna's splitmix64.c, as it is commonly quoted.
    assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_the_values_are_pinned() -> None:
    assert [value.hex() for value in fill.uniform("a", (3,)).tolist()] == [
        "0x1.6ce24a0000000p-1",
        "0x1.d16b900000000p-3",
        "0x1.31d8940000000p-2",
    ]
    values = fill.uniform("a", (100_003,)).numpy().astype("<f4")
    assert hashlib.sha256(values.tobytes()).hexdigest() == BITS_OF_100_003


@given(key=keys, count=st.integers(0, 200))
def test_the_values_are_those_of_splitmix_seeded_by_the_keys_hash(key: str, count: int) -> None:
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    halves = [half for word in splitmix64(seed, (count + 1) // 2) for half in (word % 2**32, word >> 32)]
    assert fill.uniform(key, (count,)).tolist() == [(half >> 8) / 2**24 for half in halves[:count]]


@given(key=keys, count=st.integers(0, 5 * fill._CHUNK))
def test_a_shorter_tensor_is_a_prefix_of_a_longer_one(key: str, count: int) -> None:
    longest = fill.uniform(key, (5 * fill._CHUNK,))
    assert fill.uniform(key, (count,)).equal(longest[:count])


@pytest.mark.parametrize("count", [2 * fill._CHUNK + offset for offset in (-1, 0, 1)])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 10, 1 << 17])
def test_how_many_are_hashed_at_a_time_changes_no_bit(monkeypatch: pytest.MonkeyPatch, chunk: int, count: int) -> None:
    expected = fill.uniform("a", (count,))
    monkeypatch.setattr(fill, "_CHUNK", chunk)
    if chunk < 100:
        count = 1000
    assert fill.uniform("a", (count,)).equal(expected[:count])


def test_the_order_of_calls_and_torchs_generator_change_nothing() -> None:
    first = fill.uniform("a", (100,)), fill.uniform("b", (100,))
    torch.manual_seed(7)
    again = fill.uniform("b", (100,)), fill.uniform("a", (100,))
    assert first[0].equal(again[1])
    assert first[1].equal(again[0])


def test_torchs_and_numpys_generators_are_left_alone() -> None:
    before = torch.get_rng_state(), numpy.random.get_state()  # noqa: NPY002  # the global one is what must not move
    fill.uniform("a", (10,))
    assert torch.get_rng_state().equal(before[0])
    assert str(numpy.random.get_state()) == str(before[1])  # noqa: NPY002


def test_the_shape_only_folds_the_flat_values() -> None:
    assert fill.uniform("a", (2, 3, 5)).flatten().equal(fill.uniform("a", (30,)))
    assert fill.uniform("a", ()).shape == ()
    assert fill.uniform("a", (0, 4)).shape == (0, 4)


# --- uniform: the distribution -----------------------------------------------------------------------------------


@given(key=keys, low=st.floats(-10, 9), width=st.floats(0.1, 5))
def test_values_lie_within_the_bounds(key: str, low: float, width: float) -> None:
    low, high = float(numpy.float32(low)), float(numpy.float32(low + width))
    values = fill.uniform(key, (1000,), low, high)
    assert values.min() >= low
    assert values.max() <= high


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.25, 0.25), (-0.5, 0.5), (0.5, 1.5)])
def test_the_upper_bound_is_never_reached(low: float, high: float) -> None:
    # Element 3971 of "k67" is the greatest of all 24-bit values, found by search.
    assert fill.uniform("k67", (3972,))[3971] == 1 - 2**-24
    assert fill.uniform("k67", (3972,), low, high).max().item() < high


@pytest.mark.parametrize("key", ["a", "0/conv1.weight", ""])
def test_mean_variance_and_histogram_are_those_of_a_uniform_variable(key: str) -> None:
    count = 1_000_000
    values = fill.uniform(key, (count,)).double()
    assert values.mean().item() == pytest.approx(1 / 2, abs=5 * math.sqrt(1 / 12 / count))
    assert values.var().item() == pytest.approx(1 / 12, abs=5 * math.sqrt(1 / 180 / count))
    bins = torch.histc(values, 100, 0, 1)
    assert (bins - count / 100).abs().max().item() < 5 * math.sqrt(count / 100)


@pytest.mark.parametrize("other", ["b", "A", "a ", "1/a", "a.weight", "a.bias"])
def test_keys_are_not_correlated(other: str) -> None:
    count = 200_000
    both = torch.stack([fill.uniform(key, (count,)).double() for key in ("a", other)])
    assert abs(torch.corrcoef(both)[0, 1].item()) < 5 / math.sqrt(count)


@pytest.mark.parametrize("lag", [1, 2, 64, fill._CHUNK, 2 * fill._CHUNK])
def test_an_element_does_not_tell_another(lag: int) -> None:
    values = fill.uniform("a", (300_000,)).double()
    both = torch.stack([values[:-lag], values[lag:]])
    assert abs(torch.corrcoef(both)[0, 1].item()) < 5 / math.sqrt(values.numel() - lag)


# --- image -------------------------------------------------------------------------------------------------------


def test_an_image_has_zero_mean_and_unit_variance() -> None:
    images = fill.image(0, 4, (3, 224, 224)).double()
    assert images.shape == (4, 3, 224, 224)
    assert images.mean().item() == pytest.approx(0, abs=5 / math.sqrt(images.numel()))
    assert images.var().item() == pytest.approx(1, abs=5 * math.sqrt(0.8 / images.numel()))


def test_a_smaller_batch_is_the_beginning_of_a_larger_one() -> None:
    assert fill.image(0, 1, (3, 9, 7)).equal(fill.image(0, 3, (3, 9, 7))[:1])


def test_the_rows_of_a_batch_the_sizes_and_the_seeds_differ() -> None:
    images = [fill.image(0, 2, (1, 6, 4)), fill.image(1, 2, (1, 6, 4)), fill.image(0, 2, (1, 4, 6))]
    flat = [row.flatten() for batch in images for row in batch]
    assert not any(one.equal(other) for i, one in enumerate(flat) for other in flat[:i])


# --- conditioned -------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Convolution, normalisation, ReLU, a projection shortcut and a linear layer: small enough to try every element."""

    def __init__(self, *, zero_init: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.project = nn.Conv2d(2, 6, 1, bias=False)
        self.gn = nn.GroupNorm(3, 6)
        self.fc = nn.Linear(6, 5)
        if zero_init:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        x = self.gn((residual + self.project(x)).relu())
        x = self.fc(x.mean((2, 3)))
        return x


def tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def conditioned(module: nn.Module, *size: int, seed: int = 0, batch: int = 1) -> dict[str, torch.Tensor]:
    return fill.conditioned(trace(module.eval(), torch.empty(batch, *size)), tensors(module), seed)


@pytest.fixture(scope="module")
def residual_values() -> dict[str, torch.Tensor]:
    return conditioned(Residual(), 2, 8, 8)


def test_every_key_gets_a_value_of_its_shape(residual_values: Mapping[str, torch.Tensor]) -> None:
    own = Residual().state_dict()
    assert {key: value.shape for key, value in residual_values.items()} == {k: v.shape for k, v in own.items()}
    assert all(value.dtype == own[key].dtype for key, value in residual_values.items())


def test_the_same_module_gets_the_same_bits_and_another_seed_others(
    residual_values: Mapping[str, torch.Tensor],
) -> None:
    again, other = conditioned(Residual(), 2, 8, 8), conditioned(Residual(), 2, 8, 8, seed=1)
    for key, value in residual_values.items():
        assert value.equal(again[key]), key
        assert not value.is_floating_point() or not value.equal(other[key]), key


def test_nothing_is_left_at_one_or_zero(residual_values: Mapping[str, torch.Tensor]) -> None:
    fresh = {key: value for key, value in Residual().state_dict().items() if value.is_floating_point()}
    still = [key for key, value in fresh.items() if bool(((value == 0) | (value == 1)).any())]
    assert len(still) == 2 * 4 + 2, "the check can fail: fresh norms hold ones and zeros"
    for key in fresh:
        value = residual_values[key]
        assert not bool(((value == 0) | (value == 1)).any()), key
        assert len(set(value.flatten().tolist())) == value.numel(), f"{key} repeats a value"


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(32, 64, 3), 32 * 9),
        (nn.Conv2d(32, 64, (1, 7)), 32 * 7),
        (nn.Conv2d(64, 128, 3, groups=32), 2 * 9),
    ],
)
def test_a_convolutions_weights_have_variance_two_over_fan_in(layer: nn.Conv2d, fan_in: int) -> None:
    weight = conditioned(layer, layer.in_channels, 9, 9)["weight"].double()
    assert weight.var().item() * fan_in / 2 == pytest.approx(1, rel=0.1)
    assert weight.abs().max().item() <= math.sqrt(6 / fan_in) * (1 + 1e-6)


class Product(nn.Module):
    """A matrix product with its weight as (in, out) or as nn.Linear keeps it."""

    def __init__(self, rows: int, columns: int, *, transposed: bool) -> None:
        super().__init__()
        self.transposed = transposed
        self.weight = nn.Parameter(torch.zeros((columns, rows) if transposed else (rows, columns)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.weight.t() if self.transposed else self.weight)


@pytest.mark.parametrize("transposed", [True, False])
def test_a_products_weights_have_variance_two_over_fan_in_whichever_way_they_lie(transposed: bool) -> None:
    weight = conditioned(Product(256, 64, transposed=transposed), 256)["weight"].double()
    assert weight.var().item() * 256 / 2 == pytest.approx(1, rel=0.1)


def test_affine_parameters_are_near_but_not_at_their_neutral_values() -> None:
    values = conditioned(nn.BatchNorm2d(1000), 1000, 2, 2)
    assert values["weight"].min() >= 0.5
    assert values["weight"].max() <= 1.5
    assert values["weight"].std() > 0.25
    assert values["bias"].abs().max() <= 0.25
    assert values["bias"].std() > 0.1


def test_running_statistics_are_those_of_one_batch(residual_values: Mapping[str, torch.Tensor]) -> None:
    module = Residual().double().eval()
    module.load_state_dict(dict(residual_values))
    seen: dict[nn.Module, torch.Tensor] = {}
    for norm in (module.bn1, module.bn2):
        norm.register_forward_hook(lambda norm, inputs, _: seen.update({norm: inputs[0]}))
    edge = math.sqrt(3)
    module(fill.uniform("0/statistics/0", (1, 2, 8, 8), -edge, edge).double())
    for norm in (module.bn1, module.bn2):
        x = seen[norm]
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        torch.testing.assert_close(norm.running_mean, mean, rtol=2**-8, atol=0)
        torch.testing.assert_close(norm.running_var, variance.clamp(0.1 * variance.mean().item()), rtol=2**-8, atol=0)


def test_running_statistics_have_at_most_eight_significant_bits(residual_values: Mapping[str, torch.Tensor]) -> None:
    def bits(value: torch.Tensor) -> bool:
        mantissa, _ = torch.frexp(value)
        return bool(((mantissa * 256) % 1 == 0).all())

    statistics = [key for key in residual_values if "running" in key]
    assert len(statistics) == 4
    assert all(bits(residual_values[key]) for key in statistics)
    assert not bits(residual_values["bn1.weight"]), "the check can fail"


class Silent(nn.Module):
    """A convolution of which one channel is dead, before a normalisation."""

    gate: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gate", torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1))
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.bn(x * self.gate))


def test_a_dead_channels_variance_is_kept_away_from_zero() -> None:
    variance = conditioned(Silent(), 3, 16, 16)["bn.running_var"]
    share = variance[2] / torch.tensor([*variance[:2], 0.0]).mean()
    assert share.item() == pytest.approx(0.1, rel=0.01)


class Holder(nn.Module):
    """One parameter, and values of its own: an index, a mask, a counter nothing reads, and one in no state_dict."""

    index: torch.Tensor
    mask: torch.Tensor
    hidden: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.register_buffer("index", torch.tensor([2, 0, 1]))
        self.register_buffer("mask", torch.tensor([[1.0, 0.0, 1.0, 1.0]]))
        self.register_buffer("counter", torch.tensor(17))
        self.register_buffer("hidden", torch.tensor([0.25]), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * x[:, self.index] * self.mask + self.hidden


def test_indices_masks_and_counters_keep_the_modules_own_values() -> None:
    values = conditioned(Holder(), 3, 4)
    own = Holder().state_dict()
    assert values.keys() == own.keys()
    for key in ("index", "mask", "counter"):
        assert values[key].equal(own[key]), key
        assert values[key].dtype == own[key].dtype, key
    assert values["gain"].item() not in (0, 1)


def test_buffers_of_the_state_dict_whose_values_matter_are_named() -> None:
    graph = trace(Holder().eval(), torch.empty(1, 3, 4))
    assert fill.keeps_values(graph) == ["index", "mask"]
    assert fill.keeps_values(trace(Residual().eval(), torch.empty(1, 2, 8, 8))) == []


def test_tied_weights_stay_tied() -> None:
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    first, last = module[0], module[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    last.weight = first.weight
    values = conditioned(module, 6)
    assert values["0.weight"] is values["2.weight"]
    assert not values["0.bias"].equal(values["2.bias"])


def test_the_batch_of_the_trace_matters_only_to_the_statistics() -> None:
    one, three = conditioned(Residual(), 2, 8, 8), conditioned(Residual(), 2, 8, 8, batch=3)
    different = {key for key, value in one.items() if not value.equal(three[key])}
    assert different == {f"bn{i}.running_{which}" for i in (1, 2) for which in ("mean", "var")}


# --- the power of the conditioning -------------------------------------------------------------------------------


def movements(module: nn.Module, values: Mapping[str, torch.Tensor], relative: float) -> dict[tuple[str, int], float]:
    """(key, element) -> the greatest change of the float64 output, over its spread, when that element is changed."""
    module = module.double().eval()
    state = {key: value.double() if value.is_floating_point() else value for key, value in values.items()}
    images = fill.image(0, 3, (2, 8, 8)).double()
    moved: dict[tuple[str, int], float] = {}
    with torch.inference_mode():
        before = torch.func.functional_call(module, state, (images,))
        for key, value in state.items():
            for element in range(value.numel() if value.is_floating_point() else 0):
                changed = value.clone()
                changed.view(-1)[element] *= 1 + relative
                after = torch.func.functional_call(module, {**state, key: changed}, (images,))
                moved[key, element] = float((after - before).abs().max() / before.std(correction=0))
    return moved


@pytest.mark.parametrize("relative", [1e-2, -1.0])
def test_every_single_element_is_felt(residual_values: Mapping[str, torch.Tensor], relative: float) -> None:
    moved = movements(Residual(), residual_values, relative)
    assert len(moved) == sum(value.numel() for value in residual_values.values()) - 2  # of two counters
    unfelt = {place: change for place, change in moved.items() if not change > 1e4 * FLOAT64_LIMIT}
    assert not unfelt


def test_under_the_usual_initialisation_much_is_not_felt() -> None:
    torch.manual_seed(0)
    module = Residual(zero_init=True)
    moved = movements(module, tensors(module), -1.0)
    unfelt = {key for key, _ in moved} - {key for (key, _), change in moved.items() if change > FLOAT64_LIMIT}
    assert unfelt >= {"conv1.weight", "bn1.weight", "conv2.weight", "bn2.running_var", "bn2.weight", "gn.bias"}


def test_a_wrong_eps_is_felt(residual_values: Mapping[str, torch.Tensor]) -> None:
    images = fill.image(0, 3, (2, 8, 8)).double()
    state = {key: value.double() if value.is_floating_point() else value for key, value in residual_values.items()}
    outputs = []
    for eps in (1e-5, 1e-3):
        module = Residual().double().eval()
        module.bn1.eps = module.bn2.eps = eps
        outputs.append(torch.func.functional_call(module, state, (images,)))
    assert (outputs[0] - outputs[1]).abs().max() > 1e-4 * outputs[0].std()


def test_a_missing_relu_is_felt(residual_values: Mapping[str, torch.Tensor]) -> None:
    class Bare(Residual):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            residual = self.bn2(self.conv2(self.bn1(self.conv1(x))))
            x = F.relu(residual + self.project(x))
            return torch.as_tensor(self.fc(self.gn(x).mean((2, 3))))

    images = fill.image(0, 3, (2, 8, 8))
    whole, bare = (torch.func.functional_call(m.eval(), dict(residual_values), (images,)) for m in (Residual(), Bare()))
    assert (whole - bare).abs().max() > 1e-2 * whole.std()


# --- what only training reads ------------------------------------------------------------------------------------


class Auxiliary(nn.Module):
    """A head with a normalisation of its own that runs in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3), nn.Linear(4, 5)
        self.aux_conv, self.aux_bn, self.aux_fc = nn.Conv2d(4, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 5)
        self.spare = nn.Parameter(torch.full((3,), 7.0))

    def forward(self, x: torch.Tensor) -> Any:
        x = self.conv(x)
        logits = self.fc(x.mean((2, 3)))
        if not self.training:
            return logits
        return logits, self.aux_fc(self.aux_bn(self.aux_conv(x)).relu().mean((2, 3)))


def filled(training: bool) -> dict[str, torch.Tensor]:
    module, x = Auxiliary().eval(), torch.empty(1, 2, 8, 8)
    return fill.conditioned(trace(module, x), tensors(module), 0, trace(module, x, training=True) if training else None)


def test_what_only_training_reads_is_conditioned_by_its_use_there() -> None:
    values = filled(training=True)
    edge = math.sqrt(6 / 64)  # of a uniform variable of variance 2 / fan_in
    assert 0.9 * edge < float(values["aux_fc.weight"].abs().max()) <= edge
    assert float(values["aux_conv.weight"].var()) == pytest.approx(2 / 36, rel=0.1)
    assert 0.5 <= float(values["aux_bn.weight"].min()) < float(values["aux_bn.weight"].max()) <= 1.5
    assert float(values["aux_bn.running_var"].min()) >= 0.5
    assert float(values["aux_bn.running_mean"].abs().max()) <= 0.25
    assert values["spare"].tolist() == [7.0] * 3


def test_without_a_graph_of_training_it_keeps_the_modules_own_values() -> None:
    given = Auxiliary()
    module, x = given.eval(), torch.empty(1, 2, 8, 8)
    values = fill.conditioned(trace(module, x), tensors(module), 0)
    assert values["aux_fc.weight"].equal(given.aux_fc.weight)


def test_the_graph_of_training_changes_nothing_of_what_eval_reads() -> None:
    with_it, without = filled(training=True), filled(training=False)
    for key in ("conv.weight", "conv.bias", "fc.weight", "fc.bias"):
        assert with_it[key].equal(without[key]), key


@pytest.mark.parametrize("count", [1, 3, 8, 1 << 16, (1 << 16) + 1, (1 << 17) + 5])
def test_any_one_bit_changes_the_fingerprint(count: int) -> None:
    tensor = fill.uniform("tensor", (count,))
    whole = fill.fingerprint(tensor)
    assert fill.fingerprint(tensor.clone()) == whole
    for element in {0, count // 2, count - 1}:
        for bit in (0, 22, 31):
            changed = tensor.clone()
            changed.numpy().view("<u4")[element] ^= numpy.uint32(1 << bit)
            assert fill.fingerprint(changed) != whole


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", [1, 2, 4, 1000])
def test_other_signs_change_the_fingerprint(dtype: torch.dtype, step: int) -> None:
    """A change of the highest bit of an even number of words cancels in any sum of products modulo 2**64."""
    tensor = fill.uniform("tensor", (4096,)).to(dtype)
    whole = fill.fingerprint(tensor)
    assert fill.fingerprint(torch.where(torch.arange(4096) % step == 0, -tensor, tensor)) != whole
    tensor[[1, 5]] *= -1
    assert fill.fingerprint(tensor) != whole


def test_changes_that_add_up_to_nothing_change_the_fingerprint() -> None:
    words = torch.arange(64)
    for size in (1, 1 << 31, 1 << 32, 1 << 62):
        for places in ((0, 1, 2), (0, 2, 4), (1, 9, 17)):
            changed = words.clone()
            changed[[*places]] += torch.tensor([size, -2 * size, size])
            assert fill.fingerprint(changed) != fill.fingerprint(words)


def test_the_order_changes_the_fingerprint() -> None:
    tensor = fill.uniform("tensor", (1 << 18,))
    assert fill.fingerprint(tensor.flip(0)) != fill.fingerprint(tensor)
    assert fill.fingerprint(tensor.roll(1 << 16)) != fill.fingerprint(tensor), "whole chunks"
    assert fill.fingerprint(tensor.roll(2)) != fill.fingerprint(tensor), "whole words"


def test_the_fingerprint_is_what_it_was() -> None:
    assert fill.fingerprint(torch.arange(100_000.0)).hex()[:32] == "1908684a54f36c31df393484510b4f65"
