"""Memory that is freed stays with the process.

A check allocates the same gigabytes again and again: weights, gradients, what a step leaves. glibc gives a large block
back to the system when it is freed, which then clears every page of the next one: half the time of verifying a VGG.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# mallopt(3): parameter -> value. Both are C ints.
_TRIM_THRESHOLD, _NEVER = -1, -1
_MMAP_THRESHOLD, _LARGEST = -3, 2**31 - 1


def keep_memory() -> None:
    """Have malloc reuse freed blocks up to 2 GiB in this process. Where the C library is not glibc, nothing is done."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has no mallopt
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_TRIM_THRESHOLD, _NEVER)
            mallopt(_MMAP_THRESHOLD, _LARGEST)
