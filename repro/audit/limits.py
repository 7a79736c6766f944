"""What one file may cost, whatever is in it."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from repro.audit.refusal import Refusal

SECONDS = 1.7  # of this process's time, so that a busy machine makes nothing fail; what is then in C is waited for
CHARACTERS = 1_500_000  # of code: the largest file of torch has 1.3 million, and 262,000 tokens
TOKENS = 300_000  # 350 MB of syntax tree

PARTS = 1000  # of a dotted name that is imported: Python's parser keeps all its beginnings, the square of its length

_IMPORTED = re.compile(rf"\b(?:import|from)[\s\\]+(?:\w+[\s\\]*\.[\s\\]*){{{PARTS}}}")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class _TooLateError(BaseException):
    """Raised wherever the program is then; nothing that handles exceptions of its own may take it for one of them."""


def check_size(path: str, code: str) -> None:
    """Raises Refusal for code whose syntax tree would be too large."""
    if len(code) > 2 * PARTS and _IMPORTED.search(code):
        raise Refusal(
            f"{path}: it imports a name of more than {PARTS:,} parts, which is the most that is read",
            f"{path}: 导入的名字超过 {PARTS:,} 段，最多读这么多",
        )
    if len(code) > CHARACTERS:
        raise Refusal(
            f"{path}: it has {len(code):,} characters of code, and at most {CHARACTERS:,} are read",
            f"{path}: 代码有 {len(code):,} 个字符，最多读 {CHARACTERS:,} 个",
        )
    if len(code) > TOKENS and sum(1 for _ in _TOKEN.finditer(code)) > TOKENS:
        raise Refusal(
            f"{path}: it has more than {TOKENS:,} words and signs of code, which is the most that is read",
            f"{path}: 代码超过 {TOKENS:,} 个单词和符号，最多读这么多",
        )


@contextmanager
def limited(path: str, seconds: float = SECONDS) -> Iterator[None]:
    """Raises Refusal where the block takes longer, needs more memory than there is, or nests too deeply.

    The time is measured where a signal can be had: in the main thread, and not on Windows.
    """
    timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def late(_: int, __: FrameType | None) -> None:
        raise _TooLateError

    def lost(what: sys.UnraisableHookArgs) -> None:  # in a __del__ or the like, where Python prints it and goes on
        if not isinstance(what.exc_value, _TooLateError):
            told(what)

    told = sys.unraisablehook
    try:
        if timed:
            sys.unraisablehook = lost
            before = signal.signal(signal.SIGPROF, late)
            signal.setitimer(signal.ITIMER_PROF, seconds, seconds / 10)  # again, if the first one is lost
        try:
            yield
        finally:
            if timed:
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.signal(signal.SIGPROF, before)
                sys.unraisablehook = told
    except _TooLateError:
        raise Refusal(
            f"{path}: it was given up after {seconds:g} s", f"{path}: 读了 {seconds:g} 秒还没读完，已放弃"
        ) from None
    except RecursionError:
        raise Refusal(f"{path}: what is in it is nested too deeply to be read", f"{path}: 嵌套太深，读不了") from None
    except MemoryError:
        raise Refusal(f"{path}: there is not enough memory to read it", f"{path}: 内存不够，读不了") from None
