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


SESSION = "".join(f"{'...' if line[:1] == ' ' else '>>>'} {line}\n" for line in SOFTMAX.splitlines())


@pytest.mark.parametrize("text", [SESSION, f"\n# pasted\n{SESSION}"])
def test_a_session_that_was_saved_as_a_file_of_python_is_mended(text: str) -> None:
    (audited,) = audit_all([Task("a.py", CODES, text.encode())], strict=True)
    assert [finding.code for finding in audited.findings] == ["CNN401"]
    assert [repair.kind for repair in audited.repairs] == ["prompts"]


@pytest.mark.parametrize("rest", ["", "def f(:\n    pass\n"])
def test_a_session_in_a_docstring_is_no_code(rest: str) -> None:
    text = f'"""An example.\n\n>>> import torch\n>>> undefined\n"""\nimport torch\nprint(torch)\n{rest}'
    (audited,) = audit_all([Task("a.py", CODES, text.encode())], strict=True)
    assert audited.repairs == ()
    assert [finding.code for finding in audited.findings] == ["CNN101"] * bool(rest)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("<stdin>", ".ipynb"), ("a.json", ".ipynb"), ("a.txt", ".txt"), ("a.py", ".py")],
)
def test_what_no_name_tells_is_told_by_how_a_file_begins(name: str, kind: str) -> None:
    assert document.of(name, notebook(SOFTMAX).encode()).suffix == kind
    assert document.of(name, b'\n{"nbformat": 4, "cells": [').suffix == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html>\n<p>", ".html"),
        ('<?xml version="1.0"?>\n<!-- saved -->\n<html lang="zh">', ".html"),
        ("<p>x</p>", ".txt"),
        ('{"x": 1}', ".txt"),
        ("x = 1", ".txt"),
    ],
)
def test_pages_begin_as_pages(text: str, kind: str) -> None:
    assert document.of("<stdin>", text.encode()).suffix == kind


@pytest.mark.parametrize("above", ["@decorated\n", "try:\n    pass\n", "@a\n@b\n\n"])
def test_what_is_left_when_patience_ends_can_be_read(above: str) -> None:
    broken = "def f():\n" + "    x y\n    pass\n" * 60
    program = reading.program(document.Document("a.py", f"import torch\n{above}{broken}", "utf-8"))
    assert program.text.strip() == "import torch"
    assert len(program.broken) == 1
