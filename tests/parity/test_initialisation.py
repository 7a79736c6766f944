"""The check of initial values: ours must be as declared, the reference's departures are told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from repro import models
from repro.errors import ReproError
from repro.initialisation import samples
from repro.mapping import Entry, KeyMap
from repro.models import Initialisation
from repro.models.resnet import BasicBlock, BottleneckV1_5, ResNet
from repro.models.resnet_gn import group_norm, zero_last_scale
from repro.parity.initialisation import Drawn, check
from repro.parity.network import Network, Stopwatch
from repro.parity.pair import Pair, Plan
from repro.references import Source, resolve
from repro.result import Outcome, Result

HE = models.initialisation_of(models.get("resnet18"))
ZERO = models.initialisation_of(models.get("resnet50_gn"))

SIZE = (3, 64, 64)

Mutate = Callable[[nn.Module], object]


def drawn(module: nn.Module, spec: str = "repro:net") -> Drawn:
    return Drawn(spec, 0, samples(module))


def basic() -> ResNet:
    """A ResNet of four blocks, initialised as the large ones are."""
    torch.manual_seed(0)
    return ResNet(BasicBlock, (1, 1, 1, 1), 100, 3)


def same_keys(module: nn.Module) -> KeyMap:
    return KeyMap(tuple(Entry(key, key, tuple(value.shape)) for key, value in module.state_dict().items()))


def changed(mutate: Mutate) -> ResNet:
    network = basic()
    with torch.no_grad():
        mutate(network)
    return network


def parameter(key: str) -> Callable[[nn.Module], nn.Parameter]:
    return lambda network: network.get_parameter(key)


# --- ours --------------------------------------------------------------------------------------------------------


def test_what_is_as_declared_passes_with_the_evidence() -> None:
    result = check(drawn(basic()), HE)
    assert (result.check, result.subject, result.reference) == ("initialisation", "net", "none")
    assert result.outcome is Outcome.PASS
    assert "38 parameters as declared, " in result.message
    assert result.evidence["locus"] == HE.locus
    assert [rule["tensors"] for rule in result.evidence["rules"]] == [9, 3, 1, 12, 13]
    assert sum(rule["elements"] for rule in result.evidence["rules"]) == sum(p.numel() for p in basic().parameters())
    json.dumps(asdict(result), allow_nan=False)


FAULTS: dict[str, tuple[Mutate, str]] = {
    "deviation 10 % high": (
        lambda net: parameter("backbone.conv3_x.0.conv1.weight")(net).mul_(1.1),
        "backbone.conv3_x.0.conv1.weight should be normal(0, sqrt(2 / fan_in)) (deviation 0.05893), and is mean ",
    ),
    "fan_out for fan_in": (
        lambda net: nn.init.kaiming_normal_(parameter("backbone.conv1.weight")(net), mode="fan_out"),
        "backbone.conv1.weight should be normal(0, sqrt(2 / fan_in)) (deviation 0.1166), and is ",
    ),
    "uniform for normal": (
        lambda net: nn.init.kaiming_uniform_(parameter("backbone.conv1.weight")(net), nonlinearity="relu"),
        "backbone.conv1.weight should be normal(0, sqrt(2 / fan_in)) (deviation 0.1166), and is ",
    ),
    "a cut": (
        lambda net: nn.init.trunc_normal_(parameter("fc.weight")(net), std=0.01 / 0.8796, a=-0.0227, b=0.0227),
        "fc.weight should be normal(0, 0.01) (deviation 0.01), and is ",
    ),
    "torch's default": (
        lambda net: net.get_submodule("fc").reset_parameters(),  # type: ignore[operator]
        "fc.weight should be normal(0, 0.01) (deviation 0.01), and is ",
    ),
    "bias 0.1 for 0": (
        lambda net: nn.init.constant_(parameter("fc.bias")(net), 0.1),
        "fc.bias should be 0, and is 0.1; declared by arXiv:1512.03385, section 3.4",
    ),
    "one bias of 100": (
        lambda net: parameter("fc.bias")(net)[17].fill_(1e-3),
        "fc.bias should be 0, and is mean 1e-05, deviation 9.95e-05, 0 to 0.001",
    ),
    "a last scale of zero": (
        lambda net: nn.init.zeros_(parameter("backbone.conv2_x.0.bn2.weight")(net)),
        "backbone.conv2_x.0.bn2.weight should be 1, and is 0",
    ),
    "not a number": (
        lambda net: parameter("backbone.conv1.weight")(net)[0, 0, 0, 0].fill_(math.nan),
        "backbone.conv1.weight should be normal(0, sqrt(2 / fan_in)) (deviation 0.1166), and is mean nan",
    ),
    "undeclared": (
        lambda net: net.register_parameter("scale", nn.Parameter(torch.ones(3))),
        "scale matches no rule of resnet.he_fan_in; declare its law",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_and_is_named(fault: str) -> None:
    mutate, message = FAULTS[fault]
    result = check(drawn(changed(mutate)), HE)
    assert result.outcome is Outcome.FAIL
    assert message in result.message
    assert f"declared by {HE.locus}" in result.message
    json.dumps(asdict(result), allow_nan=False)


def test_a_last_scale_that_is_not_zero_fails_where_zero_is_declared() -> None:
    torch.manual_seed(0)
    network = ResNet(BottleneckV1_5, (1, 1, 1, 1), 10, 3, norm=group_norm)
    result = check(drawn(network), ZERO)
    assert result.outcome is Outcome.FAIL
    assert "backbone.conv2_x.0.bn3.weight should be 0, and is 1; and 3 more problems" in result.message
    assert len(result.evidence["problems"]) == 4
    assert check(drawn(zero_last_scale(network)), ZERO).outcome is Outcome.PASS


@pytest.mark.parametrize("stale", ["*.conv9.weight", "fc.?.bias"])
def test_a_rule_that_matches_nothing_fails(stale: str) -> None:
    result = check(drawn(basic()), replace(HE, rules={stale: "0", **HE.rules}))
    assert result.outcome is Outcome.FAIL
    assert f"no parameter is left for the rule {stale!r} of resnet.he_fan_in" in result.message


def test_a_rule_behind_one_that_matches_all_of_its_keys_fails() -> None:
    result = check(drawn(basic()), replace(HE, rules={**HE.rules, "fc.bias": "0"}))
    assert "no parameter is left for the rule 'fc.bias'" in result.message


def test_a_missing_cut_fails() -> None:
    declared = Initialisation("x.cut", "here, section 1", {"weight": "truncated_normal(0, 0.1, 2)", "bias": "0"})
    network = nn.Linear(60, 60)
    nn.init.zeros_(network.bias)
    for std, a in ((0.1, -2.0), (0.088, -2.0)):
        nn.init.trunc_normal_(network.weight, std=std, a=a, b=-a)
        result = check(drawn(network), declared)
        assert "the range cannot be drawn; declared by here, section 1" in result.message
    nn.init.trunc_normal_(network.weight, std=0.1, a=-0.2, b=0.2)
    assert check(drawn(network), declared).outcome is Outcome.PASS


def test_small_tensors_that_are_wrong_together_are_told_as_a_pool() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*[nn.Linear(8, 8, bias=False) for _ in range(60)])
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.09)
    result = check(drawn(network), Initialisation("x.y", "here", {"*.weight": "normal(0, 0.1)"}))
    assert result.outcome is Outcome.FAIL
    assert result.message.startswith(
        "the 60 small parameters of the rule '*.weight', such as 0.weight, should be normal(0, 0.1); together: the "
        "deviation is -"
    )


# --- the reference -----------------------------------------------------------------------------------------------


def against(mutate: Mutate, spec: str = "timm:net") -> Result:
    ours, theirs = basic(), changed(mutate)
    result = check(drawn(ours), HE, drawn(theirs, spec), same_keys(ours))
    assert (result.outcome, result.reference) == (Outcome.PASS, spec)
    json.dumps(asdict(result), allow_nan=False)
    return result


def test_a_reference_that_draws_alike_is_said_to() -> None:
    result = against(lambda net: None)
    assert result.message.endswith("; timm:net draws by the same laws")
    assert result.evidence["reference"]["departures"] == []


def test_departures_are_grouped_by_law_and_do_not_fail_ours() -> None:
    def as_torchvision(network: nn.Module) -> None:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        network.get_submodule("fc").reset_parameters()  # type: ignore[operator]

    result = against(as_torchvision)
    each = result.evidence["reference"]["departures"]
    assert [departure["text"] for departure in each] == [
        "draws 12 convolution weights from normal(0, sqrt(2 / fan_out)) where normal(0, sqrt(2 / fan_in)) is declared"
        "; 5 of them fit both",
        "draws 1 linear weight from uniform(-sqrt(1 / fan_in), sqrt(1 / fan_in)) where normal(0, 0.01) is declared",
        "draws 1 linear bias from uniform(-sqrt(1 / fan_in), sqrt(1 / fan_in)) where 0 is declared",
    ]
    assert f"timm:net {each[0]['text']}; and 2 more departures" in result.message
    assert "backbone.conv1.weight" in each[0]["keys"]
    assert "backbone.conv2_x.0.conv1.weight" not in each[0]["keys"]  # 64 to 64: the fans are equal


def test_zero_scales_are_told_with_what_they_mean() -> None:
    def zero_last(network: nn.Module) -> None:
        for module in network.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.get_parameter("bn2.weight"))

    (departure,) = against(zero_last).evidence["reference"]["departures"]
    assert departure["text"] == (
        "starts 4 norm scales at 0 where 1 is declared (backbone.conv2_x.0.bn2.weight): what they scale is 0 in a "
        "fresh network, so comparing on its initial values would be vacuous"
    )
    assert list(departure["keys"]) == [f"backbone.conv{i}_x.0.bn2.weight" for i in (2, 3, 4, 5)]


def test_other_constants_and_strange_laws_are_told() -> None:
    def strange(network: nn.Module) -> None:
        nn.init.constant_(parameter("fc.bias")(network), -2)
        nn.init.ones_(parameter("backbone.bn1.bias")(network))
        parameter("fc.weight")(network).exponential_()

    texts = [each["text"] for each in against(strange).evidence["reference"]["departures"]]
    assert "starts 1 norm shift at 1 where 0 is declared" in texts
    assert "starts 1 linear bias at -2 where 0 is declared" in texts
    (odd,) = (text for text in texts if "no law known here" in text)
    assert odd.startswith("draws 1 linear weight by no law known here where normal(0, 0.01) is declared (fc.weight has")


def test_the_references_own_shapes_give_its_fans() -> None:
    """A linear layer that the reference has as a convolution over the whole map has another fan_out there."""
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4 * 9, 64, bias=False), nn.Conv2d(4, 64, 3, bias=False)
    nn.init.normal_(ours.weight, std=0.01)
    nn.init.kaiming_normal_(theirs.weight, mode="fan_out")
    keys = KeyMap((Entry("weight", "weight", (64, 36)),))
    result = check(drawn(ours), Initialisation("x.y", "here", {"*": "normal(0, 0.01)"}), drawn(theirs, "a:b"), keys)
    (departure,) = result.evidence["reference"]["departures"]
    assert departure["text"].startswith("draws 1 convolution weight from normal(0, sqrt(2 / fan_out)) where")


def test_keys_are_followed_and_what_they_leave_out_is_listed() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.ModuleDict({"a": nn.Linear(50, 50)}), nn.ModuleDict({"b": nn.Linear(50, 50)})
    declared = Initialisation("x.y", "here", {"*": "uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"})
    nn.init.zeros_(theirs["b"].bias)  # type: ignore[arg-type]
    keys = KeyMap((Entry("b.weight", "a.weight", (50, 50)),), {"a.bias": "not read"}, {"b.bias": "not read"})
    result = check(drawn(ours), declared, drawn(theirs, "a:b"), keys)
    assert result.evidence["reference"]["departures"] == []
    assert result.evidence["reference"]["not_compared"] == ["a.bias"]


@pytest.mark.parametrize("spec", ["torchvision:googlenet", "torchvision:inception_v3", "torchvision:googlenet+x=1"])
def test_a_reference_built_without_its_own_values_is_said_to_be(spec: str) -> None:
    result = against(lambda net: net.get_submodule("fc").reset_parameters(), spec)  # type: ignore[operator]
    assert result.message.endswith(
        f"; {spec} is built with init_weights=False here: its values are torch's defaults, not its own"
    )
    assert "departures" not in result.evidence["reference"]


@pytest.mark.parametrize(("spec", "first"), [("torchvision:resnet18", "draws 20"), ("timm:resnet18", "starts 8 norm")])
def test_a_real_pair(spec: str, first: str) -> None:
    variant = models.get("resnet18")
    subject, reference = (Network.of(resolve(each), SIZE, Stopwatch()) for each in ("repro:resnet18", spec))
    pair = Pair(subject, reference, Plan((SIZE,), (), (SIZE, 1)))
    ours, theirs = Drawn.of(subject.source), Drawn.of(reference.source)
    result = check(ours, models.initialisation_of(variant), theirs, pair.keys)
    assert result.outcome is Outcome.PASS
    assert f"; {spec} {first}" in result.message
    assert result.evidence["reference"]["not_compared"] == []


# --- building ----------------------------------------------------------------------------------------------------


def test_building_is_seeded_and_leaves_the_generator_as_it_was() -> None:
    source = Source("a:b", lambda: nn.Linear(4, 4))
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, again, other = Drawn.of(source), Drawn.of(source), Drawn.of(source, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert one == again
    assert one.samples != other.samples
    assert (one.spec, other.seed) == ("a:b", 1)


def test_a_module_without_values_is_refused() -> None:
    source = Source("a:b", lambda: nn.Linear(4, 4, device="meta"), on_meta=False)
    with pytest.raises(ReproError, match="a:b: 'weight' is on the meta device; expected a module with initial values"):
        Drawn.of(source)
