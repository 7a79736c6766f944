"""A program run with either choice where a condition cannot be known, and what rules ask of that."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

from repro.audit.meaning.interpreter import Choice, Interpreter, OutOfStepsError
from repro.audit.meaning.nesting import is_inside
from repro.audit.meaning.parts import parts
from repro.audit.meaning.values import UNKNOWN, Class, Event, Function, Instance, Layer, Op, Tensor
from repro.audit.program import Program

Found = TypeVar("Found", Function, Class)

FEWEST, EACH = 6000, 3  # steps of a run: so many at least, and so many for each node of the program
MOST = 24_000  # a tenth of a second


class Analysis:
    """The runs of a program: two where there is something to choose."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._traces: dict[tuple[Instance, int | None], list[Op]] = {}
        first = Run(program, Choice.YES)
        self.runs = [first.interpreter]
        if self.runs[0].choices:
            self.runs.append(Run(program, Choice.NO, first).interpreter)

    @classmethod
    def of(cls, program: Program) -> Analysis:
        """That of a program, made once."""
        if cls not in program.known:
            program.known[cls] = cls(program)
        found: Analysis = program.known[cls]
        return found

    @cached_property
    def is_certain(self) -> bool:
        """Whether no condition that cannot be known shapes a network, so that no run mixes what never meets.

        Nor may the indentation have been lost: it is a guess then what stands inside a loop.
        """
        if any(repair.kind == "indentation" for repair in self.program.repairs):
            return False
        passed = [node for run in self.runs for node in run.chosen if not _shapes_nothing(node.test)]
        kinds = [node for run in self.runs for node in run.chosen if _asks_for_a_kind(node.test)]
        chosen = {node.lineno for node in passed if not any(is_inside(node, kind) for kind in kinds)}
        layers = {getattr(each.call, "lineno", 0) for each in self.layers() if not each.short.endswith("Loss")}
        spans = [range(each.lineno, (each.end_lineno or each.lineno) + 1) for each in self.program.named]
        return not any(not chosen.isdisjoint(span) and not layers.isdisjoint(span) for span in spans)

    def classes(self) -> list[Class]:
        """The networks and parts of networks that the program defines."""
        found = [value for value in self.runs[0].top.names.values() if isinstance(value, Class) and value.is_module]
        return sorted(found, key=lambda each: each.node.lineno)

    def layers(self, *short: str) -> Iterator[Layer]:
        """The modules of torch that are made, each expression once; of these classes, if any are named."""
        seen: set[int] = set()
        for run in self.runs:
            for each in run.made:
                if isinstance(each, Layer) and id(each.call) not in seen and (not short or each.short in short):
                    seen.add(id(each.call))
                    yield each

    def instances(self) -> Iterator[Instance]:
        """The networks that are made, of the program's classes."""
        for run in self.runs:
            yield from (each for each in run.made if isinstance(each, Instance) and each.of.is_module)

    def calls(self) -> Iterator[tuple[ast.Call, Function | Class | Instance]]:
        """The calls of the program's own functions, classes and networks."""
        for run in self.runs:
            yield from run.calls.values()

    def ops(self, *kinds: str) -> Iterator[Op]:
        """The operations, in the order in which they run; of these kinds, if any are named."""
        for run in self.runs:
            yield from (op for op in run.ops if not kinds or op.kind in kinds)

    @cached_property
    def stretches(self) -> list[list[Event]]:
        """What happens in one go: all that a program runs, then each function that it only defines, of every run."""
        found: list[list[Event]] = []
        for run in self.runs:
            found.append([])
            for event in run.events:
                if event.kind == "alone":
                    found.append([])
                else:
                    found[-1].append(event)
        return [events for events in found if events]

    def made_by(self, name: str) -> Any:
        """What a function of the program gives when it is called as it is; UNKNOWN if that cannot be followed."""
        run = self.runs[0]
        function = run.top.names.get(name)
        if not isinstance(function, Function):
            return UNKNOWN
        if function.node not in run.results:
            with self._further(run):
                run.alone(function)
        return run.results.get(function.node, UNKNOWN)

    def trace(self, network: Instance, side: int | None = None) -> list[Op]:
        """The operations of one call of a network on images of a side; none if it cannot be followed to its end."""
        if (network, side) not in self._traces:
            run, sizes = self.runs[0], (None, None, side, side)
            before, self._traces[network, side] = len(run.ops), []
            with self._further(run):
                run.alone(network, Tensor(Op("input", "input", network.of.node, shape=sizes), sizes))
                self._traces[network, side] = run.ops[before:]
        return self._traces[network, side]

    @contextmanager
    def _further(self, run: Interpreter) -> Iterator[None]:
        """With steps of its own; what happens is no part of what the program does, and forgotten."""
        steps, run.steps = run.steps, FEWEST
        lists: list[list[Any]] = [run.made, run.ops, run.events, run.returned]
        lengths = [len(each) for each in lists]
        chosen, calls, called = set(run.chosen), dict(run.calls), set(run.called)
        try:
            yield
        except (OutOfStepsError, RecursionError):
            pass
        finally:
            run.steps, run.chosen, run.calls, run.called = steps, chosen, calls, called
            for each, length in zip(lists, lengths, strict=True):
                del each[length:]

    def returned(self) -> Iterator[tuple[Instance, Any]]:
        """Each network that is called, and what it gives."""
        for run in self.runs:
            yield from run.returned


def _asks_for_a_kind(test: ast.expr) -> bool:
    """Whether it asks `isinstance(...)`, as the loop does that gives layers their first weights."""
    return any(isinstance(each, ast.Name) and each.id == "isinstance" for each in ast.walk(test))


def _shapes_nothing(test: ast.expr) -> bool:
    """Whether a condition leaves the layers as they are, or is the same wherever it stands, as `self.training`."""
    return _asks_for_a_kind(test) or any(isinstance(x, ast.Attribute) and x.attr == "training" for x in ast.walk(test))


class Run:
    """Everything that a program runs, and then what it only defines.

    first  the run with the other choice: of what is only defined, this one leaves out what chose nothing there
    """

    def __init__(self, program: Program, choice: Choice, first: Run | None = None) -> None:
        steps = min(max(FEWEST, EACH * program.size), MOST)
        self.interpreter = Interpreter(program.imported, choice, steps)
        self._first = first
        self._choosing: set[ast.AST | None] = {None}  # what met a condition that cannot be known; None: the program
        self._alone: dict[int, ast.AST | None] = {}  # id of a network -> what was run alone that made it
        with suppress(OutOfStepsError, RecursionError):  # what was found so far stands
            self._make(program)

    def _make(self, program: Program) -> None:
        run = self.interpreter
        run.run(program.tree.body)
        for function in sorted(self._defined(Function), key=_needs_arguments):
            if id(function.node) not in run.called:
                made = self._run(function.node, function)
                if isinstance(made, Instance) and not any(each.of is made.of for each, _ in run.returned):
                    self._run(function.node, made, _images(made))  # before other makers of networks use up the steps
        for kind in reversed(self._defined(Class)):
            if kind.is_module and not any(isinstance(each, Instance) and each.of is kind for each in run.made):
                self._run(kind.node, kind)
        for network in [each for each in run.made if isinstance(each, Instance) and each.of.is_module]:
            if not any(each is network for each, _ in run.returned):
                self._run(self._alone.get(id(network)), network, _images(network))
        for chain in self._uncalled() if self._first is None else ():
            self._run(None, chain, UNKNOWN)

    def _uncalled(self) -> list[Layer]:
        """The `Sequential`s that the top of the program gives a name and that nothing calls."""
        run = self.interpreter
        named = [each for each in run.top.names.values() if isinstance(each, Layer) and each.short == "Sequential"]
        called = {id(op.layer) for op in run.ops} if named else set()
        return [each for each in named if called.isdisjoint(map(id, parts(each)))]

    def _defined(self, kind: type[Found]) -> list[Found]:
        """What the program defines at its top, without what the first run has settled."""
        found = [value for value in self.interpreter.top.names.values() if isinstance(value, kind)]
        return [each for each in found if self._first is None or each.node in self._first._choosing]

    def _run(self, node: ast.AST | None, what: Function | Class | Instance | Layer, *arguments: Any) -> Any:
        """Run something alone; node: what it is counted to."""
        run = self.interpreter
        choices, made = run.choices, len(run.made)
        try:
            return run.alone(what, *arguments)
        finally:
            if run.choices > choices:
                self._choosing.add(node)
            self._alone.update((id(each), node) for each in run.made[made:])


def _needs_arguments(function: Function) -> bool:
    """Whether it cannot be called as it is; what can be called shows how the others are meant to be."""
    arguments = function.node.args
    return len(arguments.posonlyargs) + len(arguments.args) > len(arguments.defaults)


def _images(network: Instance) -> Tensor:
    sizes = (None, None, None, None)
    return Tensor(Op("input", "input", network.of.node, shape=sizes), sizes)
