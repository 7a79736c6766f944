"""What a probe is: one file in `probes/`, found by walking that folder; it asks a network that was built, not its text.

A probe's check runs where `repro.sandbox` has taken every right away, in a process in which torch is imported; to know
its code and its message takes no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self

from repro.audit.described import Described, named
from repro.audit.finding import Confidence, Severity, Words

if TYPE_CHECKING:
    from torch import nn

    from repro.graph import Graph

Size = tuple[int, ...]  # (channels, height, width)


class Ran(Protocol):
    """One run of a network, without values.

    graph  of it; None if it failed
    error  why it failed
    why    the same without where
    line   of the program's text that failed; 0 if none of it did
    rows   that came out; None if it failed
    idle   parameters that nothing of what is returned depends on
    """

    @property
    def graph(self) -> Graph | None: ...
    @property
    def error(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def why(self) -> str: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def idle(self) -> set[str]: ...


class Departure(Protocol):
    """One thing in which a network is not the paper's."""

    @property
    def words(self) -> Words: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def confidence(self) -> Confidence: ...
    @property
    def kind(self) -> str: ...
    @property
    def compared_to(self) -> str: ...


class Subject(Protocol):
    """A network of a program, as probes see it.

    symbol   the class or function that makes it
    line     of the program's text, where that begins
    call     how it was called, as Python
    module   without values; None if it could not be built
    error    why not
    is_part  whether another class of the program is made of it
    size     of the first images that it takes; None if it takes none
    claim    the network of the catalog that its name says; empty if it says none
    identified  the network that it is, or is nearest to; empty if it is near none
    source   where that is from: a paper and a place in it, or `no paper: ...`; empty if it is not of the catalog
    departures  from that, in the order of the data
    told     what it is, in one phrase
    begins   parameters whose values begin as the paper says, those that are left to torch, and where it says so
    convolutions  in the order of the data: stride, kernel, width and groups of each
    misnamed  what it is, and what it would be by its name
    keeps_its_name  whether that is one that its name may stand for; None where one of the two is not known
    others   the networks of the program, this one too
    is_sure  whether its arguments are its defaults or the text's own, and none was guessed
    is_function  whether a function makes it
    failed_at       the line of the program's text where building it failed; 0 if none of it did
    is_dilated      whether a convolution of it is, as those that keep a resolution in place of a stride
    image_channels  of the images that it takes, as its first convolution says; 0 if there is none
    lacks    what its forward requires beside the images; where the program says what that is, it is given in runs
    """

    @property
    def symbol(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def call(self) -> str: ...
    @property
    def module(self) -> nn.Module | None: ...
    @property
    def error(self) -> str: ...
    @property
    def is_part(self) -> bool: ...
    @property
    def size(self) -> Size | None: ...
    @property
    def claim(self) -> str: ...
    @property
    def others(self) -> Sequence[Self]: ...
    @property
    def lacks(self) -> Sequence[str]: ...
    @property
    def identified(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def departures(self) -> Sequence[Departure]: ...
    @property
    def told(self) -> Words: ...
    @property
    def misnamed(self) -> Words: ...
    @property
    def keeps_its_name(self) -> bool | None: ...
    @property
    def is_sure(self) -> bool: ...
    @property
    def is_function(self) -> bool: ...
    @property
    def failed_at(self) -> int: ...
    @property
    def is_dilated(self) -> bool: ...
    @property
    def image_channels(self) -> int: ...
    @property
    def begins(self) -> tuple[Sequence[str], Sequence[str], str]: ...
    @property
    def convolutions(self) -> Sequence[tuple[Any, ...]]: ...
    def draws(self, size: Size) -> tuple[str, str] | None:
        """The first operation of a run in eval mode that draws random numbers, and its place; None if there is none."""
        ...

    def why_not(self, size: Size) -> str:
        """The error for images of one size, as torch tells it of a network with values."""
        ...

    def is_same(self, other: Self) -> bool:
        """Whether two networks have the same layers, weights of the same shapes, and compute the same in train mode."""
        ...

    def rows_apart(self) -> bool | None:
        """Whether the first of two images gets the same answer with another one beside it; None if that is unknown."""
        ...

    def arguments(self) -> Mapping[str, Any]:
        """What it is made with, defaults too."""
        ...

    def run(self, size: Size, batch: int = 2, training: bool = False) -> Ran:
        """What becomes of a batch of images of one size."""
        ...

    def place(self, departure: Any) -> int | None:
        """The line of the program's text that one of `departures` comes from; None if that is elsewhere."""
        ...

    def line_of(self, where: str) -> int | None:
        """The line of the program's text that the place of a graph's node is; None if that is elsewhere."""
        ...

    def again(self, **changed: Any) -> Self | None:
        """The same with other arguments; None if it cannot be built like that."""
        ...


@dataclass(frozen=True)
class Seen:
    """One thing that a probe saw.

    values      what the message's fields are filled with, and the evidence: JSON types, and `Words`; of a line of the
                program's text, under a name that ends in `line`, its number
    line        that it is about; None: where the network begins
    severity    in place of the probe's, likewise the confidence
    confirms    of the probe's, the codes of the rules that tell this very thing; None: all
    about       a name that has to be in the evidence of what a rule has found; empty: anything
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    severity: Severity | None = None
    confidence: Confidence | None = None
    confirms: tuple[str, ...] | None = None
    about: str = ""


Check = Callable[[Subject], Iterator[Seen]]


@dataclass(frozen=True)
class Probe(Described):
    """One probe.

    confirms   codes of the rules that tell the same from the text: where one of them has found it, what is seen is
               shown with that, and makes no finding of its own
    of_class   whether it is about the class of a network, and asks one network of each
    alone      whether what no rule has found makes a finding of its own
    """

    check: Check
    confirms: frozenset[str]
    of_class: bool
    alone: bool


def probe(
    code: str,
    severity: Severity,
    confidence: Confidence,
    *,
    en: str,
    zh: str,
    confirms: Sequence[str] = (),
    of_class: bool = True,
    alone: bool = True,
) -> Callable[[Check], Probe]:
    """Make a probe of its check, whose name becomes the probe's."""

    def make(check: Check) -> Probe:
        name, module = named(check)
        return Probe(
            code, name, severity, confidence, Words(en, zh), module, check, frozenset(confirms), of_class, alone
        )

    return make


@cache
def probes() -> tuple[Probe, ...]:
    """All of them, by code."""
    from repro.audit import probes as folder

    found = []
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, Probe)]
    return tuple(sorted(found, key=lambda each: each.code))
