"""What a property is: a statement that must hold for every network, and the check of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Property(Generic[Subject]):
    """A statement about a network, checked on one subject; `holds` raises AssertionError where it is not so."""

    statement: str
    holds: Callable[[Subject], None]


class Group(Generic[Subject]):
    """The properties of one file, which share what is drawn and run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.properties: dict[str, Property[Subject]] = {}

    def states(self, statement: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
        """Register the check of a statement under the function's name."""

        def register(holds: Callable[[Subject], None]) -> Callable[[Subject], None]:
            name = holds.__name__.replace("_", " ")
            self.properties[name] = Property(statement, holds)
            return holds

        return register

    def hold(self, subject: Subject) -> None:
        """Check them all, in order."""
        for each in self.properties.values():
            each.holds(subject)
