"""The blocks of code of an HTML page, as highlighters leave them: spans, entities, numbers in a column of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

from repro.audit.limits import CHARACTERS
from repro.audit.source.line import Line
from repro.errors import ReproError

_GUTTER = re.compile(
    r"\b(?:gutter|linenos?|line-?numbers?|(?<!-)lnt?(?!-)|hljs-ln-n\w*|rouge-gutter|crayon-nums?|pre-numbering)\b"
)
_LANGUAGE = re.compile(r"\b(?:lang(?:uage)?|highlight|brush)[-:_ ]+([\w+#]+)")
_PYTHON = {
    "python",
    "py",
    "python3",
    "ipython",
    "ipython3",
    "default",
    "plaintext",
    "text",
    "none",
    "source",
    "pytorch",
}
_VOID = {"br", "hr", "img", "input", "meta", "link", "wbr", "area", "base", "col", "embed", "source", "track"}
_BREAKS = {"br", "code", "li", "div", "p", "tr"}  # a <code> for each line: WeChat


class _Blocks(HTMLParser):
    """Gathers the text of <pre>, and of <code> of several lines, with the place of each character."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.blocks: list[list[Line]] = []
        self._left = CHARACTERS  # that may still come
        self._open: list[tuple[str, bool]] = []  # tag and whether what is in it is a gutter
        self._inside: int | None = None  # depth at which the block began
        self._python = True
        self._characters: list[tuple[str, int, int]] = []  # character, line, column
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = " ".join(
            value or "" for name, value in attrs if name in ("class", "id", "data-lang", "data-language")
        )
        if tag in _BREAKS and self._inside is not None and (tag == "br" or self._at_a_line()):
            self._add("\n", *self.getpos())
        if tag in _VOID:
            return
        self._open.append((tag, bool(_GUTTER.search(classes))))
        if self._inside is None and tag == "pre":
            self._inside, self._characters, self._python = len(self._open), [], True
        if self._inside is not None or tag in ("div", "figure"):
            named = _LANGUAGE.search(classes)
            if named and self._inside is not None:
                self._python = named[1].lower() in _PYTHON

    def handle_endtag(self, tag: str) -> None:
        if not any(tag == name for name, _ in self._open):
            return
        while self._open:
            name, _ = self._open.pop()
            if self._inside is not None and len(self._open) < self._inside:
                self._finish()
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._inside is None or any(gutter for _, gutter in self._open):
            return
        line, column = self.getpos()
        self._left -= len(data)
        if self._left < 0:
            raise ReproError(f"it has more than {CHARACTERS:,} characters of code, which is the most that is read")
        for character in data:
            self._add(character, line, column)
            line, column = (line + 1, 0) if character == "\n" else (line, column + 1)

    def handle_entityref(self, name: str) -> None:
        self._reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._reference(f"&#{name};")

    def close(self) -> None:
        super().close()
        if self._inside is not None:
            self._finish()

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """A section of a kind that the parser does not know is a comment, as it is to browsers."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def _reference(self, written: str) -> None:
        if self._inside is not None and not any(gutter for _, gutter in self._open):
            for character in unescape(written):
                self._add(character, *self.getpos())

    def _add(self, character: str, line: int, column: int) -> None:
        self._characters.append((character, line, column))

    def _at_a_line(self) -> bool:
        """Whether something stands on the present line already."""
        return bool(self._characters) and self._characters[-1][0] != "\n"

    def _finish(self) -> None:
        self._inside = None
        if not self._python:
            return
        lines: list[Line] = []
        current: list[tuple[str, int, int]] = []
        for item in (*self._characters, ("\n", *(self._characters[-1][1:] if self._characters else (1, 0)))):
            if item[0] != "\n":
                current.append(item)
                continue
            number = current[0][1] if current else item[1]
            text = "".join(character for character, *_ in current)
            lines.append(Line(text, number, number, [column for *_, column in current]))
            current = []
        if any(line.text.strip() for line in lines):
            self.blocks.append(lines)


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each block of code that does not say that it is in another language."""
    yield from _Blocks(text).blocks
