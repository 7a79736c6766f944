"""The blocks of code of an HTML page, as highlighters leave them: spans, entities, numbers in a column of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from html.parser import HTMLParser

from repro.audit.limits import CHARACTERS
from repro.audit.refusal import Refusal
from repro.audit.source.line import Line
from repro.audit.source.text import is_code

_GUTTER = re.compile(
    r"\b(?:gutter|linenos?|line-?numbers?|(?<!-)lnt?(?!-)|hljs-ln-n\w*|rouge-gutter|crayon-nums?|pre-numbering)\b"
)
_LANGUAGE = re.compile(r"\b(?:lang(?:uage)?|highlight|brush)[-:_ ]+([\w+#]+)")
# What is around a block may say that it is in another language; other words in its place are names of styles.
_OTHER_LANGUAGE = re.compile(
    r"\b(?:lang(?:uage)?|highlight|source)[-:_ ]+(?:bash|c|c\+\+|console|cpp|css|cuda|diff|docker(?:file)?|go|html|ini"
    r"|java|javascript|js|json|latex|lua|makefile|markdown|matlab|powershell|r|rust|sh|shell|sql|toml|ts|typescript|xml|ya?ml"
    r"|zsh)(?![\w+-])"
)
_PYTHON = {"python", "py", "python3", "ipython", "ipython3", "pytorch"}
_ANYTHING = {"", "default", "plaintext", "text", "none", "source"}  # what highlighters call what nobody has named
_WIDGETS = {"button", "clipboard-copy", "script", "select", "style", "svg", "template", "textarea"}
_HOLDS_CODE = {"code", "table", "tbody", "tr", "td", "ol", "ul", "li"}  # whatever their classes are for
_PRESSED = re.compile(r"copy(?!right)|copied|clipboard|toolbar|button|\bbtn\b", re.IGNORECASE)
_LABEL = re.compile(r"\bcop(?:y|ied)\b|clipboard|复制|複製", re.IGNORECASE)
_VOID = {"br", "hr", "img", "input", "meta", "link", "wbr", "area", "base", "col", "embed", "source", "track"}
_BREAKS = {"br", "code", "li", "div", "p", "tr"}  # a <code> for each line: WeChat


class _Blocks(HTMLParser):
    """Gathers the text of each <pre> with the place of each character."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.blocks: list[list[Line]] = []
        self._left = CHARACTERS  # that may still come
        self._open: list[tuple[str, bool, bool]] = []  # tag; is what is in it no code; is it in another language
        self._inside: int | None = None  # depth at which the block began
        self._language = ""  # that the block says it is in
        self._characters: list[tuple[str, int, int]] = []  # character, line, column
        self._in_code: list[bool] = []  # for each, whether it is in a <code> of the block
        self._codes = 0  # of the block that are open
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
        no_code = bool(_GUTTER.search(classes)) or (self._inside is not None and _is_widget(tag, classes, dict(attrs)))
        self._open.append((tag, no_code, bool(_OTHER_LANGUAGE.search(classes))))
        if self._inside is None and tag == "pre":
            self._inside, self._characters, self._in_code, self._codes = len(self._open), [], [], 0
            self._language = "other" if any(other for _, _, other in self._open) else ""
        self._codes += tag == "code"
        named = _LANGUAGE.search(classes) if self._inside is not None else None
        if named:
            self._language = named[1].lower()

    def handle_endtag(self, tag: str) -> None:
        if not any(tag == name for name, *_ in self._open):
            return
        while self._open:
            name, *_ = self._open.pop()
            self._codes -= name == "code"
            if self._inside is not None and len(self._open) < self._inside:
                self._finish()
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._inside is None or any(no_code for _, no_code, _ in self._open):
            return
        line, column = self.getpos()
        self._left -= len(data)
        if self._left < 0:
            raise Refusal(
                f"it has more than {CHARACTERS:,} characters of code, which is the most that is read",
                f"代码超过 {CHARACTERS:,} 个字符，最多读这么多",
            )
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
        if self._inside is not None and not any(no_code for _, no_code, _ in self._open):
            for character in unescape(written):
                self._add(character, *self.getpos())

    def _add(self, character: str, line: int, column: int) -> None:
        self._characters.append((character, line, column))
        self._in_code.append(self._codes > 0)

    def _at_a_line(self) -> bool:
        """Whether something stands on the present line already."""
        return bool(self._characters) and self._characters[-1][0] != "\n"

    def _code(self) -> list[tuple[str, int, int]]:
        """The characters of the block; where most are in a <code>, those and the ends of lines."""
        placed = list(zip(self._characters, self._in_code, strict=True))
        written = [in_code for (character, *_), in_code in placed if not character.isspace()]
        if 2 * sum(written) <= len(written):
            return self._characters
        return [item for item, in_code in placed if in_code or item[0] == "\n"]

    def _finish(self) -> None:
        self._inside = None
        if self._language not in _PYTHON | _ANYTHING:
            return
        lines: list[Line] = []
        current: list[tuple[str, int, int]] = []
        characters = self._code()
        for item in (*characters, ("\n", *(characters[-1][1:] if characters else (1, 0)))):
            if item[0] != "\n":
                current.append(item)
                continue
            number = current[0][1] if current else item[1]
            text = "".join(character for character, *_ in current)
            lines.append(Line(text, number, number, [column for *_, column in current]))
            current = []
        if any(line.text.strip() for line in lines) and (self._language in _PYTHON or is_code(lines)):
            self.blocks.append(lines)


def _is_widget(tag: str, classes: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether an element of a block is there to be pressed, such as what copies the code."""
    if tag in _WIDGETS or attributes.get("role") == "button":
        return True
    if tag in _HOLDS_CODE or not (attributes.get("href") or "#").startswith(("#", "javascript:")):
        return False  # a link may lead to the page of Python's module `copy`
    return bool(_PRESSED.search(classes) or _LABEL.search(attributes.get("aria-label") or ""))


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each block of code that does not say that it is in another language."""
    yield from _Blocks(text).blocks
