"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import functools
import os
import platform

# The machines whose system calls are known here: the name of each, as the kernel tells it to a filter (linux/audit.h).
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 1, 24, 38


class KernelError(OSError):
    """A system call that was refused; the message names it."""


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def machine() -> str:
    """The kind of machine, as `ARCHITECTURES` has it."""
    return platform.machine()


def syscall(name: str, number: int, *arguments: object) -> int:
    """Make a system call. Raises KernelError where it is refused."""
    return _checked(name, _libc().syscall(ctypes.c_long(number), *arguments))


def prctl(name: str, option: int, *arguments: int) -> int:
    """Change something of this process. Raises KernelError where it is refused."""
    given = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(name, _libc().prctl(option, *map(ctypes.c_ulong, given)))


def unshare(flags: int) -> None:
    """Leave namespaces for new ones. Raises KernelError where it is refused."""
    _checked("unshare", _libc().unshare(flags))


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise KernelError(number, f"{name}: {os.strerror(number)}")
    return result
