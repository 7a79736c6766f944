"""The networks that a program defines: its classes and its functions that return one, built as far as can be told."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from repro.errors import first_line
from repro.running.definitions import NAME, Defined, within

_SECONDS = 10.0  # to build one

# What a parameter without a default is given, by how it is called: it says no more about a network than its size.
_USUAL = {
    10: ("num_classes", "n_classes", "classes", "class_num", "num_class", "nclass", "out_dim", "output_dim", "n_class"),
    3: ("in_channels", "in_channel", "channels", "input_channels", "in_ch", "num_channels", "img_channels"),
    False: ("pretrained", "progress"),
}


@dataclass(frozen=True)
class Subject:
    """A network of a program.

    symbol  the class or function that makes it
    line    of the program's text where that begins
    module  it; None if it could not be built
    error   why not
    """

    symbol: str
    line: int
    module: nn.Module | None
    error: str = ""


def subjects(made: Defined) -> Iterator[Subject]:
    """Every class and function of a program that gives a network, in the order of the text."""
    own = [value for value in vars(made.module).values() if getattr(value, "__module__", "") == NAME]
    found = [value for value in dict.fromkeys(own) if _is_network_class(value) or _returns(value)]
    for each in sorted(found, key=_line):
        subject = _built(each, made)
        if subject is not None:
            yield subject


def _is_network_class(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _returns(value: Any) -> bool:
    """Whether it is a function that gives something; others are there to train or to print."""
    if not inspect.isfunction(value):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except (OSError, SyntaxError):
        return False
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(tree))


def _line(value: Any) -> int:
    """Where it begins: of a class, whose code Python does not keep, where its first method does."""
    methods = [value] if inspect.isfunction(value) else [x for x in vars(value).values() if inspect.isfunction(x)]
    return min((each.__code__.co_firstlineno for each in methods), default=0)


def _built(what: Any, made: Defined) -> Subject | None:
    """The network of a class or function; None of a function that gives something else, or needs what nobody knows."""
    name, line = what.__name__, _line(what)
    given = _arguments(what)
    if given is None:
        instance = _instance(what, made) if inspect.isclass(what) else None
        return Subject(name, line, instance) if instance is not None else None
    try:
        with within(_SECONDS):
            module = _on_meta_or_here(what, given)
    except BaseException as error:
        if not inspect.isclass(what):
            return None
        return Subject(name, line, _instance(what, made), first_line(error))
    return Subject(name, line, module) if isinstance(module, nn.Module) else None


def _on_meta_or_here(what: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Without values if that can be: a VGG has a gigabyte of them."""
    try:
        with torch.device("meta"):
            return what(**given)
    except Exception:  # such as `.item()` of a rate of dropout
        return what(**given)


def _arguments(what: Any) -> dict[str, Any] | None:
    """What it is called with; None if it needs something that its name does not tell."""
    try:
        parameters = inspect.signature(what).parameters.values()
    except (TypeError, ValueError):
        return None
    usual = {name: value for value, names in _USUAL.items() for name in names}
    needed = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    return {name: usual[name] for name in needed} if usual.keys() >= set(needed) else None


def _instance(kind: type, made: Defined) -> nn.Module | None:
    """One that the program has made itself."""
    return next(
        (each for each in vars(made.module).values() if isinstance(each, nn.Module) and type(each) is kind), None
    )
