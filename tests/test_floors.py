"""The floors: what each module may import of ours and of others, read from the source."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import repro

PACKAGE = Path(repro.__file__).parent
PROJECT = Path(__file__).parents[1] / "pyproject.toml"

# Floor -> the modules on it; a package stands for all of its modules.
FLOORS = {
    "version": ["repro"],
    "verdicts": ["repro.result"],
    "words": ["repro.errors", "repro.atomic", "repro.process"],
    "sandbox": ["repro.sandbox", "repro.sandbox.*"],
    "catalog": ["repro.models", "repro.models._catalog"],
    "networks": ["repro.models.*"],
    "papers": ["repro.papers", "repro.papers.*"],
    "mechanism": [
        f"repro.{name}"
        for name in (
            "movement graph canonical mapping certificate fill budget layers neighbours measures evaluate"
            " initialisation checkpoint"
        ).split()
    ],
    "interchange": ["repro.onnx_graph", "repro.onnx_module"],
    "references": ["repro.references", "repro.amendments", "repro.keras_network"],
    "parity": ["repro.parity", "repro.parity.*"],
    "findings": ["repro.audit.finding", "repro.audit.report"],
    "audit": ["repro.audit", "repro.audit.*"],
    "checkers": [
        "repro.conformance",
        "repro.oracle",
        "repro.identity",
        "repro.signatures",
        "repro.names",
        "repro.formulas",
        "repro.golden",
        "repro.golden.*",
        "repro.faults",
        "repro.faults.*",
        "repro.power",
        "repro.deviations",
        "repro.deviations.*",
    ],
    "running": ["repro.running", "repro.running.*"],
    "render": ["repro.render", "repro.render.*"],
    "library": ["repro.api"],
    "commands": ["repro.cli.*"],
    "faces": ["repro.cli", "repro.pytest_plugin"],
    "main": ["repro.__main__"],
}

# Floor -> the floors that its modules may import from.
BELOW = {
    "version": ["library"],  # when one of its functions is asked for, not before: tests/test_api.py
    "verdicts": [],
    "words": [],
    "sandbox": ["version", "words", "sandbox"],
    "catalog": ["catalog"],
    "networks": ["catalog", "networks"],
    "papers": ["words", "papers"],
    "mechanism": ["verdicts", "words", "mechanism"],
    "interchange": ["words", "interchange"],
    "references": ["verdicts", "words", "catalog", "interchange", "references"],
    "parity": ["verdicts", "words", "mechanism", "references", "catalog", "parity"],
    "findings": ["findings"],
    "audit": ["verdicts", "words", "mechanism", "references", "catalog", "papers", "findings", "audit"],
    "checkers": ["version", "verdicts", "words", "mechanism", "references", "catalog", "papers", "parity", "checkers"],
    "running": "words sandbox catalog papers mechanism references findings audit checkers running".split(),
    "render": ["version", "verdicts", "findings", "render"],
    "library": [floor for floor in FLOORS if floor not in ("library", "commands", "faces", "networks", "main")],
    "commands": [floor for floor in FLOORS if floor not in ("library", "faces", "networks", "main")],
    "faces": [floor for floor in FLOORS if floor not in ("faces", "networks", "main")],
    "main": ["faces"],
}

# What a distribution is imported as, where that is not its own name.
IMPORTED_AS = {"markdown-it-py": "markdown_it", "beautifulsoup4": "bs4", "pillow": "PIL"}

# What loads a module, and so is there when the module is.
HOSTS = {"repro.pytest_plugin": "pytest"}


def sources(package: Path = PACKAGE) -> dict[str, str]:
    """Dotted name -> source of every module."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text(encoding="utf-8")
    return found


def floor_of(module: str) -> str | None:
    """The floor that names the module, or else the one that names its package."""
    package = module.rpartition(".")[0] + ".*"
    named = {name: floor for floor, names in FLOORS.items() for name in names}
    above = [f"{module.rsplit('.', cut)[0]}.*" for cut in range(1, module.count(".") + 1)]
    return next((named[name] for name in (module, package, *above) if name in named), None)


@functools.cache
def statements(source: str) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a source, wherever they are; the sources are the same in every test but for what it plants."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(source: str, modules: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Every module a source imports, with the line; `from x import y` is x.y if that is one."""
    for node in statements(source):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        else:
            base = node.module or ""
            assert node.level == 0, f"line {node.lineno}: a relative import, which this check does not read"
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in modules else base), node.lineno


def breaches(modules: Mapping[str, str]) -> list[str]:
    """Every import of ours that its floor does not allow."""
    found = []
    for module, source in modules.items():
        floor = floor_of(module)
        if floor is None:
            found.append(f"{module} is on no floor: name it in FLOORS")
            continue
        for imported, line in imports(source, modules):
            if imported.partition(".")[0] == "repro" and floor_of(imported) not in BELOW[floor]:
                found.append(f"{module}:{line} ({floor}) imports {imported} ({floor_of(imported)})")
    return found


def strangers(modules: Mapping[str, str], declared: set[str]) -> list[str]:
    """Every import that is neither ours, nor Python's, nor of a declared dependency."""
    known = declared | set(sys.stdlib_module_names) | {"repro"}
    return [
        f"{module}:{line} imports {imported}"
        for module, source in modules.items()
        for imported, line in imports(source, modules)
        if imported.partition(".")[0] not in known | {HOSTS.get(module)}
    ]


def declared() -> set[str]:
    """The import names of the dependencies in pyproject.toml."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^\w.-]", requirement)[0] for requirement in project["dependencies"]]
    return {IMPORTED_AS.get(name, name) for name in names}


def test_no_module_imports_from_above_its_floor() -> None:
    assert breaches(sources()) == []


def test_nothing_is_imported_that_is_not_declared() -> None:
    assert strangers(sources(), declared()) == []


def test_every_declared_dependency_is_imported() -> None:
    used = {name.partition(".")[0] for source in sources().values() for name, _ in imports(source, {})}
    named = {name for source in sources().values() for name in re.findall(r'import_module\("(\w+)"\)', source)}
    named |= {name for source in sources().values() for name in re.findall(r'_library\("(\w+)"\)', source)}
    assert declared() - used - named == set()


def test_networks_use_torch_and_nothing_else() -> None:
    modules = {name: source for name, source in sources().items() if name.startswith("repro.models.")}
    assert "repro.models.resnet" in modules
    assert strangers(modules, {"torch"}) == []


def test_words_render_and_the_catalog_never_import_torch() -> None:
    light = ("version", "verdicts", "words", "findings", "render")
    modules = {name: source for name, source in sources().items() if floor_of(name) in light}
    assert len(modules) >= 6
    assert strangers(modules, set()) == []
    top_level = "".join(line for line in sources()["repro.models._catalog"].splitlines(True) if line[0] != " ")
    assert "torch" not in re.findall(r"import (\w+)", top_level)


@pytest.mark.parametrize(
    ("module", "statement", "breach"),
    [
        ("repro.result", "import repro.graph", "repro.result:1 (verdicts) imports repro.graph (mechanism)"),
        ("repro.errors", "import repro.result", "repro.errors:1 (words) imports repro.result (verdicts)"),
        ("repro.graph", "from repro import references", "repro.graph:1 (mechanism) imports repro.references"),
        ("repro.graph", "from repro.models import get", "repro.graph:1 (mechanism) imports repro.models (catalog)"),
        ("repro.models.vgg", "from repro.errors import ReproError", "repro.models.vgg:1 (networks) imports"),
        ("repro.models._catalog", "import repro.models.vgg", "repro.models._catalog:1 (catalog) imports"),
        ("repro.references", "from repro import fill", "repro.references:1 (references) imports repro.fill"),
        (
            "repro.parity.check",
            "from repro.models import vgg",
            "repro.parity.check:1 (parity) imports repro.models.vgg",
        ),
        ("repro.parity.check", "from repro.render.text import row", "repro.parity.check:1 (parity) imports"),
        ("repro.parity.check", "from repro.audit import rules", "repro.parity.check:1 (parity) imports repro.audit"),
        ("repro.audit.engine", "from repro.parity import check", "repro.audit.engine:1 (audit) imports repro.parity"),
        ("repro.render.text", "from repro.graph import Node", "repro.render.text:1 (render) imports repro.graph"),
        ("repro.render.text", "import repro.errors", "repro.render.text:1 (render) imports repro.errors (words)"),
        ("repro.render.text", "from repro import cli", "repro.render.text:1 (render) imports repro.cli (faces)"),
        ("repro.parity.verify", "def f():\n  import repro.cli", "repro.parity.verify:2 (parity) imports repro.cli"),
        ("repro.pytest_plugin", "import repro.cli", "repro.pytest_plugin:1 (faces) imports repro.cli (faces)"),
        ("repro", "import repro.graph", "repro:1 (version) imports repro.graph (mechanism)"),
        ("repro.api", "import repro.cli", "repro.api:1 (library) imports repro.cli (faces)"),
        ("repro.render.html", "from repro import api", "repro.render.html:1 (render) imports repro.api (library)"),
        ("repro.render.audit.text", "from repro.audit import engine", "repro.render.audit.text:1 (render) imports"),
        ("repro.audit.report", "from repro.audit import rule", "repro.audit.report:1 (findings) imports repro.audit"),
        ("repro.utils", "", "repro.utils is on no floor: name it in FLOORS"),
        ("repro.deep.down", "", "repro.deep.down is on no floor: name it in FLOORS"),
    ],
)
def test_a_breach_is_noticed(module: str, statement: str, breach: str) -> None:
    (found,) = breaches({**sources(), module: statement})
    assert found.startswith(breach)


def test_an_undeclared_import_is_noticed() -> None:
    modules = {**sources(), "repro.graph": "import os\nimport pandas.core\nfrom scipy import stats\nimport torch"}
    assert strangers(modules, declared()) == ["repro.graph:2 imports pandas.core", "repro.graph:3 imports scipy"]
    assert strangers({"repro.render.text": "import torch"}, set()) == ["repro.render.text:1 imports torch"]
