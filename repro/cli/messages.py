"""What the command line says beside its results."""

from __future__ import annotations

import os
import sys

from repro.audit.finding import Words

_ERROR = Words("error: {}", "错误：{}")


def tell(message: str) -> None:
    """To stderr, with nothing that a terminal would obey: there may be anything in the name of a file."""
    from repro.render.audit.columns import clean

    print("repro:", "\n".join(map(clean, message.split("\n"))), file=sys.stderr)


def tell_error(message: str, language: str = "en") -> None:
    """What keeps a command from doing what it was asked."""
    tell(_ERROR.told(language).format(message))


def language_of_the_locale() -> str:
    """The language of messages, as POSIX orders the variables that tell it."""
    told = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if told.lower().startswith("zh") else "en"
