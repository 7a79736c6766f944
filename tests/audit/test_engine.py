"""Many files at once: in their order, in one process or several, and one that fails harms no other."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from repro.audit import engine
from repro.audit.engine import Task, audit, audit_all
from repro.audit.limits import limited
from repro.audit.report import Audited, exit_code
from repro.audit.rule import rules
from repro.errors import ReproError
from tests.audit.conftest import SOFTMAX, SOUND, notebook

CODES = tuple(rule.code for rule in rules())


def write(folder: Path, **texts: str) -> list[Task]:
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return [Task(f"{name}.py", CODES) for name in texts]


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_are_told_in_their_order_whoever_audits_them(folder: Path, jobs: int) -> None:
    tasks = write(folder, **{f"net{n}": SOFTMAX if n % 3 else SOUND for n in range(30)})
    tasks.insert(5, Task("missing.py", CODES))
    found = list(audit_all(tasks, jobs))
    assert [each.path for each in found] == [task.path for task in tasks]
    assert [len(each.findings) for each in found if not each.error] == [int(n % 3 > 0) for n in range(30)]
    assert found[5].error.startswith("missing.py: there is no such file or folder; ")


def test_few_files_start_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", None)
    assert len(list(audit_all(write(folder, a=SOFTMAX, b=SOUND), jobs=64))) == 2


def test_only_the_rules_of_a_task_are_asked(folder: Path) -> None:
    write(folder, a=SOFTMAX)
    (found,) = audit_all([Task("a.py", ("CNN110",))])
    assert found.findings == ()


def test_what_is_given_is_not_read_again() -> None:
    (found,) = audit_all([Task("<stdin>", CODES, SOFTMAX.encode())])
    assert [finding.path for finding in found.findings] == ["<stdin>"]


def test_an_internal_error_is_told_beside_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = write(folder, a=SOFTMAX, b=SOUND)
    whole = engine.findings_in

    def failing(program: object, chosen: object) -> object:
        if program.path == "a.py":  # type: ignore[attr-defined]
            raise KeyError("what")
        return whole(program, chosen)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "findings_in", failing)
    first, second = audit_all(tasks)
    assert first.error == "a.py: internal error: KeyError: 'what'; --debug shows the traceback"
    assert second.error == ""
    with pytest.raises(KeyError):
        list(audit_all(tasks, strict=True))


def test_a_file_keeps_its_text_only_where_something_points_into_it(folder: Path) -> None:
    write(folder, a=SOFTMAX, b=SOUND, c="print(1)\n")
    assert audit("a.py").line(audit("a.py").findings[0].place) == "        return self.fc(x).softmax(1)"
    assert audit("b.py").sheets == ()
    assert not audit("c.py").about_networks


def test_the_line_of_a_notebook_is_that_of_its_cell(folder: Path) -> None:
    (folder / "a.ipynb").write_text(notebook("import torch\nprint(torch)", SOFTMAX), encoding="utf-8")
    found = audit("a.ipynb")
    (finding,) = found.findings
    assert (finding.place.cell, finding.place.line) == (2, 7)
    assert found.line(finding.place) == "        return self.fc(x).softmax(1)"
    assert ".softmax(1)" in (folder / "a.ipynb").read_text().splitlines()[finding.place.file_line - 1]


def work_for_ever() -> None:
    while True:
        with suppress(Exception):  # nothing of the kind may swallow the end
            sum(range(1000))


def test_what_takes_too_long_is_given_up() -> None:
    with pytest.raises(ReproError, match=r"a\.py: it was given up after 0\.05 s"), limited("a.py", 0.05):
        work_for_ever()


def test_other_threads_have_no_limit_and_no_error() -> None:
    done: list[int] = []

    def work() -> None:
        with limited("a.py", 0.001):
            done.append(sum(range(100_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(done) == 1


def test_a_time_limit_that_passes_in_a_callback_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow:
        def __del__(self) -> None:
            work_for_ever()

    def work() -> None:
        Slow()
        work_for_ever()

    with pytest.raises(ReproError, match="given up"), limited("a.py", 0.05):
        work()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("error", "told"), [(RecursionError, "nested too deeply"), (MemoryError, "not enough memory")])
def test_what_is_too_deep_or_too_large_is_told(error: type[Exception], told: str) -> None:
    with pytest.raises(ReproError, match=told), limited("a.py"):
        raise error


def test_a_name_of_thousands_of_parts_is_not_parsed(folder: Path) -> None:
    """Python's parser would take two gigabytes for it."""
    Path("long.py").write_text("import torch\nimport x" + ".y" * 50_000)
    with pytest.raises(ReproError, match=r"^long\.py: it imports a name of more than 1,000 parts"):
        audit("long.py")
    Path("long.py").write_text("import torch\nimport x" + ".y" * 500)
    assert [finding.code for finding in audit("long.py").findings] == ["CNN111", "CNN111"]


def test_exit_codes(folder: Path) -> None:
    write(folder, a=SOFTMAX, b=SOUND, c="import torch\n")
    bug, sound, note = audit("a.py"), audit("b.py"), audit("c.py")
    assert [finding.severity for finding in note.findings] == ["note"]
    assert (exit_code([]), exit_code([sound, note]), exit_code([sound, bug])) == (0, 0, 1)
    assert exit_code([bug, Audited("d.py", error="no")]) == 2


@pytest.mark.parametrize("name", ["a.py", "a.txt"])
def test_what_only_the_compiler_finds_is_told_as_what_cannot_be_read(folder: Path, name: str) -> None:
    (folder / name).write_text("import torch\ndef f(x, x):\n    return torch.relu(x)\nprint(torch)\n")
    (found,) = audit(name).findings
    assert (found.code, found.place.line) == ("CNN101", 2)
    assert "duplicate argument 'x'" in found.message.en


def test_what_nests_deeper_than_python_does_leaves_what_was_found(folder: Path) -> None:
    deep = "def f(n):\n    for a in n:\n        for b in a:\n            for c in b:\n                f(f(f(f(c))))\n"
    write(folder, a=SOFTMAX + deep)
    assert "CNN401" in [finding.code for finding in audit("a.py").findings]
