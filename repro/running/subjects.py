"""The networks that a program defines: its classes and its functions that return one, built as far as can be told."""

from __future__ import annotations

import ast
import inspect
import textwrap
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from repro.errors import first_line
from repro.names import claimed
from repro.references import without_values
from repro.running.arguments import Call, calls, required
from repro.running.definitions import FILE, Defined, within
from repro.running.origins import followed
from repro.running.subject import Subject

_SECONDS = 10.0  # to build one


def subjects(made: Defined) -> list[Subject]:
    """Every class and function of a program that gives a network, in the order of the text.

    A class that needs arguments is left to the functions that give them.
    """
    found = [value for value in made.own() if _is_network_class(value) or _returns(value)]
    parts = _parts(made.tree)
    together: list[Subject] = []
    for what in sorted(found, key=_line):
        together += _built(what, made, parts.get(what.__name__), together)
    given = {each.kind for each in together if each.symbol != each.kind}
    return [each for each in together if each.symbol not in given or not required(each.what)]


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


def _parts(tree: ast.Module) -> dict[str, bool]:
    """What other classes and functions of a program speak of -> whether it is a class that does.

    Classes speak of the blocks that they are made of, functions of these and of the networks that they give.
    """
    found: dict[str, bool] = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            for node in (node for statement in each.body for node in ast.walk(statement)):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != each.name:
                    found[node.id] = found.get(node.id, False) or isinstance(each, ast.ClassDef)
    return found


def _line(value: Any) -> int:
    """Where it begins: of a class, whose code Python does not keep, where its first method does."""
    methods = [value] if inspect.isfunction(value) else [x for x in vars(value).values() if inspect.isfunction(x)]
    return min((each.__code__.co_firstlineno for each in methods), default=0)


def _built(what: Any, made: Defined, used: bool | None, together: list[Subject]) -> Iterator[Subject]:
    """Its networks, one for each way to call it that takes other classes; none of what gives something else."""

    def made_of(call: Call, module: nn.Module | None, error: BaseException | None = None) -> Subject:
        said, at = (first_line(error), _line_of(error)) if error else ("", 0)
        if isinstance(error, NameError) and error.name in made.lost:
            said = f"{error.name} is not there: the statement that defines it failed"
        return Subject(what, _line(what), call, module, said, at, used, together, vars(made.module), made.setters)

    errors: list[tuple[Call, BaseException]] = []
    for call in calls(what, made):
        try:
            with within(_SECONDS), followed():
                module = _on_meta_or_here(what, call)
        except BaseException as error:
            errors.append((call, error))
            continue
        if not isinstance(module, nn.Module):
            return
        yield made_of(call, module)
        if not any(inspect.isclass(each) for each in call.keywords.values()):
            return
        errors.clear()
    if not inspect.isclass(what):
        if errors and claimed(what.__name__):
            yield made_of(errors[0][0], None, errors[0][1])
        return
    instance = _instance(what, made)
    if instance is not None:
        yield made_of(Call(), instance)
    elif errors:
        yield made_of(errors[0][0], None, errors[0][1])


def _on_meta_or_here(what: Callable[..., Any], call: Call) -> Any:
    """Without values if that can be: a VGG has a gigabyte of them."""
    try:
        with without_values():
            return what(*call.arguments, **call.keywords)
    except Exception:  # such as `.item()` of a rate of dropout
        return what(*call.arguments, **call.keywords)


def _line_of(error: BaseException) -> int:
    """The last line of the program on the way to an error; 0 if none of it is."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == FILE]
    return lines[-1] if lines else 0


def _instance(kind: type, made: Defined) -> nn.Module | None:
    """One that the program has made itself."""
    return next(
        (each for each in vars(made.module).values() if isinstance(each, nn.Module) and type(each) is kind), None
    )
