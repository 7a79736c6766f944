"""The values that a program is run on when only its text is there.

Python's own numbers, strings, lists and dictionaries stand for themselves. What cannot be known is `UNKNOWN`; what
torch makes is one of the classes below.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


class Unknown:
    """Any value at all; whatever is done with it gives it again."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(eq=False, slots=True)
class Library:
    """Something that a library has, by its full dotted name: `torch.nn.Conv2d`."""

    name: str


@dataclass(eq=False, slots=True)
class Method:
    """A method of a value that is not of this program: `x.view`, `layers.append`."""

    owner: Any
    name: str


@dataclass(eq=False)
class Function:
    """A function of the program, and the names that it sees from outside."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    outside: Any
    owner: Any = None  # the instance that it is bound to
    holder: Class | None = None  # the class that it is a method of


@dataclass(eq=False)
class Class:
    """A class of the program."""

    node: ast.ClassDef
    bases: list[Any]
    names: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is written."""
        return self.node.name

    @cached_property
    def ancestors(self) -> tuple[Any, ...]:
        """It, and what it derives from, the nearest first; classes of libraries as `Library`."""
        found: dict[int, Any] = {}
        waiting: list[Any] = [self]
        while waiting:
            each = waiting.pop(0)
            if id(each) not in found:
                found[id(each)] = each
                waiting = [*each.bases, *waiting] if isinstance(each, Class) else waiting
        return tuple(found.values())

    @cached_property
    def is_module(self) -> bool:
        """Whether it derives from torch.nn.Module, as far as can be told."""
        return any(isinstance(each, Library) and each.name.startswith("torch.nn.") for each in self.ancestors)

    @property
    def is_known(self) -> bool:
        """Whether all that it derives from is in the program, but for torch's Module."""
        bases = [each for each in self.ancestors if not isinstance(each, Class)]
        return all(isinstance(each, Library) and each.name == "torch.nn.Module" for each in bases)

    def find(self, name: str) -> tuple[Any, Class] | None:
        """What it or an ancestor of this program has under a name, and which of them."""
        for each in self.ancestors:
            if isinstance(each, Class) and name in each.names:
                return each.names[name], each
        return None


@dataclass(eq=False)
class Instance:
    """A value of a class of the program.

    arguments  what it was made with, by the names of the parameters
    call       the expression that made it; None for one that the analysis made itself
    """

    of: Class
    arguments: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    call: ast.AST | None = None


@dataclass(eq=False)
class Layer:
    """A module of torch.nn.

    kind       its full name: torch.nn.Conv2d
    arguments  by the names of torch's parameters, defaults left out
    items      of a container, in order, each with its key
    """

    kind: str
    arguments: dict[str, Any]
    call: ast.AST
    items: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def short(self) -> str:
        """Conv2d."""
        return self.kind.rpartition(".")[2]


@dataclass(eq=False)
class Made:
    """What a class of a library makes that is no module: an optimizer, a data loader, a transform.

    kind       its full name: torch.optim.SGD
    arguments  those without a name, then `named` those with one
    """

    kind: str
    arguments: list[Any]
    named: dict[str, Any]
    call: ast.AST

    @property
    def short(self) -> str:
        """SGD."""
        return self.kind.rpartition(".")[2]

    def argument(self, position: int, name: str) -> Any:
        """One of its arguments, by place or by name; None if it is not given."""
        return self.arguments[position] if position < len(self.arguments) else self.named.get(name)


@dataclass(eq=False)
class Op:
    """One operation in the flow of data.

    kind    conv, linear, norm, activation, softmax, pool, dropout, flatten, ...; `input`, `unknown`
    name    as it is called: Conv2d, relu, view
    inputs  the operations whose results it takes
    layer   the module that it is the call of
    detail  arguments that rules ask for
    within  the instances of the program's classes in whose forward it runs, the outermost first
    shape   of its result: sizes, None where one is not known, and None for all of it likewise
    """

    kind: str
    name: str
    node: ast.AST
    inputs: tuple[Op, ...] = ()
    layer: Layer | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    within: tuple[Instance, ...] = ()
    shape: tuple[int | None, ...] | None = None

    @property
    def where(self) -> ast.AST:
        """Where it is written down: where its module is made, or else where it is called."""
        return self.layer.call if self.layer is not None else self.node


@dataclass(eq=False, slots=True)
class Round:
    """One round of a loop: which, the how manieth, and over what, with the name that this has."""

    loop: ast.stmt
    number: int
    over: Any
    name: str


@dataclass(eq=False, slots=True)
class Event:
    """Something that a training loop is made of, when it happens.

    kind      the method: backward, step, zero_grad, train, eval, ...; `call` of what may be a network; `if`, whichever
              branch is taken; `replace`, a layer put into a network from outside; `make`, of an object of torch;
              `alone`, what follows is not run by the program itself
    owner     whose method it is, as a value
    name      and as it is written; empty if that is no name
    rounds    the loops around it, the outermost first
    grad      whether autograd records
    """

    kind: str
    node: ast.AST
    owner: Any
    name: str
    rounds: tuple[Round, ...]
    grad: bool

    @property
    def key(self) -> Any:
        """What stands for its owner: the value, or the name of one that is not known, or is several."""
        return self.name if isinstance(self.owner, Unknown | list | tuple | dict | set) else self.owner


@dataclass(eq=False, slots=True)
class Tensor:
    """What an operation returns.

    shape     sizes, None where one is not known, and None for all of it likewise
    detached  whether it was cut from what it was computed from
    """

    op: Op
    shape: tuple[int | None, ...] | None = None
    detached: bool = False
