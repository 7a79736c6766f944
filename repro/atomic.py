"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path


def write(path: Path, content: bytes | memoryview, accept: Callable[[Path], bool] = lambda _: True) -> None:
    """Write `content` to `path`: whoever looks, and whenever the machine stops, finds the old file or the new one.

    It is written to another file in the same folder, brought to the disk, and only then takes its name; a link keeps
    pointing where it does, and who may do what with the file stays as it was. accept: whether the other file, read
    back, is what was meant.

    Raises OSError if that fails; what was at `path` is then still there.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not accept(temporary):
            raise OSError("what was read back is not what was written")
        _as_before(path, temporary)
        temporary.replace(path)
        _settle(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _as_before(path: Path, temporary: Path) -> None:
    """Give a file the owner, as far as one may, and the mode of the one whose place it takes, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(temporary, status.st_uid, status.st_gid)
        temporary.chmod(stat.S_IMODE(status.st_mode))


def _settle(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
