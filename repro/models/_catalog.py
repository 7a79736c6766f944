"""The catalog: which networks there are, read from the source of this package.

A network enters the catalog by decorating its builder with `variant(...)`. The arguments are literals, so the
catalog is read from the text of the files and `repro list` never imports torch; a network's own module is imported
only when it is built. Adding a network therefore touches one file: its own.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

Builder = TypeVar("Builder", bound="Callable[..., nn.Module]")
Function = TypeVar("Function", bound="Callable[..., Any]")


class UnknownVariantError(LookupError):
    """No network of that name; the message names the closest ones."""


@dataclass(frozen=True)
class Variant:
    """One named configuration of a network.

    name        catalog key: the builder's own name
    module      dotted name of the file that holds the builder
    summary     first line of the builder's docstring
    paper       where the configuration is printed (arXiv number or venue, section, table)
    init        name of the initialisation, a function that carries its locus: in the same file, or FILE.NAME beside it
    input_size  (channels, height, width) the network was made for, in pixels
    other_size  another admissible input size, used to verify away from the documented one
    aliases     other names that mean exactly this network
    references  the implementations it is checked against, by specifications of repro/references.py
    sizes       reference -> the two input sizes to compare at, of one that does not take both of those above
    differs     reference -> an input size at which it is another network, and why; equality is claimed elsewhere
    untrained   reference -> why it is another network in train mode, where no equality is claimed
    """

    name: str
    module: str
    summary: str
    paper: str
    init: str
    input_size: tuple[int, int, int]
    other_size: tuple[int, int, int]
    aliases: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = field(default_factory=dict)
    differs: Mapping[str, tuple[tuple[int, int, int], str]] = field(default_factory=dict)
    untrained: Mapping[str, str] = field(default_factory=dict)

    def compared_at(self, reference: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """The two input sizes at which it is compared with that reference."""
        return self.sizes.get(reference, (self.input_size, self.other_size))


def variant(
    *,
    paper: str,
    init: str,
    input_size: tuple[int, int, int],
    other_size: tuple[int, int, int],
    aliases: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
    sizes: Mapping[str, tuple[tuple[int, int, int], tuple[int, int, int]]] | None = None,
    differs: Mapping[str, tuple[tuple[int, int, int], str]] | None = None,
    untrained: Mapping[str, str] | None = None,
) -> Callable[[Builder], Builder]:
    """Mark a builder as a catalog entry; see `Variant` for the fields. Every argument must be a literal."""
    return lambda builder: builder


@dataclass(frozen=True)
class Initialisation:
    """What a named init function draws, as data that the check of its values reads instead of its code.

    name   FILE.NAME of the function
    locus  who says so: paper, section, equation, or a released file
    rules  pattern of parameter keys -> law, in order, the first match counts; repro/initialisation.py has the laws
    """

    name: str
    locus: str
    rules: Mapping[str, str]


def initialisation(*, locus: str, rules: Mapping[str, str]) -> Callable[[Function], Function]:
    """Declare what an init function draws; see `Initialisation` for the fields. Every argument must be a literal.

    The rules say what the locus says, and are written from it, not from the function.
    """
    return lambda function: function


def initialisation_of(variant: Variant) -> Initialisation:
    """The declaration beside the init function of a variant. Raises LookupError if it has none."""
    own_file = variant.module.rpartition(".")[2]
    name = variant.init if "." in variant.init else f"{own_file}.{variant.init}"
    found = _initialisations().get(name)
    if found is None:
        raise LookupError(f"{variant.name}: the init function {name} has no @initialisation(locus=..., rules=...)")
    return found


def catalog() -> Mapping[str, Variant]:
    """Every variant by name, in the order of the files and of the builders in them."""
    return _read()[0]


def get(name: str) -> Variant:
    """The variant called `name`, or that `name` is an alias of.

    Raises UnknownVariantError, naming the closest names.
    """
    variants, aliases = _read()
    found = variants.get(aliases.get(name, name))
    if found is None:
        close = difflib.get_close_matches(name, [*variants, *aliases], n=3, cutoff=0.5)
        hint = f"closest: {', '.join(close)}" if close else "`repro list` prints them all"
        raise UnknownVariantError(f"no network is called {name!r}; {hint}")
    return found


def build(name: str, **arguments: Any) -> nn.Module:
    """Build the variant called `name`; `num_classes` and `in_channels` are passed on.

    Raises UnknownVariantError, and whatever the builder raises.
    """
    found = get(name)
    network: nn.Module = getattr(importlib.import_module(found.module), found.name)(**arguments)
    return network


@functools.cache
def _read() -> tuple[dict[str, Variant], dict[str, str]]:
    variants: dict[str, Variant] = {}
    aliases: dict[str, str] = {}
    for file, source in _sources():
        for found in _variants_in(source, f"{__package__}.{file}"):
            for name in (found.name, *found.aliases):
                if name in variants or name in aliases:
                    raise ValueError(f"two catalog entries are called {name!r}; the second is in {found.module}")
            variants[found.name] = found
            aliases.update(dict.fromkeys(found.aliases, found.name))
    return variants, aliases


@functools.cache
def _initialisations() -> dict[str, Initialisation]:
    return {
        f"{file}.{function.name}": Initialisation(f"{file}.{function.name}", **literals)
        for file, source in _sources()
        for function, literals in _decorated(source, "initialisation")
    }


def _sources() -> Iterator[tuple[str, str]]:
    """Name and text of each file that may have networks."""
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".py") and not file.name.startswith("_"):
            yield file.name.removesuffix(".py"), file.read_text(encoding="utf-8")


def _variants_in(source: str, module: str) -> Iterator[Variant]:
    for builder, literals in _decorated(source, "variant"):
        summary = (ast.get_docstring(builder) or "").partition("\n")[0]
        yield Variant(name=builder.name, module=module, summary=summary, **literals)


def _decorated(source: str, decorator: str) -> Iterator[tuple[ast.FunctionDef, dict[str, Any]]]:
    """Each function of a source that has the decorator, and the decorator's arguments."""
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.FunctionDef):
            continue
        for call in statement.decorator_list:
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == decorator:
                yield statement, {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
