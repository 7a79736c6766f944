"""What the documents say in numbers, each computed on a network of the catalog and judged by what comes out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import nn

from repro import models
from repro.graph import trace
from repro.layers import layers
from repro.measures import MEASURES, Subject
from repro.papers import papers
from tests.specimens import alexnet_002, alexnet_003
from tests.specimens._properties import subject

BYTES = 4  # of a float32
MIB = 2**20


@dataclass(frozen=True)
class Claim:
    """One statement of a document.

    says      in our words
    measured  the number that it is about, and what it is of
    true      whether the statement is, by that number
    """

    document: str
    says: str
    measured: Callable[[], tuple[float, str]]
    true: Callable[[float], bool]

    def found(self) -> tuple[bool, str]:
        """Whether it is true, and the evidence."""
        number, told = self.measured()
        return self.true(number), told


@functools.cache
def of(name: str) -> Subject:
    """A network of the catalog at its own size."""
    with torch.device("meta"):
        return subject(models.build(name), models.get(name).input_size)


def count(name: str, measure: str, at: str = "") -> int:
    """A measure that is a number."""
    return int(MEASURES[measure](of(name), at))


def fully_connected(network: nn.Module, first: int) -> int:
    """Bytes of the parameters of the first so many fully connected layers."""
    found = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][:first]
    return sum(parameter.numel() for layer in found for parameter in layer.parameters()) * BYTES


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build()


def near(number: float) -> Callable[[float], bool]:
    """Within a tenth of what is said."""
    return lambda measured: abs(measured / number - 1) <= 0.1


def googlenet_parameters() -> tuple[float, str]:
    found = count("googlenet", "parameters")
    return found, f"{found:,} parameters, without the auxiliary heads"


def googlenet_table() -> tuple[float, str]:
    rows = [fact for fact in papers()["googlenet"].facts if fnmatchcase(fact.id, "googlenet.t1.*.params")]
    found = sum(float(fact.value) for fact in rows if fact.id != "googlenet.t1.sum.params")
    return found, f"the rows of the paper's own Table 1 sum to {found / 1e6:.2f} million"


def googlenet_multiply_adds() -> tuple[float, str]:
    found = count("googlenet", "multiply_adds")
    return found, f"{found / 1e9:.2f} billion multiply-adds"


def googlenet_depth() -> tuple[float, str]:
    found = count("googlenet", "depth")
    return found, f"{found} layers with weights on the longest way"


def alexnet_of_the_document() -> tuple[float, str]:
    found = fully_connected(on_meta(alexnet_002.Broken), 2)
    return found, f"{found / 1e6:.1f} MB in the two fully connected layers of the document's code"


def alexnet_of_the_paper() -> tuple[float, str]:
    found = fully_connected(on_meta(lambda: models.build("alexnet")), 3)
    return found, f"{found / 1e6:.1f} MB in all three fully connected layers of the paper"


def vgg16_bytes() -> tuple[float, str]:
    found = count("vgg16", "parameters") * BYTES
    return found, f"{count('vgg16', 'parameters'):,} parameters, {found / MIB:.0f} MiB in float32"


def kinds(name: str) -> tuple[int, int]:
    """Convolutions and fully connected layers."""
    convolutions = len(MEASURES["every_convolution"](of(name), ""))
    return convolutions, count(name, "layers") - convolutions


def kinds_are(name: str, convolutions: int, products: int) -> Callable[[], tuple[float, str]]:
    """1 if the network has so many convolutions and fully connected layers."""

    def measured() -> tuple[float, str]:
        found = kinds(name)
        return float(found == (convolutions, products)), f"{found[0]} convolutions, {found[1]} fully connected layers"

    return measured


def two_small_kernels() -> tuple[float, str]:
    net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    found = layers(trace(net, torch.empty(1, 3, 9, 9, device="meta")))[-1].receptive_field
    return found[0], f"a receptive field of {found[0]}x{found[1]}"


def first_map(side: int) -> Callable[[], tuple[float, str]]:
    """The side of the first map of AlexNet."""

    def measured() -> tuple[float, str]:
        found = on_meta(lambda: nn.Conv2d(3, 96, 11, stride=4))(torch.empty(1, 3, side, side, device="meta")).shape[-1]
        return found, f"a {side}x{side} image gives {found}x{found} maps"

    return measured


def shapes_of_alexnet() -> tuple[float, str]:
    features = on_meta(alexnet_003.Broken).get_submodule("features")
    sides, x = [], torch.empty(1, 3, 227, 227, device="meta")
    for layer in features.children():
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(x.shape[-1])
    return float(sides == [55, 27, 27, 13, 13, 13, 13, 6]), f"maps {sides} pixels wide"


def pools_of_alexnet() -> tuple[float, str]:
    found = MEASURES["sequence"](of("alexnet"), "")
    steps = [step for step in found if step != "LRN"]
    return float([i for i, step in enumerate(steps) if step == "max 3x3/2"] == [1, 3, 7]), ", ".join(steps)


def certain(measured: float) -> bool:
    return measured == 1


CLAIMS = [
    Claim("001", "The weights of VGG-16 take more than 500 MB.", vgg16_bytes, lambda found: found > 500 * MIB),
    Claim("001", "vgg16 has 13 convolutions and 3 fully connected layers.", kinds_are("vgg16", 13, 3), certain),
    Claim("001", "Two 3x3 kernels stand for one of 5x5.", two_small_kernels, lambda found: found == 5),
    Claim("002", "GoogLeNet has only 5 million parameters.", googlenet_parameters, near(5e6)),
    Claim("002", "GoogLeNet has only 5 million parameters, by its paper.", googlenet_table, near(5e6)),
    Claim("002", "GoogLeNet computes 1.5 billion operations.", googlenet_multiply_adds, near(1.5e9)),
    Claim("002", "GoogLeNet is 22 layers deep.", googlenet_depth, lambda found: found == 22),
    Claim("002", "AlexNet has 5 convolutions and 3 fully connected layers.", kinds_are("alexnet", 5, 3), certain),
    Claim(
        "002",
        "Max poolings of 3x3 and stride 2 follow AlexNet's first, second and fifth convolutions.",
        pools_of_alexnet,
        certain,
    ),
    Claim("002", "AlexNet's two fully connected layers have nearly 1 GB.", alexnet_of_the_document, near(1e9)),
    Claim("002", "AlexNet's fully connected layers have nearly 1 GB.", alexnet_of_the_paper, near(1e9)),
    Claim("003", "VGG-16 has 13 convolutions and 3 fully connected layers.", kinds_are("vgg16", 13, 3), certain),
    Claim("003", "VGG-19 has 16 convolutions and 3 fully connected layers.", kinds_are("vgg19", 16, 3), certain),
    Claim("003", "AlexNet has 5 convolutions and 3 fully connected layers.", kinds_are("alexnet", 5, 3), certain),
    Claim("003", "A 227x227 image gives AlexNet's 55x55 maps.", first_map(227), lambda found: found == 55),
    Claim("003", "The shapes in AlexNet's comments are those of 227x227 images.", shapes_of_alexnet, certain),
    Claim("003", "A 224x224 image does not give 55x55 maps.", first_map(224), lambda found: found != 55),
]
