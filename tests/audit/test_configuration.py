"""`[tool.repro.audit]`, and which rules are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.audit import configuration
from repro.audit.configuration import nearest
from repro.audit.selection import closest, rules_for, selected
from repro.errors import ReproError


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    configuration._of.cache_clear()


def write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def test_the_nearest_that_has_any_counts(folder: Path) -> None:
    write(folder, '[tool.repro.audit]\nselect = ["CNN4"]\nlang = "zh"\n')
    write(folder / "inner", '[tool.other]\nname = "repro"\n')
    assert nearest("inner/a.py").select == ("CNN4",)
    assert nearest("inner/deep/../a.py").lang == "zh"
    write(folder / "nearer", '[tool.repro.audit]\nignore = ["undefined-name"]\n')
    found = nearest("nearer/a.py")
    assert (found.select, found.ignore, found.lang) == ((), ("undefined-name",), None)


def test_nothing_is_asked_of_a_project_that_does_not_speak_of_us(folder: Path) -> None:
    write(folder, "this is = = no TOML")
    assert nearest("a.py").select == ()


def test_a_path_with_dots_belongs_to_where_it_leads(folder: Path) -> None:
    write(folder / "here", '[tool.repro.audit]\nlang = "zh"\n')
    (folder / "there").mkdir()
    assert nearest("here/../there/a.py").lang is None


def test_exclude_leaves_out_files_and_folders(folder: Path) -> None:
    write(folder, '[tool.repro.audit]\nexclude = ["old/", "*/test_*.py", "a.md"]\n')
    left_out = [
        name
        for name in ("old", "old/a.py", "new/test_a.py", "new/deep/test_b.py", "a.md", "new/a.md", "new/older.py")
        if nearest(name).leaves_out(name)
    ]
    assert left_out == ["old", "old/a.py", "new/test_a.py", "new/deep/test_b.py", "a.md"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select = 'CNN4'", ".select: 'CNN4' was given; expected a list of rules, each a string"),
        ("ignore = [1]", ".ignore: [1] was given; expected a list of rules, each a string"),
        ("exclude = true", ".exclude: True was given; expected a list of patterns of files, each a string"),
        ("lang = 'fr'", ".lang: 'fr' was given; expected one of en, zh"),
        ("selct = []", ": 'selct' is no key; expected select"),
        ("colour = 1", ": 'colour' is no key; expected one of select, ignore, exclude, lang"),
        ("select = ['CNN999']", ".select: no rule is called 'CNN999'; closest: CNN"),
    ],
)
def test_a_wrong_value_is_told_with_file_key_and_what_was_expected(folder: Path, text: str, told: str) -> None:
    write(folder, f"[tool.repro.audit]\n{text}\n")
    assert str(nearest("a.py").error).startswith(f"{folder / 'pyproject.toml'}: tool.repro.audit{told}")


def test_a_wrong_table_and_wrong_syntax_are_told(folder: Path) -> None:
    write(folder, "[tool.repro]\naudit = 3\n")
    assert str(nearest("a.py").error).endswith("pyproject.toml: tool.repro.audit: 3 was given; expected a table")
    write(folder / "inner", "[tool.repro.audit\n")
    assert "inner/pyproject.toml: it is no TOML: " in str(nearest("inner/a.py").error)
    write(folder / "deep", f"repro = {'[' * 5000}{']' * 5000}\n")
    assert str(nearest("deep/a.py").error).endswith("deep/pyproject.toml: it is nested too deeply")
    assert not nearest("deep/a.py").leaves_out("deep/a.py")


def test_what_is_wrong_is_told_in_chinese_too(folder: Path) -> None:
    for text, told in (
        ("select = 'CNN4'", ".select: 给出的是 'CNN4'；应当是规则的列表，每条都是字符串"),
        ("lang = 'fr'", ".lang: 给出的是 'fr'；应当是 en、zh 之一"),
        ("selct = []", ": 没有 'selct' 这个键；应当是 select"),
        ("select = ['CNN999']", ".select: 没有叫 'CNN999' 的规则；最接近的是 CNN"),
    ):
        write(folder, f"[tool.repro.audit]\n{text}\n")
        configuration._of.cache_clear()
        error = nearest("a.py").error
        assert error is not None
        assert error.words.zh.startswith(f"{folder / 'pyproject.toml'}: tool.repro.audit{told}")


def test_rules_are_called_by_code_by_its_beginning_or_by_name() -> None:
    assert [rule.code for rule in rules_for("CNN401")] == ["CNN401"]
    assert rules_for("softmax-before-loss") == rules_for("Softmax_before_loss") == rules_for("cnn401")
    assert {rule.code[:4] for rule in rules_for("CNN4")} == {"CNN4"}
    assert rules_for("CNN") == selected((), ())


@pytest.mark.parametrize("word", ["CNN402x", "softmax-befor-loss", "C", ""])
def test_an_unknown_rule_is_answered_with_the_closest(word: str) -> None:
    with pytest.raises(ReproError, match=r"no rule is called .*; (closest: |`repro explain` lists them all)"):
        rules_for(word)


@pytest.mark.parametrize(
    ("word", "first"), [("CNN4O1", "CNN401"), ("cnn40l", "CNN401"), ("undefined-nam", "undefined-name")]
)
def test_the_closest_comes_first(word: str, first: str) -> None:
    assert closest(word)[0] == first
    assert closest("qqqq") == []


def test_what_is_ignored_is_not_selected() -> None:
    codes = [rule.code for rule in selected(["CNN4", "undefined-name"], ["CNN401"])]
    assert "CNN110" in codes
    assert "CNN401" not in codes
    assert codes == sorted(codes)
