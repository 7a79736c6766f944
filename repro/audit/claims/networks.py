"""Where a text names networks, and which of the catalog they are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repro import models

# Families whose members people name; of those without a number some are one network, and others, such as VGG, are none.
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_/])(?<![A-Za-z_]\.)(?P<family>pre-?act-?resnet|wide[- ]?resnet|wrn|resnext|resnet"
    r"|vgg-?net|vgg|alex-?net|zf-?net"
    r"|le-?net|goog(?:le)?-?(?:le)?-?net|inception|network[- ]in[- ]network|nin|dense-?net"
    r"|mobile-?net|efficient-?net|squeeze-?net"
    r"|shuffle-?net|xception|bert|transformer|r-?cnn|yolo|unet|u-net|mlp)"
    r"(?:[-_ ]?(?P<number>v?\d+(?:\.\d+)?(?![\d%])(?:[-_]\d+)?))?(?P<bn>[-_]bn)?"
    r"(?![A-Za-z0-9]|\s*(?:模块|块|module|block))",
    re.IGNORECASE,
)
_FAMILIES = {
    "alexnet": "alexnet",
    "googlenet": "googlenet",
    "googlelenet": "googlenet",
    "inceptionv1": "googlenet",
    "inceptionv3": "inception_v3",
    "inceptionv4": "inception_v4",
    "lenet": "lenet5",
}
_COMPARED = re.compile(
    r"(?:比|相比于?|相较于?|[大多小少高低优快]于|不如"
    r"|than|compared (?:to|with)|unlike|versus|vs\.?|previous (?:model|network),?)\s*(?:the |a )?$",
    re.IGNORECASE,
)
_NEAR = 40  # characters before a name in which it says that others are compared with it
_AND = re.compile(r"\s*(?:和|与|及|、|/|,|and|or|&)\s*(?:the |a )?$", re.IGNORECASE)


@dataclass(frozen=True)
class Mention:
    """A network that is named between two characters; `network`: of the catalog, or empty."""

    start: int
    end: int
    written: str
    network: str


def mentions(text: str) -> list[Mention]:
    """The networks that a text speaks of, without those that it compares them with."""
    found = [_mention(each) for each in _MENTION.finditer(text)]
    compared: list[Mention] = []
    for each in found:
        before = text[max(each.start - _NEAR, 0) : each.start]
        listed = bool(compared) and _AND.fullmatch(text[compared[-1].end : each.start]) is not None
        if listed or _COMPARED.search(before):
            compared.append(each)
    return [each for each in found if each not in compared]


def only(found: list[Mention]) -> Mention | None:
    """The one that all of these are; None if they are several, or none of the catalog."""
    return found[0] if found and found[0].network and len({each.network for each in found}) == 1 else None


_AROUND = re.compile(r"^(?:my|make|build|get|create|our)_?(?=[A-Za-z])|(?:_net|_?network|_?model)$", re.IGNORECASE)


def named(symbol: str) -> str:
    """The network of the catalog that a class or function is named after, as `VGG_16` or `MyAlexNet`; or empty."""
    found = [*_MENTION.finditer(symbol)] or [*_MENTION.finditer(_AROUND.sub("", symbol))]
    return _mention(found[0]).network if len(found) == 1 and found[0].start() == 0 else ""


def variants(network: str) -> list[str]:
    """The networks that may go by the name of one, for images of the same size: vgg16_bn is called VGG-16 too."""
    catalog = models.catalog()
    if network not in catalog:
        return []
    rest = {name: name.removeprefix(network) for name in catalog if name.startswith(network) and name != network}
    size = catalog[network].input_size
    return [network, *(name for name, end in rest.items() if not end[0].isdigit() and catalog[name].input_size == size)]


def _mention(found: re.Match[str]) -> Mention:
    family = re.sub(r"[^a-z]", "", found["family"].lower())
    number = (found["number"] or "").lower()
    plain = re.sub(r"[^a-z0-9]", "", f"{family.removesuffix('net') if family == 'vggnet' else family}{number}")
    bn = "bn" if found["bn"] else ""
    return Mention(found.start(), found.end(), found[0].strip(), _catalog().get(plain + bn, ""))


@functools.cache
def _catalog() -> dict[str, str]:
    """What the networks are called, without case and separators -> their names in the catalog."""
    return {**dict(_plain_names()), **_FAMILIES}


def _plain_names() -> Iterator[tuple[str, str]]:
    for name, variant in models.catalog().items():  # ResNet-20 is for CIFAR, and is seldom called so
        yield re.sub(r"[^a-z0-9]", "", name.removesuffix("_cifar") if name.startswith("resnet") else name), name
        for alias in variant.aliases:
            yield re.sub(r"[^a-z0-9]", "", alias), name
