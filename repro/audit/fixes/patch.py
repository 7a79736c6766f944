"""A change of a file as a diff that `git apply` and `patch -p1` take, and the file written in its place."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from repro import atomic
from repro.audit.finding import Words
from repro.audit.refusal import Refusal

_PLAIN = re.compile(rb'[^\x00-\x1f\x7f"\\]*')
_NO_END = b"\n\\ No newline at end of file\n"


def name(file: Path) -> str:
    """How a diff names a file: from the current folder, or from the root; a link by what it leads to."""
    real = file.resolve()
    return str(real.relative_to(Path.cwd()) if real.is_relative_to(Path.cwd()) else real.relative_to(real.anchor))


def diff(called: str, before: bytes, after: bytes) -> Iterator[bytes]:
    """The lines of a unified diff, in the file's own encoding, with the ends that they have in the file."""
    old, new = (data.split(b"\n") for data in (before, after))
    rows = [[line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else []) for lines in (old, new)]
    names = _named(b"a/", called), _named(b"b/", called)
    for line in difflib.diff_bytes(difflib.unified_diff, rows[0], rows[1], names[0], names[1]):
        yield line if line.endswith(b"\n") else line + _NO_END


def unwritable(file: Path) -> Words | None:
    """Why a file is not to be changed; None if it may be."""
    if file.stat().st_nlink > 1:
        return Words(
            "it has another name, a hard link, which would keep the old text",
            "它还有别的名字（硬链接），那边会留着旧内容",
        )
    if not os.access(file, os.W_OK):
        return Words("it is read-only", "它是只读的")
    return None


def write(file: Path, before: bytes, after: bytes) -> None:
    """Put one content in place of another, whole or not at all. Raises Refusal, also if it is no longer that other."""

    def accept(temporary: Path) -> bool:
        if file.read_bytes() != before:
            raise Refusal("it has changed since it was read; nothing was written", "读取之后它又变了，没有写入")
        return temporary.read_bytes() == after

    try:
        atomic.write(file, after, accept)
    except OSError as error:
        why = error.strerror or error
        raise Refusal(f"it cannot be written: {why}", f"无法写入：{why}").said_of(str(file)) from error
    except Refusal as refusal:
        raise refusal.said_of(str(file)) from refusal


def _named(side: bytes, called: str) -> bytes:
    """A name as git and GNU diff write it: quoted like a C string, or with a tab behind it, where it must be."""
    given = side + os.fsencode(called)
    if not _PLAIN.fullmatch(given):
        return b'"%s"' % re.sub(rb'[\x00-\x1f\x7f"\\]', lambda found: b"\\%03o" % found[0][0], given)
    return given + b"\t" * (b" " in given)
