"""Where in a program each module of a network was made: through which of its lines, the innermost first."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch import nn

from repro.running.definitions import FILE

_KEPT = "_repro_made_through"  # in a module's __dict__, so that a copy of it has it too

Lines = tuple[int, ...]


@contextmanager
def followed() -> Iterator[None]:
    """Each module that is made meanwhile keeps the lines of the program through which it was."""
    plain = nn.Module.__init__

    @functools.wraps(plain)
    def init(self: nn.Module, *arguments: Any, **keywords: Any) -> None:
        plain(self, *arguments, **keywords)
        self.__dict__[_KEPT] = _lines(sys._getframe(1), self)

    nn.Module.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__init__ = plain  # type: ignore[method-assign]


def _lines(frame: FrameType | None, module: nn.Module) -> Lines:
    """The program's lines on the way here, but for those of the module's own `__init__`."""
    found = []
    while frame is not None:
        if frame.f_code.co_filename == FILE and frame.f_locals.get("self") is not module:
            found.append(frame.f_lineno)
        frame = frame.f_back
    return tuple(found)


def origins(module: nn.Module) -> dict[str, Lines]:
    """Path of each module -> the lines through which it was made; none of what was made before."""
    return {path: each.__dict__.get(_KEPT, ()) for path, each in module.named_modules()}


def line_of(affected: Collection[str], made: Mapping[str, Lines]) -> int:
    """The innermost line that made only these modules, of all that are made where the first of them is; 0 if none did.

    A block that is right nine times and wrong once is right where it is defined, and wrong where it is called.
    """
    first = next((made[path] for path in affected if made.get(path)), ())
    beside = {path: lines for path, lines in made.items() if lines[:1] == first[:1]}
    for depth, line in enumerate(first, start=1):
        through = [path for path, lines in beside.items() if lines[:depth] == first[:depth]]
        if all(path in affected for path in through):
            return line
    return first[0] if first else 0
