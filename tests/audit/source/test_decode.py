"""Which encoding bytes are read in."""

from __future__ import annotations

import pytest

from repro.audit.source.decode import decode


@pytest.mark.parametrize("declared", ["undefined", "idna", "nonsense", "rot13", "ascii"])
def test_a_declaration_that_cannot_be_followed_is_not(declared: str) -> None:
    text = f"# coding: {declared}\nx = '\u4e2d..\u6587'\n"
    assert decode(text.encode()) == (text, "utf-8")
