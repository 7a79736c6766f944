"""Where statements begin, however indented: brackets, strings of several lines and backslashes join lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TRIPLE = r"\"\"\"|'''"
_STRING = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
# What begins a statement and never a line within brackets: the bracket before it was not closed.
_BEGINS = re.compile(
    r"\s*(?:(?:def|class|import|return|while|with|try|elif|except|finally|raise|del|assert|pass|break|continue|global)\b"
    r"|from\s+[\w.]+\s+import\b|@[^\W\d])"
)
_CLOSERS = re.compile(r"[)\]}]*")
_MARK = re.compile(rf"(?P<triple>{_TRIPLE})|(?P<string>{_STRING})|#|(?P<open>[(\[{{])|(?P<close>[)\]}}])|\\\Z")


@dataclass(frozen=True)
class Statement:
    """The lines of one statement, or one line of a comment or with nothing on it.

    start, end  of its lines, the end not included
    closed      whether all brackets and strings that it opens are closed
    """

    start: int
    end: int
    closed: bool = True


def statements(lines: Sequence[str], longest: int = 2000) -> Iterator[Statement]:
    """The statements of a text, one after the other.

    A bracket that is never closed would swallow all that follows: a statement that runs into the beginning of another,
    or has more than `longest` lines, is given up, and its first line stands alone.
    """
    index = 0
    while index < len(lines):
        found = statement(lines, index, longest)
        if not found.closed:
            longest = max(longest // 2, 50)  # a text of nothing but open brackets must not take for ever
        yield found
        index = found.end


def statement(lines: Sequence[str], start: int, longest: int) -> Statement:
    """The statement that begins with a line; that line alone if it is not complete within so many."""
    end, closed = _end(lines, start, min(len(lines), start + longest))
    return Statement(start, end) if closed else Statement(start, start + 1, closed=False)


def nesting(lines: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """For each line of a statement how far its hanging indentation goes, and whether it begins within a string."""
    opened: list[int] = []  # the lines on which the brackets that are open were opened
    quote, goes_on = "", False
    for index, line in enumerate(lines):
        closers = _CLOSERS.match(line.lstrip())
        around = opened[: len(opened) - (len(closers[0]) if closers and not quote else 0)]
        yield max(len(set(around)), int(goes_on and not opened)), bool(quote)
        quote, goes_on = _read(line, index, opened, quote)


def _end(lines: Sequence[str], start: int, limit: int) -> tuple[int, bool]:
    """The line behind a statement, and whether it is complete there."""
    opened: list[int] = []
    quote = ""  # of the string of several lines that is open
    for index in range(start, limit):
        if opened and not quote and _BEGINS.match(lines[index]):
            break
        quote, goes_on = _read(lines[index], index, opened, quote)
        if not quote and not opened and not goes_on:
            return index + 1, True
    return limit, False


def _read(line: str, index: int, opened: list[int], quote: str) -> tuple[str, bool]:
    """Go through a line: the brackets open behind it, the quote of an open string, whether a backslash ends it."""
    position, goes_on = 0, False
    while True:
        if quote:
            position = _behind(line, quote, position)
            if position < 0:
                break
            quote = ""
        found = _MARK.search(line, position)
        if found is None:
            break
        position = found.end()
        if found["triple"]:
            quote = found["triple"]
        elif found["open"]:
            opened.append(index)
        elif found["close"]:
            del opened[-1:]
        elif found[0] == "#":
            break
        elif found[0] == "\\":
            goes_on = True
    return quote, goes_on


def _behind(line: str, quote: str, position: int) -> int:
    """The position behind the next closing quote, -1 if there is none."""
    while True:
        found = line.find(quote, position)
        if found < 0:
            return -1
        backslashes = len(line[:found]) - len(line[:found].rstrip("\\"))
        if backslashes % 2 == 0 or found - backslashes < position:
            return found + len(quote)
        position = found + 1
