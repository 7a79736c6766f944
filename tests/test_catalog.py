"""The catalog: what is read from the text of the files is what the files do."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import repro
from repro import models
from repro.canonical import canonical
from repro.errors import MissingLibraryError
from repro.graph import Graph, TraceError, trace
from repro.mapping import match
from repro.models import UnknownVariantError, Variant, _catalog
from repro.references import resolve

CATALOG = models.catalog()
SNAPSHOT = Path(__file__).with_name("catalog.txt")

each_variant = pytest.mark.parametrize("name", CATALOG)


@functools.cache
def built(name: str, **arguments: int) -> nn.Module:
    """The variant on the meta device, in eval mode; shared by the tests, which do not change it."""
    with torch.device("meta"):
        return models.build(name, **arguments).eval()


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


# --- what is read is what is there -------------------------------------------------------------------------------


def test_the_names_are_those_of_the_committed_list() -> None:
    listed = SNAPSHOT.read_text(encoding="utf-8").split()
    added, gone = [n for n in CATALOG if n not in listed], [n for n in listed if n not in CATALOG]
    assert list(CATALOG) == listed, (
        f"the catalog is not that of {SNAPSHOT.name}: added {added}, gone {gone}, order as in the files; if that is "
        "meant, run\n  python -c \"from repro import models; print(*models.catalog(), sep='\\n')\" > tests/catalog.txt"
    )


def test_names_and_aliases_are_unique() -> None:
    names = [name for variant in CATALOG.values() for name in (variant.name, *variant.aliases)]
    assert len(names) == len(set(names))


def decorated(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Runs a file of networks afresh; name -> the arguments that `variant` was really called with."""
    calls: dict[str, dict[str, Any]] = {}

    def record(**arguments: Any) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
        def keep(builder: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
            if builder.__module__ == module:  # and not of a file that this one imports
                calls[builder.__name__] = arguments
            return builder

        return keep

    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(_catalog, "variant", record)
        spec.loader.exec_module(fresh)
    return calls


@pytest.mark.parametrize("module", sorted({variant.module for variant in CATALOG.values()}))
def test_what_is_read_from_the_text_is_what_the_decorators_are_given(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {name: variant for name, variant in CATALOG.items() if variant.module == module}
    calls = decorated(module, monkeypatch)
    assert list(calls) == list(ours)
    for name, arguments in calls.items():
        assert {key: getattr(ours[name], key) for key in arguments} == arguments


def test_every_file_of_networks_is_in_the_catalog() -> None:
    folder = Path(models.__file__).parent
    files = {f"repro.models.{file.stem}" for file in folder.glob("[!_]*.py")}
    assert files == {variant.module for variant in CATALOG.values()}


@each_variant
def test_the_builder_is_a_documented_function_whose_first_line_is_the_summary(name: str) -> None:
    builder = getattr(importlib.import_module(CATALOG[name].module), name)
    assert inspect.isfunction(builder)
    assert builder.__module__ == CATALOG[name].module
    assert CATALOG[name].summary == (inspect.getdoc(builder) or "").partition("\n")[0] != ""
    assert list(inspect.signature(builder).parameters) == ["num_classes", "in_channels"]


@each_variant
def test_the_initialisation_is_a_documented_function(name: str) -> None:
    variant = CATALOG[name]
    beside, _, function = variant.init.rpartition(".")
    module = f"repro.models.{beside}" if beside else variant.module
    init = getattr(importlib.import_module(module), function, None)
    assert inspect.isfunction(init), f"{module} has no function {function}"
    assert init.__doc__, f"{variant.init} has no docstring to carry its locus"


@each_variant
def test_the_paper_is_named(name: str) -> None:
    assert re.search(r"arXiv:\d{4}\.\d{5}|arXiv:\d{4}\.\d{4}|NIPS|Proc\. IEEE|no paper", CATALOG[name].paper)


@each_variant
def test_the_references_can_be_had(name: str) -> None:
    variant = CATALOG[name]
    for spec in variant.references:
        with contextlib.suppress(MissingLibraryError):
            assert resolve(spec).spec == spec
    assert variant.differs.keys() | variant.untrained.keys() | variant.sizes.keys() <= set(variant.references)


@each_variant
def test_the_documented_sizes_differ(name: str) -> None:
    assert CATALOG[name].input_size != CATALOG[name].other_size


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "closest"), [("resnet5", "resnet50"), ("vgg_16", "vgg16"), ("lenet", "lenet5")])
def test_an_unknown_name_is_answered_with_the_closest(name: str, closest: str) -> None:
    with pytest.raises(UnknownVariantError) as caught:
        models.get(name)
    assert re.fullmatch(rf"no network is called '{name}'; closest: .*\b{closest}\b.*", str(caught.value))


def test_a_name_close_to_nothing_is_answered_with_the_command_that_lists_them() -> None:
    with pytest.raises(UnknownVariantError, match="no network is called '@@@'; `repro list` prints them all"):
        models.build("@@@")


def test_an_alias_is_the_network_it_names() -> None:
    for variant in CATALOG.values():
        for alias in variant.aliases:
            assert models.get(alias) is variant
    assert models.get("resnet18_v1_5").name == "resnet18"


def test_two_entries_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = '@variant(paper="p", init="i", input_size=(3, 9, 9), other_size=(3, 8, 8))\ndef net():\n    """One."""\n'
    for file in ("one.py", "two.py"):
        (tmp_path / file).write_text(text, encoding="utf-8")
    monkeypatch.setattr(_catalog, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=r"two catalog entries are called 'net'; the second is in repro\.models\.two"):
        _catalog._read.__wrapped__()


# --- no two are the same -----------------------------------------------------------------------------------------


@functools.cache
def graph(name: str, size: tuple[int, int, int], training: bool) -> Graph | None:
    """The variant's canonical graph for two images of this size, None if it does not take them."""
    try:
        return canonical(trace(built(name), images(2, *size), training=training))
    except TraceError:
        return None


def same_mode(one: Variant, other: Variant, training: bool) -> bool:
    """Whether two variants have equal canonical graphs in this mode, at a size that both take."""
    for size in (one.other_size, other.other_size, one.input_size, other.input_size):
        graphs = graph(one.name, size, training), graph(other.name, size, training)
        if graphs[0] is not None and graphs[1] is not None:
            return match(graphs[0], graphs[1]) is not None
    return False


def same(one: Variant, other: Variant) -> bool:
    """Whether two variants are one network in both modes; some differ only in training, by their dropout."""
    return all(same_mode(one, other, training) for training in (False, True))


def duplicates(variants: Iterable[Variant]) -> list[tuple[str, str]]:
    """The pairs that are one network; only those with equal parameter counts are looked at."""
    counts = {v.name: sum(parameter.numel() for parameter in built(v.name).parameters()) for v in variants}
    pairs = combinations(variants, 2)
    return [(x.name, y.name) for x, y in pairs if counts[x.name] == counts[y.name] and same(x, y)]


def test_no_two_variants_are_the_same_network() -> None:
    assert duplicates(list(CATALOG.values())) == []


def test_a_network_entered_twice_is_noticed() -> None:
    lenet5, lenet5_28 = CATALOG["lenet5"], CATALOG["lenet5_28"]
    assert duplicates([lenet5, lenet5_28, lenet5]) == [("lenet5", "lenet5")]


# --- torch is not imported before it is needed -------------------------------------------------------------------


@pytest.fixture
def imports_torch(tmp_path: Path) -> Callable[[str], bool]:
    """Tells whether a fresh interpreter has torch, here an empty file, loaded once it has run a program."""
    (tmp_path / "torch.py").touch()
    path = os.pathsep.join([str(tmp_path), str(Path(repro.__file__).parents[1])])

    def imports_torch(program: str) -> bool:
        report = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))"
        command = [sys.executable, "-c", f"{report}\n{program}"]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        loaded = done.stderr.splitlines()[-1] == "True"
        assert loaded or done.returncode == 0, done.stderr
        return loaded

    return imports_torch


@pytest.mark.parametrize(
    "program",
    [
        "import repro, repro.models, repro.cli, repro.result, repro.errors, repro.render.json, repro.render.text",
        "import repro.papers; repro.papers.papers()",
        "from repro.cli import main; main(['list'])",
        "from repro.cli import main; main(['list', '--format', 'json'])",
        "from repro.cli import main; main(['--help'])",
        "from repro.cli import main; main(['verify', '--help'])",
        "from repro.cli import main; main(['--version'])",
        "from repro.cli import main; main(['show', 'no such network'])",
        "from repro.cli import main; main(['verify', 'no such network'])",
    ],
)
def test_torch_is_not_imported_by(program: str, imports_torch: Callable[[str], bool]) -> None:
    assert not imports_torch(program)


def test_an_import_of_torch_would_be_noticed(imports_torch: Callable[[str], bool]) -> None:
    assert imports_torch("import repro.models.lenet")
