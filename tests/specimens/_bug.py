"""What is recorded of a bug, and how its property is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch

from repro import models
from tests.specimens._originals import Original

Property = Callable[[Any], None]


@dataclass(frozen=True)
class Bug:
    """One bug of one snippet.

    name      of the property that is broken, unique in its snippet
    document  of tests/specimens/_originals.py: 000, 001, 002 or 003
    severity  bug: contradicts the document or crashes; risk: breaks in ordinary use; note: a departure, or redundant
    bug       one sentence: what is wrong
    holds     one sentence: what should hold
    property  raises AssertionError, with a message of one line, about what does not have it
    shows     what the message says about the specimen, and about the original
    specimen  makes what has the bug: a network, or what the property is asked of
    repaired  makes the same without the bug
    kept_by   networks of the catalog that have the property; empty where nothing of ours could lack it
    original  makes the same from the document's own code
    ours      makes it of the builders of `kept_by`
    on_meta   whether shapes are enough, so that nothing has values
    """

    name: str
    document: str
    snippet: str
    severity: str
    bug: str
    holds: str
    property: Property
    shows: str
    specimen: Callable[[], Any]
    repaired: Callable[[], Any]
    kept_by: tuple[str, ...]
    original: Callable[[Original], Any]
    ours: Callable[..., Any] = lambda build: build()
    on_meta: bool = True

    def __str__(self) -> str:
        """What tells it from all others: 000-VGG-logits_come_out."""
        return f"{self.document}-{self.snippet}-{self.name}"

    def build_ours(self) -> Any:
        """What the property is asked of, made by the catalog."""
        return self.ours(*(partial(models.build, name) for name in self.kept_by))

    def complaint(self, build: Callable[[], Any]) -> str:
        """What the property says about what is built; empty where it holds."""
        torch.manual_seed(0)
        with torch.device("meta" if self.on_meta else "cpu"):
            try:
                self.property(build())
            except AssertionError as error:
                return str(error)
        return ""


@cache
def shown(bug: Bug) -> str:
    """What the property says about the specimen; asked once, for the tests and for the page."""
    return bug.complaint(bug.specimen)
