"""Which network a name says, and which networks may go by it."""

from __future__ import annotations

import functools
import re

from repro import models
from repro.signatures import is_reference, signatures

_BEFORE = "my|our|the|custom|simple|build|make|get|create|net|network|model|pytorch|torch|cifar|imagenet"
_SYNONYMS = {"wideresnet": "wrn", "vggnet": "vgg", "inceptionv1": "googlenet"}


def claimed(name: str) -> str:
    """The network that a name says, as `VGG_13`, `ResNet-50` or `MyAlexNet` does; empty if it says none.

    More may follow the name of one of the catalog; that of a library's network, such as `resnet26d`, has to be all.
    """
    plain = _plain(name)
    for written, ours in _SYNONYMS.items():
        found = _said(plain) or _said(plain.replace(written, ours))
        if found:
            return found
    return ""


def _said(plain: str) -> str:
    begun = [each for each in _catalog() if re.match(rf"(?:{_BEFORE})*{each}(?![0-9])", plain)]
    whole = re.sub(rf"^(?:{_BEFORE})*", "", plain)
    if whole not in begun and whole in _libraries():
        return _libraries()[whole]
    return _catalog()[max(begun, key=len)] if begun else ""


def keeps(claim: str, variant: str) -> bool:
    """Whether a network is one that a name may stand for: vgg16_bn is called VGG-16 too, and vgg19 is not."""
    claim, variant = _bare(claim), _bare(variant)
    return variant.startswith(claim) and not variant.removeprefix(claim)[:1].isdigit()


def _bare(name: str) -> str:
    """The name of a network without that of its library."""
    return name.rpartition(":")[2]


@functools.cache
def _catalog() -> dict[str, str]:
    """What the networks are called, without case and separators -> their names in the catalog."""
    found: dict[str, str] = {}
    for name, variant in models.catalog().items():
        for each in (name, *variant.aliases):
            found.setdefault(_plain(each), name)
    for name in models.catalog():  # ResNet-20 is for CIFAR, and is seldom called so
        found.setdefault(_plain(name.removesuffix("_cifar")), name)
    return found


@functools.cache
def _libraries() -> dict[str, str]:
    """The same of the networks that libraries have and the catalog has not -> their specifications."""
    return {_plain(_bare(name)): name for name in signatures() if is_reference(name)}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
