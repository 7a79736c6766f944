"""How much more one thing costs than another, in one process and in turn; seconds would be the machine's business."""

from __future__ import annotations

import time
from collections.abc import Callable


def ratio(one: Callable[[], object], other: Callable[[], object]) -> float:
    """The time of one in that of the other: the best of three of each."""
    pairs = [(_seconds(one), _seconds(other)) for _ in range(3)]
    return min(first for first, _ in pairs) / min(second for _, second in pairs)


def _seconds(call: Callable[[], object]) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before
