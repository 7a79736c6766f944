"""Runs a program on values of which little is known, so that what flows where can be asked.

Nothing of the program is executed: its syntax tree is walked. Where a condition cannot be known, one of its branches is
taken, by a rule that the caller chooses (`Choice`); run with either choice, a program shows most of what it can do. A
loop over something unknown runs twice. The number of steps is bounded, and what is left when they are used up is left
out: a run says less then, and nothing wrong.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import Enum
from typing import Any

from repro.audit.meaning import operations
from repro.audit.meaning.values import (
    UNKNOWN,
    Class,
    Event,
    Function,
    Instance,
    Layer,
    Library,
    Made,
    Method,
    Op,
    Round,
    Tensor,
)

LONGEST = 64  # iterations of a loop over something known
DEEPEST = 40  # calls within calls
EPOCHS = 2  # iterations of a loop that trains: the second shows all that the others do

# The methods that a training loop is made of; what is told of them is an `Event`.
_TOLD = frozenset("backward step zero_grad train eval parameters load_state_dict state_dict save".split())
_TRAINING = frozenset({"backward", "step", "zero_grad"})
# The methods that put something into a list or a module.
_CHANGING = frozenset("append extend insert add_module register_module setdefault update pop remove clear".split())
_GRADIENT = {  # what switches autograd -> whether it is on then; None: the argument says
    "torch.no_grad": False,
    "torch.autograd.no_grad": False,
    "torch.inference_mode": False,
    "torch.enable_grad": True,
    "torch.set_grad_enabled": None,
}


class Choice(Enum):
    """Which branch of a condition that cannot be known is taken."""

    YES = True
    NO = False


class OutOfStepsError(Exception):
    """The program is longer than a static audit follows."""


class _Returned(Exception):  # noqa: N818  # it is no error
    def __init__(self, value: Any) -> None:
        self.value = value


class _Left(Exception):  # noqa: N818
    """A loop is left or goes on; `again`: continue."""

    def __init__(self, again: bool) -> None:
        self.again = again


class _Raised(Exception):  # noqa: N818
    """The program raises an exception of its own."""


class Scope:
    """Names and what they stand for; `outside`: where a name is looked for that is not here."""

    def __init__(self, outside: Scope | None = None, holder: Class | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.outside = outside
        self.holder = holder
        self.globals: set[str] = set()

    def get(self, name: str) -> Any:
        """What a name stands for; None if it is not known here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outside
        return None

    def put(self, name: str, value: Any) -> None:
        """Bind a name."""
        scope = self
        while name in self.globals and scope.outside is not None:
            scope = scope.outside
        scope.names[name] = value


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_PLAIN = (int, float, str, bool, bytes, type(None))
_LARGEST, _LONGEST = 1 << 40, 1000  # what is beyond is not computed: numbers, and the length of strings and lists


class Interpreter:
    """One run of one program.

    steps   that may still be made
    chosen  the conditions that could not be known; `choices`: how often what followed depends on the choice
    made    every instance and layer, in the order of their making
    ops     every operation, in the order in which they run
    events  what training loops are made of, likewise
    """

    def __init__(self, imports: Callable[[str], str | None], choice: Choice, steps: int) -> None:
        self.choice = choice
        self.steps = steps
        self.chosen: set[ast.If | ast.IfExp] = set()
        self.choices = 0
        self._open: dict[ast.If, bool] = {}
        self.top = Scope()
        self.top.names["__name__"] = "__main__"
        self.made: list[Instance | Layer] = []
        self.ops: list[Op] = []
        self.events: list[Event] = []
        self.returned: list[tuple[Instance, Any]] = []  # what each forward gives
        self.calls: dict[tuple[int, int], tuple[ast.Call, Function | Class | Instance]] = {}  # of the program's own
        self.called: set[int] = set()  # the ids of the nodes of functions
        self.results: dict[ast.AST, Any] = {}  # what each function at the top of the program gave first
        self._imports = imports
        self._running: list[Instance] = []  # whose forward runs
        self._rounds_around: list[Round] = []
        self._grad = True  # whether autograd records
        self._depth = 0
        self._parameters_of: dict[ast.AST, dict[str, Any]] = {}  # of the functions that run, the innermost call

    # --- statements ---------------------------------------------------------------------------------------------------

    def run(self, body: Iterable[ast.stmt]) -> None:
        """The statements of the program itself; one that cannot be followed is passed over."""
        for statement in body:
            try:
                self._statement(statement, self.top)
            except (_Returned, _Left, _Raised):
                continue

    def alone(self, what: Function | Class | Instance | Layer, *arguments: Any) -> Any:
        """What something gives that the program itself does not call."""
        node = what.of.node if isinstance(what, Instance) else what.call if isinstance(what, Layer) else what.node
        self.tell("alone", node)
        self._grad = True
        with suppress(_Returned, _Left, _Raised):
            return self.call(what, list(arguments), {}, node)
        return UNKNOWN

    def _block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:  # as `_statement` has it: most statements are run from here
            self.steps -= 1
            if self.steps < 0:
                raise OutOfStepsError
            method = _STATEMENTS.get(statement.__class__)
            if method is not None:
                method(self, statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise OutOfStepsError
        method = _STATEMENTS.get(node.__class__)
        if method is not None:
            method(self, node, scope)

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise OutOfStepsError

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            if target.__class__ is ast.Name:
                scope.put(target.id, value)
            else:
                self._bind(target, value, scope)

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._bind(node.target, self.value(node.value, scope), scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> None:
        before, other = self.value(node.target, scope), self.value(node.value, scope)
        if isinstance(other, Tensor) and not other.detached and self._rounds_around:
            self.tell("accumulate", node, other, dotted_text(node.target))
        if isinstance(before, list) and isinstance(node.op, ast.Add):
            operations.extend(before, other if isinstance(other, list | tuple) else [UNKNOWN])  # others may hold it too
            return
        self._bind(node.target, self._binary(node, node.op, before, other), scope)

    def _bind(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name():
                scope.put(target.id, value)
            case ast.Attribute():
                owner = self.value(target.value, scope)
                if isinstance(value, Layer | Instance) and not _is_self(target.value):
                    self.tell("replace", target, owner, dotted_text(target.value))
                if isinstance(owner, Instance):
                    owner.attributes[target.attr] = value
            case ast.Tuple() | ast.List():
                values = self._unpacked(value, target.elts)
                for each, item in zip(target.elts, values, strict=False):
                    self._bind(each.value if isinstance(each, ast.Starred) else each, item, scope)
            case ast.Subscript():
                owner, key = self.value(target.value, scope), self.value(target.slice, scope)
                if isinstance(value, Layer | Instance) and not isinstance(owner, dict | list):
                    self.tell("replace", target, owner, dotted_text(target.value))
                if isinstance(owner, dict) and isinstance(key, _PLAIN):
                    owner[key] = value
                elif isinstance(owner, list):
                    if isinstance(key, int) and -len(owner) <= key < len(owner):
                        owner[key] = value
                elif isinstance(owner, Layer) and isinstance(key, str | int):
                    operations.put(owner, key, value)
            case ast.Starred():
                self._bind(target.value, value, scope)

    def _unpacked(self, value: Any, targets: list[ast.expr]) -> list[Any]:
        if isinstance(value, list | tuple):
            starred = [index for index, each in enumerate(targets) if isinstance(each, ast.Starred)]
            if not starred:
                return [*value, *[UNKNOWN] * (len(targets) - len(value))]
            behind = len(targets) - starred[0] - 1
            items = list(value)
            end = len(items) - behind
            return [*items[: starred[0]], items[starred[0] : end], *items[end:]]
        if isinstance(value, Tensor):
            return [Tensor(value.op) for _ in targets]
        return [UNKNOWN] * len(targets)

    def _if(self, node: ast.If, scope: Scope) -> None:
        if self._rounds_around and not self._running:
            self.tell("if", node)
        known = self._truth(self.value(node.test, scope))
        if known is None:
            known = self._chosen(node)
        self._block(node.body if known else node.orelse, scope)

    def _chosen(self, node: ast.If) -> bool:
        """Which branch of a condition that cannot be known is taken."""
        self.chosen.add(node)
        if isinstance(node.body[-1], ast.Raise):  # a check of arguments, which are taken to be right
            return False
        if node.orelse and isinstance(node.orelse[-1], ast.Raise):
            return True
        if node not in self._open:
            self._open[node] = leaves_a_trace(node)
        self.choices += self._open[node]
        return self.choice is Choice.YES

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        items = self._items(self.value(node.iter, scope))
        over = _innermost(node.iter)
        source, name = self.value(over, scope), dotted_text(over)
        trained = 0
        for number, item in enumerate(items):
            self._step()
            self._bind(node.target, item, scope)
            events, ops = len(self.events), len(self.ops)
            if self._round(node, Round(node, number, source, name), scope):
                return
            trained += self._has_trained(events, ops)
            if trained == EPOCHS:
                break
        self._block(node.orelse, scope)

    def _has_trained(self, events: int, ops: int) -> bool:
        """Whether anything since those many events and operations belongs to training."""
        told, done = self.events[events:], self.ops[ops:]
        return any(each.kind in _TRAINING for each in told) or any(op.kind == "loss" for op in done)

    def _round(self, node: ast.For | ast.AsyncFor | ast.While, around: Round, scope: Scope) -> bool:
        """One iteration of a loop; whether it leaves it."""
        self._rounds_around.append(around)
        try:
            self._block(node.body, scope)
        except _Left as left:
            return not left.again
        finally:
            self._rounds_around.pop()
        return False

    def _while(self, node: ast.While, scope: Scope) -> None:
        trained = 0
        for number in range(LONGEST):
            known = self._truth(self.value(node.test, scope))
            if known is False:
                break
            events, ops = len(self.events), len(self.ops)
            if self._round(node, Round(node, number, None, ""), scope):
                return
            trains = self._has_trained(events, ops)
            trained += trains
            unsure = known is None or isinstance(node.test, ast.Constant)
            if trained == EPOCHS or (unsure and not trains):
                break
        self._block(node.orelse, scope)

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        before = self._grad
        for item in node.items:
            value = self.value(item.context_expr, scope)
            self._switch(value)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, value, scope)
        try:
            self._block(node.body, scope)
        finally:
            self._grad = before

    def _switch(self, value: Any) -> None:
        """Autograd as a context or a decorator has it."""
        kind = value.kind if isinstance(value, Made) else value.name if isinstance(value, Library) else ""
        if kind in _GRADIENT:
            on = _GRADIENT[kind]
            if on is None and isinstance(value, Made):
                on = self._truth(value.argument(0, "mode"))
            self._grad = bool(on)

    def _try(self, node: ast.Try, scope: Scope) -> None:
        try:
            self._block(node.body, scope)
            self._block(node.orelse, scope)
        except _Raised:
            for handler in node.handlers[:1]:
                self._block(handler.body, scope)
        finally:
            self._block(node.finalbody, scope)

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise _Returned(self.value(node.value, scope) if node.value is not None else None)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        scope.put(node.name, Function(node, scope, holder=scope.holder))

    def _define_class(self, node: ast.ClassDef, scope: Scope) -> None:
        made = Class(node, [self.value(base, scope) for base in node.bases])
        inside = Scope(scope, made)
        inside.names = made.names
        self._block(node.body, inside)
        scope.put(node.name, made)

    def _import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.put(alias.asname or name, Library(name))

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name != "*":
                scope.put(alias.asname or alias.name, Library(f"{module}.{alias.name}"))

    def _expression(self, node: ast.Expr, scope: Scope) -> None:
        self.value(node.value, scope)

    def _global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        if isinstance(node, ast.Global):
            scope.globals.update(node.names)

    def _raise(self, _: ast.Raise, __: Scope) -> None:
        raise _Raised

    def _break(self, _: ast.Break, __: Scope) -> None:
        raise _Left(again=False)

    def _continue(self, _: ast.Continue, __: Scope) -> None:
        raise _Left(again=True)

    # --- expressions --------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """What an expression gives."""
        self.steps -= 1  # most of all steps are here: the two commonest kinds go the shortest way
        if self.steps < 0:
            raise OutOfStepsError
        kind = node.__class__
        if kind is ast.Name:
            return self._name(node, scope)  # type: ignore[arg-type]
        if kind is ast.Constant:
            return node.value  # type: ignore[attr-defined]
        method = _EXPRESSIONS.get(kind)
        return method(self, node, scope) if method is not None else UNKNOWN

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        name = node.id
        inside: Scope | None = scope
        while inside is not None:
            names = inside.names
            if name in names:
                return names[name]
            inside = inside.outside
        known = self._imports(name)
        return Library(known) if known else UNKNOWN

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, owner: Any, name: str) -> Any:
        """An attribute of a value."""
        match owner:
            case Instance():
                if name in owner.attributes:
                    return owner.attributes[name]
                found = owner.of.find(name)
                if found is None:
                    return Method(owner, name) if owner.of.is_module else UNKNOWN
                value, holder = found
                if isinstance(value, Function):
                    return self._bound(value, owner, holder)
                return value
            case Class():
                found = owner.find(name)
                return found[0] if found else UNKNOWN
            case Library():
                return Library(f"{owner.name}.{name}")
            case Tensor() | list() | dict() | str() | tuple() | Layer() | Method():
                return operations.attribute(owner, name)
        return UNKNOWN

    def _bound(self, function: Function, owner: Instance, holder: Class) -> Any:
        decorators = {each.id for each in getattr(function.node, "decorator_list", ()) if isinstance(each, ast.Name)}
        if "staticmethod" in decorators:
            return function
        bound = Function(function.node, function.outside, owner, holder)
        return self.call(bound, [], {}, function.node) if "property" in decorators else bound

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._elements(node.elts, scope))

    def _list(self, node: ast.List | ast.Set, scope: Scope) -> Any:
        return self._elements(node.elts, scope)

    def _elements(self, nodes: Iterable[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if node.__class__ is ast.Starred:
                operations.extend(found, operations.items(self.value(node.value, scope)))
            else:
                found.append(self.value(node, scope))
        return found

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        made: dict[Any, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item, scope)
            if key is None:
                made.update(value if isinstance(value, dict) else {})
                continue
            name = self.value(key, scope)
            if isinstance(name, _PLAIN):
                made[name] = value
        return made

    def _binary_node(self, node: ast.BinOp, scope: Scope) -> Any:
        return self._binary(node, node.op, self.value(node.left, scope), self.value(node.right, scope))

    def _binary(self, node: ast.AST, kind: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return operations.arithmetic(self, node, kind, left, right)
        compute = _BINARY.get(type(kind))
        if compute is None or not _small(left) or not _small(right) or _grows(kind, left, right):
            return UNKNOWN
        try:
            found = compute(left, right)
        except Exception:  # whatever the program's own values make of it
            return UNKNOWN
        return found if _small(found) else UNKNOWN

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = self._truth(value)
            return UNKNOWN if known is None else not known
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        return value if isinstance(value, Tensor) else UNKNOWN

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Any:
        stops = isinstance(node.op, ast.Or)
        value: Any = UNKNOWN
        unsure = False
        for each in node.values:
            value = self.value(each, scope)
            known = self._truth(value)
            if known is stops:
                return value if not unsure or isinstance(value, bool) else UNKNOWN
            unsure = unsure or known is None
        return UNKNOWN if unsure else value

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        rights = [self.value(each, scope) for each in node.comparators]
        if len(rights) != 1:
            return UNKNOWN
        kind, right = node.ops[0], rights[0]
        if isinstance(kind, ast.Is | ast.IsNot):
            if left is UNKNOWN or right is UNKNOWN:
                return UNKNOWN
            return (left is right) is isinstance(kind, ast.Is)
        if isinstance(kind, ast.In | ast.NotIn):
            if isinstance(left, _PLAIN) and isinstance(right, list | tuple | dict) and not _vague(right):
                return (left in right) is isinstance(kind, ast.In)
            return UNKNOWN
        if not (_small(left) and _small(right) and _shallow(left) and _shallow(right)):
            return UNKNOWN
        try:
            return _COMPARE[type(kind)](left, right)
        except Exception:  # numbers and strings, say
            return UNKNOWN

    def _either(self, node: ast.IfExp, scope: Scope) -> Any:
        known = self._truth(self.value(node.test, scope))
        if known is None:
            self.chosen.add(node)
            self.choices += 1
            known = self.choice is Choice.YES
        return self.value(node.body if known else node.orelse, scope)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.value(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            ends = [node.slice.lower, node.slice.upper, node.slice.step]
            known = [self.value(end, scope) if end is not None else None for end in ends]
            if isinstance(owner, list | tuple | str) and all(x is None or isinstance(x, int) for x in known):
                return owner[slice(*known)] if known[2] != 0 else UNKNOWN
            return operations.sliced(owner, known)
        return operations.item(owner, self.value(node.slice, scope))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Any:
        return [self.value(node.elt, inside) for inside in self._rounds(node.generators, scope)]

    def _dict_comprehension(self, node: ast.DictComp, scope: Scope) -> Any:
        made = {}
        for inside in self._rounds(node.generators, scope):
            key = self.value(node.key, inside)
            if isinstance(key, _PLAIN):
                made[key] = self.value(node.value, inside)
        return made

    def _rounds(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        first, *others = generators
        for item in self._items(self.value(first.iter, scope)):
            self._step()
            inside = Scope(scope)
            self._bind(first.target, item, inside)
            if all(self._truth(self.value(test, inside)) is not False for test in first.ifs):
                if others:
                    yield from self._rounds(others, inside)
                else:
                    yield inside

    def _text(self, node: ast.JoinedStr, scope: Scope) -> Any:
        parts: list[Any] = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                parts.append(self.value(each.value, scope) if each.format_spec is None else UNKNOWN)
            elif isinstance(each, ast.Constant):
                parts.append(each.value)
        if not all(isinstance(each, str | int) and _small(each) for each in parts):
            return UNKNOWN
        text = "".join(map(str, parts))
        return text if _small(text) else UNKNOWN

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        return Function(node, scope)

    def _named(self, node: ast.NamedExpr, scope: Scope) -> Any:
        value = self.value(node.value, scope)
        self._bind(node.target, value, scope)
        return value

    def _call_node(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and scope.get("super") is None:
            return self._super(scope)
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            function = self.attribute(owner, node.func.attr)
        else:
            owner = function = self.value(node.func, scope)
        arguments = self._elements(node.args, scope)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = value
            elif isinstance(value, dict):
                named.update({key: each for key, each in value.items() if isinstance(key, str)})
        if not self._running:
            self._tell_call(node, owner, function)
        if isinstance(function, Function | Class | Instance):
            self.calls.setdefault((id(node), id(function)), (node, function))
        if function is UNKNOWN and isinstance(node.func, ast.Name):
            return operations.builtin(self, node.func.id, arguments, named)
        return self.call(function, arguments, named, node)

    def _tell_call(self, node: ast.Call, owner: Any, function: Any) -> None:
        """Tell of a call that training loops are made of."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TOLD:
            if not isinstance(function, Function):
                self.tell(node.func.attr, node, owner, dotted_text(node.func.value))
        elif isinstance(function, Instance | Layer) or (self._rounds_around and _may_be_network(function)):
            self.tell("call", node, function, dotted_text(node.func))

    def tell(self, kind: str, node: ast.AST, owner: Any = None, name: str = "") -> None:
        """Note an event."""
        self.events.append(Event(kind, node, owner, name, tuple(self._rounds_around), self._grad))

    def _super(self, scope: Scope) -> Any:
        inside: Scope | None = scope
        while inside is not None and "  self" not in inside.names:
            inside = inside.outside
        if inside is None:
            return UNKNOWN
        return _Super(inside.names["  self"], inside.names["  holder"])

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, function: Any, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
        """What a call gives."""
        if self._depth >= DEEPEST:
            return UNKNOWN
        self._depth += 1
        try:
            match function:
                case Function():
                    return self._run_function(function, self._parameters(function, arguments, named))
                case Class():
                    return self._make(function, arguments, named, node)
                case Instance():
                    return self.forward(function, arguments, named, node)
                case _:
                    return operations.call(self, function, arguments, named, node)
        finally:
            self._depth -= 1

    def forward(self, network: Instance, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
        """What a network gives when it is called."""
        found = network.of.find("forward") or network.of.find("__call__")
        if found is None or not isinstance(found[0], Function):
            return operations.opaque(self, "call", node, arguments)
        if any(each is network for each in self._running):
            return UNKNOWN
        if network.of.is_module and arguments[:1] == [UNKNOWN]:
            arguments = [operations.images(node), *arguments[1:]]
        self._running.append(network)
        try:
            function = self._bound(found[0], network, found[1])
            value = self._run_function(function, self._parameters(function, arguments, named))
        finally:
            self._running.pop()
        self.returned.append((network, value))
        return value

    @property
    def within(self) -> tuple[Instance, ...]:
        """The networks whose forward runs, the outermost first."""
        return tuple(self._running)

    def _make(self, kind: Class, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
        made = Instance(kind, call=node)
        self.made.append(made)
        found = kind.find("__init__")
        if found is not None and isinstance(found[0], Function):
            function = Function(found[0].node, found[0].outside, made, found[1])
            made.arguments = self._parameters(function, arguments, named)
            with suppress(_Raised):
                self._run_function(function, made.arguments)
        elif not kind.is_module:
            fields = [
                n.target.id for n in kind.node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            ]
            made.attributes.update(zip(fields, arguments, strict=False))
            made.attributes.update(named)
        return made

    def _run_function(self, function: Function, parameters: dict[str, Any]) -> Any:
        node = function.node
        self.called.add(id(node))
        outer = self._parameters_of.get(node)
        if outer is not None and not _goes_on(parameters, outer):
            return UNKNOWN
        self._parameters_of[node] = parameters
        try:
            return self._run_body(function, parameters)
        finally:
            if outer is None:
                del self._parameters_of[node]
            else:
                self._parameters_of[node] = outer

    def _run_body(self, function: Function, parameters: dict[str, Any]) -> Any:
        scope = Scope(function.outside if isinstance(function.outside, Scope) else None)
        if function.holder is not None and scope.outside is not None and scope.outside.holder is function.holder:
            scope.outside = scope.outside.outside  # methods do not see the names of their class
        scope.names.update(parameters)
        if function.owner is not None:
            scope.names["  self"], scope.names["  holder"] = function.owner, function.holder
        if isinstance(function.node, ast.Lambda):
            return self.value(function.node.body, scope)
        before = self._grad
        for decorator in function.node.decorator_list:
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            self._switch(self.value(named, self.top))
        try:
            self._block(function.node.body, scope)
        except _Returned as returned:
            if function.outside is self.top:
                self.results.setdefault(function.node, returned.value)
            return returned.value
        except _Left:
            pass
        finally:
            self._grad = before
        return None

    def _parameters(self, function: Function, arguments: list[Any], named: dict[str, Any]) -> dict[str, Any]:
        """The names that a function sees of its arguments; what is not given and has no default is unknown."""
        declared = function.node.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
        given = [function.owner, *arguments] if function.owner is not None else list(arguments)
        found: dict[str, Any] = dict(zip(names, given, strict=False))
        if declared.vararg is not None:
            found[declared.vararg.arg] = tuple(given[len(names) :])
        names += [each.arg for each in declared.kwonlyargs]
        rest = dict(named)
        for name in names:
            if name in rest:
                found[name] = rest.pop(name)
        if declared.kwarg is not None:
            found[declared.kwarg.arg] = rest
        scope = function.outside if isinstance(function.outside, Scope) else self.top
        for name, default in defaults(declared):
            if name not in found:
                found[name] = self.value(default, scope)
        for name in names:
            found.setdefault(name, UNKNOWN)
        return found

    # --- what is known ------------------------------------------------------------------------------------------------

    def _truth(self, value: Any) -> bool | None:
        if value is UNKNOWN or isinstance(value, Tensor | Library | Method):
            return None
        if isinstance(value, Instance | Layer | Class | Function):
            return True
        try:
            return bool(value)
        except Exception:
            return None

    def _items(self, value: Any) -> Iterable[Any]:
        return operations.items(value)[:LONGEST]


class _Super:
    """What `super()` gives: the instance, seen from behind one of its classes."""

    def __init__(self, owner: Instance, holder: Class | None) -> None:
        self.owner = owner
        self.holder = holder


def leaves_a_trace(node: ast.stmt) -> bool:
    """Whether a program is another one when a condition is decided otherwise.

    Not where all that it decides is whether something is called: to load weights, to draw them, to print.
    """
    match node:
        case ast.If():
            return any(map(leaves_a_trace, (*node.body, *node.orelse)))
        case ast.For():
            return any(map(leaves_a_trace, node.body))
        case ast.Expr(ast.Call(ast.Attribute(attr=name))):
            return name in _CHANGING
        case ast.Expr() | ast.Raise() | ast.Assert() | ast.Pass():
            return False
    return True


def defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """The parameters with a default, and it."""
    names = [*arguments.posonlyargs, *arguments.args]
    behind = names[len(names) - len(arguments.defaults) :]
    yield from ((name.arg, default) for name, default in zip(behind, arguments.defaults, strict=True))
    for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield name.arg, default


def dotted_text(node: ast.AST) -> str:
    """A name as it is written, `self.model`; empty if the expression is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted_text(node.value)
        return owner and f"{owner}.{node.attr}"
    return ""


def _innermost(node: ast.expr) -> ast.expr:
    """What a loop really goes over: `enumerate(tqdm(loader))` goes over `loader`."""
    while isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    return node if dotted_text(node) else ast.Constant(None)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _may_be_network(function: Any) -> bool:
    of_others = isinstance(function, Library) and not function.name.startswith("torch")
    return function is UNKNOWN or of_others or isinstance(function, Made)


def _small(value: Any) -> bool:
    if isinstance(value, int | float):
        return -_LARGEST < value < _LARGEST
    return isinstance(value, str | list | tuple) and len(value) <= _LONGEST


def _grows(kind: ast.operator, left: Any, right: Any) -> bool:
    """Whether computing it may take far more memory than what is given: it is not tried."""
    if isinstance(kind, ast.Pow):
        return isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > 64
    if isinstance(kind, ast.Mod):
        return isinstance(left, str)  # a format has widths
    sequence, times = (right, left) if isinstance(left, int) else (left, right)
    many = isinstance(sequence, str | list | tuple) and isinstance(times, int)
    return isinstance(kind, ast.Mult) and many and len(sequence) * times > _LONGEST


def _shallow(value: Any) -> bool:
    """Whether it is plain, or holds plain things only: comparing what is nested deeply may take for ever."""
    if isinstance(value, list | tuple | dict):
        return all(isinstance(each, _PLAIN) for each in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, _PLAIN)


def _goes_on(parameters: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether a function that calls itself may get nearer to its end: whether anything is known to have changed."""
    for name, each in parameters.items():
        before = outer.get(name)
        same = each is before or (_shallow(each) and _shallow(before) and each == before)
        if not same and each is not UNKNOWN:
            return True
    return False


def _vague(value: Any) -> bool:
    """Whether something unknown is in it."""
    return value is UNKNOWN or (isinstance(value, list | tuple) and any(map(_vague, value)))


_STATEMENTS: dict[type, Callable[[Interpreter, Any, Scope], None]] = {
    ast.Assign: Interpreter._assign,
    ast.AnnAssign: Interpreter._annotated,
    ast.AugAssign: Interpreter._augmented,
    ast.If: Interpreter._if,
    ast.For: Interpreter._for,
    ast.AsyncFor: Interpreter._for,
    ast.While: Interpreter._while,
    ast.With: Interpreter._with,
    ast.AsyncWith: Interpreter._with,
    ast.Try: Interpreter._try,
    ast.Return: Interpreter._return,
    ast.FunctionDef: Interpreter._define,
    ast.AsyncFunctionDef: Interpreter._define,
    ast.ClassDef: Interpreter._define_class,
    ast.Import: Interpreter._import,
    ast.ImportFrom: Interpreter._import_from,
    ast.Expr: Interpreter._expression,
    ast.Global: Interpreter._global,
    ast.Nonlocal: Interpreter._global,
    ast.Raise: Interpreter._raise,
    ast.Break: Interpreter._break,
    ast.Continue: Interpreter._continue,
}
_EXPRESSIONS: dict[type, Callable[[Interpreter, Any, Scope], Any]] = {
    ast.Attribute: Interpreter._attribute,
    ast.Tuple: Interpreter._tuple,
    ast.List: Interpreter._list,
    ast.Set: Interpreter._list,
    ast.Dict: Interpreter._dict,
    ast.BinOp: Interpreter._binary_node,
    ast.UnaryOp: Interpreter._unary,
    ast.BoolOp: Interpreter._bool,
    ast.Compare: Interpreter._compare,
    ast.IfExp: Interpreter._either,
    ast.Subscript: Interpreter._subscript,
    ast.ListComp: Interpreter._comprehension,
    ast.SetComp: Interpreter._comprehension,
    ast.GeneratorExp: Interpreter._comprehension,
    ast.DictComp: Interpreter._dict_comprehension,
    ast.JoinedStr: Interpreter._text,
    ast.Lambda: Interpreter._lambda,
    ast.NamedExpr: Interpreter._named,
    ast.Call: Interpreter._call_node,
}
