"""How text looks in a terminal: widths, lines, windows, and nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.render.audit.columns import clean, pointed, width, wrapped


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("中文", 4), ("e\u0301", 1), ("\uff0c", 2), ("", 0)])
def test_chinese_characters_take_two_columns_and_what_combines_none(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("a\x00b", "a␀b"),
        ("\x7f\x9b\u202e\ud800", "\ufffd" * 4),
        ("中文 é", "中文 é"),
        ("\n", "␊"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_a_picture(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text())
def test_nothing_that_moves_the_cursor_is_left(text: str) -> None:
    kinds = {unicodedata.category(character) for character in clean(text)}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@given(st.text(alphabet="ab 中文,。e\u0301x\t", max_size=300), st.integers(20, 80))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, columns: int) -> None:
    lines = list(wrapped(text, columns, "  ", "- "))
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).removeprefix("- ").split()) == "".join(clean(text).split())


def test_a_paragraph_is_broken_at_spaces_and_between_chinese_characters() -> None:
    assert list(wrapped("aa bb cc", 5, "  ")) == ["aa bb", "  cc"]
    assert list(wrapped("中文中文,中文", 8)) == ["中文中", "文,中文"], "no line begins with a comma"
    assert list(wrapped("中文 abc，中文", 8)) == ["中文", "abc，中", "文"], "nor one behind a word"
    assert list(wrapped("中文中（中文）", 8)) == ["中文中", "（中文）"], "none ends with a bracket that opens"
    assert list(wrapped("中文中（ab）", 8)) == ["中文中", "（ab）"]
    assert list(wrapped("abcdefgh", 5, " ")) == ["abcde", " fgh"]


def test_carets_stand_below_what_is_meant() -> None:
    assert pointed("x = undefined", 4, 13, 40) == ("x = undefined", "    ^^^^^^^^^")
    assert pointed("中文 = y", 5, 6, 40) == ("中文 = y", "       ^")
    assert pointed("\ty", 1, 2, 40) == ("    y", "    ^")
    assert pointed("\x1b[0m = y", 7, 8, 40) == ("␛[0m = y", "       ^")
    assert pointed("", 0, 0, 40) == ("", "^")
    assert pointed("x", 9, 12, 40) == ("x", " ^")


@given(
    st.text(alphabet="ab =\t中\x1b", max_size=400),
    st.integers(0, 420),
    st.integers(0, 420),
    st.integers(20, 80),
)
def test_a_window_fits_and_shows_what_is_meant(line: str, start: int, end: int, columns: int) -> None:
    text, carets = pointed(line, start, end, columns)
    assert width(text) <= columns
    assert len(carets) <= columns
    if start < len(line) and line[start] not in " \t":
        column = len(carets) - len(carets.lstrip())
        shown = next(text[n:] for n in range(len(text) + 1) if width(text[:n]) >= column)
        assert shown[0] == clean(line[start])


def test_a_long_line_is_cut_on_either_side() -> None:
    text, carets = pointed("a" * 1_000_000 + "b" + "c" * 1_000_000, 1_000_000, 1_000_001, 40)
    assert text.startswith("…a")
    assert text.endswith("c…")
    assert text[carets.index("^")] == "b"
