"""Why something cannot be audited, in the two languages that an audit speaks."""

from __future__ import annotations

from repro.audit.finding import Words
from repro.errors import ReproError, first_line


class Refusal(ReproError):  # noqa: N818  # what a user may mend is no error of ours
    """What was given, what was expected, and what to do; as text it is English."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.words = Words(en, zh)

    def __str__(self) -> str:
        return self.words.en

    def said_of(self, what: str) -> Refusal:
        """The same with a file, or a place in one, before it."""
        return Refusal(f"{what}: {self.words.en}", f"{what}: {self.words.zh}")


def internal(error: Exception) -> Refusal:
    """That of a mistake of ours."""
    told = first_line(error)
    return Refusal(f"internal error: {told}; --debug shows the traceback", f"内部错误：{told}；--debug 显示调用栈")
