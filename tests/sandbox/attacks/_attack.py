"""A piece of hostile code, after one thing; what it gets at it puts into `gained`.

It is given `secret` (a file that its user may read, outside of all that it is shown), `home` (the folder with it),
`outside` (a folder that everybody may write into, with `outside/file` in it), `port` and `path` (of sockets that
listen), `abstract` (the name of one more), `parent` (the process that asked for the run), `shared` (the key of a block
of System V memory), and what `PRELUDE` defines. A piece that gets nothing ends as `ends` says.
"""

from __future__ import annotations

from dataclasses import dataclass

PRELUDE = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def attempt(what, action, *arguments, **named):
    try:
        got = action(*arguments, **named)
    except (NameError, TypeError, AttributeError):
        raise  # of the attack itself
    except BaseException:
        return None
    gained.append(f"{what}: {got!r}")
    return got

def call(name, number, *arguments):
    '''A system call by its number; what it gives counts as gained unless it is refused.'''
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    got = libc.syscall(ctypes.c_long(number), *given)
    if got >= 0 or ctypes.get_errno() not in (1, 38):  # refused by the filter: EPERM, or ENOSYS of clone3
        gained.append(f"{name}: {got}, {os.strerror(ctypes.get_errno())}")
    return got

def content(path):
    with open(path, "rb") as file:
        return file.read(64)
"""

TIMED = ("time", "signal", "exit")  # SIGXCPU or SIGKILL may come before the clock


@dataclass(frozen=True)
class Attack:
    """One piece of hostile code.

    name   what it is after
    code   behind `PRELUDE`
    ends   how its run may end
    calls  whether it makes system calls by the numbers of x86_64
    """

    name: str
    code: str
    ends: tuple[str, ...] = ("done",)
    calls: bool = False
