"""How much of the machine a process may use."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SIGNALS = 64  # that wait to be delivered; the kernel counts those of all processes of a user


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    seconds   until it is ended, whatever it does; of processor time as many for each core
    memory    in bytes, beside what the process has when the run begins
    file      in bytes, the largest that it may write
    files     in bytes, all that it may have written at any moment
    handles   files open at once
    threads   beside the first
    output    in bytes, what is kept of what it prints
    """

    seconds: float = 20.0
    memory: int = 2 << 30
    file: int = 16 << 20
    files: int = 64 << 20
    handles: int = 256
    threads: int = 64
    output: int = 64 << 10

    def apply(self, alone: bool) -> None:
        """Hold this process to it; alone: whether its user is its own, so that no other process counts."""
        cores = os.cpu_count() or 1
        others = 0 if alone else _threads_of_user()
        for name, limit in (
            ("CPU", int(self.seconds * cores) + 1),
            ("AS", _size(0) + self.memory),
            ("DATA", _size(5) + self.memory),  # what is mapped over libraries is none of the address space
            ("FSIZE", self.file),
            ("NOFILE", self.handles),
            ("NPROC", others + self.threads),
            ("CORE", 0),
            ("MEMLOCK", 0),
            ("MSGQUEUE", 0),
            ("SIGPENDING", _SIGNALS),
        ):
            kind = getattr(resource, f"RLIMIT_{name}")
            highest = resource.getrlimit(kind)[1]
            if highest != resource.RLIM_INFINITY:
                limit = min(limit, highest)
            resource.setrlimit(kind, (limit, limit))


def _size(column: int) -> int:
    """Bytes of address space (column 0) or of data and stack (5) that this process has."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[column])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _threads_of_user() -> int:
    user, count = os.getuid(), 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if process.stat().st_uid == user:
                count += sum(1 for _ in (process / "task").iterdir())
    return count


def written(folder: Path) -> int:
    """Bytes of all that is in a folder, which may change meanwhile; every entry counts as a block at least.

    Raises OSError for a folder that cannot be looked into.
    """
    total = 0
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += max(entry.stat(follow_symlinks=False).st_blocks * 512, 4096)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
    return total
