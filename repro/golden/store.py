"""Goldens on the disk: NAME.json for people, and the numbers in a file beside it that it names by digest.

The numbers are written first, under a name of their own; then NAME.json takes the place of the old one, which is the
one step at which a golden changes. Whatever stops an update, before it is the old golden and after it the new one.
Every bit of both files is under a digest: the numbers' is in NAME.json, whose last line is the seal on itself.
Importing this module does not import torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro import atomic
from repro.errors import ReproError, first_line

if TYPE_CHECKING:
    import torch

if sys.platform != "win32":
    import fcntl

FORMAT = 1

_UNSEALED = "0" * 64
_END = re.compile(rb'\n "seal": "([0-9a-f]{64})"\n}\n\Z')
_NUMBERS = ".safetensors"
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}(\.json|\.safetensors)")  # as `atomic.write` names them


class MissingGoldenError(ReproError):
    """There is no golden of that name."""


class DamagedGoldenError(ReproError):
    """A file of a golden is not as it was written, or was written by another version."""


def names(folder: Path) -> list[str]:
    """The goldens in a folder. Raises ReproError if there is no such folder."""
    if not folder.is_dir():
        there = "it is a file" if folder.exists() else "no such folder"
        raise ReproError(
            f"{shown(folder)}: {there}; a first `repro golden update` makes a folder; --golden-dir names another"
        )
    try:
        found = [file for file in folder.iterdir() if file.suffix == ".json"]
    except OSError as error:
        raise ReproError(f"{shown(folder)}: it cannot be read: {error.strerror}") from error
    return sorted(file.stem for file in found if file.is_file() and not file.name.startswith("."))


def exists(folder: Path, name: str) -> bool:
    """Whether there is a golden of that name."""
    with contextlib.suppress(OSError):  # of a name that no file can have
        return (folder / f"{name}.json").is_file()
    return False


def load(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """What was saved under a name.

    Raises MissingGoldenError if there is none, and DamagedGoldenError if a single bit of it is not as it was written.
    """
    import safetensors.torch

    if not exists(folder, name):
        lost = "; there are numbers of it, which cannot be used alone" if orphans(folder, name) else ""
        raise MissingGoldenError(f"{shown(folder / name)}.json: there is no such golden{lost}")
    with _locked(folder, "LOCK_SH"):
        found = record(folder, name)
        digest = found.pop("numbers")
        numbers = folder / _numbers(name, digest)
        try:
            content = numbers.read_bytes()
        except OSError as error:
            raise DamagedGoldenError(
                f"{shown(numbers)}: {name}.json names it, and it cannot be read: {error.strerror}"
            ) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedGoldenError(f"{shown(numbers)}: its {len(content):,} bytes are not those that were written")
    return found, safetensors.torch.load(content)


def record(folder: Path, name: str) -> dict[str, Any]:
    """The part for people, and under `numbers` the digest of the rest. Raises DamagedGoldenError."""
    file = folder / f"{name}.json"
    found = _unsealed(file)
    if found.get("name") != name:
        raise DamagedGoldenError(f"{shown(file)}: it is the golden of {found.get('name')!r} under another name")
    if found.get("format") != FORMAT:
        raise DamagedGoldenError(
            f"{shown(file)}: it has format {found.get('format')!r}, and this version of repro reads {FORMAT}"
        )
    return found


def sealed(folder: Path, name: str) -> dict[str, Any]:
    """As `record`, but empty for one that is damaged or not there."""
    with contextlib.suppress(ReproError):
        return record(folder, name)
    return {}


def hint(folder: Path, name: str) -> dict[str, Any]:
    """What the part for people says although it may be damaged: nothing to be believed, but to be asked for again."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / f"{name}.json").read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def orphans(folder: Path, name: str) -> list[Path]:
    """Files of numbers under the name of a golden, whatever its part for people says of them."""
    own = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{12}}{re.escape(_NUMBERS)}")
    return sorted(file for file in folder.glob(f"*{_NUMBERS}") if own.fullmatch(file.name))


def save(folder: Path, name: str, told: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a golden; one that is there under that name stays until the new one is complete.

    told: the part for people, JSON types only; of a mapping in it, each item gets a line. Raises ReproError if it
    cannot be written.
    """
    import safetensors.torch

    content = safetensors.torch.save({key: tensor.contiguous() for key, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    text = _text({"format": FORMAT, "name": name, **told, "numbers": digest, "seal": _UNSEALED})
    body, _, end = text.rpartition(_UNSEALED.encode())
    sealed = body + hashlib.sha256(text).hexdigest().encode() + end
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, "LOCK_EX"):
            atomic.write(folder / _numbers(name, digest), content)
            atomic.write(folder / f"{name}.json", sealed)
            _tidy(folder, name)
    except OSError as error:
        why = "it is a file; expected a folder" if folder.is_file() else first_line(error)
        raise ReproError(f"{shown(folder)}: {name} cannot be written there: {why}") from error


def strays(folder: Path) -> list[Path]:
    """Files of numbers that no golden names and what interrupted updates have left: they can be removed."""
    named = set()
    for name in names(folder):
        try:
            named.add(_numbers(name, _unsealed(folder / f"{name}.json").get("numbers", "")))
        except DamagedGoldenError:  # it may still be mended by hand: nothing is said of what it names
            named |= {file.name for file in orphans(folder, name)}
    left = [file for file in folder.glob(f"*{_NUMBERS}") if file.name not in named]
    stopped = [file for file in folder.glob(".*") if _TEMPORARY.fullmatch(file.name)]
    return sorted(file for file in {*left, *stopped} if file.is_file())


@contextlib.contextmanager
def _locked(folder: Path, how: str) -> Iterator[None]:
    """Have who saves there wait for all others, where the system can: one would tidy away the numbers of another.

    how: LOCK_EX to save, LOCK_SH to load.
    """
    descriptor = None
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # of a file system without locks
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, getattr(fcntl, how))
    try:
        yield
    finally:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _tidy(folder: Path, name: str) -> None:
    """Remove what is left of the old golden, and of updates of it that were stopped."""
    own = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{12}}\.safetensors|\.{re.escape(name)}\..*")
    for file in strays(folder):
        if own.fullmatch(file.name):
            with contextlib.suppress(OSError):  # the golden is written, whatever becomes of this
                file.unlink()


def shown(path: Path) -> str:
    """A path for messages: from the current directory where it is in there."""
    absolute, here = path.resolve(), Path.cwd()
    told = str(absolute.relative_to(here) if absolute.is_relative_to(here) else path)
    return told.encode(errors="backslashreplace").decode()  # names on the disk are bytes


def _numbers(name: str, digest: str) -> str:
    return f"{name}.{digest[:12]}{_NUMBERS}"


def _text(contents: Mapping[str, Any]) -> bytes:
    """JSON with a line for each item, and for each item of an item that is a mapping: as changes are best read."""
    items = []
    for key, value in contents.items():
        if isinstance(value, Mapping) and value:
            lines = ",\n".join(f"  {_json(name)}: {_json(item)}" for name, item in value.items())
            items.append(f" {_json(key)}: {{\n{lines}\n }}")
        else:
            items.append(f" {_json(key)}: {_json(value)}")
    return ("{\n" + ",\n".join(items) + "\n}\n").encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _unsealed(file: Path) -> dict[str, Any]:
    """The contents of a sealed file. Raises DamagedGoldenError unless the seal fits."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DamagedGoldenError(f"{shown(file)}: it cannot be read: {error.strerror}") from error
    end = _END.search(content)
    if end is None:
        raise DamagedGoldenError(
            f"{shown(file)}: its last line is no seal; the file is damaged, was edited, or had its line ends "
            f"changed (see .gitattributes)"
        )
    start, stop = end.span(1)
    if hashlib.sha256(content[:start] + _UNSEALED.encode() + content[stop:]).hexdigest() != end[1].decode():
        raise DamagedGoldenError(
            f"{shown(file)}: its seal does not fit its contents; the file is damaged or was edited"
        )
    found: dict[str, Any] = json.loads(content)
    return found
