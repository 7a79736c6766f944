"""How a class or function of a program is called: as its text does, else as far as names and defaults tell."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repro.running.definitions import Defined, within

_SECONDS = 2.0  # for the arguments of one call
_SITES = 3  # calls in the text that are tried
_LONGEST = 60  # characters that a call is told in

# What a parameter without a default is given, by how it is called: it says no more about a network than its size.
_USUAL: Mapping[str, Any] = {
    name: value
    for value, names in (
        (10, "num_classes n_classes classes class_num num_class nclass out_dim output_dim n_class"),
        (3, "in_channels in_channel channels input_channels in_ch num_channels img_channels"),
        (0.5, "dropout drop_rate dropout_rate dropout_p p_dropout"),
        (10, "widen_factor widening_factor"),
        (8, "cardinality"),
        (False, "pretrained progress"),
    )
    for name in names.split()
}
_USUAL_DEPTHS = (20, 28, 29, 50)  # of ResNets for CIFAR and wider ones: each takes one residue only
_BLOCK = ("block", "Block", "block_type", "residual_block")
_DEPTHS = (
    "layers",
    "blocks_num",
    "num_blocks",
    "nblocks",
    "n_blocks",
    "num_layers",
    "layers_num",
    "block_num",
    "depths",
)


@dataclass(frozen=True)
class Call:
    """Arguments for a class or function; is_sure: whether none of them was guessed."""

    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_sure: bool = True

    def bound(self, what: Callable[..., Any]) -> dict[str, Any]:
        """Parameter -> argument, defaults too; raises TypeError where they do not fit."""
        there = inspect.signature(what).bind(*self.arguments, **self.keywords)
        there.apply_defaults()
        return dict(there.arguments)

    def told(self, name: str) -> str:
        """As Python, cut off where it is long."""
        given = [_written(each) for each in self.arguments]
        given += [f"{key}={_written(value)}" for key, value in self.keywords.items()]
        text = ", ".join(given)
        return f"{name}({text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'})"


def _written(value: Any) -> str:
    return str(value.__name__) if inspect.isclass(value) or inspect.isfunction(value) else repr(value)


def calls(what: Callable[..., Any], made: Defined) -> Iterator[Call]:
    """The ways to call it, the likeliest first; none if it needs what nobody knows."""
    needed = required(what)
    if needed is None:
        return
    if not needed:
        yield Call()
    yield from _sites(what.__name__, made)
    if not needed:
        return
    there = {name: made.get(name) for name in needed if name in vars(made.module)}
    given = {name: _USUAL[name] for name in needed if name in _USUAL} | there
    open_ = [name for name in needed if name not in given]
    if open_ == ["depth"]:
        for depth in _USUAL_DEPTHS:
            yield Call((), {**given, "depth": depth}, is_sure=False)
    elif not open_:
        yield Call((), given, is_sure=False)
    elif len(open_) == 2 and open_[0] in _BLOCK and open_[1] in _DEPTHS:
        for kind, depths in _residual(made):
            yield Call((), {**given, open_[0]: kind, open_[1]: depths}, is_sure=False)


def required(what: Callable[..., Any]) -> list[str] | None:
    """The parameters that have no default; None where Python does not know them."""
    try:
        parameters = inspect.signature(what).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _sites(name: str, made: Defined) -> Iterator[Call]:
    """How the text calls it, where all arguments are known at its top."""
    told: set[str] = set()
    for node in ast.walk(made.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name):
            continue
        if ast.dump(node) in told or len(told) >= _SITES:
            continue
        told.add(ast.dump(node))
        call = _evaluated(node, made)
        if call is not None:
            yield call


def _evaluated(node: ast.Call, made: Defined) -> Call | None:
    """A call with the values of its arguments; None if it needs what only the function around it knows."""
    if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
        return None
    try:
        with within(_SECONDS):
            arguments = tuple(_value(each, made) for each in node.args)
            return Call(arguments, {str(each.arg): _value(each.value, made) for each in node.keywords})
    except BaseException:  # whatever third parties raise
        return None


def _value(node: ast.expr, made: Defined) -> Any:
    return eval(compile(ast.Expression(node), "<call>", "eval"), vars(made.module))


def _residual(made: Defined) -> Iterator[tuple[type, list[int]]]:
    """The program's residual blocks, each with the depths of its smallest network in the paper.

    arXiv:1512.03385, Table 1: ResNet-18 of blocks that end as wide as they begin, ResNet-50 of those that end
    four times as wide.
    """
    for value in made.own():
        if inspect.isclass(value):
            depths = {1: [2, 2, 2, 2], 4: [3, 4, 6, 3]}.get(getattr(value, "expansion", None) or 0)
            if depths:
                yield value, depths
