"""The order in which a process gives up its rights, for good."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import site
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import repro
from repro.sandbox import kernel, landlock, seccomp
from repro.sandbox.kernel import KernelError
from repro.sandbox.limits import Limits

_CAPSET = (126, 91)  # on x86_64 and aarch64
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64
_NICE = 10

# A number that no account has: real user of what root runs, so that its threads are counted alone.
_NOBODY_ELSE = 0x7E000000


class ThreadsError(RuntimeError):
    """A process with more threads than one: Landlock would hold the one that asks for it only."""


def confine(scratch: Path, limits: Limits, parent: int, isolated: bool = True) -> None:
    """Keep this process to reading Python's own files and writing in `scratch`; to computing, and to itself.

    parent    the process without which this one ends
    isolated  False leaves it to the limits alone

    Raises OSError where the machine does not offer it or the parent is gone, and ThreadsError; what was given up by
    then stays so.
    """
    if isolated and (others := sum(1 for _ in Path("/proc/self/task").iterdir()) - 1):
        raise ThreadsError(f"{others} threads beside the first")
    os.setsid()
    kernel.prctl("PR_SET_PDEATHSIG", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError(f"process {parent}, which asked for this, is gone")
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")  # where memory runs out, it is this process that ends
    os.nice(_NICE)
    kernel.prctl("PR_SET_DUMPABLE", kernel.PR_SET_DUMPABLE, 0)
    alone = isolated and os.geteuid() == 0 and _as_nobody_else()
    limits.apply(alone)
    if not isolated:
        return
    _without_capabilities()
    kernel.prctl("PR_SET_NO_NEW_PRIVS", kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(readable(), [scratch, Path("/dev/null")])
    seccomp.restrict()


def readable() -> list[Path]:
    """Python's own folders and those of the libraries beside it, and nothing of anybody's home."""
    names = "stdlib", "platstdlib", "purelib", "platlib"
    folders = [Path(path) for path in {*map(sysconfig.get_path, names), *site.getsitepackages()}]
    libraries = [Path(sys.base_prefix, "lib"), *map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64"))]
    shared = map(Path, ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/urandom", "/dev/zero"))
    return [*folders, *libraries, Path(repro.__file__).parent, *shared]


def _as_nobody_else() -> bool:
    """Take a real user that nobody else has; the effective one stays, to whom Python's files belong.

    Whether that was possible: in a user namespace there may be no other user.
    """
    number = _NOBODY_ELSE + secrets.randbelow(1 << 24)
    with suppress(OSError):
        os.setgroups([])
    try:
        os.setresuid(number, -1, -1)
    except OSError:
        return False
    return True


def _without_capabilities() -> None:
    """Give up all that a process of root may do; the process of an ordinary user has nothing to give up."""
    for capability in range(_CAPABILITIES):
        with suppress(KernelError):  # it is not there, or not ours
            kernel.prctl("PR_CAPBSET_DROP", kernel.PR_CAPBSET_DROP, capability)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    number = _CAPSET[list(kernel.ARCHITECTURES).index(kernel.machine())]
    kernel.syscall("capset", number, header, nothing)
