"""Which system calls a process may make: those that computing takes, and none that reaches out of it.

A list of what is allowed, so that a call nobody thought of is refused too. A filter in the language of BPF sees the
number of a call and its arguments, and not what they point to.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from repro.sandbox import kernel
from repro.sandbox.kernel import KernelError

# Name -> its number on x86_64 and on aarch64 (asm/unistd.h); None where there is none. The commonest first: the filter
# goes through them in this order.
ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    # memory and threads
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "brk": (12, 214),
    "mremap": (25, 216),
    "membarrier": (324, 283),
    "get_mempolicy": (239, 236),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "arch_prctl": (158, None),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "sched_yield": (24, 124),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "getcpu": (309, 168),
    # files; which ones is Landlock's business
    "read": (0, 63),
    "write": (1, 64),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "close": (3, 57),
    "lseek": (8, 62),
    "newfstatat": (262, 79),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "statx": (332, 291),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "rename": (82, None),
    "renameat": (264, 38),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    # time, and signals to itself
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "alarm": (37, None),
    "pause": (34, None),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # who and where it is
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getpgrp": (111, None),
    "getpriority": (140, 141),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrlimit": (97, 163),
    "umask": (95, 166),
    "getrandom": (318, 278),
    "wait4": (61, 260),
    "waitid": (247, 95),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_FUTEX, _MADVISE, _OPENAT, _OPEN = (202, 98), (28, 233), (257, 56), (2, None)
# getpgid, getsid, sched_getaffinity, sched_getparam, sched_getscheduler
_OF_A_PROCESS = ((121, 155), (124, 156), (204, 123), (143, 121), (145, 120))
_FCNTL, _IOCTL, _PRCTL, _PRLIMIT = (72, 25), (16, 29), (157, 167), (302, 261)
_KILL, _TGKILL = (62, 129), (234, 131)

# A thread that shares memory, files, folder and signal handlers, and no new namespace.
_THREAD, _OF_THREADS = 0x00010F00, 0x7E030F00
_FUTEXES = (0, 1, 3, 4, 5, 9, 10)  # to wait, wake and requeue; not those that inherit priorities
_MADVICE = (0, 1, 2, 3, 4, 8, 14, 15)  # not to page others' files out, nor to merge
_NAMELESS = 0x400000  # of O_TMPFILE: a file that `limits.written` cannot count
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC; not F_SETOWN, which has
# signals sent to others.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
_IOCTLS = (0x5401, 0x541B, 0x5451, 0x5421, 0x5413)  # TCGETS, FIONREAD, FIOCLEX, FIONBIO, TIOCGWINSZ
_PRCTLS = (15, 16, 23, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_SET_VMA

_SET_FILTER = 1  # SECCOMP_SET_MODE_FILTER
_SECCOMP = (317, 277)
_ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _AND, _JUMP_IF, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _KILL_PROCESS, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16  # in struct seccomp_data, whose words are little-endian


@dataclass(frozen=True)
class _Only:
    """A call that is allowed where an argument is one of some values; mask: of the bits that are looked at."""

    number: int
    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def is_offered() -> bool:
    """Whether this machine filters system calls, and its calls are known here."""
    if kernel.machine() not in kernel.ARCHITECTURES:
        return False
    action = ctypes.c_uint32(_REFUSE)
    try:  # SECCOMP_GET_ACTION_AVAIL
        kernel.syscall("seccomp", _SECCOMP[_column()], 2, 0, ctypes.byref(action))
    except KernelError:
        return False
    return True


def restrict() -> None:
    """Withhold every other system call from this process, for good. Needs `no_new_privs`; raises KernelError."""
    code = assemble(os.getpid(), kernel.machine())
    program = _Program(len(code) // 8, code)
    left = kernel.syscall("seccomp", _SECCOMP[_column()], _SET_FILTER, _ALL_THREADS, ctypes.byref(program))
    if left:
        raise KernelError(errno.ESRCH, f"seccomp: thread {left} cannot be held to it")


def assemble(pid: int, machine: str) -> bytes:
    """The filter for a process on a kind of machine."""
    column = _column(machine)
    steps = [
        _step(_LOAD, _AT_ARCHITECTURE),
        *_unless(kernel.ARCHITECTURES[machine], _KILL_PROCESS),
        _step(_LOAD, _AT_NUMBER),
    ]
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            steps += [_step(_JUMP_IF, number, 0, 1), _step(_RETURN, _ALLOW)]
    # A C library that is told that there is no clone3 asks for clone, whose flags a filter can see.
    steps += [_step(_JUMP_IF, _CLONE3[column], 0, 1), _step(_RETURN, _REFUSE | errno.ENOSYS)]
    for only in _conditional(pid, column):
        steps += _checked(only)
    steps.append(_step(_RETURN, _REFUSE | errno.EPERM))
    return b"".join(steps)


def _conditional(pid: int, column: int) -> Iterator[_Only]:
    yield _Only(_FUTEX[column], 1, _FUTEXES, 0x7F)
    yield _Only(_MADVISE[column], 2, _MADVICE)
    yield _Only(_OPENAT[column], 2, (0,), _NAMELESS)
    if (number := _OPEN[column]) is not None:
        yield _Only(number, 1, (0,), _NAMELESS)
    yield _Only(_CLONE[column], 0, (_THREAD,), _OF_THREADS)
    yield _Only(_FCNTL[column], 1, _FCNTLS)
    yield _Only(_IOCTL[column], 1, _IOCTLS)
    yield _Only(_PRCTL[column], 0, _PRCTLS)
    for own in (_PRLIMIT, *_OF_A_PROCESS):
        yield _Only(own[column], 0, (0, pid))
    for signal in (_KILL, _TGKILL):
        yield _Only(signal[column], 0, (pid,))


def _checked(only: _Only) -> list[bytes]:
    """The steps for one call; the upper half of an argument is not looked at, as the kernel does not either."""
    inside = [_step(_LOAD, _AT_ARGUMENTS + 8 * only.argument), _step(_AND, only.mask)]
    for value in only.values:
        inside += [_step(_JUMP_IF, value, 0, 1), _step(_RETURN, _ALLOW)]
    inside.append(_step(_RETURN, _REFUSE | errno.EPERM))
    return [_step(_JUMP_IF, only.number, 0, len(inside)), *inside]


def _unless(value: int, action: int) -> list[bytes]:
    return [_step(_JUMP_IF, value, 1, 0), _step(_RETURN, action)]


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_so, if_not, value)


def _column(machine: str | None = None) -> int:
    return list(kernel.ARCHITECTURES).index(machine or kernel.machine())
