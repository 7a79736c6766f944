"""Where the reference implementations depart from the papers: register.toml, and how it is read.

An entry says what the paper does and what the reference does instead, and has checks: values found in the reference, so
that it is noticed when the reference changes. Where nothing that is installed can show it, `unchecked` says why.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from repro.errors import ReproError

LIBRARIES = ("torchvision", "timm", "torch", "Caffe", "Keras")
_THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+")


class RegisterError(ReproError):
    """An entry that is not whole or contradicts itself; the message names it."""


@dataclass(frozen=True)
class Check:
    """One value to be found again. It is one of three kinds: a measure, names, or an experiment.

    expected    what was found when the entry was written
    tolerance   the largest distance from that
    measure     a name in `repro.measures`, taken of `on` (as `repro compare` names a network; also our own, for the
                contrast), at the module `at`, for an input of `size` where that is not the documented one
    names       a library, whose networks with a name like one of `like` are listed
    experiment  a name in `repro.deviations.experiments`, with its arguments `given`
    """

    expected: Any
    tolerance: float = 0.0
    measure: str = ""
    on: str = ""
    at: str = ""
    size: tuple[int, ...] = ()
    names: str = ""
    like: tuple[str, ...] = ()
    experiment: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.names:
            return f"{self.names}: networks called {', '.join(self.like)}"
        if self.experiment:
            given = ", ".join(f"{key} {_told(value)}" for key, value in self.given.items())
            return f"{self.experiment.replace('_', ' ')} ({given})"
        place = f", {self.at}" if self.at else ""
        size = f", for {'x'.join(map(str, self.size))}" if self.size else ""
        return f"{self.measure.replace('_', ' ')} of {self.on}{place}{size}"


@dataclass(frozen=True)
class Deviation:
    """One entry of the register.

    id          unique: the network and what of it
    libraries   whose implementations depart, of `LIBRARIES`
    paper       what the paper or its authors do
    locus       where they say so
    reference   what the libraries do
    facts       ids of the facts in `repro.papers` that state the paper's side
    threads     issues and pull requests, `owner/name#number`
    of_paper    the networks of the catalog that are the paper's
    of_library  those that are the libraries'
    checks      what notices that the library has changed
    unchecked   what of it, or all of it, no check can show, and why
    """

    id: str
    libraries: tuple[str, ...]
    paper: str
    locus: str
    reference: str
    facts: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    of_paper: tuple[str, ...] = ()
    of_library: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    unchecked: str = ""


@dataclass(frozen=True)
class Register:
    """The register: its entries in the order of the file, and the versions in which what is recorded was found."""

    found_in: str
    deviations: tuple[Deviation, ...]


@functools.cache
def register() -> Register:
    """What is recorded."""
    return parse(files(__package__).joinpath("register.toml").read_text(encoding="utf-8"))


def parse(text: str) -> Register:
    """A register from its text. Raises RegisterError for an entry that is not whole or contradicts itself."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegisterError(f"register.toml: {error}") from error
    if content.keys() != {"found_in", "deviations"}:
        raise RegisterError(f"register.toml has {', '.join(content)}; expected found_in and deviations")
    entries = tuple(map(_entry, content["deviations"]))
    for number, entry in enumerate(entries):
        if entry.id in {other.id for other in entries[:number]}:
            raise RegisterError(f"register.toml: two entries are called {entry.id!r}")
    return Register(content["found_in"], entries)


def _entry(table: dict[str, Any]) -> Deviation:
    named = table.get("id", table)
    try:
        checks = tuple(Check(**{**check, **_tuples(check, "size", "like")}) for check in table.get("checks", ()))
        lists = _tuples(table, "libraries", "facts", "threads", "of_paper", "of_library")
        entry = Deviation(**{**table, **lists, "checks": checks})
    except TypeError as error:
        raise RegisterError(f"register.toml: {named}: {error}") from error
    problem = next(filter(None, [_problem(entry), *map(_check_problem, checks)]), "")
    if problem:
        raise RegisterError(f"register.toml: {named}: {problem}")
    return entry


def _problem(entry: Deviation) -> str:
    """What is wrong with an entry, "" if nothing is."""
    strange = [library for library in entry.libraries if library not in LIBRARIES]
    if strange or not entry.libraries:
        return f"its libraries are {list(entry.libraries)}; expected some of {', '.join(LIBRARIES)}"
    wrong = [thread for thread in entry.threads if not _THREAD.fullmatch(thread)]
    if wrong:
        return f"the thread {wrong[0]!r} cannot be read; expected owner/name#number"
    if not entry.checks and not entry.unchecked:
        return "it has no check; expected one, or in `unchecked` the reason why there is none"
    return ""


def _check_problem(check: Check) -> str:
    """What is wrong with a check, "" if nothing is."""
    kinds = [kind for kind in ("measure", "names", "experiment") if getattr(check, kind)]
    if len(kinds) != 1:
        return f"a check is a measure, names or an experiment; one of them is {' and '.join(kinds) or 'nothing'}"
    if bool(check.measure) != bool(check.on) or bool(check.names) != bool(check.like):
        return f"the check {check}: a measure goes with `on`, names go with `like`"
    return ""


def _tuples(table: Mapping[str, Any], *keys: str) -> dict[str, tuple[Any, ...]]:
    return {key: tuple(table[key]) for key in keys if key in table}


def _told(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
