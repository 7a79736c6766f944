"""What is made of code that is no text in places."""

from __future__ import annotations

import pytest

from repro.audit.engine import Task, audit_all
from repro.audit.rule import rules
from repro.audit.source import document, reading
from tests.audit.conftest import SOFTMAX, notebook

CODES = tuple(rule.code for rule in rules())


@pytest.mark.parametrize("text", ["x = 1\nto\0rch = 2\ny = '\0\0'\n", "x = 1\nto\udc80rch = 2\ny = '\ud83d'\n"])
def test_a_character_that_is_in_no_text_is_told_where_it_is_and_left_out(text: str) -> None:
    program = reading.program(document.Document("a.py", text, "utf-8"))
    assert program.text == "x = 1\ntorch = 2\ny = ''\n"
    (broken,) = program.broken
    assert (broken.place.line, broken.place.column, broken.place.end_column) == (2, 3, 4)
    assert broken.message == f"the character U+{ord(text[8]):04X} is in no text"
    place = program.place(program.tree.body[1])
    assert (place.line, place.column, place.end_column) == (2, 1, 11)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.py", SOFTMAX.replace("softmax", "soft\0max").encode()),
        ("a.ipynb", notebook(SOFTMAX.replace("softmax", "soft\udc80max")).encode()),
        ("a.md", f"```\n{SOFTMAX}x = '\0'\n```\n".encode()),
    ],
)
def test_the_rest_is_audited(name: str, data: bytes) -> None:
    (audited,) = audit_all([Task(name, CODES, data)], strict=True)
    assert not audited.error
    assert "CNN401" in {finding.code for finding in audited.findings}
