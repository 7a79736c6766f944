"""Networks of the catalog with one thing altered: what is said of it, and whether it is called a slip."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from repro import models
from repro.audit.finding import Confidence, Severity, Words
from repro.graph import Graph, trace
from repro.identity import Identity
from repro.references import without_values
from repro.running.departures import Departure, departures, misnamed, told

Alteration = Callable[[Any], Any]


def traced(name: str, alter: Alteration | None = None) -> Graph:
    with without_values():
        network = models.build(name)
        network = (alter(network) if alter else None) or network
    return trace(network, torch.empty(2, *models.get(name).input_size, device="meta"), training=True)


def identity(name: str, distance: int = 1) -> Identity:
    return Identity(
        name, distance, (), 1.0, models.get(name).input_size, 10 if models.get(name).input_size[1] < 100 else 1000
    )


def found(name: str, alter: Alteration, claim: str = "") -> tuple[Departure, ...]:
    return departures(traced(name, alter), identity(name), claim)


def conv(old: nn.Conv2d, **changed: Any) -> nn.Conv2d:
    given: dict[str, Any] = {
        key: getattr(old, key) for key in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups")
    }
    return nn.Conv2d(**{**given, "bias": old.bias is not None, **changed})


def narrow_branch(network: Any) -> None:
    branch = network.inception_5b.branch3x3
    branch[0][0], branch[1][0] = conv(branch[0][0], out_channels=182), conv(branch[1][0], in_channels=182)


def other_kernel(network: Any) -> None:
    layer = network.inception_4c.branch5x5[1]
    layer[0] = conv(layer[0], kernel_size=3, padding=1)


def no_activation(network: Any) -> None:
    network.inception_3a.branch1x1[1] = nn.Identity()


def no_branch(network: Any) -> None:
    module, head = network.inception_5b, network.fc
    module.forward = types.MethodType(
        lambda self, x: torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch_pool(x)], dim=1), module
    )
    network.fc = nn.Linear(head.in_features - 128, head.out_features)


def no_shortcut(network: Any) -> None:
    block = network.backbone.conv4_x[1]
    block.forward = types.MethodType(
        lambda self, x: self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))), block
    )


def grouped_everywhere(network: Any) -> None:
    for stage in ("conv2_x", "conv3_x", "conv4_x", "conv5_x"):
        for block in getattr(network.backbone, stage):
            layers = dict(block.named_modules())
            layers["conv1"].groups = 32
            weight = layers["conv1"].weight
            layers["conv1"].weight = nn.Parameter(weight[:, : weight.shape[1] // 32])


def large_epsilon(network: Any) -> None:
    network.backbone.conv3_x[1].bn2.eps = 128


def no_layer(network: Any) -> None:
    del network.blocks[4][4:6]


BUGS = [
    ("googlenet", narrow_branch, "", "width", "inception_5b.branch3x3.0 has 182 maps; GoogLeNet has 192 (arXiv:1409."),
    (
        "googlenet",
        other_kernel,
        "",
        "kernel",
        "inception_4c.branch5x5.1: 3x3 instead of 5x5",
    ),
    ("googlenet", no_activation, "", "activation", "no ReLU after inception_3a.branch1x1; GoogLeNet has one there"),
    ("googlenet", no_branch, "", "missing", "inception_5b.branch5x5.0 and inception_5b.branch5x5.1 are missing: a 1x1"),
    ("resnet18", no_shortcut, "", "missing addition", "no addition at the end of conv4_x.1: the shortcut is missing"),
    ("resnext50_32x4d", grouped_everywhere, "", "groups", "16 of 53 convolutions (conv2_x.0.conv1 first): a 1x1 conv"),
    ("resnet18", large_epsilon, "", "epsilon", "the normalisation after conv3_x.1.conv2 has an epsilon of 128; ResNet"),
    ("vgg16", no_layer, "vgg16", "missing", "conv5_3 is missing: a 3x3 convolution with 512 maps (arXiv:1409.1556"),
]


@pytest.mark.parametrize(("name", "alter", "claim", "kind", "words"), BUGS, ids=[each[1].__name__ for each in BUGS])
def test_a_slip_is_told(name: str, alter: Alteration, claim: str, kind: str, words: str) -> None:
    (one,) = found(name, alter, claim)
    assert (one.kind, one.severity, one.confidence) == (kind, Severity.BUG, Confidence.HIGH)
    assert one.words.en.startswith(words)
    assert one.compared_to == name


def small_images(network: Any) -> None:
    network.backbone.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.backbone.maxpool = nn.Identity()


def dropped_less(network: Any) -> None:
    network.dropout.p = 0.2


def no_dropout(network: Any) -> None:
    network.dropout = nn.Identity()


def no_response(network: Any) -> None:
    network.norm1 = network.norm2 = nn.Identity()


def no_groups(network: Any) -> None:
    for name in ("conv2", "conv4", "conv5"):
        setattr(network, name, conv(getattr(network, name), groups=1))


def no_bias(network: Any) -> None:
    for block in network.blocks:
        for index, layer in enumerate(block):
            block[index] = conv(layer, bias=False) if isinstance(layer, nn.Conv2d) else layer


def softmax(network: Any) -> nn.Module:
    return nn.Sequential(network, nn.Softmax(dim=1))


def normalised_head(network: Any) -> None:
    network.fc1 = nn.Sequential(network.fc1, nn.BatchNorm1d(4096))


def padded_pool(network: Any) -> None:
    network.backbone.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)


def library_epsilon(network: Any) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def narrow_head(network: Any) -> None:
    network.fc1, network.fc2, network.fc3 = nn.Linear(25088, 512), nn.Linear(512, 512), nn.Linear(512, 1000)


def larger_kernels(network: Any) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.weight = nn.Parameter(torch.empty(*module.weight.shape[:2], 5, 5))
            module.kernel_size, module.padding = (5, 5), (2, 2)


def one_average(network: Any) -> None:
    network.backbone.maxpool = nn.AvgPool2d(3, stride=2, padding=1)


NOTES = [
    ("resnet18", small_images, "conv1: 3x3 instead of 7x7 (arXiv:1512.03385, Table 1)"),
    ("resnet18", padded_pool, "maxpool: padding 0 and sizes rounded up at the edge instead of padding 1"),
    (
        "resnet18",
        library_epsilon,
        "the normalisation after all 20 convolutions has an epsilon of 0.001; ResNet-18's is",
    ),
    ("resnet18", one_average, "maxpool: 3x3 average pooling with stride 2 instead of 3x3 max pooling with stride 2"),
    ("resnet18", larger_kernels, "8 of 20 convolutions (conv2_x.0.conv1 first): 5x5"),
    ("alexnet", no_dropout, "no dropout after fc6 and fc7; AlexNet has 0.5 (NIPS 25, section 4.2)"),
    ("alexnet", dropped_less, "dropout 0.2 after fc6 and fc7; AlexNet has 0.5"),
    ("alexnet", no_response, "no local response normalisation after conv1 and conv2; AlexNet has one there"),
    ("alexnet", no_groups, "no groups in conv2, conv4 and conv5; AlexNet has 2"),
    ("vgg11_bn", no_bias, "no bias in all 8 convolutions (the normalisation behind has one)"),
    ("vgg11", no_bias, "no bias in all 8 convolutions; VGG-11 has one there"),
    ("vgg11", normalised_head, "batch normalisation added after fc1"),
    ("vgg11", narrow_head, "fc1 and fc2 have 512 units; VGG-11 has 4096"),
    ("vgg11", softmax, "a softmax at the end"),
]


@pytest.mark.parametrize(("name", "alter", "words"), NOTES, ids=[f"{each[0]}-{each[1].__name__}" for each in NOTES])
def test_an_adaptation_is_a_note(name: str, alter: Alteration, words: str) -> None:
    told_of = found(name, alter, name)
    assert {one.severity for one in told_of} == {Severity.NOTE}
    assert any(one.words.en.startswith(words) for one in told_of), [one.words.en for one in told_of]


def test_a_design_of_its_own_has_no_slips() -> None:
    def alter(network: Any) -> None:
        larger_kernels(network)
        no_shortcut(network)

    assert {one.severity for one in found("resnet18", alter)} == {Severity.NOTE}


def test_a_network_that_is_exactly_its_nearest_has_no_departures() -> None:
    exact = identity("resnet18", 0)
    assert departures(traced("resnet18"), exact) == ()
    assert told(exact, ()).en == "ResNet-18 (resnet18), exactly"


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16_bn", "resnet18_a", "googlenet", "nin_cifar10"])
def test_the_same_network_has_no_departures(name: str) -> None:
    assert found(name, lambda network: None) == ()


def test_a_network_is_compared_with_the_one_that_it_claims_if_that_is_nearer() -> None:
    one, *rest = departures(traced("googlenet", no_activation), identity("googlenet_bn"), "googlenet")
    assert (one.compared_to, rest) == ("googlenet", [])


def test_what_a_network_is_in_one_phrase() -> None:
    small = Identity("alexnet", 3, (), 0.9, (1, 28, 28), 10)
    one = Departure("lrn", Words("", ""), Severity.NOTE, Confidence.HIGH, "", 1, "", "alexnet")
    assert told(small, [one]).en == "AlexNet (alexnet) adapted to 28x28 images of one channel, with 1 departure"
    assert told(small, [one]).zh == "改为处理28x28的单通道图像的 AlexNet（alexnet），有 1 处不同"
    assert told(Identity("", 0, (), 0.1, (3, 32, 32), 10), ()).en.startswith("none of the networks")
    assert told(identity("vgg16_bn", 0), ()).zh == "就是 带批归一化的 VGG-16（vgg16_bn）"


@pytest.mark.parametrize(
    ("variant", "claim", "en"),
    [
        (
            "vgg11_bn",
            "vgg13",
            "this is VGG-11 with batch normalisation, configuration A; its name says VGG-13, configuration B: "
            "conv1_2 and conv2_2 are missing",
        ),
        ("vgg16", "vgg16_c", "this is VGG-16, configuration D; its name says VGG-16, configuration C"),
        (
            "resnet50",
            "resnet34",
            "this is ResNet-50; its name says ResNet-34: its blocks are of 1x1, 3x3, 1x1 convolutions, "
            "those of the other of 3x3, 3x3",
        ),
        (
            "resnet50_v1_5",
            "resnet101",
            "this is ResNet-50 v1.5; its name says ResNet-101: 17 blocks of conv4_x are missing (6 instead of 23)",
        ),
        ("plain34", "resnet34", "this is ResNet-34; its name says ResNet-34: its blocks have no shortcuts"),
        ("alexnet", "googlenet", "this is AlexNet; its name says GoogLeNet"),
    ],
)
def test_a_network_of_another_name(variant: str, claim: str, en: str) -> None:
    assert misnamed(claim, identity(variant, 0)).en == en


def test_a_network_of_another_name_in_chinese() -> None:
    assert misnamed("resnet101", identity("resnet50", 0)).zh == (
        "这是 ResNet-50，而名称说的是 ResNet-101：conv4_x 少 17 个块（6 个，应为 23 个）"
    )
