"""Which files a process may touch, by Landlock (Linux 6.2 and later): what is not named here is refused, also to root.

Landlock says nothing of looking a file up by name, of modes and of owners: that a file exists can be seen, and
`seccomp` refuses what would change it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from repro.sandbox import kernel
from repro.sandbox.kernel import KernelError

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_VERSION_OF_IT = 1  # the flag with which _CREATE tells what it can do
_PATH_BENEATH = 1

LOWEST = 3  # before, a file that must not be written could be truncated

# linux/landlock.h: each right, and since which version of Landlock it can be withheld.
_RIGHTS = {
    "execute": (1 << 0, 1),
    "write_file": (1 << 1, 1),
    "read_file": (1 << 2, 1),
    "read_dir": (1 << 3, 1),
    "remove_dir": (1 << 4, 1),
    "remove_file": (1 << 5, 1),
    "make_char": (1 << 6, 1),
    "make_dir": (1 << 7, 1),
    "make_reg": (1 << 8, 1),
    "make_sock": (1 << 9, 1),
    "make_fifo": (1 << 10, 1),
    "make_block": (1 << 11, 1),
    "make_sym": (1 << 12, 1),
    "refer": (1 << 13, 2),
    "truncate": (1 << 14, 3),
    "ioctl_dev": (1 << 15, 5),
}
_TCP, _TCP_SINCE = 0b11, 4  # to bind and to connect
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract sockets and signals of processes outside
_UNLOGGED, _LOGGED_SINCE = 0b1, 7  # what is refused would fill the log of a machine that keeps one

READ = ("read_file", "read_dir")
# No folders and no removing: what is written could be hidden from `limits.written` in depths, or kept without a name.
WRITE = (*READ, "write_file", "make_reg", "truncate")
_OF_A_FILE = frozenset({"execute", "write_file", "read_file", "truncate", "ioctl_dev"})


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """That of this machine's Landlock; 0 if there is none."""
    try:
        return kernel.syscall("landlock_create_ruleset", _CREATE, None, ctypes.c_size_t(0), _VERSION_OF_IT)
    except KernelError:
        return 0


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Withhold from this process, for good, every file but those in these folders, or these files themselves.

    A path that does not exist is passed over. Needs `no_new_privs`. Raises KernelError where Landlock is missing.
    """
    known = version()
    handled = _Ruleset(
        _bits(_RIGHTS, known),
        _TCP if known >= _TCP_SINCE else 0,
        _SCOPES if known >= _SCOPES_SINCE else 0,
    )
    size = 24 if known >= _SCOPES_SINCE else 16 if known >= _TCP_SINCE else 8
    ruleset = kernel.syscall(
        "landlock_create_ruleset", _CREATE, ctypes.byref(handled), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    try:
        for paths, rights in ((readable, READ), (writable, WRITE)):
            for path in paths:
                _allow(ruleset, path, rights, known)
        flags = _UNLOGGED if known >= _LOGGED_SINCE else 0
        kernel.syscall("landlock_restrict_self", _RESTRICT, ruleset, ctypes.c_uint32(flags))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: Iterable[str], known: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights = _OF_A_FILE.intersection(rights)
        rule = _Beneath(_bits(rights, known), parent)
        kernel.syscall("landlock_add_rule", _ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent)


def _bits(rights: Iterable[str], known: int) -> int:
    return sum(bit for bit, since in map(_RIGHTS.__getitem__, rights) if since <= known)
