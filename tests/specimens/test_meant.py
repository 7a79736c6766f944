"""What the snippets were meant to be is in the catalog: repaired forms, and what is right in the originals, are it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from repro import models
from tests.specimens import alexnet_002, alexnet_003, lenet_002
from tests.specimens._originals import Original, missing, original
from tests.specimens._properties import differing
from tests.specimens._vgg import VGG

BOTH = (False, True)
EVAL = (False,)  # dropouts that stand elsewhere are seen in train mode only

REPAIRED: dict[str, tuple[Callable[[], nn.Module], dict[str, int], tuple[bool, ...]]] = {
    "lenet5_28": (lenet_002.Repaired, {}, BOTH),
    "lenet5": (lenet_002.LeNet5, {}, BOTH),
    "alexnet": (alexnet_002.Repaired, {}, BOTH),
    "alexnet in_channels=1": (lambda: alexnet_002.Repaired(1, 10), {"in_channels": 1, "num_classes": 10}, BOTH),
    "alexnet of 003": (alexnet_003.Repaired, {}, EVAL),
    "vgg11": (lambda: VGG(11), {}, BOTH),
    "vgg13": (lambda: VGG(13), {}, BOTH),
    "vgg16": (lambda: VGG(16), {}, BOTH),
    "vgg19": (lambda: VGG(19), {}, BOTH),
    "vgg11 in_channels=1": (lambda: VGG(11, 10, channels=1), {"in_channels": 1, "num_classes": 10}, BOTH),
    "vgg13_bn": (lambda: VGG(13, norm=True), {}, BOTH),
    "vgg16_cifar": (lambda: VGG(16, 10, hidden=512, side=1), {}, BOTH),
    "vgg16_bn_cifar": (lambda: VGG(16, 10, hidden=512, side=1, norm=True), {}, BOTH),
}


def parting(network: Callable[[], nn.Module], name: str, arguments: dict[str, int], modes: tuple[bool, ...]) -> str:
    """Where a network and that of the catalog part, in any of the modes."""
    with torch.device("meta"):
        size = (arguments.get("in_channels", models.get(name).input_size[0]), *models.get(name).input_size[1:])
        pairs = [(network(), models.build(name, **arguments), mode) for mode in modes]
        return "".join(differing(one, other, size, mode) for one, other, mode in pairs)


@pytest.mark.parametrize("case", REPAIRED)
def test_a_repaired_form_is_the_network_of_the_catalog(case: str) -> None:
    network, arguments, modes = REPAIRED[case]
    assert parting(network, case.partition(" ")[0], arguments, modes) == ""


class Told(nn.Module):
    """The VGG of document 002 with the length of a row that is right for 32x32 images."""

    def __init__(self, it: Original) -> None:
        super().__init__()
        self.network = it.run().VGG("VGG11", 512, 512)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.network(x, 512)
        return x


def resnet(block: str, *repeats: int, **options: int) -> Callable[[Original], nn.Module]:
    """A ResNet of document 002."""

    def build(it: Original) -> nn.Module:
        run = it.run()
        network: nn.Module = run.ResNet(getattr(run, block), [*repeats], **options)
        return network

    return build


def named(name: str) -> Callable[[Original], nn.Module]:
    """What a function of the document builds."""

    def build(it: Original) -> nn.Module:
        network: nn.Module = getattr(it.run(), name)()
        return network

    return build


RIGHT = [
    ("002", "LeNet", named("Net"), "lenet5_28", {}, BOTH),
    ("002", "VGG", Told, "vgg11_cifar", {"in_channels": 1}, EVAL),
    ("002", "ResNet", resnet("BasicBlock", 2, 2, 2, 2), "resnet18", {}, BOTH),
    ("002", "ResNet", resnet("Bottleneck", 3, 4, 6, 3), "resnet50_v1_5", {}, BOTH),
    ("002", "ResNet", resnet("Bottleneck", 3, 4, 6, 3, groups=32, width_per_group=4), "resnext50_32x4d", {}, EVAL),
    ("002", "ResNet", resnet("Bottleneck", 3, 4, 6, 3, width_per_group=128), "wide_resnet50_2", {}, EVAL),
    *(
        ("003", "VGG", named(f"vgg{depth}{norm}"), f"vgg{depth}{norm}_cifar", {}, EVAL)
        for depth in (11, 13, 16, 19)
        for norm in ("", "_bn")
    ),
    ("003", "ResNet", named("resnet50_gn"), "resnet50_gn", {}, EVAL),
    ("003", "ResNet", named("resnet101"), "resnet101_caffe", {}, EVAL),
]


@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize(
    ("document", "snippet", "build", "name", "arguments", "modes"), RIGHT, ids=[f"{one[0]}-{one[3]}" for one in RIGHT]
)
def test_an_original_that_is_right_is_the_network_of_the_catalog(
    document: str,
    snippet: str,
    build: Callable[[Original], nn.Module],
    name: str,
    arguments: dict[str, int],
    modes: tuple[bool, ...],
) -> None:
    assert parting(lambda: build(original(document, snippet)), name, arguments, modes) == ""


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_document_s_resnet_50_lacks_only_the_bias_of_the_released_one() -> None:
    def with_bias() -> nn.Module:
        network = named("resnet50")(original("003", "ResNet"))
        network.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        return network

    assert parting(with_bias, "resnet50_caffe", {}, EVAL) == ""
