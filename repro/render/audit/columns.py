"""Text as a terminal shows it: how many columns it takes, wrapped, cut to a window, and with nothing that moves it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_TAB = "    "
_CLOSING = "\u3001\u3002\u300b\u201d\uff01\uff09\uff0c\uff1a\uff1b\uff1f,.;:!?)"  # no line begins with one of these
_OPENING = "\u300a\u201c\uff08"  # and none ends with one of these
_PIECES = re.compile(  # a line may end behind each
    rf"\s+|[{_OPENING}]*(?:[\u1100-\uffef]|[^\s\u1100-\uffef]+)[{re.escape(_CLOSING)}]*"
)


def clean(text: str) -> str:
    """With a picture in place of what a terminal would obey, or would not show."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind[0] == "C" or kind in ("Zl", "Zp"):  # control, format, surrogate, private use, unassigned; line separators
        return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"
    return character


def width(text: str) -> int:
    """The columns that a text takes: Chinese characters take two, what combines with the one before it none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str, columns: int, rest: str = "", first: str = "") -> Iterator[str]:
    """The lines of a paragraph, with `first` before the first and `rest` before the others; long words are broken."""
    before = line = first
    for piece in _PIECES.findall(clean(text)):
        if line == before and piece.isspace():
            continue
        if line != before and width(line) + width(piece.rstrip()) > columns:
            yield line.rstrip()
            before = line = rest
            piece = piece.lstrip()
        while width(line) + width(piece) > columns and len(piece) > 1:
            fitting = next(n for n in range(len(piece) - 1, 0, -1) if n == 1 or width(line + piece[:n]) <= columns)
            yield line + piece[:fitting]
            before = line = rest
            piece = piece[fitting:]
        line += piece
    if line != before:
        yield line.rstrip()


def pointed(line: str, start: int, end: int, columns: int) -> tuple[str, str]:
    """A line of source, cut to a window, and carets below its characters from `start` to `end`."""
    start = min(start, len(line))
    end = max(min(end, len(line)), start + 1)
    left = max(start - columns, 0)  # what is further away than this cannot be seen
    shown = [_TAB if each == "\t" else clean(each) for each in line[left : start + columns]]
    widths = [width(each) for each in shown]
    start, end = start - left, end - left
    needed = sum(widths) + (start >= len(shown))  # a caret may stand behind the line
    cut = left > 0 or len(line) > left + len(shown) or needed > columns
    room = columns - 2 if cut else columns  # for an ellipsis on either side
    first = _first(widths, start, room)
    last = next((index for index in range(first, len(shown)) if sum(widths[first : index + 1]) > room), len(shown))
    before = "…" if left or first else ""
    behind = "…" if len(line) > left + last else ""
    indent = len(before) + sum(widths[first:start])
    carets = "^" * max(sum(widths[start : min(end, last)]), 1)
    return f"{before}{''.join(shown[first:last])}{behind}".rstrip(), " " * indent + carets


def _first(widths: list[int], start: int, room: int) -> int:
    """Where a window begins: with the line, or if `start` would be far to the right, a third of the room before it."""
    if sum(widths[:start]) <= room * 2 // 3 or sum(widths) <= room:
        return 0
    first = start
    while first and sum(widths[first - 1 : start]) <= room // 3:
        first -= 1
    return first
