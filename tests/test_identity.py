"""A module is named by what it computes: the catalog, the libraries, and networks that are called something else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings
from torch import nn

import repro
from repro import identity as module_under_test
from repro import models
from repro.identity import IdentificationError, identify
from repro.names import claimed, keeps
from repro.references import resolve, without_values
from repro.signatures import in_libraries, is_reference, likeness, measured, signatures

NAMES = list(models.catalog())
LIBRARIES = list(in_libraries())
DEPTHS = (11, 13, 16, 19)
THOROUGH = settings().max_examples >= 1000
MAKE = "python -m repro.signatures > repro/signatures.json"


def built(name: str, **options: int) -> nn.Module:
    """A network of the catalog without values."""
    with without_values():
        return models.build(name, **options)


def few(names: list[str], every: int) -> list[str]:
    """Some of them, spread over all; in a thorough run, all."""
    return names if THOROUGH else names[::every]


def test_every_network_is_on_record() -> None:
    assert [name for name in signatures() if not is_reference(name)] == NAMES, MAKE
    assert {name for name in signatures() if is_reference(name)} <= set(LIBRARIES), MAKE


@pytest.mark.parametrize("name", few([*NAMES, *filter(is_reference, signatures())], 12))
def test_what_is_on_record_is_what_is_measured(name: str) -> None:
    now, then = measured(name), signatures()[name]
    assert now.layers == then.layers, MAKE
    assert now.digests == then.digests, MAKE


def test_a_record_of_what_has_changed_since_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str, **options: int) -> nn.Module:
        network = build(name, **options)
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.momentum = 0.2
        return network

    build = models.build
    monkeypatch.setattr(models, "build", changed)
    now, then = measured("resnet18"), signatures()["resnet18"]
    assert now.layers == then.layers
    for side, (in_eval, in_train) in now.digests.items():
        assert in_eval == then.digests[side][0]
        assert in_train != then.digests[side][1]


def none(*_: object, **__: object) -> None:
    """For what is not to be made."""
    raise AssertionError("a counterpart was built")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_catalog_is_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_under_test, "_counterpart", none)  # its digest says it all
    found = identify(built(name), [models.get(name).input_size])
    assert (found.variant, found.distance, found.differences) == (name, 0, ())
    assert found.likeness == 1, MAKE


def test_without_a_digest_the_graphs_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_under_test, "equal", lambda *_: ())
    monkeypatch.setattr(module_under_test, "in_training", lambda *_: None)
    found = identify(built("resnet50"))
    assert (found.variant, found.distance) == ("resnet50", 0)


@pytest.mark.parametrize("name", ["lenet5", "vgg11", "resnet18", "googlenet", "nin_cifar10", "resnet20_cifar"])
def test_classes_and_channels_make_no_other_network(name: str) -> None:
    found = identify(built(name, num_classes=7, in_channels=2), [(2, *models.get(name).input_size[1:])])
    assert (found.variant, found.distance, found.classes) == (name, 0, 7)


@pytest.mark.parametrize(
    ("reference", "variant"),
    [
        ("timm:vgg16+drop_rate=0.5", "vgg16_dense"),
        ("timm:inception_v4+drop_rate=0.2", "inception_v4"),
        ("torchvision:resnet50+v1", "resnet50"),
        *((reference, "") for reference in few([name for name in LIBRARIES if "timm" not in name], 2)),
        *((reference, "") for reference in few([name for name in LIBRARIES if "timm" in name], 12)),
    ],
)
def test_networks_of_libraries_are_named(reference: str, variant: str) -> None:
    with without_values():
        module = resolve(reference).build()
    found = identify(module)
    bare = reference.partition(":")[2]
    if variant:
        assert found.variant == variant
    elif is_reference(found.variant):
        assert found.variant == reference
    else:
        declared = models.get(found.variant).references
        assert any(each.partition("+")[0] == reference or keeps(bare, found.variant) for each in declared)
        assert keeps(claimed(bare), found.variant)
    without_dropout = reference.startswith("timm:") and bare.startswith(("vgg", "inception_v4", "inception_resnet"))
    assert found.distance == (1 if without_dropout and not variant else 0)
    assert all("dropout" in each.detail for each in found.differences)


def test_a_network_that_only_a_library_has_is_told_altered() -> None:
    with without_values():
        module = resolve("timm:resnet26+num_classes=10+in_chans=1").build()
        module.get_submodule("bn1").eps = 0.001  # type: ignore[assignment]
    found = identify(module, [(1, 224, 224)])
    assert (found.variant, found.distance, found.classes) == ("timm:resnet26", 1, 10)
    assert "eps 0.001 here, 1e-05 there" in str(found.differences[0])


@pytest.mark.parametrize(("said", "made"), [(a, b) for a in DEPTHS for b in DEPTHS if a != b])
def test_a_vgg_of_another_depth_is_not_what_it_is_called(said: int, made: int) -> None:
    found = identify(built(f"vgg{made}"))
    assert (claimed(f"VGG_{said}"), found.variant, found.distance) == (f"vgg{said}", f"vgg{made}", 0)
    assert not keeps(claimed(f"VGG_{said}"), found.variant)


@pytest.mark.parametrize(("said", "made"), [(50, 101), (101, 50), (18, 34), (152, 101)])
def test_a_resnet_of_another_depth_is_not_what_it_is_called(said: int, made: int) -> None:
    found = identify(built(f"resnet{made}"))
    assert found.variant == f"resnet{made}"
    assert not keeps(claimed(f"ResNet{said}"), found.variant)


def test_what_only_train_mode_shows_is_a_difference() -> None:
    network = built("alexnet")
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.2
    found = identify(network, [(3, 227, 227)])
    assert (found.variant, found.distance) == ("alexnet", 1)
    assert "dropout p 0.2 here, 0.5 there" in str(found.differences[0])


def test_an_altered_branch_is_the_only_difference() -> None:
    network = built("googlenet")
    wide = {path: each for path, each in network.named_modules() if getattr(each, "kernel_size", None) == (5, 5)}
    path, module = next(iter(wide.items()))
    altered = nn.Conv2d(module.in_channels, module.out_channels, 3, padding=1, device="meta")
    owner, _, last = path.rpartition(".")
    setattr(network.get_submodule(owner), last, altered)
    found = identify(network, [(3, 224, 224)])
    assert (found.variant, found.distance) == ("googlenet", 1)
    assert path in str(found.differences[0])


def test_what_is_no_network_of_the_catalog_is_called_nothing() -> None:
    with torch.device("meta"):
        module = resolve("torchvision:mobilenet_v2").build()
    found = identify(module)
    assert (found.variant, found.distance, found.differences) == ("", 0, ())
    assert found.likeness < 0.4


def test_the_module_is_left_as_it_was() -> None:
    network = models.build("lenet5").train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    identify(network)
    assert network.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(IdentificationError, match="returns 2x8x222x222"):
        identify(nn.Conv2d(3, 8, 3))
    with pytest.raises(IdentificationError, match="something else than a batch of images"):
        identify(nn.Bilinear(3, 3, 2))
    with pytest.raises(IdentificationError, match="none of 14 sizes"):
        identify(nn.Linear(7, 2))


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("VGG_13", "vgg13"),
        ("ResNet-50", "resnet50"),
        ("MyAlexNet", "alexnet"),
        ("VGG16_BN", "vgg16_bn"),
        ("WideResNet28_10", "wrn_28_10"),
        ("resnet20", "resnet20_cifar"),
        ("resnet26", "timm:resnet26"),
        ("ResNet50d", "timm:resnet50d"),
        ("resnet50dropout", "resnet50"),
        ("wide_resnet50_2", "wide_resnet50_2"),
        ("Inception_v1", "googlenet"),
        ("VGG", ""),
        ("Net", ""),
        ("preactresnet18", ""),
        ("vgg116", ""),
    ],
)
def test_names_say_a_network_or_none(name: str, variant: str) -> None:
    assert claimed(name) == variant


def test_a_name_stands_for_a_network_with_more_in_its_name() -> None:
    assert keeps("vgg16", "vgg16_bn")
    assert keeps("resnet50", "resnet50_v1_5")
    assert keeps("timm:resnet26", "timm:resnet26")
    assert keeps("resnet50", "timm:resnet50d")
    assert not keeps("timm:resnet50d", "resnet50_v1_5")
    assert not keeps("vgg1", "vgg16")
    assert not keeps("vgg16", "vgg19")


def test_likeness_weighs_what_has_weights() -> None:
    assert likeness({"relu": 1}, {"relu": 1}) == 1
    assert likeness({"conv 3x3 64": 1, "relu": 1}, {"conv 3x3 32": 1, "relu": 1}) == pytest.approx(1 / 7)
    assert likeness({}, {}) == 0


def test_the_package_has_it() -> None:
    assert repro.identify is identify
