"""What a network consists of, as torch counts it: the modules among its attributes, and theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repro.audit.meaning.library import MODULES
from repro.audit.meaning.values import Instance, Layer

WITH_WEIGHTS = frozenset({"conv", "linear", "norm", "embedding"})  # kinds of operations


def modules(value: Any) -> Iterator[Instance | Layer]:
    """The modules in a value: itself, or what Python's own containers hold."""
    match value:
        case Layer():
            yield value
        case Instance() if value.of.is_module:
            yield value
        case list() | tuple():
            for each in value:
                yield from modules(each)
        case dict():
            for each in value.values():
                yield from modules(each)


def parts(network: Instance | Layer) -> Iterator[Instance | Layer]:
    """A network and all modules that torch takes for parts of it, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [network]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inside = [item for _, item in each.items] if isinstance(each, Layer) else each.attributes.values()
        waiting += [item for item in inside if isinstance(item, Layer) or _is_network(item)]


def has_weights(part: Instance | Layer) -> bool:
    """Whether a module has parameters, as far as its text tells."""
    return any(
        isinstance(each, Layer) and each.short in MODULES and MODULES[each.short].kind in WITH_WEIGHTS
        for each in parts(part)
    )


def _is_network(value: Any) -> bool:
    return isinstance(value, Instance) and value.of.is_module
