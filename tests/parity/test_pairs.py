"""Every pair of the catalog by structure and mapping, and pairs outside it; `nox -s verify` adds sizes and forwards."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from repro import onnx_graph
from repro.errors import MissingLibraryError
from repro.graph import TraceError
from repro.mapping import key_map, match
from repro.models import catalog, get
from repro.onnx_graph import OnnxGraph
from repro.parity.differences import differences
from repro.parity.network import Network, Stopwatch
from repro.parity.verify import compare
from repro.references import Size, resolve
from repro.result import Outcome

PAIRS = [(variant.name, reference) for variant in catalog().values() for reference in variant.references]

# Networks of other families, which nothing here was written for: torchvision's against timm's.
OUTSIDE = [
    ("densenet121", "densenet121"),
    ("mobilenet_v2", "mobilenetv2_100"),
    ("efficientnet_b0", "efficientnet_b0"),
    ("mnasnet1_0", "mnasnet_100"),
    ("regnet_y_400mf", "regnety_004"),
    ("convnext_tiny", "convnext_tiny"),
    ("vit_b_16", "vit_base_patch16_224"),
]

# What torchvision and timm have of the networks in the catalog: no pair may go missing unseen.
TORCHVISION = (
    "alexnet googlenet inception_v3 vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn resnet18 resnet34"
    " resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2"
).split()
TIMM = (
    "inception_v3 inception_v4 inception_resnet_v2 vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn resnet18"
    " resnet34 resnet50 resnet101 resnet152 resnet50_gn resnext50_32x4d resnext101_32x4d resnext101_32x8d"
    " resnext101_64x4d wide_resnet50_2 wide_resnet101_2"
).split()

# And onnx, whose files are of these six networks and of three that are not in the catalog.
ONNX = ["bvlc_alexnet", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512"]


# What pytorchcv has, of the networks in the catalog that neither of them has.
PYTORCHCV = (
    "bninception nin_cifar10 zfnet zfnetb preresnet110_cifar10 preresnet164bn_cifar10 preresnet1001_cifar10"
    " preresnet152 preresnet200 resnet20_cifar10 resnet56_cifar10 resnet110_cifar10 resnet1202_cifar10"
    " resnext29_16x64d_cifar10 wrn16_10_cifar10 wrn28_10_cifar10 wrn40_8_cifar10"
).split()


def network(spec: str, size: Size) -> Network:
    """The network of a specification; skips the test if its library is not installed."""
    try:
        return Network.of(resolve(spec), size, Stopwatch())
    except MissingLibraryError as error:
        pytest.skip(str(error))


@lru_cache(maxsize=1)
def ours(name: str) -> Network:
    """The network of the catalog, traced once for all of its references."""
    return network(f"repro:{name}", get(name).other_size)


def test_every_network_of_the_references_is_a_pair() -> None:
    references = {reference.partition("+")[0] for _, reference in PAIRS}
    libraries = {"torchvision": TORCHVISION, "timm": TIMM, "pytorchcv": PYTORCHCV, "onnx": ONNX}
    assert {f"{library}:{name}" for library, names in libraries.items() for name in names} - references == set()
    assert {f"onnx:{name}" for name in ONNX} >= {each for each in references if each.startswith("onnx:")}


@pytest.mark.parametrize(("name", "reference"), PAIRS)
def test_pair_of_the_catalog_is_proved_and_mapped(name: str, reference: str) -> None:
    variant = get(name)
    size = variant.compared_at(reference)[-1]
    theirs = network(reference, size)
    if reference in variant.sizes and not reference.startswith("onnx:"):
        with pytest.raises(TraceError, match=re.escape(f"{reference}: forward failed")):
            theirs.graph(variant.other_size)
    first, second = ours(name).canonical(size), theirs.canonical(size)
    matching = match(first, second)
    assert matching is not None, [str(difference) for difference in differences(first, second)]
    assert matching.choices == 0
    keys = key_map(first, second, matching)
    assert set(keys.unmapped_target) <= second.state.keys() - theirs.graph(size).readers().keys()
    if reference in variant.differs:
        size, _ = variant.differs[reference]
        assert match(ours(name).canonical(size), theirs.canonical(size)) is None


def told(name: str, reference: str, size: Size, training: bool = False) -> list[str]:
    """The differences between a network of the catalog and a reference."""
    both = network(f"repro:{name}", size), network(reference, size)
    return [each.detail for each in differences(*(one.canonical(size, training) for one in both))]


def test_a_file_of_onnx_without_its_amendments_is_another_network_in_these_places_only() -> None:
    size, smaller = (3, 224, 224), (3, 222, 222)
    assert told("vgg19", "onnx:vgg19", size)[0] == "nothing here, softmax there"
    assert told("resnet50_v1_5", "onnx:resnet50+logits", size) == ["batch_norm eps 1e-05 here, 1.0000001e-05 there"]
    constants = ["mul other 0.0005 here, 0.0001 there", "add other 2 here, 1.0 there"]
    assert told("alexnet", "onnx:bvlc_alexnet+logits", (3, 227, 227)) == constants
    assert told("googlenet", "onnx:inception_v1+logits", smaller) == constants
    assert told("googlenet_bvlc", "onnx:inception_v1+logits", size) == ["max_pool2d ceil_mode True here, False there"]


@pytest.mark.control("structure")
@pytest.mark.parametrize(
    ("output", "attribute", "value"),
    [
        ("r0", "pads", (1, 0, 0, 1)),
        ("r2", "size", 3),
        ("r2", "beta", 0.5),
        ("r4", "pads", (2, 2, 1, 2)),
        ("r4", "pads", (1, 2, 3, 2)),
        ("r14", "pads", (1, 1, 0, 0)),
        ("r16", "alpha", 0.5),
    ],
)
def test_a_file_with_a_fault_in_it_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, output: str, attribute: str, value: object
) -> None:
    def faulty(path: Path) -> OnnxGraph:
        graph = read(path)
        found = [node for node in graph.nodes if node.outputs[0] == output]
        changed = {id(node): replace(node, attributes={**node.attributes, attribute: value}) for node in found}
        return replace(graph, nodes=tuple(changed.get(id(node), node) for node in graph.nodes))

    size = (3, 227, 227)
    assert not told("alexnet_bvlc", "onnx:bvlc_alexnet+logits", size)
    read = onnx_graph.read
    monkeypatch.setattr(onnx_graph, "read", faulty)
    assert told("alexnet_bvlc", "onnx:bvlc_alexnet+logits", size)


@pytest.mark.parametrize(("torchvision", "timm"), OUTSIDE)
def test_pair_outside_the_catalog_needs_no_help(torchvision: str, timm: str) -> None:
    size = (3, 224, 224)
    first = network(f"torchvision:{torchvision}", size).canonical(size)
    second = network(f"timm:{timm}", size).canonical(size)
    matching = match(first, second)
    assert matching is not None, [str(difference) for difference in differences(first, second)]
    keys = key_map(first, second, matching)
    assert not keys.unmapped_source
    assert not keys.unmapped_target


def test_a_module_that_reads_its_version_from_the_state_dict_is_compared() -> None:
    results = list(compare("torchvision:mnasnet1_0", "timm:mnasnet_100", [(3, 64, 64)], Stopwatch()))
    unpassed = {result.check: result for result in results if result.outcome is not Outcome.PASS}
    assert unpassed.keys() == {"train.structure", "train.float64", "train.float32", "initialisation"}
    assert "dropout here, nothing there" in unpassed["train.structure"].message


def test_a_pair_that_differs_is_told_at_which_operation() -> None:
    size = (3, 224, 224)
    first = network("torchvision:mobilenet_v3_large", size).canonical(size)
    second = network("timm:mobilenetv3_large_100", size).canonical(size)
    assert match(first, second) is None
    (only,) = differences(first, second)
    assert only.detail == "batch_norm eps 0.001 here, 1e-05 there"
    assert only.places[0] == ("features.0.1", "bn1")
    assert len(only.places) == 46
