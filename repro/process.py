"""What a process is set to before it loads torch: how its threads wait, and that freed memory stays with it."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

# mallopt(3): parameter -> value. Both are C ints.
_TRIM_THRESHOLD, _NEVER = -1, -1
_MMAP_THRESHOLD, _LARGEST = -3, 2**31 - 1


# Threads that wait for each other spin for milliseconds, and lose most of their time as soon as something else runs on
# the machine; threads that go to sleep at once are late on a quiet one (docs/design.md has the figures).
_SPINS = "3000"


def alone() -> None:
    """Set up a process that has the machine to itself. libgomp reads the environment when torch loads it."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    keep_memory()


def shares(count: int) -> list[set[int]]:
    """The cores that this process may use, shared out among so many; several share one if there are too few."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return [{*cores[index % len(cores) :: count]} for index in range(count)]


def beside_others(cores: set[int]) -> None:
    """Set up one of several processes that share the cores: it keeps to these.

    Its threads do not spin, which would take time from each other. Processes that wander from core to core, each with
    threads that follow it, took an eighth more time.
    """
    if os.environ.get("GOMP_SPINCOUNT", _SPINS) == _SPINS and "OMP_WAIT_POLICY" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = "0"
    with suppress(AttributeError, OSError):  # of a system that binds no process to cores, or does not let us
        os.sched_setaffinity(0, cores)
    keep_memory()


def keep_memory() -> None:
    """Have malloc reuse freed blocks up to 2 GiB in this process. Where the C library is not glibc, nothing is done.

    A check allocates the same gigabytes again and again: weights, gradients, what a step leaves. glibc gives a large
    block back to the system when it is freed, which then clears every page of the next one: half the time of verifying
    a VGG.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has no mallopt
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_TRIM_THRESHOLD, _NEVER)
            mallopt(_MMAP_THRESHOLD, _LARGEST)
