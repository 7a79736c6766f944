"""`repro audit --fix`: each rule's fixes on its own cases, and what becomes of the bytes of files."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from repro.audit.engine import findings_in
from repro.audit.finding import Finding
from repro.audit.fixes import patch
from repro.audit.fixes.fix import Fixed, fixed
from repro.audit.fixes.source import Source
from repro.audit.refusal import Refusal
from repro.audit.rule import Rule, rules
from repro.audit.source import document
from repro.audit.source.parse import compiled
from repro.audit.source.reading import program
from repro.cli import main
from tests.audit.conftest import notebook

FIXING = [rule for rule in rules() if rule.fix]
MARK = re.compile(r"[ \t]*# <- (?:bug|risk|note)$", re.MULTILINE)
LOSS = """\
import torch
def train(net, loader, criterion):
    for x, y in loader:
        loss = criterion(net(x), y)
        loss.backward()
        print(loss.data[0])
"""
FIXED_LOSS = LOSS.replace(".data[0]", ".item()")


def fix(text: str, rule: Rule, path: str = "case.py") -> Fixed:
    source = Source.of(text.encode())
    assert isinstance(source, Source)
    return fixed(path, source, [rule])


def found(text: str, path: str = "case.py") -> list[Finding]:
    return list(findings_in(program(document.of(path, text.encode())), rules()))


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [pytest.param(rule, *case, id=f"{rule.code}-{i}") for rule in FIXING for i, case in enumerate(rule.fixed)],
)
def test_a_fix_makes_of_its_cases_what_they_say(rule: Rule, before: str, after: str) -> None:
    made = fix(before, rule)
    assert made.source.text == after
    assert bool(made.fixes) == (before != after)
    assert made.left == ()


@pytest.mark.parametrize("rule", FIXING, ids=lambda rule: rule.code)
def test_a_rule_with_a_fix_has_a_case_that_it_repairs(rule: Rule) -> None:
    assert any(before != after for before, after in rule.fixed)


@pytest.mark.parametrize(
    ("rule", "text"),
    [pytest.param(rule, text, id=f"{rule.code}-{i}") for rule in FIXING for i, text in enumerate(rule.invalid)],
)
def test_what_is_fixed_is_gone_and_nothing_else_comes(rule: Rule, text: str) -> None:
    before = MARK.sub("", text)
    made = fix(before, rule)
    assert not isinstance(compiled(made.source.text), SyntaxError)
    codes = [each.code for each in found(before)]
    for each in found(made.source.text):
        codes.remove(each.code)  # raises ValueError for one that was not there
    assert codes.count(rule.code) >= len(made.fixes)
    assert (made.source.text == before) == (not made.fixes)
    assert fix(made.source.text, rule).fixes == (), "fixing twice is fixing once"


@pytest.mark.parametrize(
    ("rule", "text"),
    [pytest.param(rule, text, id=f"{rule.code}-{i}") for rule in FIXING for i, text in enumerate(rule.valid)],
)
def test_nothing_is_changed_where_nothing_is_wrong(rule: Rule, text: str) -> None:
    assert fix(text, rule).source.text == text


def run(*arguments: str) -> int:
    return main(["audit", "--lang", "en", *arguments])


def test_a_diff_is_printed_behind_the_report_and_nothing_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "net.py").write_text(LOSS)
    assert run("--fix", "net.py") == 1
    told = capsys.readouterr()
    report, _, printed = told.out.partition("--- a/net.py\n+++ b/net.py\n")
    assert report.endswith("1 file: 1 bug, 1 note\n")
    assert "-        print(loss.data[0])\n+        print(loss.item())\n" in printed
    assert told.err == "repro: 1 of the findings can be fixed; --fix --write does it\n"
    assert (folder / "net.py").read_text() == LOSS


def test_what_is_written_is_what_the_diff_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(LOSS)
    run("--fix", "net.py")
    shown = capsys.readouterr().out
    assert run("--fix", "--write", "net.py") == 0, "nothing is left"
    told = capsys.readouterr()
    assert told.out == shown
    assert told.err == "repro: 1 of the findings were fixed, in 1 of the files\n"
    assert (folder / "net.py").read_text() == FIXED_LOSS
    assert run("--fix", "--write", "net.py") == 0
    assert capsys.readouterr().err == "repro: nothing can be fixed without judgement\n"


@pytest.mark.parametrize("command", [("git", "apply"), ("patch", "-p1", "--binary", "--no-backup-if-mismatch")])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("net.py", LOSS.encode(), id="plain"),
        pytest.param("net.py", LOSS.removesuffix("\n").encode(), id="no-end"),
        pytest.param("net.py", LOSS.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param("net.py", codecs.BOM_UTF8 + ("# 损失\n" + LOSS).encode(), id="bom"),
        pytest.param("net.py", ("# coding: gbk\n# 损失\n" + LOSS.replace("[0]", "[0], '值'")).encode("gbk"), id="gbk"),
        pytest.param("net.py", ("# 训练时的损失值，逐批打印\n" + LOSS).encode("gb18030"), id="gb18030"),
        pytest.param("net.py", ("# café\n" + LOSS).encode("latin-1"), id="latin-1"),
        pytest.param("two words.py", LOSS.encode(), id="space"),
        pytest.param("损失.py", LOSS.encode(), id="chinese"),
        pytest.param("net.ipynb", notebook("import torch", LOSS, "print('损失')").encode(), id="notebook"),
        pytest.param("net.md", f"# Train\n\n```python\n{LOSS}```\n".encode(), id="markdown"),
        pytest.param("net.html", f"<pre>\n{LOSS}</pre>\n".encode(), id="html"),
    ],
)
def test_the_diff_can_be_applied_and_changes_one_line_only(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], name: str, content: bytes, command: tuple[str, ...]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    (folder / name).write_bytes(content)
    run("--fix", name)
    printed = capfdbinary.readouterr().out
    subprocess.run(command, input=printed, cwd=folder, check=True)
    by_hand = (folder / name).read_bytes()
    assert by_hand == content.replace(b"loss.data[0]", b"loss.item()") != content
    (folder / name).write_bytes(content)
    run("--fix", "--write", name)
    assert (folder / name).read_bytes() == by_hand


def test_lines_are_put_in_and_taken_out_in_documents(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(2, 2)\n"
    called = text.replace("        self", "        super().__init__()\n        self")
    unused = "    # repro: ignore[CNN307]\n    def forward(self, x):\n        return self.fc(x)\n"
    quoted = "> " + (text + unused).replace("\n", "\n> ")
    (folder / "net.ipynb").write_text(notebook("x = 1", text + unused))
    (folder / "net.md").write_text(f"> ```python\n{quoted}```\n")
    run("--fix", "--write", ".")
    capsys.readouterr()
    kept = called + unused.partition("\n")[2]
    assert (folder / "net.ipynb").read_text() == notebook("x = 1", kept)
    assert (folder / "net.md").read_text() == "> ```python\n> " + kept.replace("\n", "\n> ") + "```\n"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "net.md",
            "```\nimport torch\nfor x in y:\nloss.backward()\nprint(loss.data[0])\n```\n",
            "indentation was lost",
        ),
        ("net.py", f"print 'loss'\n{LOSS}", "not all of it can be read as Python"),
        ("net.html", LOSS.join(("<pre>", "</pre>")).replace("loss.data", "<b>loss</b>.data"), "does not stand"),
        ("net.md", f"```\n{LOSS}```\n".replace("print", "print\N{NO-BREAK SPACE}"), "does not stand"),
        ("net.ipynb", json.dumps(json.loads(notebook(LOSS))), "does not stand"),
    ],
)
def test_what_was_mended_is_left_alone_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, why: str
) -> None:
    (folder / name).write_text(text)
    run("--fix", "--write", name)
    told = capsys.readouterr()
    assert "CNN703 is not fixed: " in told.err
    assert why in told.err
    assert "---" not in told.out
    assert (folder / name).read_text() == text


def test_a_row_of_a_notebook_that_only_looks_like_the_line_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outputs stand before the source, and may show it."""
    cell = {
        "cell_type": "code",
        "outputs": [{"text": LOSS.splitlines(keepends=True)}],
        "source": [*LOSS.splitlines(True)],
    }
    text = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    (folder / "net.ipynb").write_text(text)
    run("--fix", "--write", "net.ipynb")
    assert "CNN703 is not fixed: it does not stand in the document" in capsys.readouterr().err
    assert (folder / "net.ipynb").read_text() == text


def test_no_row_is_taken_out_that_has_more_than_the_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = '<a id="here"></a># repro: ignore[CNN307]\n'
    (folder / "net.html").write_text(f"<pre>\nimport torch\n{row}x = torch.ones(1)\n</pre>\n")
    run("--fix", "net.html")
    assert "CNN901 is not fixed: it does not stand in the document" in capsys.readouterr().err


def test_no_line_is_put_between_numbered_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(2, 2)\n"
    code += "    def forward(self, x):\n        return self.fc(x)\n"
    numbered = "".join(f"{number} {line}\n" for number, line in enumerate(code.splitlines(), start=1))
    (folder / "net.md").write_text(f"```python\n{numbered}```\n")
    run("--fix", "net.md")
    assert "CNN202 is not fixed: it does not stand in the document" in capsys.readouterr().err


def test_suppressed_and_unselected_findings_are_not_fixed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(LOSS.replace("[0])", "[0])  # repro: ignore[CNN703]"))
    run("--fix", "net.py")
    made = fix((folder / "net.py").read_text(), next(each for each in FIXING if each.code == "CNN703"))
    assert (made.fixes, made.left) == ((), ())
    (folder / "net.py").write_text(LOSS)
    run("--fix", "--ignore", "CNN7", "net.py")
    run("--fix", "--select", "CNN1", "net.py")
    assert "---" not in capsys.readouterr().out
    run("--fix", "--select", "removed-call", "net.py")
    assert "+        print(loss.item())" in capsys.readouterr().out


def test_fixes_that_overlap_are_made_one_after_the_other() -> None:
    rule = next(each for each in FIXING if each.code == "CNN111")
    made = fix("import os, sys, torch\nif __name__ == '__main__':\n    print(1)\n", rule)
    assert (made.source.text, len(made.fixes)) == ("if __name__ == '__main__':\n    print(1)\n", 3)


def test_a_fix_that_brings_something_else_is_left_out_and_the_others_are_made() -> None:
    """`np` is then imported and not used."""
    rule = next(each for each in FIXING if each.code == "CNN703")
    text = f"import numpy as np\nkind = np.int\n{LOSS}"
    made = fix(text, rule)
    assert made.source.text == text.replace(".data[0]", ".item()")
    ((finding, why),) = made.left
    assert (finding.place.line, why.en) == (2, "it would still be found, or something else")


def test_a_file_keeps_its_mode_and_a_link_leads_to_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(LOSS)
    (folder / "net.py").chmod(0o750)
    (folder / "link.py").symlink_to("net.py")
    run("--fix", "--write", "link.py", "net.py")
    told = capsys.readouterr()
    assert "--- a/net.py\n" in told.out
    assert "net.py: left alone: it is link.py by another name" in told.err
    assert (folder / "link.py").is_symlink()
    assert stat.S_IMODE((folder / "net.py").stat().st_mode) == 0o750
    assert (folder / "net.py").read_text() == FIXED_LOSS


@pytest.mark.parametrize("kind", ["hard link", "read-only", "UTF-16", "no utf-8", "no iso2022_jp"])
def test_a_file_that_cannot_be_changed_as_it_is_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file = folder / "net.py"
    file.write_bytes(LOSS.encode("utf-16") if kind == "UTF-16" else LOSS.encode())
    if kind == "hard link":
        (folder / "other.txt").hardlink_to(file)
    elif kind == "read-only":  # for root, nothing is
        monkeypatch.setattr(os, "access", lambda *_: False)
    elif kind == "no utf-8":
        file.write_bytes(codecs.BOM_UTF8 + b"# \xff\n" + LOSS.encode())
    elif kind == "no iso2022_jp":  # a switch to ASCII where it is ASCII already, which no encoder writes
        file.write_bytes(b"# coding: iso2022_jp\n# \x1b(B\n" + LOSS.encode())
    before = file.read_bytes()
    run("--fix", "--write", "net.py")
    assert re.search(f"net.py: left alone: .*{kind}", capsys.readouterr().err)
    assert file.read_bytes() == before


def test_a_file_that_changed_since_it_was_read_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "net.py").write_text(LOSS)
    write = patch.write

    def late(file: Path, before: bytes, after: bytes) -> None:
        file.write_text("newer")
        write(file, before, after)

    monkeypatch.setattr(patch, "write", late)
    assert run("--fix", "--write", "net.py") == 2
    told = capsys.readouterr()
    assert "net.py: it has changed since it was read; nothing was written" in told.err
    assert "---" not in told.out
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("net.py", "newer")]


def test_what_cannot_be_written_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "net.py"
    file.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("repro.atomic.os.fsync", full)
    with pytest.raises(Refusal, match=r"net\.py: it cannot be written: No space left on device"):
        patch.write(file, b"old", b"new")
    assert file.read_bytes() == b"old"


def test_of_standard_input_there_is_only_the_diff(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOSS.encode())))
    run("--fix", "--stdin-name", "net.py", "-")
    assert "--- a/net.py\n+++ b/net.py\n" in capsys.readouterr().out
    assert run("--fix", "--write", "-") == 2
    assert "standard input cannot be changed" in capsys.readouterr().err


def test_the_diff_has_no_place_in_other_formats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(LOSS)
    assert run("--fix", "--format", "json", "net.py") == 2
    assert "use --format text" in capsys.readouterr().err
    assert run("--write", "net.py") == 2
    assert "--write goes with --fix" in capsys.readouterr().err
    run("--fix", "--format", "json", "--output", "report.json", "net.py")
    assert capsys.readouterr().out.startswith("--- a/net.py\n")
    assert json.loads((folder / "report.json").read_text())


def test_an_error_of_ours_in_one_file_keeps_nothing_from_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (folder / name).write_text(LOSS)
    monkeypatch.setattr("repro.cli.fixing.fixed", lambda path, *rest: 1 / 0 if path == "a.py" else fixed(path, *rest))
    assert run("--fix", "a.py", "b.py") == 2
    told = capsys.readouterr()
    assert "a.py: internal error: ZeroDivisionError" in told.err
    assert "--- a/b.py" in told.out


def test_names_are_written_as_git_does() -> None:
    head = [line for line in patch.diff('a"b\n', b"1\n", b"2\n") if line.startswith(b"---")]
    assert head == [b'--- "a/a\\042b\\012"\n']
