"""A file's bytes as text and back: its encoding, its mark, its line ends stay as they are."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from repro.audit.finding import Words
from repro.audit.source.decode import decode


@dataclass(frozen=True)
class Source:
    """The bytes of a document, and what they say.

    mark      the one of UTF-8, if it begins with it
    encoding  of the rest
    text      of the rest, with the ends of lines as they are
    """

    data: bytes
    mark: bytes
    encoding: str
    text: str

    @classmethod
    def of(cls, data: bytes) -> Source | Words:
        """What some bytes say, or why they cannot be changed: these very bytes must come of the text again."""
        _, encoding = decode(data)
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        if encoding.startswith(("utf-16", "utf-32")):  # patch and git take these for binary
            return Words(
                f"it is in {encoding.upper()}; save it as UTF-8", f"它的编码是 {encoding.upper()}；请存为 UTF-8"
            )
        try:
            text = data[len(mark) :].decode(encoding)
            if mark + text.encode(encoding) == data:
                return cls(data, mark, encoding, text)
        except UnicodeError:
            pass
        return Words(f"some of its bytes are no {encoding}", f"其中有不属于 {encoding} 的字节")

    def with_text(self, text: str) -> Source | None:
        """The same file with another text; None if its encoding cannot say it."""
        try:
            made = Source.of(self.mark + text.encode(self.encoding))
        except UnicodeEncodeError:
            return None
        return made if isinstance(made, Source) and (made.encoding, made.text) == (self.encoding, text) else None
