"""`[tool.repro.audit]` of the audited project's pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from repro.audit.finding import LANGUAGES, Words
from repro.audit.refusal import Refusal
from repro.audit.selection import rules_for

_TABLE = ("tool", "repro", "audit")


@dataclass(frozen=True)
class Configuration:
    """What a project asks for.

    folder   of the project, which `exclude` begins at
    select   rules, by code, by the beginning of one, or by name; empty: all
    ignore   rules that are left out
    exclude  files and folders that are left out, as patterns in which * stands for anything
    lang     one of `LANGUAGES`; None: by the locale
    error    what is wrong with it, and nothing else is known then
    """

    folder: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    lang: str | None = None
    error: Refusal | None = None

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
    except Refusal as refusal:
        return Configuration(error=refusal)
    if found is None:
        return _of(folder.parent) if folder != folder.parent else Configuration()
    return found


def _own(folder: Path) -> Configuration | None:
    """What the folder's own pyproject.toml says, if it says anything. Raises Refusal where that is wrong."""
    file = folder / "pyproject.toml"
    try:
        content = file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise Refusal(f"it cannot be read: {error.strerror}", f"无法读取：{error.strerror}").said_of(
            str(file)
        ) from error
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
        raise Refusal(f"it is no TOML: {error}", f"这不是 TOML：{error}").said_of(str(file)) from error
    except RecursionError as error:
        raise Refusal("it is nested too deeply", "嵌套太深").said_of(str(file)) from error
    for key in _TABLE:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _read(file: Path, table: Any) -> Configuration:
    where = f"{file}: {'.'.join(_TABLE)}"
    if not isinstance(table, dict):
        raise _given(table, Words("a table", "一个表")).said_of(where)
    lists = {
        "select": Words("a list of rules, each a string", "规则的列表，每条都是字符串"),
        "ignore": Words("a list of rules, each a string", "规则的列表，每条都是字符串"),
        "exclude": Words("a list of patterns of files, each a string", "文件模式的列表，每个都是字符串"),
    }
    for key, value in table.items():
        if key in lists:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise _given(value, lists[key]).said_of(f"{where}.{key}")
            for word in value if key != "exclude" else ():
                try:
                    rules_for(word)
                except Refusal as refusal:
                    raise refusal.said_of(f"{where}.{key}") from refusal
        elif key == "lang":
            if value not in LANGUAGES:
                raise _given(value, _one_of(LANGUAGES)).said_of(f"{where}.lang")
        else:
            known = [*lists, "lang"]
            import difflib  # for mistakes only

            close = difflib.get_close_matches(key, known, n=1)
            expected = Words(close[0], f" {close[0]}") if close else _one_of(known)
            raise Refusal(
                f"{key!r} is no key; expected {expected.en}", f"没有 {key!r} 这个键；应当是{expected.zh}"
            ).said_of(where)
    select, ignore, exclude = (tuple(table.get(key, ())) for key in lists)
    return Configuration(file.parent, select, ignore, exclude, table.get("lang"))


def _given(value: object, expected: Words) -> Refusal:
    return Refusal(f"{value!r} was given; expected {expected.en}", f"给出的是 {value!r}；应当是{expected.zh}")


def _one_of(words: Iterable[str]) -> Words:
    return Words(f"one of {', '.join(words)}", f" {'、'.join(words)} 之一")
