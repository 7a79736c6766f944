"""Bubblewrap around a process: it sees the system's folders and Python's, and no home, and has no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_SECONDS = 10  # in which a program that does nothing ends
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime")


def program() -> str:
    """Where it is, if it works here; empty otherwise."""
    found = shutil.which("bwrap")
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [*command(found, (), Path("/tmp"), 1 << 20), "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if done.returncode == 0 else ""


def command(program: str, shown: Iterable[Path], scratch: Path, size: int) -> list[str]:
    """The beginning of a command that runs inside it.

    shown    what can be read beside the system's own folders
    scratch  the one folder that can be written, in memory, of `size` bytes
    """
    parts = [program, "--die-with-parent", "--new-session", "--clearenv"]
    for kind in ("net", "pid", "ipc", "uts", "cgroup-try"):
        parts.append(f"--unshare-{kind}")
    if os.geteuid():  # root needs no users of its own, among which it could not become somebody else
        parts += ["--unshare-user", "--cap-drop", "ALL"]
    for folder in (*_SYSTEM, *sorted({str(path) for path in shown})):
        parts += ["--ro-bind-try", folder, folder]
    parts += ["--dev", "/dev", "--proc", "/proc", "--size", str(size), "--tmpfs", str(scratch)]
    return [*parts, "--chdir", str(scratch)]
