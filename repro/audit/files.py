"""The files that are audited of the paths that are given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from repro.audit.source.document import KINDS

_CACHES = frozenset({"__pycache__", "node_modules"})
_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})  # a virtual environment; a cache by its own account


def files(paths: Iterable[str], left_out: Callable[[str], bool] = lambda _: False) -> Iterator[str]:
    """Each file once, those of a folder in the order of their names, and each folder once, whatever links lead to it.

    Of a folder and all below it: the files whose names end as those of documents do, not what is hidden, in a cache, in
    a virtual environment, or left out. What is given by its own name is taken as it is, whatever it is.
    """
    seen: set[str] = set()
    visited: set[tuple[int, int]] = set()
    for path in paths:
        for file in _below(path, left_out, visited) if Path(path).is_dir() else [path]:
            name = os.path.normpath(file)
            if name not in seen:
                seen.add(name)
                yield file


def empty_folders(paths: Iterable[str], left_out: Callable[[str], bool] = lambda _: False) -> Iterator[str]:
    """Those of the paths that are folders with nothing to audit in them."""
    for path in paths:
        if Path(path).is_dir() and not any(files([path], left_out)):
            yield path


def _below(folder: str, left_out: Callable[[str], bool], visited: set[tuple[int, int]]) -> Iterator[str]:
    """`visited`: the folders that were looked into; n folders that link to each other have n! ways through them."""
    try:
        status = Path(folder).stat()
        names = sorted(entry.name for entry in Path(folder).iterdir())
    except OSError:
        yield folder  # which is then told as what cannot be read
        return
    identity = status.st_dev, status.st_ino
    if identity in visited:
        return
    visited.add(identity)
    for name in names:
        path = str(Path(folder, name))
        if name.startswith(".") or name in _CACHES or left_out(path):
            continue
        if Path(path).is_dir():
            if not any(Path(path, mark).exists() for mark in _MARKS):
                yield from _below(path, left_out, visited)
        elif Path(name).suffix.lower() in KINDS and Path(path).is_file():
            yield path
