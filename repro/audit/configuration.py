"""`[tool.repro.audit]` of the audited project's pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from repro.audit.finding import LANGUAGES
from repro.audit.selection import rules_for
from repro.errors import ReproError

_TABLE = ("tool", "repro", "audit")


@dataclass(frozen=True)
class Configuration:
    """What a project asks for.

    folder   of the project, which `exclude` begins at
    select   rules, by code, by the beginning of one, or by name; empty: all
    ignore   rules that are left out
    exclude  files and folders that are left out, as patterns in which * stands for anything
    lang     one of `LANGUAGES`; None: by the locale
    error    what is wrong with it, and nothing else is known then; empty if nothing is
    """

    folder: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    lang: str | None = None
    error: str = ""

    def leaves_out(self, path: str) -> bool:
        """Whether a file or folder, or a folder that it is in, is excluded."""
        if self.folder is None or not self.exclude:
            return False
        inside = _absolute(path).relative_to(self.folder)
        names = [each.as_posix() for each in (inside, *inside.parents)]
        return any(fnmatchcase(name, pattern.rstrip("/")) for name in names for pattern in self.exclude)


def nearest(path: str) -> Configuration:
    """That of the nearest pyproject.toml above a file which has any."""
    return _of(_absolute(path).parent)


def _absolute(path: str) -> Path:
    """From the root, `..` taken away, links left as they are: a file belongs to the project in which it is named."""
    return Path(os.path.normpath(Path.cwd() / path))


@cache
def _of(folder: Path) -> Configuration:
    try:
        found = _own(folder)
    except ReproError as error:
        return Configuration(error=str(error))
    if found is None:
        return _of(folder.parent) if folder != folder.parent else Configuration()
    return found


def _own(folder: Path) -> Configuration | None:
    """What the folder's own pyproject.toml says, if it says anything. Raises ReproError where that is wrong."""
    file = folder / "pyproject.toml"
    try:
        content = file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise ReproError(f"{file}: {error.strerror}") from error
    if b"repro" in content:  # most have nothing for us, and need not be taken apart
        table = _table(file, content)
        if table is not None:
            return _read(file, table)
    return None


def _table(file: Path, content: bytes) -> Any:
    """The value of our table; None if there is none."""
    try:
        value: Any = tomllib.loads(content.decode())
    except ValueError as error:  # of the syntax, or of the encoding
        raise ReproError(f"{file}: it is no TOML: {error}") from error
    except RecursionError as error:
        raise ReproError(f"{file}: it is nested too deeply") from error
    for key in _TABLE:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _read(file: Path, table: Any) -> Configuration:
    where = f"{file}: {'.'.join(_TABLE)}"
    if not isinstance(table, dict):
        raise ReproError(f"{where}: {table!r} was given; expected a table")
    lists = {"select": "rules", "ignore": "rules", "exclude": "patterns of files"}
    for key, value in table.items():
        if key in lists:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ReproError(f"{where}.{key}: {value!r} was given; expected a list of {lists[key]}, each a string")
            for word in value if key != "exclude" else ():
                try:
                    rules_for(word)
                except ReproError as error:
                    raise ReproError(f"{where}.{key}: {error}") from error
        elif key == "lang":
            if value not in LANGUAGES:
                raise ReproError(f"{where}.lang: {value!r} was given; expected one of {', '.join(LANGUAGES)}")
        else:
            known = [*lists, "lang"]
            import difflib  # for mistakes only

            close = difflib.get_close_matches(key, known, n=1) or [f"one of {', '.join(known)}"]
            raise ReproError(f"{where}: {key!r} is no key; expected {close[0]}")
    select, ignore, exclude = (tuple(table.get(key, ())) for key in lists)
    return Configuration(file.parent, select, ignore, exclude, table.get("lang"))
