"""What the pages under docs/ are written with. They are markdown for a code-hosting site, made by `nox -s docs`."""

from __future__ import annotations

import re
import textwrap
from typing import Any

WIDTH = 120


def escaped(text: str) -> str:
    """Text that stands in a cell of a table, or a sentence, as it is."""
    return re.sub(r"([|*~<\\])", r"\\\1", text.replace("\n", " "))


def joined(*paragraphs: str) -> str:
    """Paragraphs with an empty line after each, none of its lines longer than the width."""
    return "\n".join(f"{textwrap.fill(each, WIDTH, break_on_hyphens=False)}\n" for each in paragraphs)


def shown(value: Any, between: str = ", ") -> str:
    """A value as people write it: whole numbers of a list with `between` between them."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        numbers = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
        if not value:
            return "none"
        return between.join(map(str, value)) if numbers else _repeated([*map(shown, value)])
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value) or "none"


def _repeated(words: list[str]) -> str:
    """Words in a row; if they are the same few over and over, these once: `3 times (1x1 64; 3x3 64)`."""
    for period in range(2, len(words) // 2 + 1):
        if words == words[:period] * (len(words) // period):
            return f"{len(words) // period} times ({'; '.join(words[:period])})"
    return "; ".join(words)
