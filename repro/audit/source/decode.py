"""From bytes to text: what a file declares, else UTF-8, else GB18030 where that gives Chinese, else Latin-1."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from itertools import islice

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263

# What Chinese text has beside ASCII: ideographs, and the punctuation of CJK and of full width.
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\u2018-\u201d\u2026\u2014\u00b7\u00d7]")
_FOREIGN = re.compile("[^\x00-\x7f]")
_CONTROL = bytes({*range(0x20), 0x7F} - set(b"\b\t\n\v\f\r\x0e\x0f\x1b"))  # less those of terminals and ISO 2022
_MOST_CONTROL = 0.05  # of the bytes of a text; of compressed ones, a tenth
_ENOUGH = 10_000  # characters beside ASCII from which on no more are looked at
_SHARE = 0.9  # of the characters beside ASCII; Latin-1 read as GB18030 gives rare ideographs and private characters


def decode(data: bytes) -> tuple[str, str]:
    """The text, its lines ended by newlines, and the encoding that it was read in; never fails."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lines(data[len(mark) :].decode(encoding, errors="replace")), encoding
    for declared in (_declared(data), "utf-8"):
        with suppress(UnicodeError):  # more than of decoding: there is an encoding called "undefined"
            if declared:
                return _lines(data.decode(declared)), declared
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        text = ""
    seen = [found[0] for found in islice(_FOREIGN.finditer(text), _ENOUGH)]
    if sum(1 for character in seen if _CHINESE.match(character)) > _SHARE * len(seen):
        return _lines(text), "gb18030"
    return _lines(data.decode("latin-1")), "latin-1"


def is_text(data: bytes) -> bool:
    """Whether bytes may be text at all: a few may be damaged, or stand for control characters."""
    if data.startswith(tuple(mark for mark, _ in _BOMS)):
        return True
    return len(data) - len(data.translate(None, _CONTROL)) <= _MOST_CONTROL * len(data)


def _declared(data: bytes) -> str | None:
    """The encoding that one of the first two lines names, if it is one of text."""
    for line in data.split(b"\n", 2)[:2]:
        found = _COOKIE.match(line)
        if found:
            name = found[1].decode("ascii")
            try:
                return name if codecs.lookup(name)._is_text_encoding else None
            except LookupError:
                return None
    return None


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
