"""The fenced and indented code of a Markdown document, also in lists and quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.source.line import Line

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


def cells(text: str) -> Iterator[list[Line]]:
    """The lines of each block of code that is, or does not say that it is not, Python."""
    from markdown_it import MarkdownIt

    original = text.split("\n")
    for token in MarkdownIt("commonmark").parse(text):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        language = _LANGUAGE.match(token.info.strip())
        if token.type == "fence" and language and language[1].lower() not in _PYTHON:
            continue
        start = token.map[0] + (token.type == "fence")
        lines = []
        for index, content in enumerate(token.content.removesuffix("\n").split("\n")):
            whole = original[start + index] if start + index < len(original) else content
            column = max(whole.rfind(content), 0) if content.strip() else 0
            lines.append(Line.of(content, start + index + 1, column))
        yield lines
