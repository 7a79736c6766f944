"""What everything that can be found has: a code, a name, a message, and a file that is its page and holds its cases."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from repro.audit.finding import Confidence, Severity, Words
from repro.audit.report import Explained

_MARK = re.compile(r"[ \t]*# <- (?:bug|risk|note)$", re.MULTILINE)  # of a line in which something is found


@dataclass(frozen=True)
class Described:
    """What a rule and a probe have in common.

    code     stable, unique, and never used for another one
    name     names what is found, so that "allow <name>" reads well
    module   its file: the docstring is its page, in English; `ZH` in Chinese; `VALID` and `INVALID` its cases
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: Words
    module: ModuleType

    @property
    def valid(self) -> Sequence[str]:
        """Programs that it says nothing of."""
        return tuple(self.module.VALID)

    @property
    def invalid(self) -> Sequence[str]:
        """Programs in which it finds the lines that end in `# <- bug` (or `risk`, or `note`), and no others."""
        return tuple(self.module.INVALID)

    def page(self, language: str) -> str:
        """What `repro explain` says of it."""
        return inspect.cleandoc(self.module.ZH if language == "zh" else self.module.__doc__ or "")

    @property
    def explained(self) -> Explained:
        """What readers are told of it."""
        page = Words(self.page("en"), self.page("zh"))
        wrong, right = (_MARK.sub("", case).strip("\n") for case in (self.invalid[0], self.valid[0]))
        return Explained(self.code, self.name, self.severity, self.confidence, page, wrong, right)


def named(check: Callable[..., Any]) -> tuple[str, ModuleType]:
    """The name that a check gives to what it finds, and its file."""
    return check.__name__.replace("_", "-"), sys.modules[check.__module__]
