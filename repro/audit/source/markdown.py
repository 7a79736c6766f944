"""The code of a Markdown document: fenced, indented, in tags of HTML or of a blog's templates, in lists and quotes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from repro.audit.source import html
from repro.audit.source.line import Line
from repro.audit.source.text import is_code

if TYPE_CHECKING:
    from markdown_it.token import Token

_PYTHON = {
    "",
    "python",
    "py",
    "python3",
    "python2",
    "pycon",
    "ipython",
    "ipython3",
    "code-cell",  # of MyST
    "pytorch",
}
# What a fence says: python, {python} of R Markdown, {.python .x} of Pandoc, python{1,2} with lines to be marked.
_LANGUAGE = re.compile(r"\{?\s*\.?([^\s{},]*)")


# {% highlight python %} of Jekyll, {% codeblock lang:python %} of Hexo, {{< highlight python >}} of Hugo; and ends.
_TAG = re.compile(
    r"^[ \t>]*(?P<tag>\{[{%][<%-]?\s*(?P<end>end|/)?(?P<name>highlight|codeblock|code)\b"
    r"(?P<says>[^\n]*?)[->%]?[}%]\})[ \t]*$",
    re.MULTILINE,
)
_NAMED = re.compile(r"\blang:(\S+)")
_FENCE = "~" * 12


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each block of code that is, or does not say that it is not, Python."""
    from markdown_it import MarkdownIt

    text = _fenced(text)
    original = text.split("\n")
    ends = [number for number, line in enumerate(original, start=1) if "</pre" in line.lower()]
    behind = 0  # what was read of the lines
    for token in MarkdownIt("commonmark").parse(text):
        if token.map is None or token.map[0] < behind:
            continue
        if token.type == "html_block":
            content, behind = _html(token, original, ends)
            yield from _in_html(content, original, token.map[0])
        elif token.type == "code_block" or (token.type == "fence" and _language(token.info) in _PYTHON):
            lines = list(_placed(token.content, original, token.map[0] + (token.type == "fence")))
            if _language(token.info) or is_code(lines):
                yield lines


def _fenced(text: str) -> str:
    """With a fence in place of each pair of tags of a template."""
    made: list[str] = []
    position = 0
    tags = list(_TAG.finditer(text))
    for begin, end in pairwise(tags):
        if begin["name"] == end["name"] and end["end"] and not begin["end"]:
            named = _NAMED.search(begin["says"])
            says = named[1] if named else begin["says"].strip() if begin["name"] == "highlight" else ""
            made += (
                text[position : begin.start("tag")],
                f"{_FENCE} {says}",
                text[begin.end("tag") : end.start("tag")],
                _FENCE,
            )
            position = end.end("tag")
    return "".join([*made, text[position:]])


def _language(info: str) -> str:
    """What a fence says that it is in; empty if it says nothing."""
    found = _LANGUAGE.match(info.strip())
    return found[1].lower() if found else ""


def _html(token: Token, original: Sequence[str], ends: Sequence[int]) -> tuple[str, int]:
    """A block of HTML, and the line behind it; a <pre> in it goes on to its end, beyond an empty line too."""
    assert token.map
    start, end = token.map
    content = token.content.lower()
    following = bisect_right(ends, end)
    if token.level or content.rfind("<pre") <= content.rfind("</pre") or following == len(ends):
        return token.content, end
    return "\n".join(original[start : ends[following]]), ends[following]


def _in_html(content: str, original: Sequence[str], start: int) -> Iterator[list[Line]]:
    """The code of a block of HTML."""
    if "<pre" not in content.lower():
        return
    moved = [line.column(0) for line in _placed(content, original, start)]
    for block in html.cells(content):
        yield [
            replace(
                line,
                number=start + line.number,
                file_line=start + line.number,
                columns=[moved[line.number - 1] + column for column in line.columns],
            )
            for line in block
        ]


def _placed(content: str, original: Sequence[str], start: int) -> Iterator[Line]:
    """The lines of a block, which begins in a line of the document, and may stand in a list or a quote there."""
    for number, line in enumerate(content.removesuffix("\n").split("\n"), start):
        whole = original[number] if number < len(original) else line
        yield Line.of(line, number + 1, max(whole.rfind(line), 0) if line.strip() else 0)
