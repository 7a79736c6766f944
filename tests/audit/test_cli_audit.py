"""`repro audit` and `repro explain`, in process: exit codes, formats, languages, and what users mistake."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro.audit import configuration
from repro.audit.known import known
from repro.cli import main
from repro.render.audit.columns import width
from tests.audit.conftest import SOFTMAX, SOUND, notebook


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration._of.cache_clear()
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def test_nothing_worse_than_a_note_is_clean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(SOUND)
    assert main(["audit", "net.py"]) == 0
    assert capsys.readouterr().out == "1 file: nothing found\n"
    (folder / "net.py").write_text("import torch\n")
    assert main(["audit", "net.py"]) == 0
    assert capsys.readouterr().out.endswith("1 file: 1 note\n")


def test_a_bug_is_shown_with_its_line_in_80_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(SOFTMAX)
    assert main(["audit", "."]) == 1
    assert capsys.readouterr().out == (
        "net.py:7:16: CNN401 bug (high) softmax is applied before CrossEntropyLoss,\n"
        "  which applies a softmax itself; return the logits\n"
        "     7 |         return self.fc(x).softmax(1)\n"
        "       |                ^^^^^^^^^^^^^^^^^^^^^\n"
        "\n"
        "1 file: 1 bug\n"
    )


@pytest.mark.parametrize("form", ["text", "json", "sarif", "html", "github"])
def test_every_format_goes_to_standard_output_or_whole_to_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    (folder / "net.ipynb").write_text(notebook(SOFTMAX))
    assert main(["audit", "net.ipynb", "--format", form]) == 1
    printed = capsys.readouterr().out
    assert "CNN401" in printed
    assert main(["audit", "net.ipynb", "--format", form, "--output", "report"]) == 1
    assert capsys.readouterr().out == ""
    assert (folder / "report").read_text(encoding="utf-8") == printed
    assert sorted(file.name for file in folder.iterdir()) == ["net.ipynb", "report"], "nothing half written is left"


def test_what_cannot_be_read_is_told_and_the_others_are_audited(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.py").write_text(SOFTMAX)
    (folder / "b.ipynb").write_text('{"torch": ')
    assert main(["audit", "b.ipynb", "none.py", "a.py", "--format", "json"]) == 2
    out, err = capsys.readouterr()
    assert [finding["code"] for finding in json.loads(out)["findings"]] == ["CNN401"]
    first, second = err.splitlines()
    assert first.startswith("repro: error: b.ipynb: it is no notebook: ")
    assert second == "repro: error: none.py: there is no such file or folder; check its name and the current folder"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.ipynb", b'{"cells": [', "it is no notebook: its JSON is broken or incomplete: "),
        ("a.ipynb", b"\x89PNG\r\n" + bytes(range(256)), "it is binary; expected Python, a notebook, "),
        ("a.py", bytes(range(256)), "it is binary; "),
        ("a.txt", bytes(range(256)), "it is binary; "),
    ],
)
@pytest.mark.parametrize("given", ["name", "folder"])
def test_what_is_not_what_its_name_says_is_told_as_not_read(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, told: str, given: str
) -> None:
    (folder / name).write_bytes(data)
    assert main(["audit", name if given == "name" else "."]) == 2
    out, err = capsys.readouterr()
    assert out == "1 file: 1 not read\n"
    assert err.startswith(f"repro: error: {name}: {told}")
    assert err.count("\n") == 1


def test_a_notebook_that_nothing_was_written_to_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.ipynb").touch()
    assert main(["audit", "new.ipynb"]) == 0
    assert capsys.readouterr().out == "1 file: 1 without PyTorch\n"


def test_a_folder_with_nothing_to_audit_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "a.rst").touch()
    assert main(["audit", "inner"]) == 0
    out, err = capsys.readouterr()
    assert out == "0 files\n"
    assert err.startswith("repro: inner: there is nothing to audit in this folder; expected files that end in .py, ")
    assert err.count("\n") == 1


def test_cells_are_counted_from_0_and_that_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.ipynb").write_text(notebook(SOFTMAX))
    (folder / "net.py").write_text(SOFTMAX)
    note = "Cells are counted from 0, Markdown cells included."
    main(["audit", "net.ipynb", "net.py"])
    out = capsys.readouterr().out
    assert "net.ipynb:cell 1:7:16: " in out
    assert out.endswith(f"\n2 files: 2 bugs\n{note}\n")
    assert out.count(note) == 1
    main(["audit", "net.py"])
    assert note not in capsys.readouterr().out
    main(["audit", "net.ipynb", "--format", "html"])
    assert capsys.readouterr().out.count(note) == 1


def test_errors_are_told_in_the_language_of_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.ipynb").write_text('{"torch": ')
    (folder / "empty").mkdir()
    (folder / "net.py").write_text(SOUND)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert main(["audit", "a.ipynb", "none.py", "empty", "--format", "json"]) == 2
    out, err = capsys.readouterr()
    nothing, broken, missing = err.splitlines()
    assert nothing.startswith("repro: empty: 这个文件夹里没有可以审查的文件；文件名应当以 .py、")
    assert broken.startswith("repro: 错误：a.ipynb: 这不是笔记本：其中的 JSON 有错或不完整：")
    assert missing == "repro: 错误：none.py: 没有这个文件或文件夹；请检查名字和当前所在的文件夹"
    assert [each["error"][:12] for each in json.loads(out)["files"]] == ["a.ipynb: 这不是", "none.py: 没有这"]
    assert main(["audit", "net.py", "--select", "CNN40l"]) == 2
    assert capsys.readouterr().err.startswith("repro: 错误：没有叫 'CNN40l' 的规则；最接近的是 CNN4")
    assert main(["audit", "net.py", "--output", "missing/report"]) == 2
    assert capsys.readouterr().err.startswith("repro: 错误：missing/report: 报告无法写入：")
    assert main(["explain", "CNN40l", "--lang", "en"]) == 2
    assert capsys.readouterr().err.startswith("repro: error: no rule is called 'CNN40l'; closest: CNN4")


def test_standard_input_is_what_its_name_says_or_what_it_begins_like(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [("<stdin>", SOFTMAX), ("net.py", SOFTMAX), ("n.ipynb", notebook(SOFTMAX)), ("<stdin>", notebook(SOFTMAX))]
    for name, text in cases:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        arguments = [] if name == "<stdin>" else ["--stdin-name", name]
        assert main(["audit", "-", *arguments, "--format", "json", "--select", "CNN401"]) == 1
        (found,) = json.loads(capsys.readouterr().out)["findings"]
        assert (found["path"], found["line"], found["cell"]) == (name, 7, 1 if '"cells"' in text else None)


def test_rules_are_selected_and_ignored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(f"import torchvision\n{SOFTMAX}")

    def codes(*arguments: str) -> list[str]:
        main(["audit", "net.py", "--format", "json", *arguments])
        return [finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]]

    assert codes() == ["CNN111", "CNN401"]
    assert codes("--select", "CNN4") == ["CNN401"]
    assert codes("--select", "softmax-before-loss,CNN1") == ["CNN111", "CNN401"]
    assert codes("--ignore", "CNN401") == ["CNN111"]
    assert codes("--ignore", "CNN1", "--ignore", "CNN4") == []
    (folder / "pyproject.toml").write_text('[tool.repro.audit]\nignore = ["CNN1"]\nselect = ["CNN1", "CNN4"]\n')
    configuration._of.cache_clear()
    assert codes() == ["CNN401"]
    assert codes("--select", "CNN") == ["CNN401"]
    assert codes("--ignore", "CNN401") == []


def test_what_the_project_excludes_is_audited_only_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pyproject.toml").write_text('[tool.repro.audit]\nexclude = ["old"]\n')
    (folder / "old").mkdir()
    (folder / "old" / "net.py").write_text(SOFTMAX)
    assert main(["audit", "."]) == 0
    assert main(["audit", "old/net.py"]) == 1


@pytest.mark.parametrize(
    ("environment", "chinese"),
    [
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_TW"}, True),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "C"}, False),
        ({"LANG": "C", "LC_ALL": "", "LC_MESSAGES": "zh_CN"}, True),
    ],
)
def test_the_language_is_that_of_the_locale(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    chinese: bool,
) -> None:
    (folder / "net.py").write_text(SOFTMAX)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    main(["audit", "net.py"])
    assert ("错误" in capsys.readouterr().out) is chinese
    main(["audit", "net.py", "--lang", "en"])
    assert "bug (high)" in capsys.readouterr().out
    (folder / "pyproject.toml").write_text('[tool.repro.audit]\nlang = "zh"\n')
    configuration._of.cache_clear()
    main(["audit", "net.py"])
    assert "错误" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--select", "CNN999"], "no rule is called 'CNN999'; closest: "),
        (["--ignore", "softmax"], "no rule is called 'softmax'; closest: softmax-"),
        (["--output", "missing/report"], "missing/report: the report cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    (folder / "net.py").write_text(SOUND)
    assert main(["audit", "net.py", *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.startswith("repro: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["audit"], ["audit", "a", "--jobs", "0"], ["audit", "a", "--format", "xml"]])
def test_usage_errors_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_explain_prints_a_page_by_code_or_name_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "CNN401"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("CNN401 softmax-before-loss: bug (high)\n\nA softmax, or its logarithm, ")
    assert main(["explain", "softmax-before-loss"]) == 0
    assert capsys.readouterr().out == page
    assert main(["explain", "CNN401", "--lang", "zh"]) == 0
    assert "正确的写法" in capsys.readouterr().out
    assert main(["explain", "CNN401", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["rules"]
    assert set(found) == {"code", "name", "severity", "confidence", "page", "wrong", "right"}


def test_explain_lists_all_rules_and_answers_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    assert [line[:6] for line in out.splitlines() if line.startswith("CNN")] == [rule.code for rule in known()]
    assert max(map(width, out.splitlines())) < 80
    assert main(["explain", "CNN40l"]) == 2
    assert re.fullmatch(r"repro: error: no rule is called 'CNN40l'; closest: CNN4.*\n", capsys.readouterr().err)


def test_a_narrow_encoding_of_the_terminal_stops_nothing(folder: Path) -> None:
    (folder / "net.py").write_text(SOFTMAX.replace("softmax(1)", "softmax(1)  # 中文"), encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "repro", "audit", "net.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert r"# \u4e2d\u6587" in done.stdout


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_json_is_json_in_any_encoding(folder: Path, form: str) -> None:
    name = "\u00e9t\u00e9 \U0001f600.py"
    (folder / name).write_text(SOFTMAX.replace("self.fc", "self.\u5c42"), encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "repro", "audit", ".", "caf\u00e9.py", "--format", form, "--lang", "zh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert r"caf\xe9.py: \u6ca1\u6709\u8fd9\u4e2a\u6587\u4ef6" in done.stderr
    (found,) = json.loads(done.stdout)["findings"] if form == "json" else json.loads(done.stdout)["runs"][0]["results"]
    assert "caf\u00e9.py: 没有这个文件" in str(json.loads(done.stdout))
    assert (name if form == "json" else "%C3%A9t%C3%A9%20%F0%9F%98%80.py") in str(found)


def test_the_name_of_a_file_does_not_move_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "\x1b[31mred.ipynb").write_text('{"torch": ')
    assert main(["audit", "."]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("repro: error: \u241b[31mred.ipynb: it is no notebook: ")
    assert "\x1b" not in out + err
    assert main(["audit", ".", "--output", "\x1b]0;x\x07/report"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_project_that_is_configured_wrongly_does_not_keep_others_from_being_audited(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.py", "wrong/b.py", "wrong/inner/c.py", "z.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SOFTMAX)
    (folder / "wrong" / "pyproject.toml").write_text('[tool.repro.audit]\n"\\u001b[31m" = 1\n')
    assert main(["audit", ".", "--format", "json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [finding["path"] for finding in found["findings"]] == ["a.py", "z.py"]
    assert [bool(each["error"]) for each in found["files"]] == [False, True, True, False]
    assert err.count("\n") == 1
    assert r"wrong/pyproject.toml: tool.repro.audit: '\x1b[31m' is no key; " in err


def test_neither_torch_nor_what_else_takes_time_is_imported(folder: Path) -> None:
    (folder / "net.py").write_text(SOFTMAX)
    program = (
        "import sys\nfrom repro.cli import main\nmain(['audit', 'net.py'])\n"
        "slow = {'torch', 'numpy', 'rich', 'markdown_it', 'multiprocessing', 'repro.models', 'repro.parity'}\n"
        "print(*sorted(slow & sys.modules.keys()))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
