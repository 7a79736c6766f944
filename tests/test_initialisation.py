"""Laws of initial values: read, measured, judged; what is drawn passes and what is not is caught."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repro import models
from repro.errors import ReproError
from repro.initialisation import (
    CHUNK,
    KIND_FROM,
    LIMIT,
    NEVER,
    SMALL,
    UNIFORM,
    USUAL,
    Law,
    Sample,
    Shape,
    Verdict,
    cut_normal,
    declared_laws,
    fans,
    fits,
    law,
    matches,
    measure,
    recognised,
    samples,
    scores,
    verdicts,
)
from repro.models import _catalog, vgg

CATALOG = models.catalog()
FANS = {"fan_in": 75.0, "fan_out": 25.0, "fan_avg": 50.0}
LAWS = ("normal(0, 0.3)", "uniform(-0.2, 0.2)", "truncated_normal(0, 0.1, 2)", "normal(5, 2)", "uniform(1, 4)")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def draw(law: Law, *shape: int) -> torch.Tensor:
    """Values by the law, by the inverse of its distribution function."""
    assert law.shape is not None
    if law.shape is UNIFORM:
        return law.centre + law.scale * torch.empty(shape).uniform_(-1, 1)
    mass = math.erf(law.shape.end / math.sqrt(2))
    return (
        law.centre + law.scale * math.sqrt(2) * torch.empty(shape, dtype=torch.float64).uniform_(-mass, mass).erfinv()
    )


def judged(values: torch.Tensor, text: str) -> dict[str, float]:
    return scores([(measure(values), law(text, fans(values.shape)))])


def worst(values: torch.Tensor, text: str) -> str:
    """The statistic that is farthest out of the limit, "" if none is out."""
    found = {name: score for name, score in judged(values, text).items() if not abs(score) <= LIMIT}
    return max(found, key=lambda name: abs(found[name])) if found else ""


# --- laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "centre", "scale", "shape"),
    [
        ("0.2", 0.2, 1.0, None),
        ("-7", -7.0, 1.0, None),
        ("1 / fan_in", 1 / 75, 1.0, None),
        ("normal(0, sqrt(2 / fan_in))", 0.0, math.sqrt(2 / 75), cut_normal(40.0)),
        ("normal(1 + 2 * 3, 2 ** -2)", 7.0, 0.25, cut_normal(40.0)),
        ("uniform(-2.4 / fan_in, 2.4 / fan_in)", 0.0, 2.4 / 75, UNIFORM),
        ("uniform(1, 4)", 2.5, 1.5, UNIFORM),
        ("truncated_normal(0, sqrt(1.3 * 2 / fan_avg), 2)", 0.0, math.sqrt(2.6 / 50), cut_normal(2.0)),
        ("normal(0, fan_out - fan_in + 51)", 0.0, 1.0, cut_normal(40.0)),
    ],
)
def test_a_law_is_read(text: str, centre: float, scale: float, shape: Shape | None) -> None:
    found = law(text, FANS)
    assert (found.centre, found.scale) == pytest.approx((centre, scale))
    assert (found.text, found.shape) == (text, shape)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("normal(0, ", "cannot be read"),
        ("normal(0)", "normal takes mean, std, by place"),
        ("normal(0, std=1)", "normal takes mean, std, by place"),
        ("truncated_normal(0, 1)", "truncated_normal takes mean, std, at, by place"),
        ("normal(0, 0)", "draws nothing: its width is 0; write a constant as a number"),
        ("uniform(1, -1)", "draws nothing"),
        ("truncated_normal(0, 1, -2)", "draws nothing"),
        ("normal(0, 1 / 0)", "cannot be computed: "),
        ("normal(0, sqrt(-2))", "cannot be computed: "),
        ("fan", "has 'fan'; it may have numbers"),
        ("'1'", "it may have numbers"),
        ("normal(0, normal(0, 1))", "has 'normal(0, 1)'"),
        ("__import__('os').getcwd()", "it may have numbers"),
        ("normal(0, (1).__class__)", "it may have numbers"),
        ("1 if fan_in else 0", "it may have numbers"),
    ],
)
def test_what_is_no_law_is_refused(text: str, message: str) -> None:
    with pytest.raises(ReproError) as caught:
        law(text, FANS)
    assert message in str(caught.value)
    assert repr(text) in str(caught.value)


def test_a_fan_that_a_parameter_does_not_have_is_an_error() -> None:
    with pytest.raises(ReproError, match="has fan_in, and this parameter has none; write the number"):
        law("normal(0, 1 / fan_in)", {})


@pytest.mark.parametrize("module", [nn.Linear(3, 5), nn.Conv2d(8, 6, (3, 2), groups=2)], ids=["linear", "grouped"])
def test_fans_are_torchs(module: nn.Linear | nn.Conv2d) -> None:
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
    assert fans(module.weight.shape) == {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}


def test_a_bias_has_the_fans_of_the_weight_beside_it_and_a_scale_has_none() -> None:
    drawn = samples(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)))
    (found,) = {declared_laws(drawn, {"0.*": "normal(0, 1 / fan_in)"})[key].scale for key in ("0.weight", "0.bias")}
    assert found == pytest.approx(1 / 18)
    assert declared_laws(samples(nn.Linear(9, 4)), {"*": "1 / fan_in"})["bias"].centre == pytest.approx(1 / 9)
    with pytest.raises(ReproError, match="fan_in"):
        declared_laws(drawn, {"1.bias": "normal(0, 1 / fan_in)"})


@pytest.mark.parametrize("shape", [UNIFORM, cut_normal(2.0), cut_normal(1.0), cut_normal(40.0)])
def test_moments_and_tails_are_the_integrals(shape: Shape) -> None:
    x = torch.linspace(0, min(shape.end, 12.0), 400_001, dtype=torch.float64)
    density = torch.ones_like(x) if shape is UNIFORM else torch.exp(-x.square() / 2)
    density /= torch.trapezoid(density, x)
    for power, moment in enumerate(shape.moments, start=1):
        assert torch.trapezoid(density * x**power, x).item() == pytest.approx(moment, rel=1e-9)
    middle = len(x) // 16
    assert torch.trapezoid(density[middle:], x[middle:]).item() == pytest.approx(
        shape.beyond(x[middle].item()), rel=1e-9
    )
    assert shape.beyond(shape.end) == 0


# --- measuring ---------------------------------------------------------------------------------------------------


def test_every_element_is_measured_across_chunks() -> None:
    values = torch.randn(3, CHUNK // 2 + 7).add_(100)
    sample, exact = measure(values), values.double()
    assert sample.shape == tuple(values.shape)
    assert sample.mean == pytest.approx(exact.mean().item(), rel=1e-6)
    assert sample.absolute == pytest.approx((exact - exact.mean()).abs().sum().item(), rel=1e-5)
    assert sample.squares == pytest.approx((exact - exact.mean()).square().sum().item(), rel=1e-5)
    assert (sample.lowest, sample.highest) == (exact.min().item(), exact.max().item())


def test_samples_are_of_floating_parameters_and_not_of_buffers() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2))
    network.register_parameter("empty", nn.Parameter(torch.empty(0)))
    network.register_parameter("index", nn.Parameter(torch.arange(3), requires_grad=False))
    assert set(samples(network)) == {"0.weight", "0.bias"}


# --- what is drawn passes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", LAWS)
@pytest.mark.parametrize("n", [1, 6, 64, 600, 5000])
def test_scores_of_draws_are_standard_normal(text: str, n: int) -> None:
    declared = law(text, {})
    assert declared.shape is not None
    found: dict[str, list[float]] = {}
    for values in draw(declared, 400, n):
        for name, score in scores([(measure(values), declared)]).items():
            found.setdefault(name, []).append(score)
    assert ("kind" in found) == (n >= KIND_FROM)
    for name, each in found.items():
        numbers = torch.tensor(each)
        assert numbers.abs().max() < 5, name
        if name == "range" and declared.shape.end < NEVER:
            assert numbers.max() <= 0, name  # within a support that ends, nothing is too far out
        elif n >= 64:  # a handful of uniforms is lighter in its tails than the approximation
            assert numbers.mean().abs() < 0.2, name
            assert 0.87 < numbers.std() < 1.13, name  # three standard errors and a half


def test_float32_may_put_elements_on_the_end_of_the_support_and_no_farther() -> None:
    values = torch.empty(10_000).uniform_(-0.1, 0.1)
    for end in (0.1, -0.1, 0.1 + 1e-8):
        assert worst(with_one(values.clone(), end), "uniform(-0.1, 0.1)") == ""
    assert worst(with_one(values, 0.1 + 1e-5), "uniform(-0.1, 0.1)") == "range"


@given(st.sampled_from(LAWS), st.lists(st.integers(1, 700), min_size=1, max_size=5), st.integers(0, 2**32))
def test_draws_of_any_sizes_pass_alone_and_together(text: str, sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    tensors = {f"{i}.weight": draw(law(text, {}), size) for i, size in enumerate(sizes)}
    assert not caught(tensors, {"*": text})


def caught(tensors: dict[str, torch.Tensor], rules: dict[str, str]) -> list[Verdict]:
    drawn = {key: measure(values) for key, values in tensors.items()}
    found = verdicts(drawn, declared_laws(drawn, rules), matches(drawn, rules))
    return [verdict for verdict in found if not verdict.passed]


# --- what is not, is caught --------------------------------------------------------------------------------------


def with_one(values: torch.Tensor, value: float) -> torch.Tensor:
    values.view(-1)[values.numel() // 2] = value
    return values


FAULTS: dict[str, tuple[str, Callable[[], torch.Tensor], str]] = {
    "deviation 10 % high": ("normal(0, 1)", lambda: 1.1 * torch.randn(SMALL), "deviation"),
    "deviation 10 % low": ("normal(0, 1)", lambda: 0.9 * torch.randn(SMALL), "deviation"),
    "deviation 1 % low": ("normal(0, 1)", lambda: 0.99 * torch.randn(300_000), "deviation"),
    "uniform 10 % narrow": ("uniform(-1, 1)", lambda: torch.empty(SMALL).uniform_(-0.9, 0.9), "range"),
    "uniform 1 % wide": ("uniform(-1, 1)", lambda: torch.empty(SMALL).uniform_(-1.01, 1.01), "range"),
    "fan_out for fan_in": (
        "normal(0, sqrt(2 / fan_in))",
        lambda: nn.init.kaiming_normal_(torch.empty(64, 32, 3, 3), mode="fan_out"),
        "deviation",
    ),
    "gain of a linear layer": (
        "normal(0, sqrt(2 / fan_in))",
        lambda: nn.init.kaiming_normal_(torch.empty(64, 32, 3, 3), nonlinearity="linear"),
        "deviation",
    ),
    "torch's default": ("normal(0, sqrt(2 / fan_in))", lambda: nn.Conv2d(32, 64, 3).weight, "deviation"),
    "uniform for normal": (
        "normal(0, 1)",
        lambda: torch.empty(KIND_FROM).uniform_(-math.sqrt(3), math.sqrt(3)),
        "kind",
    ),
    "normal for uniform": ("uniform(-1, 1)", lambda: torch.randn(500) / math.sqrt(3), "range"),
    "cut for uncut, same deviation": (
        "normal(0, 1)",
        lambda: draw(law("truncated_normal(0, 1.1368, 2)", {}), 20_000),
        "range",
    ),
    "uncut for cut, same deviation": ("truncated_normal(0, 1, 2)", lambda: 0.8796 * torch.randn(500), "range"),
    "cut at three for two": (
        "truncated_normal(0, 1, 2)",
        lambda: draw(law("truncated_normal(0, 1, 3)", {}), 500),
        "range",
    ),
    "mean": ("normal(0, 1)", lambda: 0.2 + torch.randn(5_000), "mean"),
    "mean not there": ("normal(0.2, 1)", lambda: torch.randn(5_000), "mean"),
    "one sign": ("normal(0, 1)", lambda: torch.randn(100).abs(), "mean"),
    "one outlier": ("normal(0, 1)", lambda: with_one(torch.randn(100_000), 9.0), "range"),
    "one outside": ("uniform(-1, 1)", lambda: with_one(torch.empty(100).uniform_(-1, 1), 1.001), "range"),
    "one NaN": ("normal(0, 1)", lambda: with_one(torch.randn(1000), math.nan), "range"),
    "one infinity": ("normal(0, 1)", lambda: with_one(torch.randn(1000), math.inf), "range"),
    "zeros": ("normal(0, 1)", lambda: torch.zeros(64), "deviation"),
    "0.1 for 0": ("0", lambda: torch.full((8,), 0.1), "value"),
    "one for all": ("1", lambda: with_one(torch.ones(3 * CHUNK), 1 + 1e-6), "value"),
    "drawn for constant": ("0", lambda: 1e-9 * torch.randn(8), "value"),
    "NaN for constant": ("0", lambda: with_one(torch.zeros(2 * CHUNK + 5), math.nan), "value"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str) -> None:
    text, made, statistic = FAULTS[fault]
    values = made()
    found = judged(values, text)
    assert not abs(found[statistic]) <= LIMIT
    (verdict,) = caught({"weight": values}, {"weight": text})
    assert not verdict.passed


@pytest.mark.parametrize("constant", [0.0, 1.0, -7.0, 0.2, 1 / 3])
def test_a_constant_is_compared_as_its_tensor_holds_it(constant: float) -> None:
    for dtype in (torch.float32, torch.float64):
        assert worst(torch.full((5,), constant, dtype=dtype), repr(constant)) == ""


def test_small_tensors_are_judged_together_where_none_of_them_tells() -> None:
    wrong = {f"{i}.weight": 0.9 * torch.randn(64) for i in range(60)}
    (pool,) = caught(wrong, {"*.weight": "normal(0, 1)"})
    assert (len(pool.keys), pool.statistic, pool.pattern) == (60, "deviation", "*.weight")
    shapes = {f"{i}.weight": torch.empty(64).uniform_(-math.sqrt(3), math.sqrt(3)) for i in range(10)}
    (pool,) = caught(shapes, {"*.weight": "normal(0, 1)"})
    assert pool.statistic in ("kind", "range")


def test_large_tensors_do_not_drown_small_ones_and_rules_are_not_mixed() -> None:
    wrong = {f"{i}.weight": 0.9 * torch.randn(64) for i in range(60)}
    right = {"fc.weight": torch.randn(1_000_000), **{f"b{i}.bias": torch.randn(64) for i in range(60)}}
    (pool,) = caught({**wrong, **right}, {"*.weight": "normal(0, 1)", "*.bias": "normal(0, 1)"})
    assert set(pool.keys) == set(wrong)


def test_pooled_tensors_may_have_different_scales() -> None:
    drawn = {"a.weight": torch.randn(40, 10) / 10**0.5, "b.weight": torch.randn(4, 100) / 100**0.5}
    assert not caught(drawn, {"*": "normal(0, sqrt(1 / fan_in))"})
    swapped = {"a.weight": torch.randn(40, 10) / 40**0.5, "b.weight": torch.randn(4, 100) / 4**0.5}
    assert caught(swapped, {"*": "normal(0, sqrt(1 / fan_in))"})


def test_the_first_matching_rule_counts() -> None:
    rules = {"fc.weight": "1", "*.weight": "2", "*": "3"}
    assert matches(["fc.weight", "conv.weight", "conv.bias"], rules) == {
        "fc.weight": "fc.weight",
        "conv.weight": "*.weight",
        "conv.bias": "*",
    }
    assert matches(["conv.bias"], {"*.weight": "1"}) == {}


# --- recognising -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", USUAL)
def test_a_usual_law_is_recognised(text: str) -> None:
    weights = {f"{i}.weight": (24 + 40 * i, 60 - 16 * i, 3, 3) for i in range(3)}
    drawn = {key: measure(draw(law(text, fans(shape)), *shape).float()) for key, shape in weights.items()}
    (found,) = recognised(drawn, drawn)
    same = law(found, FANS)
    declared = law(text, FANS)
    assert same.shape == declared.shape
    assert same.scale == pytest.approx(declared.scale, rel=4e-3)  # 1.3 and 1.2926 are hardly to be told apart
    assert all(fits(key, drawn, text) for key in drawn)


def test_tensors_are_explained_by_as_few_laws_as_possible() -> None:
    convolutions = [nn.init.kaiming_normal_(torch.empty(n, m, 3, 3), mode="fan_out") for n, m in ((64, 64), (32, 64))]
    drawn = {f"{i}.weight": measure(values) for i, values in enumerate(convolutions)}
    drawn |= {"2.weight": measure(torch.zeros(8)), "3.weight": measure(torch.randn(500, 3).exp())}
    assert recognised(drawn, drawn) == {
        "normal(0, sqrt(2 / fan_out))": ["0.weight", "1.weight"],
        "0.0": ["2.weight"],
        "": ["3.weight"],
    }


def test_a_small_tensor_that_fits_many_laws_is_taken_for_torchs_default() -> None:
    drawn = samples(nn.Linear(64, 20))
    assert fits("bias", drawn, "normal(0, 0.05)")
    assert recognised(["bias"], drawn) == {"uniform(-sqrt(1 / fan_in), sqrt(1 / fan_in))": ["bias"]}
    assert not fits("scale", {"scale": measure(torch.randn(9))}, "normal(0, 1 / fan_in)")


# --- the catalog -------------------------------------------------------------------------------------------------

# Up to 30 million parameters: drawn in a moment, so at three seeds.
LIGHT = "googlenet googlenet_torchvision inception_v3 lenet5 lenet5_28 nin_cifar10 nin_imagenet".split()
LIGHT += ["resnet18", "resnet50_gn"]
# Drawn by the same two functions; of their wide layers, seven eighths of the network, one example each is enough.
WIDE = [
    name
    for name, variant in CATALOG.items()
    if variant.module in ("repro.models.vgg", "repro.models.vgg_dense") and name not in ("vgg11", "vgg11_bn")
]


@pytest.fixture
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's own values, which ours replace at once, are not drawn."""
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda self: None)
    monkeypatch.setattr(nn.Conv2d, "reset_parameters", lambda self: None)


def problems(name: str, network: nn.Module) -> list[object]:
    declared = models.initialisation_of(CATALOG[name])
    drawn = samples(network)
    patterns = matches(drawn, declared.rules)
    found = verdicts(drawn, declared_laws(drawn, declared.rules), patterns)
    undeclared = [key for key in drawn if key not in patterns]
    stale = [rule for rule in declared.rules if rule not in patterns.values()]
    return [*undeclared, *stale, *(verdict for verdict in found if not verdict.passed)]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", LIGHT)
def test_a_network_is_drawn_as_its_locus_has_it(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    assert problems(name, models.build(name)) == []


# The first network of each function that initialises none of the light ones; `nox -s verify` draws them all.
LARGE = {variant.init: name for name, variant in [*CATALOG.items()][::-1] if name not in (*LIGHT, *WIDE)}
LARGE = {init: name for init, name in LARGE.items() if init not in {CATALOG[light].init for light in LIGHT}}


@pytest.mark.usefixtures("_once")
@pytest.mark.parametrize("name", LARGE.values())
def test_a_large_network_is_drawn_as_its_locus_has_it(name: str) -> None:
    assert problems(name, models.build(name)) == []


@pytest.mark.usefixtures("_once")
@pytest.mark.parametrize("name", WIDE)
def test_a_vgg_is_drawn_as_its_locus_has_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("repro.models.vgg.gaussian", lambda network: None)
        network = models.build(name)
    network.fc1, network.fc2 = nn.Linear(64, 64), nn.Linear(64, 64)
    vgg.gaussian(network)
    getattr(vgg, CATALOG[name].init.rpartition(".")[2])(network)
    assert problems(name, network) == []


def test_every_declaration_belongs_to_an_init_function_that_a_network_names() -> None:
    declared = {models.initialisation_of(variant).name for variant in CATALOG.values()}
    assert declared == set(_catalog._initialisations())
    for name in declared:
        file, _, function = name.partition(".")
        assert inspect.isfunction(getattr(importlib.import_module(f"repro.models.{file}"), function))


def test_a_declaration_has_a_locus_and_says_what_is_from_memory() -> None:
    # What the ledger of paper facts prints; all other numbers are from memory or from torchvision's source.
    printed = {"alexnet.gaussian_unit_biases", "vgg.gaussian", "vgg.gaussian_and_norm", "lenet.lecun_uniform"}
    printed |= {"nin.gaussian_cifar10", "googlenet_torchvision.normal_001", "zfnet.gaussian_zero_biases"}
    for name, found in _catalog._initialisations().items():
        assert len(found.locus.split()) >= 4, name
        assert ("from memory" in found.locus) == (name not in printed), name


def test_an_init_function_without_a_declaration_is_named() -> None:
    variant = models.Variant("x", "repro.models.vgg", "", "", "nobody", (3, 8, 8), (3, 9, 9))
    with pytest.raises(LookupError, match=r"x: the init function vgg\.nobody has no @initialisation"):
        models.initialisation_of(variant)


def test_declarations_are_read_from_the_text_and_change_no_function() -> None:
    source = "@initialisation(locus='here', rules={'*': '0'})\ndef zeros(network): pass\ndef other(): pass"
    ((function, literals),) = _catalog._decorated(source, "initialisation")
    assert (function.name, literals) == ("zeros", {"locus": "here", "rules": {"*": "0"}})
    assert _catalog.initialisation(locus="", rules={})(measure) is measure
    with pytest.raises(ValueError, match="malformed node"):
        list(_catalog._decorated("@initialisation(locus=f())\ndef g(): pass", "initialisation"))


def test_a_sample_says_what_was_found() -> None:
    assert str(measure(torch.full((4,), 0.5))) == "0.5"
    sample = Sample((100,), 0.25, 80.0, 100.0, -2.0, 3.0)
    assert str(sample) == "mean 0.25, deviation 1, -2 to 3"
    assert sample.count == 100
