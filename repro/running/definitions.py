"""What a program defines, by running its statements one by one; of what fails the rest is run all the same.

Runs where `repro.sandbox` has taken every right away, and nowhere else.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

from repro.errors import first_line

NAME = "audited"  # of the module that the program becomes: no `__main__`, under which scripts begin to train
FILE = "<audited>"
_SECONDS = 5.0  # for one statement
_IMPORTS = 30.0  # for one that imports: a library that is stopped half way is of no use to the rest

_FILLS = frozenset(
    f"{name}_"
    for name in "normal uniform constant fill zero zeros ones trunc_normal xavier_uniform xavier_normal kaiming_uniform"
    " kaiming_normal orthogonal".split()
)

# What defines something. Loops and calls for their effect are what training and printing is made of.
_DEFINING = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.If,
    ast.Try,
    ast.With,
)


class TooLongError(Exception):
    """A statement that takes more time than a definition should."""


@dataclass(frozen=True)
class Failure:
    """A statement that was run and failed.

    line   of the program's text
    error  its kind and first line
    """

    line: int
    error: str


@dataclass
class Defined:
    """What there is when a program's definitions have been run.

    tree      of the text
    lost      names that statements which failed would have bound
    module    that they were run in
    failures  in the order of the text
    """

    tree: ast.Module
    lost: set[str] = field(default_factory=set)
    module: ModuleType = field(default_factory=lambda: ModuleType(NAME))
    failures: list[Failure] = field(default_factory=list)

    @functools.cached_property
    def setters(self) -> frozenset[str]:
        """The classes and functions in the text of which parameters are given values."""
        return frozenset(
            each.name
            for each in self.tree.body
            if isinstance(each, ast.ClassDef | ast.FunctionDef)
            and any(isinstance(node, ast.Attribute) and node.attr in _FILLS for node in ast.walk(each))
        )

    def own(self) -> list[Any]:
        """The classes and functions that it defines, each once."""
        values = [each for each in vars(self.module).values() if inspect.isclass(each) or inspect.isfunction(each)]
        return [each for each in dict.fromkeys(values) if each.__module__ == NAME]

    def get(self, name: str) -> Any:
        """What a name stands for; None if it stands for nothing."""
        return vars(self.module).get(name)


def run(text: str, missing: str) -> Defined:
    """Run what a program's text defines; missing: the imports that it leaves out, as statements."""
    made = Defined(ast.parse(text))
    sys.modules[NAME] = made.module
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    for statement in ast.parse(missing).body:
        _run(statement, "<imports>", made)
    made.failures.clear()  # nobody wrote them
    made.lost.clear()
    for statement in made.tree.body:
        if isinstance(statement, _DEFINING) and not _is_main(statement):
            _run(statement, FILE, made)
    return made


def _run(statement: ast.stmt, file: str, made: Defined) -> None:
    code = compile(ast.Module([statement], []), file, "exec")
    try:
        with within(_IMPORTS if isinstance(statement, ast.Import | ast.ImportFrom) else _SECONDS):
            exec(code, vars(made.module))
    except BaseException as error:  # SystemExit and whatever else third parties raise
        made.failures.append(Failure(statement.lineno, first_line(error)))
        made.lost |= _binds(statement)


def _binds(statement: ast.stmt) -> set[str]:
    """The names that a statement would bind."""
    found = {each.asname or each.name.partition(".")[0] for each in ast.walk(statement) if isinstance(each, ast.alias)}
    names = (each for each in ast.walk(statement) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
    found |= {each.id for each in names}
    return found | ({statement.name} if isinstance(statement, ast.FunctionDef | ast.ClassDef) else set())


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooLongError in what takes longer, as far as it is written in Python."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooLongError(f"more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_main(statement: ast.stmt) -> bool:
    """Whether it is what runs when the file is started: `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(statement.test)
    )
