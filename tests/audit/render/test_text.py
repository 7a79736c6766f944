"""The report in a terminal of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from repro.audit.finding import Severity, Words
from repro.audit.report import Audited
from repro.render.audit import text
from repro.render.audit.columns import width
from tests.audit.render.conftest import EVIL, finding, place, repair

Make = Callable[..., Audited]


def told(audited: Audited, language: str = "en", coloured: bool = False) -> str:
    return "\n".join(text.lines(audited, language, coloured))


def test_a_finding_is_a_place_a_sentence_and_a_line_of_source_with_a_caret(audited: Make) -> None:
    assert told(audited(finding(place(4, 9, 11)))) == (
        "net.py:4:9: CNN401 bug (high) it is wrong; mend it\n     4 |     y = 中文 + undefined\n       |         ^^^^\n"
    )


def test_the_same_in_chinese(audited: Make) -> None:
    assert told(audited(finding(place(4, 9, 11))), "zh").startswith(
        "net.py:4:9: CNN401 错误（把握大） 这里有错;应当改掉\n     4 |"
    )


def test_a_place_in_a_notebook_names_its_cell(audited: Make) -> None:
    found = finding(place(1, 1, 7, cell=3, file_line=77), path="net.ipynb")
    assert told(audited(found, cell=3)).startswith("net.ipynb:cell 3:1:1: CNN401 bug")


def test_everything_fits_and_nothing_is_obeyed(audited: Make) -> None:
    long = Words(f"{EVIL} " * 20, f"{EVIL}很长" * 20)
    found = [finding(place(n, 1, 50), message=long, path=f"deep/{EVIL}.py") for n in (1, 2, 3, 4)]
    for language in ("en", "zh"):
        out = told(audited(*found, repairs=(repair(long),)), language)
        assert max(map(width, out.split("\n"))) < 80
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_repairs_are_a_list_with_what_else_they_might_be(audited: Make) -> None:
    others = [Words(f"line {n} one level less", f"第 {n} 行少一级") for n in range(5)]
    assert told(audited(repairs=(repair(*others),))) == (
        "net.py: mended in memory before it was read:\n"
        "  - lines 1-4: indentation is restored (medium)\n"
        "    or: line 0 one level less\n"
        "    or: line 1 one level less\n"
        "    or: line 2 one level less\n"
        "    … 2\n"
    )


def test_colours_are_asked_for_and_reset(audited: Make) -> None:
    plain, coloured = (told(audited(finding()), coloured=wanted) for wanted in (False, True))
    assert "\033" not in plain
    assert "\033[31;1mbug (high)\033[0m" in coloured
    assert re.sub("\033\\[[\\d;]*m", "", coloured) == plain


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "3 files: 2 bugs, 1 note, 1 repair, 1 not read"),
        ("zh", "3 个文件：2 个错误、1 个提示、1 处修补、1 个文件没有读成"),
    ],
)
def test_the_last_line_counts(audited: Make, language: str, expected: str) -> None:
    files = [audited(finding(), finding()), audited(finding(severity=Severity.NOTE), repairs=(repair(),))]
    assert list(text.total([*files, audited(error="no")], language)) == [expected]


def test_where_there_is_nothing_that_is_said(audited: Make) -> None:
    assert told(audited()) == ""
    assert list(text.total([audited()], "en")) == ["1 file: nothing found"]


def test_nothing_is_found_only_in_what_was_looked_at(audited: Make) -> None:
    unread, other = audited(error="no"), audited(about_networks=False)
    assert list(text.total([unread], "en")) == ["1 file: 1 not read"]
    assert list(text.total([unread, other], "en")) == ["2 files: 1 not read, 1 without PyTorch"]
    assert list(text.total([unread, audited()], "en")) == ["2 files: nothing found, 1 not read"]
    assert list(text.total([], "en")) == ["0 files"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_chinese_sentences_have_no_punctuation_of_ascii(audited: Make, language: str) -> None:
    """What stands between Chinese characters is of full width; places keep their colons, which editors look for."""
    files = [
        audited(finding(message=Words("it is wrong", "这里有错")), cell=3, repairs=(repair(),)),
        audited(error="不"),
    ]
    out = "\n".join([told(files[0], language), *text.total(files, language)])
    assert bool(re.search("[\u4e00-\u9fff] ?[(),;:]|[(),;:] ?[\u4e00-\u9fff]", out.replace("net.py: ", ""))) is False
