"""The register of deviations: that it is whole, that it holds, and that each check notices a reference that changed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from repro import models
from repro.deviations import Check, Deviation, RegisterError, parse, register
from repro.deviations import check as checking
from repro.deviations.check import Found, check, held
from repro.deviations.experiments import EXPERIMENTS
from repro.errors import ReproError
from repro.graph import trace
from repro.measures import MEASURES, Subject
from repro.papers import papers
from repro.references import Source, resolve
from repro.render.deviations import entry as told_of
from repro.render.deviations import markdown, total
from repro.result import Outcome

PAGE = Path(__file__).parents[1] / "docs" / "deviations.md"

ENTRIES = {entry.id: entry for entry in register().deviations}
CHECKED = [name for name, entry in ENTRIES.items() if entry.checks]

# --- the register ------------------------------------------------------------------------------------------------


def test_entries_name_facts_networks_measures_and_experiments_that_there_are() -> None:
    facts = {fact.id for paper in papers().values() for fact in paper.facts}
    for entry in ENTRIES.values():
        assert set(entry.facts) <= facts, entry.id
        assert {*entry.of_paper, *entry.of_library} <= models.catalog().keys(), entry.id
        assert entry.paper.endswith(".")
        assert entry.reference.endswith(".")
        for each in entry.checks:
            assert each.measure in MEASURES or each.experiment in EXPERIMENTS or each.names in ("torchvision", "timm")


def test_an_entry_that_no_check_notices_says_why() -> None:
    assert {name: entry.unchecked for name, entry in ENTRIES.items() if not entry.checks}.keys() == {
        "resnet.batch-statistics",
        "resnet.keras-biases",
        "response-normalisation.caffe",
    }


def test_every_experiment_is_used() -> None:
    used = {each.experiment for entry in ENTRIES.values() for each in entry.checks if each.experiment}
    assert used == EXPERIMENTS.keys()


@pytest.mark.parametrize("name", CHECKED)
def test_the_references_are_as_recorded(name: str) -> None:
    (result,) = check([ENTRIES[name]])
    assert result.outcome is Outcome.PASS, result.message
    assert [each["holds"] for each in result.evidence["checks"]] == [True] * len(ENTRIES[name].checks)


WHOLE = """
found_in = "torchvision 0.29.2"

[[deviations]]
id = "net.part"
libraries = ["torchvision"]
paper = "This."
locus = "1"
reference = "That."
{rest}
"""
ONE = 'checks = [{ measure = "depth", on = "torchvision:alexnet", expected = 8 }]'


def test_a_whole_entry_is_read() -> None:
    (entry,) = parse(WHOLE.format(rest=ONE)).deviations
    measured = Check(8, measure="depth", on="torchvision:alexnet")
    assert entry == Deviation("net.part", ("torchvision",), "This.", "1", "That.", checks=(measured,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WHOLE.format(rest=""), "net.part: it has no check; expected one, or in `unchecked` the reason"),
        (WHOLE.format(rest="checks = [{ expected = 1 }]"), "one of them is nothing"),
        (WHOLE.format(rest='checks = [{ measure = "depth", expected = 1 }]'), "a measure goes with `on`"),
        (WHOLE.format(rest='checks = [{ names = "timm", expected = 1 }]'), "names go with `like`"),
        (WHOLE.format(rest='checks = [{ names = "timm", measure = "depth" }]'), "missing 1 required .* 'expected'"),
        (WHOLE.format(rest=f'{ONE}\nthreads = ["#1"]'), "the thread '#1' cannot be read; expected owner/name#number"),
        (WHOLE.format(rest=f'{ONE}\ncolour = "red"'), "unexpected keyword argument 'colour'"),
        (
            WHOLE.format(rest=ONE).replace('["torchvision"]', '["jax"]'),
            r"its libraries are \['jax'\]; expected some of",
        ),
        (WHOLE.format(rest=ONE) + WHOLE.format(rest=ONE).partition("\n\n")[2], "two entries are called 'net.part'"),
        ("found_in = 1", "register.toml has found_in; expected found_in and deviations"),
        ("found_in =", "register.toml: "),
    ],
)
def test_a_register_that_contradicts_itself_is_told(text: str, message: str) -> None:
    with pytest.raises(RegisterError, match=message):
        parse(text)


# --- a reference that changed, in its structure ------------------------------------------------------------------

Change = Callable[[Any], None]


def with_groups(net: Any) -> None:
    net.features[3] = nn.Conv2d(64, 192, 5, padding=2, groups=2)


def with_response_norm(net: Any) -> None:
    net.features[1] = nn.Sequential(nn.ReLU(), nn.LocalResponseNorm(5))


def dropout_behind(net: Any) -> None:
    net.classifier = nn.Sequential(*(net.classifier[place] for place in (1, 2, 0, 4, 5, 3, 6)))


def without_padding(net: Any) -> None:
    net.features[0].padding = (0, 0)


def torch_epsilon(net: Any) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-4


def to_8x8(net: Any) -> None:
    net.avgpool = nn.AdaptiveAvgPool2d(8)
    net.classifier[0] = nn.Linear(512 * 8 * 8, 4096)


def sliding_by_two(net: Any) -> None:
    net.pre_logits.fc1.stride = (2, 2)


def dropping(net: Any) -> None:
    net.head.drop = nn.Dropout(0.5)


def with_5x5(net: Any) -> None:
    net.inception3a.branch3[1].conv = nn.Conv2d(16, 32, 5, padding=2, bias=False)


def conv1_with_bias(net: Any) -> None:
    owner, name = (net.conv1, "conv") if hasattr(net.conv1, "conv") else (net, "conv1")
    setattr(owner, name, nn.Conv2d(3, 64, 7, 2, 3))


def last_pooling_3x3(net: Any) -> None:
    net.maxpool4 = nn.MaxPool2d(3, 2, ceil_mode=True)


def dropping_as_printed(net: Any) -> None:
    net.dropout = nn.Dropout(0.4)


def bare_head(net: Any) -> None:
    net.aux1.conv.bn = nn.Identity()


def heads_in_order(net: Any) -> None:
    net.eager_outputs = lambda x, aux2, aux1: (x, aux1, aux2)


def fewer_classes(net: Any) -> None:
    net.fc = nn.Linear(1024, 10)


def three_at_17(net: Any) -> None:
    net.Mixed_6c = nn.Identity()


def padding_left_out(net: Any) -> None:
    counted, module = F.avg_pool2d, net.Mixed_5b.forward

    def forward(x: torch.Tensor) -> Any:
        with mock.patch("torch.nn.functional.avg_pool2d", functools.partial(counted, count_include_pad=False)):
            return module(x)

    net.Mixed_5b.forward = forward


def stride_as_printed(net: Any) -> None:
    net.layer2[0].conv1.stride, net.layer2[0].conv2.stride = (2, 2), (1, 1)


def pooled_as_in_caffe(net: Any) -> None:
    net.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)


def outer_widths_too(net: Any) -> None:
    net.layer1[0].conv3 = nn.Conv2d(128, 512, 1, bias=False)
    net.layer1[0].bn3 = nn.Identity()
    net.layer1[0].downsample = nn.Conv2d(64, 512, 1)
    net.layer1[1].conv1 = nn.Conv2d(512, 128, 1)
    net.layer1[1].downsample = nn.Conv2d(512, 256, 1)


CHANGED: list[tuple[str, str, Change]] = [
    ("alexnet.one-tower", "torchvision:alexnet", with_groups),
    ("alexnet.response-normalisation", "torchvision:alexnet", with_response_norm),
    ("alexnet.dropout", "torchvision:alexnet", dropout_behind),
    ("alexnet.input", "torchvision:alexnet", without_padding),
    ("vgg.batch-normalisation", "torchvision:vgg11_bn", torch_epsilon),
    ("vgg.larger-images", "torchvision:vgg11", to_8x8),
    ("vgg.timm-larger-images", "timm:vgg11", sliding_by_two),
    ("vgg.timm-dropout", "timm:vgg11", dropping),
    ("googlenet.3x3-for-5x5", "torchvision:googlenet", with_5x5),
    ("googlenet.batch-normalisation", "torchvision:googlenet", conv1_with_bias),
    ("googlenet.batch-normalisation", "torchvision:googlenet", torch_epsilon),
    ("googlenet.last-pooling", "torchvision:googlenet", last_pooling_3x3),
    ("googlenet.dropout", "torchvision:googlenet", dropping_as_printed),
    ("googlenet.auxiliary-heads", "torchvision:googlenet", bare_head),
    ("googlenet.order-of-outputs", "torchvision:googlenet", heads_in_order),
    ("googlenet.parameters", "torchvision:googlenet", fewer_classes),
    ("inception-v3.released", "torchvision:inception_v3", three_at_17),
    ("inception.padding-counted", "torchvision:inception_v3", padding_left_out),
    ("inception.epsilon", "timm:inception_v3", torch_epsilon),
    ("resnet.stride", "torchvision:resnet50", stride_as_printed),
    ("resnet.stride", "timm:resnext50_32x4d", stride_as_printed),
    ("resnet.stem-pooling", "timm:resnet50", pooled_as_in_caffe),
    ("resnet.conv1-bias", "torchvision:resnet50", conv1_with_bias),
    ("wide-resnet.inner-width", "torchvision:wide_resnet50_2", outer_widths_too),
]


@pytest.mark.control("deviation")
@pytest.mark.parametrize(("name", "spec", "change"), CHANGED)
def test_a_reference_of_another_structure_is_noticed(
    name: str, spec: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [each for each in ENTRIES[name].checks if each.on == spec]
    plain = checking._subject

    def changed(on: str, size: tuple[int, ...]) -> Subject:
        if on != spec:
            return plain(on, size)
        source = resolve(on)
        with torch.device("meta"):
            network = source.build()
            change(network)
            images = torch.empty(3, *(size or source.input_size or ()))
        return Subject(trace(network.eval(), images), trace(network, images, training=True), {})

    monkeypatch.setattr(checking, "_subject", changed)
    (result,) = check([replace(ENTRIES[name], checks=tuple(kept))])
    assert result.outcome is Outcome.FAIL
    assert "it has changed; the entry, and what rests on it, need another look" in result.message


# --- a reference that changed otherwise --------------------------------------------------------------------------

Plant = Callable[[pytest.MonkeyPatch], None]


def another_name(library: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        owner = {"timm": timm, "torchvision": torchvision.models}[library]
        names = ["lenet5", "alexnet", "vgg16_c", "wrn_28_10"]
        patch.setattr(owner, "list_models", lambda **_: names)

    return plant


def rebuilt(spec: str, change: Change) -> Plant:
    """An experiment gets this network as it is after a change."""

    def build() -> nn.Module:
        network = resolve(spec).build()
        change(network)
        return network

    def plant(patch: pytest.MonkeyPatch) -> None:
        source = Source(spec, build)
        patch.setattr("repro.deviations.experiments.resolve", lambda given: source if given == spec else resolve(given))

    return plant


def drawn_anew(net: Any) -> None:
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.02)


def scales_of_one(net: Any) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)


def scale_of_zero(net: Any) -> None:
    nn.init.zeros_(net.layer1[0].bn2.weight)


class SummingNorm(nn.LocalResponseNorm):
    """As the paper has it: alpha multiplies the sum."""

    def __init__(self, size: int, alpha: float, beta: float = 1.0, k: float = 2.0) -> None:
        super().__init__(size, alpha * size, beta, k)


def cutting(tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2, b: float = 2) -> torch.Tensor:
    """As the authors' has it: the ends are deviations."""
    with torch.no_grad():
        return tensor.normal_(mean, std).clamp_(a * std, b * std)


def cut_googlenet(init_weights: bool = False, **_: Any) -> Any:
    """A builder whose ends are two deviations away."""
    weight = torch.empty(64, 64)
    nn.init.trunc_normal_(weight, std=0.01, a=-0.02, b=0.02)
    return SimpleNamespace(conv3=SimpleNamespace(conv=SimpleNamespace(weight=weight)))


def untransformed(weights: Any = None, **_: Any) -> Any:
    """A builder that leaves the input alone, weights or not."""
    return SimpleNamespace(transform_input=False, state_dict=dict)


def named(path: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(path, value)


def more_in_metadata(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1.meta, "num_params", 13004888)


FIVE = SimpleNamespace(IMAGENET1K_V1=SimpleNamespace(transforms=lambda: lambda image: image.expand(5, 3, 500, 500)))


def one_vgg(patch: pytest.MonkeyPatch) -> None:
    """Both libraries have torchvision's."""
    patch.setattr("repro.deviations.experiments.resolve", lambda _: resolve("torchvision:vgg11"))


PLANTED: list[tuple[str, str, Plant]] = [
    ("absent.lenet5-nin-zfnet", "names", another_name("torchvision")),
    ("absent.lenet5-nin-zfnet", "names", another_name("timm")),
    ("absent.alexnet-googlenet", "names", another_name("timm")),
    ("absent.vgg-c-lrn", "names", another_name("torchvision")),
    ("absent.resnet-cifar-preact-wrn", "names", another_name("torchvision")),
    ("alexnet.initialisation", "initial_law", rebuilt("torchvision:alexnet", drawn_anew)),
    ("vgg.initialisation", "initial_law", rebuilt("torchvision:vgg11", drawn_anew)),
    ("vgg.one-crop", "shape_after_transforms", named("torchvision.models.VGG16_Weights", FIVE)),
    ("vgg.timm-larger-images", "distance_of_timms_vgg11", one_vgg),
    (
        "googlenet.transform-input",
        "transforms_input_without_and_with_weights",
        named("torchvision.models.googlenet", untransformed),
    ),
    ("googlenet.parameters", "metadata", more_in_metadata),
    ("googlenet.parameters", "all_parameters", rebuilt("torchvision:googlenet", fewer_classes)),
    ("inception.epsilon", "default_of", named("torch.nn.BatchNorm2d", lambda features, eps=1e-3: None)),
    ("resnet.last-scale", "weights_that_start_at_zero", rebuilt("timm:resnet18", scales_of_one)),
    ("resnet.last-scale", "weights_that_start_at_zero", rebuilt("torchvision:resnet18", scale_of_zero)),
    ("resnet.initialisation", "initial_law", rebuilt("torchvision:resnet18", drawn_anew)),
    ("response-normalisation.alpha", "response_norm_error", named("torch.nn.LocalResponseNorm", SummingNorm)),
    ("response-normalisation.k", "default_of", named("torch.nn.LocalResponseNorm", SummingNorm)),
    ("truncated-normal.torchvision", "ends_of_trunc_normal", named("torchvision.models.googlenet", cut_googlenet)),
    (
        "truncated-normal.torchvision",
        "share_of_googlenets_weights_beyond",
        named("torchvision.models.googlenet", cut_googlenet),
    ),
    ("truncated-normal.timm", "share_beyond", named("timm.layers.trunc_normal_", cutting)),
]


@pytest.mark.control("deviation")
@pytest.mark.parametrize(("name", "kind", "plant"), PLANTED)
def test_a_reference_that_behaves_otherwise_is_noticed(
    name: str, kind: str, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tuple(each for each in ENTRIES[name].checks if kind == each.experiment or (kind == "names" and each.names))
    plant(monkeypatch)
    (result,) = check([replace(ENTRIES[name], checks=kept)])
    assert result.outcome is Outcome.FAIL, result.message


def test_every_entry_and_every_experiment_has_been_seen_to_fail() -> None:
    assert {name for name, *_ in [*CHANGED, *PLANTED]} == set(CHECKED)
    assert {kind for _, kind, _ in PLANTED} == {*EXPERIMENTS, "names"}


def test_a_module_that_is_gone_is_a_change_and_a_network_that_is_gone_an_error() -> None:
    gone = held(Check(1, measure="filters", on="torchvision:alexnet", at="nowhere"))
    assert (gone.holds, gone.problem) == (False, "there are no operations at 'nowhere'")
    with pytest.raises(ReproError, match="torchvision has no network called 'alexnets'"):
        held(Check(1, measure="depth", on="torchvision:alexnets"))
    entry = replace(ENTRIES["alexnet.dropout"], checks=(Check(1, measure="depth", on="torchvision:alexnets"),))
    (result,) = check([entry])
    assert result.outcome is Outcome.ERROR


@pytest.mark.parametrize("weights", ["GoogLeNet_Weights", "Inception_V3_Weights"])
def test_no_weights_are_downloaded(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    builder = {"GoogLeNet_Weights": "googlenet", "Inception_V3_Weights": "inception_v3"}[weights]
    assert EXPERIMENTS["transforms_input_without_and_with_weights"](builder, f"{weights}.IMAGENET1K_V1") == [
        False,
        True,
    ]


def test_torchs_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    EXPERIMENTS["share_beyond"]("torch.nn.init.trunc_normal_", 0.1, 2)
    EXPERIMENTS["share_of_googlenets_weights_beyond"](2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("experiment", "given", "message"),
    [
        ("default_of", {"function": "torch.nn.Nothing", "argument": "k"}, "there is no 'torch.nn.Nothing'"),
        (
            "initial_law",
            {"of": "torchvision:resnet18", "keys": "nothing*"},
            "torchvision:resnet18 has no parameter 'nothing",
        ),
    ],
)
def test_what_an_experiment_does_not_find_is_told(experiment: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ReproError, match=message):
        EXPERIMENTS[experiment](**given)


# --- how it is told ----------------------------------------------------------------------------------------------


@pytest.fixture
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The results of a register that holds, which the tests above establish entry by entry."""
    monkeypatch.setattr(checking, "held", lambda each, _: Found(each, each.expected, True))
    return list(check(register().deviations))


def test_the_page_is_current(as_recorded: list[Any]) -> None:
    expected = "\n".join(markdown(as_recorded, register().found_in)) + "\n"
    assert PAGE.read_text(encoding="utf-8") == expected, "docs/deviations.md is not current; nox -s docs makes it anew"


def test_a_change_is_told_with_what_was_recorded() -> None:
    changed = replace(ENTRIES["alexnet.dropout"], checks=(Check(9, measure="depth", on="torchvision:alexnet"),))
    results = list(check([changed]))
    told = "\n".join(told_of(results[0]))
    assert told.startswith("CHANGED       alexnet.dropout (torchvision)\n")
    assert "  CHANGED    depth of torchvision:alexnet: 8, recorded 9" in told
    assert max(map(len, told.splitlines())) < 80
    assert "| depth of torchvision:alexnet | CHANGED: 8, recorded 9 |" in list(markdown(results, ""))
    assert list(total(results))[-1] == "1 entry: 1 CHANGED; 1 check made"


def test_the_text_fits_a_terminal(as_recorded: list[Any]) -> None:
    told = "\n".join([*(line for each in as_recorded for line in told_of(each)), *total(as_recorded)])
    assert max(map(len, told.splitlines())) < 80
    assert told.endswith("39 entries: 36 as described, 3 unchecked; 111 checks made")
