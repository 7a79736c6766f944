"""A file that may be audited, and the pieces of code in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.audit.limits import check_size
from repro.audit.source import html, markdown, notebook, text
from repro.audit.source.decode import decode
from repro.audit.source.line import Line
from repro.errors import ReproError

LARGEST = 20_000_000  # bytes: of a notebook, most are pictures
_MOSTLY_CODE = (".py", ".pyw", ".md", ".markdown", ".txt")


def _python(content: str) -> Iterator[list[Line]]:
    yield [Line.of(line, number) for number, line in enumerate(content.split("\n"), start=1)]


# What a file is, by the end of its name -> its pieces of code.
KINDS: dict[str, Callable[[str], Iterator[list[Line]]]] = {
    ".py": _python,
    ".pyw": _python,
    ".ipynb": notebook.cells,
    ".md": markdown.cells,
    ".markdown": markdown.cells,
    ".html": html.cells,
    ".htm": html.cells,
    ".txt": text.cells,
}


@dataclass(frozen=True)
class Document:
    """What was read of a file.

    path      as the user gave it
    content   its text
    encoding  that it was read in
    """

    path: str
    content: str
    encoding: str

    @property
    def suffix(self) -> str:
        """The end of its name, by which it is known what it is; another one is taken for text with code in it."""
        suffix = Path(self.path).suffix.lower()
        return suffix if suffix in KINDS else ".txt"

    @property
    def is_python(self) -> bool:
        """Whether all of it is code."""
        return self.suffix in (".py", ".pyw")

    @property
    def whole(self) -> bool:
        """Whether its code is all there is to run, rather than pieces that words are around."""
        return self.is_python or self.suffix == ".ipynb"

    def check(self) -> None:
        """Raises ReproError where it is too much code to be read; pages and notebooks are asked later."""
        if self.suffix in _MOSTLY_CODE:
            check_size(self.path, self.content)

    def cells(self) -> list[list[Line]]:
        """Its pieces of code. Raises ReproError where it is not what its name says."""
        try:
            found = [lines for lines in KINDS[self.suffix](self.content) if lines]
        except ReproError as error:
            raise ReproError(f"{self.path}: {error}") from error
        if self.suffix not in _MOSTLY_CODE:
            check_size(self.path, "\n".join(line.text for lines in found for line in lines))
        return found


def of(path: str, data: bytes) -> Document:
    """What was read elsewhere. Raises ReproError where it is too much."""
    if len(data) > LARGEST:
        raise ReproError(f"{path}: it has {len(data):,} bytes, and at most {LARGEST:,} are read")
    return Document(path, *decode(data))


def read(path: str) -> Document:
    """Read a file. Raises ReproError."""
    try:
        file = Path(path)
        if not file.is_file():
            kind = "a folder" if file.is_dir() else "no file" if not file.exists() else "not a regular file"
            raise ReproError(f"{path}: it is {kind}; give files, or folders with files that end in {', '.join(KINDS)}")
        if file.stat().st_size > LARGEST:
            raise ReproError(f"{path}: it has {file.stat().st_size:,} bytes, and at most {LARGEST:,} are read")
        return of(path, file.read_bytes())
    except OSError as error:
        raise ReproError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name
        raise ReproError(f"{path}: {error}") from error
