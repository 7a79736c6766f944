"""A network, processes and users of its own for a process and all that it starts."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from repro.sandbox import kernel

# linux/sched.h
_USER, _NETWORK, _PROCESSES, _MESSAGES, _NAMES = 0x10000000, 0x40000000, 0x20000000, 0x08000000, 0x04000000


def are_offered() -> bool:
    """Whether this process could have them."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            kernel.unshare(_flags())
            os._exit(0)
        os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def enter() -> None:
    """Go on inside them, as the first process there; the one that called waits outside for its end.

    Raises KernelError where that is refused.
    """
    user, group = os.geteuid(), os.getegid()
    flags = _flags()
    kernel.unshare(flags)
    if flags & _USER:  # nobody is anybody there until it is said who
        for name, what in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(what, "ascii")
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    kernel.prctl("PR_SET_PDEATHSIG", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _flags() -> int:
    """Root needs no users of its own, among which it could not become somebody else."""
    return _NETWORK | _PROCESSES | _MESSAGES | _NAMES | (0 if os.geteuid() == 0 else _USER)
