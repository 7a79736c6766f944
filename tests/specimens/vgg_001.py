"""Document 001: torchvision's VGG, explained, after an OCR that lost quotes, brackets, underscores and asterisks.

The document is not Python and is never run. Each specimen here is what its damaged line does where it stands in code
that is otherwise whole. Three properties ask the document's text: its statement, its import, its list of names. For the
other five the damaged line is looked for in the text, and then the specimen is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._originals import Original
from tests.specimens._properties import can_be_built, can_be_imported, defines_what_it_exports, parses
from tests.specimens._vgg import VGG

BROKEN_SOURCE = "def layers(cfg):\n    for v in cfg:\n        if v = M:\n            return v\n"
REPAIRED_SOURCE = BROKEN_SOURCE.replace("v = M", "v == 'M'")

BROKEN_EXPORTS = "__all__ = ['small', 'large']\n\n\ndef small():\n    return 1\n"
REPAIRED_EXPORTS = BROKEN_EXPORTS + "\n\ndef large():\n    return 2\n"


class WithoutConstructor(nn.Module):
    """Its constructor has lost two underscores, and is a method that nobody calls."""

    def _init_(self, classes: int) -> None:
        self.fc = nn.Linear(4, classes)


class WithConstructor(nn.Module):
    """The same with its underscores."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(4, classes)


def broken_pooling() -> nn.Module:
    pool: Callable[..., nn.Module] = nn.AdaptiveAvgPool2d
    return pool(7, 7)


def broken_layers() -> nn.Sequential:
    layers: Any = 3  # the document has one line of what were two: an empty list, and three channels
    channels = 3
    for filters in (4, 8):
        layers += [nn.Conv2d(channels, filters, 3)]
        channels = filters
    return nn.Sequential(*layers)


def repaired_layers() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for filters in (4, 8):
        layers += [nn.Conv2d(channels, filters, 3)]
        channels = filters
    return nn.Sequential(*layers)


def broken_letters() -> list[object]:
    return [64, M, 128, M]  # type: ignore[name-defined]  # noqa: F821


def one_asterisk(*kwargs: Any) -> nn.Module:
    return VGG(11, *kwargs)


def two_asterisks(**kwargs: Any) -> nn.Module:
    return VGG(11, **kwargs)


def with_keyword(build: Callable[..., nn.Module], name: str) -> Callable[[], nn.Module]:
    """What builds a network of ten classes, and says so by keyword."""
    return lambda: build(**{name: 10})


def line(it: Original, pattern: str) -> str:
    """What a pattern finds in the document. Raises LookupError if it is not there."""
    found = re.search(pattern, it.text)
    if found is None:
        raise LookupError(f"the document has no {pattern}")
    return found[0]


def having(it: Original, pattern: str, specimen: Callable[[], object]) -> Callable[[], object]:
    """The specimen, which is asked in place of the document once the document is seen to have the same line."""
    line(it, pattern)
    return specimen


def statement(it: Original) -> str:
    """The damaged statement, which is one line of code with its body."""
    return line(it, r"if v = M: layers \+= nn\.MaxPool2d\(kernel_size=2, stride=2\)")


def exports(it: Original) -> str:
    """What the document lists and what it defines, as a file without bodies."""
    listed = line(it, r"(?<=_all_ = )[\w, ]+(?=,model_urls)").split(", ")
    defined = re.findall(r"def (vgg\w+)\(pretrained=", it.text)
    bodies = "".join(f"def {name}(): ...\n" for name in defined)
    return f"__all__ = {[name.strip(',') for name in listed]}\nclass VGG: ...\n{bodies}"


bug = partial(Bug, document="001", snippet="VGG")

BUGS = [
    bug(
        name="it_is_python",
        severity="bug",
        bug="The text has lost its line ends, quotes, brackets and underscores; `if v = M` is one of many places.",
        holds="The statement can be compiled.",
        property=parses,
        shows="SyntaxError",
        specimen=lambda: BROKEN_SOURCE,
        repaired=lambda: REPAIRED_SOURCE,
        kept_by=(),
        original=statement,
    ),
    bug(
        name="the_constructor_is_called",
        severity="bug",
        bug="`_init_` is no constructor: the layers are never made, and the arguments are refused.",
        holds="The network can be built with its number of classes.",
        property=can_be_built,
        shows="TypeError: got an unexpected keyword argument 'classes'",
        specimen=lambda: with_keyword(WithoutConstructor, "classes"),
        repaired=lambda: with_keyword(WithConstructor, "classes"),
        kept_by=("vgg16",),
        ours=lambda vgg16: with_keyword(vgg16, "num_classes"),
        original=lambda it: having(
            it,
            r"class VGG\(nn\.Module\): def _init_\(self, features, num_classes",
            with_keyword(WithoutConstructor, "classes"),
        ),
    ),
    bug(
        name="the_pooling_takes_one_size",
        severity="bug",
        bug="AdaptiveAvgPool2d(7, 7) has lost a pair of brackets and has one argument too many.",
        holds="The pooling to 7x7 can be built.",
        property=can_be_built,
        shows="TypeError: takes 2 positional arguments but 3 were given",
        specimen=lambda: broken_pooling,
        repaired=lambda: lambda: nn.AdaptiveAvgPool2d((7, 7)),
        kept_by=(),
        original=lambda it: having(it, r"nn\.AdaptiveAvgPool2d\(7, 7\)", broken_pooling),
    ),
    bug(
        name="layers_are_a_list",
        severity="bug",
        bug="`layers = in_channels = 3` was two assignments; a number takes no layers.",
        holds="Layers can be added to those there are.",
        property=can_be_built,
        shows="TypeError: unsupported operand type",
        specimen=lambda: broken_layers,
        repaired=lambda: repaired_layers,
        kept_by=(),
        original=lambda it: having(it, r"layers = in_channels = 3 for v in cfg:", broken_layers),
    ),
    bug(
        name="letters_are_quoted",
        severity="bug",
        bug="The letters in the lists of layers have lost their quotes and are names of nothing.",
        holds="The lists of layers can be read.",
        property=can_be_built,
        shows="NameError: name 'M' is not defined",
        specimen=lambda: broken_letters,
        repaired=lambda: lambda: [64, "M", 128, "M"],
        kept_by=(),
        original=lambda it: having(it, r"cfgs = A: 64, M, 128, M, 256", broken_letters),
    ),
    bug(
        name="keywords_are_passed_on",
        severity="bug",
        bug="*kwargs was **kwargs: no option, such as num_classes, can be given by its name.",
        holds="The number of classes can be given by its name.",
        property=can_be_built,
        shows="TypeError: got an unexpected keyword argument 'num_classes'",
        specimen=lambda: with_keyword(one_asterisk, "num_classes"),
        repaired=lambda: with_keyword(two_asterisks, "classes"),
        kept_by=("vgg11",),
        ours=lambda vgg11: with_keyword(vgg11, "num_classes"),
        original=lambda it: having(
            it, r"def vgg13_bn\(pretrained=False, progress=True, \*kwargs\):", with_keyword(one_asterisk, "num_classes")
        ),
    ),
    bug(
        name="the_import_is_there",
        severity="bug",
        bug="load_state_dict_from_url is imported from torchvision.models.utils, which torchvision no longer has.",
        holds="What is imported exists in today's libraries.",
        property=can_be_imported,
        shows="ModuleNotFoundError: no module torchvision.models.utils",
        specimen=lambda: "torchvision.models.utils",
        repaired=lambda: "torch.hub",
        kept_by=(),
        original=lambda it: f"torchvision.models{line(it, r'(?<=from ).utils(?= import load_state_dict_from_url)')}",
    ),
    bug(
        name="exports_are_defined",
        severity="note",
        bug="The list of exported names has functions that were cut off with the end of the document.",
        holds="Every exported name is defined.",
        property=defines_what_it_exports,
        shows="in __all__ and not defined: ",
        specimen=lambda: BROKEN_EXPORTS,
        repaired=lambda: REPAIRED_EXPORTS,
        kept_by=(),
        original=exports,
    ),
]
