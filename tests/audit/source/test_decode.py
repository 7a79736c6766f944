"""Which encoding bytes are read in."""

from __future__ import annotations

import pytest

from repro.audit.source.decode import decode, is_text


@pytest.mark.parametrize("declared", ["undefined", "idna", "nonsense", "rot13", "ascii"])
def test_a_declaration_that_cannot_be_followed_is_not(declared: str) -> None:
    text = f"# coding: {declared}\nx = '\u4e2d..\u6587'\n"
    assert decode(text.encode()) == (text, "utf-8")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", True),
        (b"x = 1\n", True),
        (b"x = '\0'\n" + b"y = 1\n" * 9, True),
        ("\u7f51\u7edc".encode("gb18030"), True),
        ("x = 1\n".encode("utf-16"), True),
        ("x = 1\n".encode("utf-32"), True),
        (b"\x1b[31mred\x1b[0m 50%\x08\x08\x08", True),
        (bytes(range(256)), False),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9, False),
    ],
)
def test_a_few_damaged_characters_make_no_text_binary(data: bytes, text: bool) -> None:
    assert is_text(data) is text
