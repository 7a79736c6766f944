"""What came of running a file, in every format: the level of isolation, the networks, what is so, what was left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.audit.finding import Words
from repro.audit.known import known
from repro.audit.report import Audited, exit_code
from repro.render.audit import github, html, sarif, text
from repro.render.audit import json as as_json
from tests.audit.render.conftest import EVIL, finding, ran

Make = Callable[..., Audited]
RULES = [rule.explained for rule in known()]
SHOWN = Words("25 images go in, and 16 rows come out", "输入 25 张图像，输出 16 行")


def reports(audited: Audited, language: str = "en") -> dict[str, str]:
    """All of them."""
    return {
        "text": "\n".join(text.lines(audited, language)),
        "json": as_json.report([audited], language),
        "sarif": sarif.report([audited], RULES, language, Path.cwd()),
        "html": html.page([audited], RULES, language),
        "github": "\n".join(github.lines([audited], language)),
    }


@pytest.mark.parametrize("form", ["text", "json", "sarif", "html", "github"])
def test_the_level_and_what_was_shown_stand_in_every_report(audited: Make, form: str) -> None:
    told = reports(audited(finding(shown=(SHOWN,)), run=ran()))[form]
    assert SHOWN.en in " ".join(told.split())
    level = {"json": '"isolation": "base"', "sarif": '"isolation": "base"'}.get(form, "in isolation: Landlock, seccomp")
    assert level in " ".join(told.split())


@pytest.mark.parametrize("form", ["text", "html", "github"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_code_says_is_only_text(audited: Make, form: str, language: str) -> None:
    told = reports(audited(finding(), run=ran()), language)[form]
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert EVIL not in told
    assert form != "html" or "<script>alert" not in told
    assert form != "github" or len(told.split("\n")) == 2  # a finding and a run: no line of the code's own


def test_json_has_all_of_it(audited: Make) -> None:
    (file,) = json.loads(as_json.report([audited(run=ran())], "zh"))["files"]
    assert (file["problem"], file["seconds"]) == (None, 0.5)
    assert [(each["symbol"], each["line"], each["told"]) for each in file["networks"]] == [("Net", 3, "接近 VGG-11")]
    assert [(each["line"], each["said"], each["measured"]) for each in file["true"]] == [(1, EVIL, "属实")]
    assert [(each["line"], each["error"]) for each in file["left_out"]] == [(4, EVIL)]


def test_a_run_that_did_not_end_is_told_and_counts(audited: Make) -> None:
    stopped = audited(run=ran(Words("its code was not run to the end", "代码没有运行到底")))
    assert exit_code([stopped]) == 2
    assert exit_code([audited(run=ran())]) == 0
    told = reports(stopped)
    assert all("not run to the end" in " ".join(told[form].split()) for form in ("text", "json", "html", "github"))
