"""Every check has a negative control: a test that plants the fault it exists for and sees that check fail.

Read from the source, so that a control which is skipped, or expected to fail, does not count as one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import repro
from repro.golden.check import CHECKS as OF_GOLDENS
from repro.parity.check import CHECKS

PACKAGE = Path(repro.__file__).parent
TESTS = Path(__file__).parent


def named(folder: Path) -> set[str]:
    """The checks that modules give results of by name: `Result("structure", ...)`, `pair.result("structure", ...)`."""
    return {
        node.args[0].value
        for file in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("Result", "result")
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def controls(folder: Path) -> dict[str, list[str]]:
    """check -> the tests, `file::name`, that are decorated with `@pytest.mark.control(check)` and do run."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            marks = dict(_marks(node))
            if {"skip", "skipif", "xfail"} & marks.keys():
                continue
            for check in marks.get("control", ()):
                found.setdefault(check, []).append(f"{file.relative_to(folder).as_posix()}::{node.name}")
    return found


def _marks(function: ast.FunctionDef) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The pytest marks of a function: name, and the arguments that are written out as text."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        module, _, name = ast.unparse(call.func if call is not None else decorator).rpartition(".")
        if module == "pytest.mark":
            arguments = call.args if call is not None else []
            yield name, tuple(a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str))


def uncontrolled(checks: set[str], tests: Path) -> list[str]:
    """The checks that have no control, and the names in controls that are of no check."""
    found = controls(tests)
    return [
        *(f"{check} has no negative control" for check in sorted(checks - found.keys())),
        *(f"{found[name][0]} is a control of {name!r}, which is no check" for name in sorted(found.keys() - checks)),
    ]


def test_every_check_has_a_negative_control() -> None:
    assert uncontrolled({*CHECKS, *OF_GOLDENS, *named(PACKAGE)}, TESTS) == []


def test_the_checks_are_found_by_name_too() -> None:
    assert {"structure", "mapping", "train.structure", "initialisation"} <= named(PACKAGE)


# --- that this can fail ------------------------------------------------------------------------------------------

MODULE = """
from repro.result import Outcome, Result

def one(pair):
    return pair.result("one", Outcome.PASS, "")

def two():
    return Result("two", "", "", Outcome.PASS, "")

def several(name):
    return Result(name, "", "", Outcome.PASS, "three")
"""

CONTROLLED = """
import pytest

@pytest.mark.parametrize("fault", [1, 2])
@pytest.mark.control("one")
def test_it_fails(fault):
    assert fault
"""

NOT_CONTROLLED = [
    "",
    "import pytest\ndef test_two(): assert pytest.mark.control('two')",
    "import pytest\n@pytest.mark.control('two')\ndef helper(): assert False",
    "import pytest\n@pytest.mark.control\ndef test_two(): assert False",
    "import pytest\nNAME = 'two'\n@pytest.mark.control(NAME)\ndef test_two(): assert False",
    "import pytest\n@pytest.mark.skip(reason='slow')\n@pytest.mark.control('two')\ndef test_two(): assert False",
    "import pytest\n@pytest.mark.skip\n@pytest.mark.control('two')\ndef test_two(): assert False",
    "import pytest\n@pytest.mark.control('two')\n@pytest.mark.xfail(strict=True)\ndef test_two(): assert False",
    "import pytest\n@pytest.mark.skipif(True, reason='')\n@pytest.mark.control('two')\ndef test_two(): assert False",
    "import pytest\n# @pytest.mark.control('two')\ndef test_two(): assert False",
    "import pytest\n@pytest.mark.slow('two')\ndef test_two(): assert False",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with two checks by name, and tests in which one of them has a control."""
    (tmp_path / "parity").mkdir()
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "parity" / "checks.py").write_text(MODULE)
    (tmp_path / "tests" / "deep" / "test_one.py").write_text(CONTROLLED)
    return tmp_path


@pytest.mark.parametrize("source", NOT_CONTROLLED)
def test_a_check_without_a_control_is_named(tree: Path, source: str) -> None:
    (tree / "tests" / "test_two.py").write_text(source)
    assert named(tree / "parity") == {"one", "two"}
    assert uncontrolled(named(tree / "parity"), tree / "tests") == ["two has no negative control"]


def test_a_control_of_each_is_enough(tree: Path) -> None:
    source = "import pytest\n\nclass TestTwo:\n    @pytest.mark.control('two')\n    def test_two(self): assert False\n"
    (tree / "tests" / "test_two.py").write_text(source)
    assert uncontrolled({"one", "two"}, tree / "tests") == []
    assert controls(tree / "tests")["one"] == ["deep/test_one.py::test_it_fails"]


def test_a_control_of_what_is_no_check_is_named(tree: Path) -> None:
    assert uncontrolled({"two"}, tree / "tests") == [
        "two has no negative control",
        "deep/test_one.py::test_it_fails is a control of 'one', which is no check",
    ]


def test_a_file_that_is_no_test_does_not_count(tree: Path) -> None:
    (tree / "tests" / "helpers.py").write_text(CONTROLLED.replace('"one"', '"two"'))
    assert uncontrolled({"one", "two"}, tree / "tests") == ["two has no negative control"]
