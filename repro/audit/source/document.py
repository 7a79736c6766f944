"""A file that may be audited, and the pieces of code in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.audit.limits import check_size
from repro.audit.refusal import Refusal
from repro.audit.source import html, markdown, notebook, text
from repro.audit.source.decode import decode, is_text
from repro.audit.source.line import Line
from repro.audit.source.shell import is_shell

LARGEST = 20_000_000  # bytes: of a notebook, most are pictures
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_MOSTLY_CODE = (".py", ".pyw", ".md", ".markdown", ".txt")


def _python(content: str) -> Iterator[list[Line]]:
    yield [Line.of(line, number) for number, line in enumerate(content.split("\n"), start=1)]


def _text(content: str) -> Iterator[list[Line]]:
    """A text with fences is Markdown."""
    yield from (markdown if _FENCE.search(content) else text).cells(content)


# What a file is, by the end of its name -> its pieces of code.
KINDS: dict[str, Callable[[str], Iterator[list[Line]]]] = {
    ".py": _python,
    ".pyw": _python,
    ".ipynb": notebook.cells,
    ".md": markdown.cells,
    ".markdown": markdown.cells,
    ".html": html.cells,
    ".htm": html.cells,
    ".txt": _text,
}
# What a file is whose name does not say it, such as standard input: how it begins -> the end of a name.
_BEGINNINGS = {
    re.compile(r'\s*\{\s*"(?:cells|metadata|nbformat|nbformat_minor|worksheets)"\s*:'): ".ipynb",
    re.compile(
        r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
    ): ".html",
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
        """The end of its name, by which it is known what it is; else that of a notebook, a page, or text with code."""
        suffix = Path(self.path).suffix.lower()
        if suffix in KINDS:
            return suffix
        return next((kind for beginning, kind in _BEGINNINGS.items() if beginning.match(self.content)), ".txt")

    @property
    def is_python(self) -> bool:
        """Whether all of it is code."""
        return self.suffix in (".py", ".pyw")

    @property
    def whole(self) -> bool:
        """Whether its code is all there is to run, rather than pieces that words are around."""
        return self.is_python or self.suffix == ".ipynb"

    def check(self) -> None:
        """Raises Refusal where it is too much code to be read; pages and notebooks are asked later."""
        if self.suffix in _MOSTLY_CODE:
            check_size(self.path, self.content)

    def check_kind(self) -> None:
        """Raises Refusal where it is not what its name says, which only a notebook can fail to be."""
        if self.suffix == ".ipynb":
            try:
                list(notebook.sources(self.content))
            except Refusal as refusal:
                raise refusal.said_of(self.path) from refusal

    def cells(self) -> list[list[Line]]:
        """Its pieces of code. Raises Refusal where it is not what its name says."""
        try:
            found = [lines for lines in KINDS[self.suffix](self.content) if lines]
            if not self.whole:
                found = [lines for lines in found if not is_shell(lines)]
        except Refusal as refusal:
            raise refusal.said_of(self.path) from refusal
        if self.suffix not in _MOSTLY_CODE:
            check_size(self.path, "\n".join(line.text for lines in found for line in lines))
        return found


def of(path: str, data: bytes) -> Document:
    """What was read elsewhere. Raises Refusal where it is too much, or no text."""
    _check_length(path, len(data))
    if not is_text(data):
        raise Refusal(
            "it is binary; expected Python, a notebook, Markdown, HTML or other text",
            "这是二进制文件；应当是 Python、笔记本、Markdown、HTML 或其他文本",
        ).said_of(path)
    return Document(path, *decode(data))


def read(path: str) -> Document:
    """Read a file. Raises Refusal."""
    try:
        file = Path(path)
        if not file.is_file():
            raise _not_a_file(file).said_of(path)
        _check_length(path, file.stat().st_size)
        return of(path, file.read_bytes())
    except OSError as error:
        raise Refusal(f"it cannot be read: {error.strerror}", f"无法读取：{error.strerror}").said_of(path) from error
    except ValueError as error:  # a NUL in the name
        raise Refusal(f"{error}", f"{error}").said_of(path) from error


def _not_a_file(file: Path) -> Refusal:
    if file.is_dir():  # a folder is only asked for as a file where what is in it may not be listed
        return Refusal("what is in this folder may not be listed", "没有权限列出这个文件夹里的内容")
    if file.exists():
        return Refusal("it is neither a file nor a folder", "这既不是文件，也不是文件夹")
    return Refusal(
        "there is no such file or folder; check its name and the current folder",
        "没有这个文件或文件夹；请检查名字和当前所在的文件夹",
    )


def _check_length(path: str, length: int) -> None:
    if length > LARGEST:
        raise Refusal(
            f"it has {length:,} bytes, and at most {LARGEST:,} are read",
            f"文件有 {length:,} 字节，最多读 {LARGEST:,} 字节",
        ).said_of(path)
