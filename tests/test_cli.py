"""The command line, in process: exit codes, where things are printed, and that they fit."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import repro
from repro import models
from repro.budget import FACTOR
from repro.cli import main
from repro.deviations import Check, Deviation, Register
from repro.errors import ReproError
from repro.models import Initialisation, Variant
from repro.papers import papers
from repro.power import Rerun, Study, Trial
from repro.render import text as rendering
from repro.result import Outcome, Result

COLUMNS = 80
ROOT = Path(repro.__file__).parents[1]

# The checks of a pair that need nothing but the two.
OF_TWO_NETWORKS = [
    "structure",
    "mapping",
    "forward.float64",
    "forward.float32",
    "backward.float64",
    "backward.float32",
    "train.structure",
    "train.float64",
    "train.float32",
]
OF_A_PAIR = [*OF_TWO_NETWORKS, "initialisation"]

REPORT = {
    "type": "object",
    "required": ["tool", "version", "environment", "results", "summary"],
    "properties": {
        "tool": {"const": "repro"},
        "version": {"const": repro.__version__},
        "environment": {
            "type": "object",
            "required": ["python", "platform", "machine", "torch", "torchvision", "timm", "numpy"],
            "additionalProperties": {"type": "string"},
        },
        "results": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["check", "subject", "reference", "outcome", "message", "evidence"],
                "properties": {
                    "check": {"enum": [*OF_A_PAIR, "formulas", "conformance"]},
                    "subject": {"type": "string", "minLength": 1},
                    "reference": {"type": "string", "minLength": 1},
                    "outcome": {"enum": ["pass", "fail", "skip", "error"]},
                    "message": {"type": "string", "minLength": 1},
                    "evidence": {"type": "object"},
                },
                "additionalProperties": False,
            },
        },
        "summary": {
            "type": "object",
            "required": ["pass", "fail", "skip", "error"],
            "additionalProperties": {"type": "integer", "minimum": 0},
        },
        "timing": {
            "type": "object",
            "properties": {"phases": {"type": "object", "additionalProperties": {"type": "number"}}},
            "additionalProperties": {"type": "number"},
        },
    },
    "additionalProperties": False,
}

NETS = """
import sys

import torch
from torch import nn


class Net(nn.Module):
    stride = 1

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, self.stride, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))


class Strided(Net):
    stride = 2


class Leaky(Net):
    def forward(self, x):
        x = nn.functional.leaky_relu(self.conv(x), 0.02).flatten(2)
        return self.fc(x.amax(2)) * 3


def loud():
    print("printed by the callable")
    return Net()


class LoudForward(Net):
    def forward(self, x):
        print("printed by the forward")
        return super().forward(x)


def raising():
    raise RuntimeError("no luck")


def nothing():
    pass


def needs(width):
    return Net()


def leaves():
    sys.exit(0)


class Deciding(Net):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else super().forward(-x)


class Lazy(Net):
    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(5)


class Silent(Net):
    def forward(self, x):
        super().forward(x)


class Failing(Net):
    def forward(self, x):
        raise ValueError("no luck either\\nand a second line")


class FailingLater(Net):
    def forward(self, x):
        if torch.is_inference_mode_enabled():
            raise ValueError("no luck with numbers\\nand a second line")
        return super().forward(x)


class LeavingLater(Net):
    def forward(self, x):
        if torch.is_inference_mode_enabled():
            sys.exit(0)
        return super().forward(x)


number = 7
"""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def longest(self) -> str:
        return max(self.out.splitlines(), key=len)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as exited:  # argparse's way out
            code = int(str(exited.code))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with NETS in it, in the current directory."""
    name = "n" + re.sub(r"\W|test_", "", tmp_path.name)[:12]
    (tmp_path / f"{name}.py").write_text(NETS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, name, sys)  # so that the import is forgotten again
    monkeypatch.delitem(sys.modules, name)
    return name


@pytest.fixture
def small_catalog(nets: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the catalog one network with these references."""

    def small_catalog(*references: str) -> None:
        sizes: dict[str, Any] = {"input_size": (2, 8, 8), "other_size": (2, 7, 11)}
        net = Variant("Net", nets, "A network.", "no paper", "none", **sizes, references=references, aliases=("N",))
        default = Initialisation(f"{nets}.none", "torch", {"*": "uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"})
        monkeypatch.setattr("repro.models._catalog._read", lambda: ({"Net": net}, {"N": "Net"}))
        monkeypatch.setattr("repro.models._catalog._initialisations", lambda: {default.name: default})

    return small_catalog


def refused(ran: Ran) -> str:
    """The one line of a refusal: exit code 2, nothing on stdout, no traceback."""
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("repro: error: "), ran.err
    return ran.err.removeprefix("repro: error: ").strip()


# --- list and show -----------------------------------------------------------------------------------------------


def test_list_names_every_network_once(run: Run) -> None:
    ran = run("list")
    assert (ran.code, ran.err) == (0, "")
    listed = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ")]
    assert listed == list(models.catalog())


def test_list_as_json_has_every_field(run: Run) -> None:
    ran = run("list", "--format", "json")
    document = json.loads(ran.out)
    assert document["tool"] == "repro"
    assert [network["name"] for network in document["networks"]] == list(models.catalog())
    assert document["networks"][0].keys() == vars(next(iter(models.catalog().values()))).keys()


@pytest.mark.parametrize("columns", [COLUMNS, 50])
def test_list_on_a_terminal_is_cut_to_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == columns
    assert any(line.endswith("…") for line in lines)


def test_show_prints_the_table_and_the_totals(run: Run) -> None:
    ran = run("show", "lenet5_28")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^conv2 +conv 5x5 +16x8x8 +2,416 +154K +14$", ran.out, re.MULTILINE)
    assert "44,426 parameters, 281,640 multiply-adds for one 1x28x28 image" in ran.out


def test_show_as_json_has_the_same_numbers(run: Run) -> None:
    document = json.loads(run("show", "lenet5_28", "--format", "json").out)
    assert document["totals"] == {"parameters": 44_426, "multiply_adds": 281_640}
    assert sum(layer["parameters"] for layer in document["layers"]) == 44_426
    assert document["input_size"] == [1, 28, 28]


def test_show_knows_aliases_and_other_sizes(run: Run) -> None:
    ran = run("show", "resnet18_v1_5", "--input-size", "64")
    assert ran.out.startswith("resnet18: ")
    assert "also called resnet18_v1_5" in ran.out
    assert "for one 3x64x64 image" in ran.out


@pytest.mark.parametrize("name", ["vgg16", "inception_resnet_v2", "googlenet_torchvision", "lenet5"])
def test_show_fits_the_terminal(run: Run, name: str) -> None:
    longest = run("show", name).longest
    assert len(longest) <= COLUMNS, longest


def test_show_refuses_a_size_that_the_network_does_not_take(run: Run) -> None:
    message = refused(run("show", "lenet5", "--input-size", "1x36x36"))
    assert message.startswith("repro:lenet5: forward failed on an input of ")
    assert "a 36x36 image was given; lenet5 takes (batch, 1, height, width) with height and width 32 to 35" in message


# --- verify ------------------------------------------------------------------------------------------------------


def test_verify_of_a_network_without_references_is_clean_and_says_what_was_not_done(run: Run) -> None:
    ran = run("verify", "lenet5", "lenet5_28")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^lenet5\n  none +- +- +- +- +- +- pass$", ran.out, re.MULTILINE)
    assert re.search(r"^  numpy +\de-1\d from the paper's formulas$", ran.out, re.MULTILINE)
    assert re.search(r"^  Proc\. IEEE.* 34 of 34 printed facts confirmed$", ran.out, re.MULTILINE)
    assert "\n2 networks, 0 pairs; checks: 4 pass, 0 fail, 3 skip, 0 error\n34 of the 1028 facts" in ran.out
    assert len(ran.longest) <= COLUMNS, ran.longest


def test_verify_of_a_network_of_the_catalog_passes_and_fits_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorchcv", None)
    ran = run("verify", "resnet18", "--timing")
    assert (ran.code, ran.err) == (0, "")
    cells = r"proved +122 +\de[-+]\d\d +\d\.\d\d +\d\.\d\d +\d\.\d\d pass"
    assert re.search(rf"^resnet18\n  torchvision:resnet18 +{cells}\n  timm:resnet18 +{cells}$", ran.out, re.MULTILINE)
    assert "1 network, 2 pairs; checks: 21 pass, 0 fail, 1 skip, 0 error" in ran.out
    assert NOT_INSTALLED in ran.out
    whole, beyond, memory = ran.out.splitlines()[-3:]
    assert re.fullmatch(r"whole run [\d.]+ s, [\d.]+ times the [\d.]+ s of bare model executions in it", whole)
    assert re.fullmatch(r"backward and train checks [\d.]+ times the [\d.]+ s of forward", beyond)
    assert re.fullmatch(r"peak memory [\d.]+ GB", memory)
    assert len(ran.longest) <= COLUMNS, ran.longest


NOT_INSTALLED = """
1 reference not compared: pytorchcv is not installed; in a clone:
  python -m pip install ".[pytorchcv]"
"""


def test_a_reference_that_is_not_installed_has_a_row_only_where_there_is_no_other(
    run: Run, small_catalog: Callable[..., None], nets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorchcv", None)
    small_catalog("pytorchcv:resnet18")
    ran = run("verify")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"^Net\n  pytorchcv:resnet18 +- +- +- +- +- +- pass$", ran.out, re.MULTILINE)
    assert "1 network, 0 pairs; " in ran.out
    assert NOT_INSTALLED in ran.out
    small_catalog(f"{nets}:Net", "pytorchcv:resnet18")
    ran = run("verify")
    assert "\n  pytorchcv:resnet18" not in ran.out
    assert "1 network, 1 pair; " in ran.out
    assert NOT_INSTALLED in ran.out


def test_verify_without_names_verifies_all(run: Run, small_catalog: Callable[..., None], nets: str) -> None:
    small_catalog(f"{nets}:Net")
    for arguments in ((), ("Net",), ("N",), ("Net", "N")):
        ran = run("verify", *arguments)
        assert ran.code == 0
        assert "\n1 network, 1 pair; checks: 10 pass, 0 fail, 1 skip, 0 error\n" in ran.out


def test_a_failed_check_exits_with_1_and_is_explained(run: Run, small_catalog: Callable[..., None], nets: str) -> None:
    small_catalog(f"{nets}:Net", f"{nets}:Strided")
    ran = run("verify")
    assert (ran.code, ran.err) == (1, "")
    assert re.search(rf"^Net\n  {nets}:Net +proved .*\n  {nets}:Strided +FAIL +- +- +- +- +- -$", ran.out, re.MULTILINE)
    assert "FAIL structure: different for 3x2x8x8: convolution stride 1 here, 2 there" in ran.out.replace("\n   ", "")
    assert "checks: 10 pass, 1 fail, 10 skip, 0 error" in ran.out
    assert len(ran.longest) <= COLUMNS, ran.longest


def test_a_check_that_could_not_be_made_exits_with_2(run: Run, small_catalog: Callable[..., None], nets: str) -> None:
    small_catalog(f"{nets}:Strided", "no_such_module:net")
    ran = run("verify")
    assert ran.code == 2
    assert "ERROR structure: 'no_such_module:net': importing no_such_module raised" in ran.out
    assert "checks: 0 pass, 1 fail, 10 skip, 1 error" in ran.out


def test_verify_as_json_follows_the_schema(run: Run, small_catalog: Callable[..., None], nets: str) -> None:
    small_catalog(f"{nets}:Net", f"{nets}:Strided", f"{nets}:Leaky", "no_such_module:net")
    report = json.loads(run("verify", "--format", "json").out)
    jsonschema.validate(report, REPORT)
    assert report["summary"] == {"pass": 10, "fail": 2, "skip": 19, "error": 1}
    timed = json.loads(run("verify", "--format", "json", "--timing").out)
    jsonschema.validate(timed, REPORT)
    timing = timed["timing"]
    assert timing.keys() == {"seconds", "bare_model_seconds", "ratio", "phases", "beyond_forward", "peak_memory_gb"}
    phases = timing["phases"]
    assert phases.keys() == {"structure", "mapping", "forward", "backward", "train", "initialisation", "conformance"}
    assert sum(phases.values()) < timing["seconds"]
    assert timing["beyond_forward"] == pytest.approx((phases["backward"] + phases["train"]) / phases["forward"])


@pytest.mark.parametrize("spoil", [{"outcome": "PASS"}, {"message": ""}, {"extra": 1}, {"evidence": []}])
def test_the_schema_can_fail(run: Run, small_catalog: Callable[..., None], nets: str, spoil: dict[str, Any]) -> None:
    small_catalog(f"{nets}:Net")
    report = json.loads(run("verify", "--format", "json").out)
    report["results"][0].update(spoil)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, REPORT)


def rows(reference: str) -> list[str]:
    """The row of a pair that passed, with the widest cells there are, and that of one that could not be checked."""
    evidence = {"keys": dict.fromkeys(map(str, range(1234))), "ratio": FACTOR}
    return [
        rendering.row([Result(name, "a network", reference, Outcome.PASS, "", evidence) for name in OF_A_PAIR]),
        rendering.row([Result("structure", "a network", reference, Outcome.ERROR, "", {})]),
    ]


def test_every_row_fits_the_terminal_and_stands_below_the_header() -> None:
    first, *others = rendering.HEADER.split()
    start = rendering.HEADER.index(first)
    ends = [rendering.HEADER.index(f" {name}") + 1 + len(name) for name in others]
    assert len(rendering.HEADER) <= COLUMNS
    for reference in {"none"}.union(*(variant.references for variant in models.catalog().values())):
        for row, cell in zip(rows(reference), ("proved", "ERROR"), strict=True):
            *above, cells = row.split("\n")  # a long name has a line of its own
            assert max(map(len, (*above, cells))) <= COLUMNS, row
            assert "".join((*above, cells[:start])).strip() == reference, row
            assert cells[start:].startswith(f"{cell} "), row
        cells = rows(reference)[0].split("\n")[-1]
        assert [cells[end - 2 : end + 1].count(" ") for end in ends] == [1] * 5 + [0], cells


def test_a_row_tells_a_proof_of_eval_mode_from_one_of_both_and_why() -> None:
    evidence = {"keys": {}, "ratio": 1e-3}
    results = [
        Result(name, "a network", "a:reference", Outcome.PASS, "", evidence)
        if not name.startswith("train")
        else Result(name, "a network", "a:reference", Outcome.SKIP, "not claimed: it has no head")
        for name in OF_A_PAIR
    ]
    assert re.search(r"a:reference +eval +0 +1e-13 0.00 0.00 +- pass$", rendering.row(results))
    assert list(rendering.details(results)) == ["  train mode is not claimed: it has no head"]
    failed = [replace(r, outcome=Outcome.FAIL) if r.check == "train.structure" else r for r in results]
    assert re.search(r"a:reference +FAIL +0 +- ", rendering.row(failed))


def test_a_row_that_does_not_fit_would_be_noticed() -> None:
    assert max(map(len, rows("b" * COLUMNS)[0].split("\n"))) > COLUMNS


def test_the_line_of_many_papers_fits_the_terminal() -> None:
    fact = {"facts": [{"confirmed": True}] * 17}
    many = "arXiv:1512.03385, arXiv:1605.07146, arXiv:1611.05431"
    assert list(rendering.lines([Result("conformance", "net", many, Outcome.PASS, "", fact)])) == [
        "  arXiv:1512.03385, arXiv:1605.07146,",
        "    arXiv:1611.05431                   17 of 17 printed facts confirmed",
    ]
    (line,) = rendering.lines([Result("conformance", "net", "NIPS 25", Outcome.PASS, "", fact)])
    assert line == f"{'  NIPS 25':<38} 17 of 17 printed facts confirmed"


# --- verify --power ----------------------------------------------------------------------------------------------

COUNTS = ("planted", "equivalent", "caught", "located")


def trial(equivalent: str = "", **seen: str) -> Trial:
    place = "stride of conv1"
    return Trial("lenet5", "convolution stride", place, "stride 1 -> 2", equivalent, seen, "told" * bool(seen))


CLEAN = Study((trial(structure="located"),), (Rerun("lenet5", "one thread", 11),))
UNSOUND = {
    "SURVIVED: lenet5: convolution stride at stride of conv1": trial(structure="missed"),
    "SAID TO CHANGE NOTHING, AND CAUGHT: lenet5: convolution stride at": trial("no reason", structure="caught"),
    "FALSE ALARM: lenet5, two threads: values: a wolf": Rerun("lenet5", "two threads", 11, {"values": "a wolf"}),
}


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch) -> Callable[[Study], list[Any]]:
    """Has `repro.power.study` come out so; what it is then called with."""

    def studied(outcome: Study) -> list[Any]:
        calls: list[Any] = []

        def study(names: list[str], seed: int, jobs: int, done: Callable[[str], Any]) -> Study:
            calls.append((names, seed, jobs))
            for name in names:
                done(name)
            return outcome

        monkeypatch.setattr("repro.power.study", study)
        return calls

    return studied


def test_power_studies_the_networks_that_are_named(run: Run, studied: Callable[[Study], list[Any]]) -> None:
    calls = studied(CLEAN)
    ran = run("verify", "--power", "resnet18_v1_5", "lenet5", "--seed", "3", "--jobs", "2")
    assert (ran.code, ran.err) == (0, "")
    assert calls == [(["lenet5", "resnet18"], 3, 2)], "in the order of the catalog, by their own names"
    assert ran.out.endswith("1 correct runs, of which 0 differ in some bit; 0 false alarms\n")
    assert "convolution stride" in ran.out


def test_power_without_names_studies_all_in_as_many_processes_as_there_is_room_for(
    run: Run, studied: Callable[[Study], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = studied(CLEAN)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": int(33e9 / 4096)}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    for cores in (64, 3, None):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        run("verify", "--power")
    monkeypatch.delattr("os.sysconf")
    run("verify", "--power")
    assert [names for names, *_ in calls] == [list(models.catalog())] * 4
    assert [jobs for *_, jobs in calls] == [4, 3, 1, 1], "8 GB each"


@pytest.mark.parametrize("name", UNSOUND)
def test_power_that_comes_out_badly_exits_with_1_and_says_what_it_was(
    run: Run, studied: Callable[[Study], list[Any]], name: str
) -> None:
    bad = UNSOUND[name]
    trials = (*CLEAN.trials, bad) if isinstance(bad, Trial) else CLEAN.trials
    reruns = (*CLEAN.reruns, bad) if isinstance(bad, Rerun) else CLEAN.reruns
    studied(Study(trials, reruns))
    ran = run("verify", "--power", "lenet5")
    assert (ran.code, ran.err) == (1, "")
    assert name in " ".join(ran.out.split())
    ran = run("verify", "--power", "lenet5", "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    power = json.loads(ran.out)["power"]
    found = {title: len(power[of]) for title, of in (("SURV", "survivors"), ("SAID", "disputed"), ("FALSE", "alarms"))}
    assert found == {title: int(name.startswith(title)) for title in found}


def test_power_names_what_is_caught_and_not_located(run: Run, studied: Callable[[Study], list[Any]]) -> None:
    studied(Study((*CLEAN.trials, trial(structure="misplaced")), CLEAN.reruns))
    ran = run("verify", "--power", "lenet5")
    assert ran.code == 0, "no fault has come through"
    assert "NOT LOCATED: lenet5: convolution stride at stride of conv1" in ran.out
    assert "2 caught, 1 located (50.0 %), 0 survive every check;" in ran.out


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5", "²"])
def test_a_bad_number_of_processes_is_a_usage_error(run: Run, jobs: str) -> None:
    ran = run("verify", "--power", "lenet5", f"--jobs={jobs}")
    assert (ran.code, ran.out) == (2, "")
    assert f"argument --jobs: {jobs!r} is no number of processes; expected 1 or more" in ran.err


def test_processes_without_power_are_refused(run: Run, small_catalog: Callable[..., None], nets: str) -> None:
    small_catalog(f"{nets}:Net")
    message = refused(run("verify", "--jobs", "2"))
    assert message.startswith("--jobs 2 was given without --power; ")
    assert message.endswith(": leave --jobs out, or add --power to plant faults")


def test_an_error_in_a_study_is_told_as_any_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def study(*_: object) -> Study:
        raise ReproError("lenet5 cannot be built")

    monkeypatch.setattr("repro.power.study", study)
    assert refused(run("verify", "--power", "lenet5")) == "lenet5 cannot be built"
    assert refused(run("verify", "--power", "resnet5")).startswith("no network is called 'resnet5'")


def test_power_of_a_network_of_the_catalog_is_clean_and_adds_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # without a compiler: torch.compile takes longer than all the rest
    ran = run("verify", "lenet5_28", "--power", "--format", "json", "--jobs", "1")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document.keys() == {"tool", "version", "environment", "power"}
    power = document["power"]
    assert power.keys() >= {*COUNTS, "correct_runs", "correct_runs_that_differ", "false_alarms", "kinds"}
    for count in COUNTS:
        assert power[count] == sum(kind[count] for kind in power["kinds"])
    assert power["planted"] == power["caught"] == power["located"] > 30
    assert len(power["kinds"]) > 30
    assert (power["survivors"], power["not_located"], power["disputed"], power["alarms"]) == ([], [], [], [])
    assert power["correct_runs"] == len(power["correct"]) > 10
    assert power["false_alarms"] == 0
    for kind in power["kinds"]:
        assert all(cells["caught"] <= kind["caught"] <= kind["planted"] for cells in kind["checks"].values())
        assert sum(cells["caught"] for cells in kind["checks"].values()) >= kind["caught"]


# --- compare -----------------------------------------------------------------------------------------------------


def test_compare_of_equal_networks_is_clean(run: Run, nets: str) -> None:
    ran = run("compare", f"{nets}:Net", f"{nets}:Net", "--input-size", "2x8x8", "--input-size", "2,9,5")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{nets}:Net (here) against {nets}:Net (there)\n")
    assert re.findall(r"^(\S+) +pass ", ran.out, re.MULTILINE) == OF_TWO_NETWORKS
    assert re.findall(r"^(\S+) +skip ", ran.out, re.MULTILINE) == ["initialisation"]
    assert "3x2x8x8 and 3x2x9x5" in " ".join(ran.out.split())
    assert len(ran.longest) <= COLUMNS, ran.longest


def test_compare_of_different_networks_exits_with_1_and_fits_the_terminal(run: Run, nets: str) -> None:
    ran = run("compare", f"{nets}:Net", f"{nets}:Leaky", "--input-size", "2x8x8")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.count(" skip ") == 1, "what is skipped for one reason is told once"
    skipped = " ".join(ran.out.split()).partition(" skip ")[2].partition(": ")[0].split(", ")
    assert skipped == OF_A_PAIR[1:]
    assert f"{nets}.py:" in ran.out
    assert len(ran.longest) <= COLUMNS, ran.longest


def test_compare_as_json_follows_the_schema(run: Run, nets: str) -> None:
    for other, code in (("Net", 0), ("Strided", 1)):
        ran = run("compare", f"{nets}:Net", f"{nets}:{other}", "--input-size", "2x8x8", "--format", "json")
        assert ran.code == code
        jsonschema.validate(json.loads(ran.out), REPORT)


@pytest.mark.parametrize("name", ["loud", "LoudForward"])
def test_what_the_users_code_prints_stays_off_stdout(run: Run, nets: str, name: str) -> None:
    ran = run("compare", f"{nets}:{name}", f"{nets}:Net", "--input-size", "2x8x8", "--format", "json")
    assert ran.code == 0
    jsonschema.validate(json.loads(ran.out), REPORT)
    assert "printed by the" in ran.err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{nets}:raising", "building it raised RuntimeError: no luck"),
        ("{nets}:nothing", "returned a NoneType; expected a torch.nn.Module"),
        ("{nets}:needs", "needs the arguments width; expected a callable without required arguments"),
        ("{nets}:number", "is a int; expected something to call"),
        ("{nets}:Nett", "has no 'Nett'; closest: Net"),
        ("{nets}:Deciding", "it decides by the values in a tensor"),
        ("{nets}:Lazy", "module 'fc' is lazy: its shapes are not known; run one batch through it first"),
        ("{nets}:Silent", "the module returned NoneType, in which there is no tensor"),
        ("{nets}:Failing", "forward failed on an input of 3x2x8x8 at {nets}.py"),
        ("{nets}:FailingLater", "no luck with numbers"),
        ("no_such_module:net", "importing no_such_module raised ModuleNotFoundError"),
        ("Net", "names no network; expected torchvision:NAME, timm:NAME, pytorchcv:NAME, keras:NAME, onnx:NAME, "),
        ("torchvision:resnet5", "torchvision has no network called 'resnet5'; closest: "),
        ("repro:resnet5", "no network is called 'resnet5'; closest: "),
        ("torchvision:resnet18+v1", "+v1 moves the stride of bottlenecks, and this network has none"),
        ("repro:lenet5", "2 channels were given"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_bad_input_to_compare_is_refused_in_one_line(run: Run, nets: str, spec: str, message: str, first: bool) -> None:
    both = [spec.format(nets=nets), f"{nets}:Net"]
    told = refused(run("compare", *(both if first else both[::-1]), "--input-size", "2x8x8"))
    assert message.format(nets=nets).replace(f"at {nets}.py", "at ") in told


@pytest.mark.parametrize("name", ["leaves", "LeavingLater"])
def test_code_that_exits_does_not_pass_for_a_clean_comparison(run: Run, nets: str, name: str) -> None:
    assert run("compare", f"{nets}:{name}", f"{nets}:Net", "--input-size", "2x8x8").code == 2


def test_a_checkpoint_that_is_not_there_is_refused_in_one_line(run: Run, nets: str) -> None:
    both = (f"{nets}:Net", f"{nets}:Net", "--input-size", "2x8x8")
    assert refused(run("compare", *both, "--weights", "none.pt")).startswith("none.pt: no such file")
    Path("bad.pt").write_bytes(b"no checkpoint")
    assert refused(run("compare", *both, "--weights", "bad.pt")).startswith("bad.pt: cannot be read as a state_dict")


# --- convert -----------------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(nets: str) -> Path:
    """A checkpoint of Net in the current directory."""
    import torch

    path = Path("in.pth")
    torch.save({"state_dict": importlib.import_module(nets).Net().state_dict(), "epoch": 3}, path)
    return path


def test_convert_says_what_was_written_and_how_to_check_it(run: Run, nets: str, checkpoint: Path) -> None:
    sizes = ("--input-size", "2x8x8", "--input-size", "2x9x5")
    ran = run("convert", f"{nets}:loud", f"{nets}:Net", str(checkpoint), "out.safetensors", *sizes)
    assert ran.code == 0
    assert "printed by the callable" in ran.err
    told = re.sub(r"\n {8}", " ", ran.out).splitlines()
    size = Path("out.safetensors").stat().st_size
    assert told == [
        f"written out.safetensors, for {nets}:Net; {size:,} bytes",
        "keys    4, all of both sides; mapped by the proof for inputs of shape 3x2x8x8 and 3x2x9x5",
        "values  bit for bit; none reshaped or permuted; digests agree when read back",
        "read    in.pth: read under 'state_dict', without what is beside it: 'epoch'",
        f"check   repro compare {nets}:loud {nets}:Net --weights in.pth --input-size=2x8x8 --input-size=2x9x5",
    ]
    assert max(len(line) for line in ran.out.splitlines() if not line.startswith("check")) <= COLUMNS
    check = shlex.split(told[-1])[2:]
    assert run(*check).code == 0, "the command that it names runs"


def test_convert_as_json_has_the_map_and_the_digests(run: Run, nets: str, checkpoint: Path) -> None:
    from repro.graph import digest

    ran = run("convert", f"{nets}:Net", f"{nets}:Net", "in.pth", "out.pt", "--input-size=2x8x8", "--format=json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    import torch

    written = torch.load("out.pt", weights_only=True)
    assert document["written"] is True
    assert document["keys"] == {key: key for key in written}
    assert document["digests"] == {key: digest(tensor) for key, tensor in written.items()}
    assert document["bytes"] == Path("out.pt").stat().st_size
    assert document["proved_for"] == [[3, 2, 8, 8]]
    assert (document["source"], document["target"]) == ("in.pth", "out.pt")


def test_convert_between_different_networks_is_a_finding(run: Run, nets: str, checkpoint: Path) -> None:
    arguments = ("convert", f"{nets}:Net", f"{nets}:Strided", "in.pth", "out.pt", "--input-size=2x8x8")
    ran = run(*arguments)
    assert (ran.code, ran.err) == (1, "")
    told = re.sub(r"\n {8}", " ", ran.out)
    assert told.startswith(f"refused {nets}:Net and {nets}:Strided are different for 3x2x8x8: convolution stride 1")
    assert told.endswith("; nothing was written\n")
    assert len(ran.longest) <= COLUMNS, ran.longest
    ran = run(*arguments, "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    document = json.loads(ran.out)
    assert document["written"] is False
    assert document["differences"][0] in document["message"]
    assert not Path("out.pt").exists()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("none.pth", "out.pt", "none.pth: no such file; expected a state_dict"),
        ("in.pth", "out.npz", "out.npz: the suffix says the format; expected one of .safetensors, .pth, .pt, .bin"),
        ("in.pth", "in.pth", "in.pth: it is the file that is read"),
        ("in.pth", "none/out.pt", "none/out.pt: cannot be written: there is no folder none"),
        ("bad.pth", "out.pt", "bad.pth: cannot be read as a state_dict"),
    ],
)
def test_files_that_cannot_be_converted_are_refused_in_one_line(
    run: Run, nets: str, checkpoint: Path, source: str, target: str, message: str
) -> None:
    Path("bad.pth").write_bytes(checkpoint.read_bytes()[:-9])
    told = refused(run("convert", f"{nets}:Net", f"{nets}:Net", source, target, "--input-size=2x8x8"))
    assert told.startswith(message)


# --- errors in general -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("show", "resnet5"), ("verify", "lenet5", "resnet5")])
def test_an_unknown_network_is_refused_with_the_closest_names(run: Run, arguments: tuple[str, ...]) -> None:
    message = refused(run(*arguments))
    assert re.fullmatch(r"no network is called 'resnet5'; closest: .*\bresnet50\b.*", message)


@pytest.mark.parametrize("size", ["", "0", "3x0x4", "3x4", "1x2x3x4", "-1", "3x-1x4", "wide", "3.5", "²"])
@pytest.mark.parametrize("command", [("show", "lenet5"), ("compare", "repro:lenet5", "repro:lenet5")])
def test_a_bad_input_size_is_a_usage_error(run: Run, command: tuple[str, ...], size: str) -> None:
    ran = run(*command, f"--input-size={size}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: repro ")
    assert "argument --input-size: " in ran.err
    assert f"{size!r} is no input size; expected CxHxW such as 3x224x224, or one side such as 224" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [(), ("frobnicate",), ("show",), ("compare", "a"), ("convert", "a", "b", "c"), ("list", "--format", "xml")],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: repro")


def test_debug_shows_the_traceback_of_an_error(run: Run, nets: str) -> None:
    with pytest.raises(ReproError, match="no luck") as caught:
        run("compare", f"{nets}:raising", f"{nets}:Net", "--debug")
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(models.UnknownVariantError):
        run("show", "resnet5", "--debug")


def test_an_error_of_ours_is_told_as_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.models._catalog._read", lambda: 1 / 0)
    ran = run("list")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "repro: internal error: ZeroDivisionError: division by zero; --debug shows the traceback\n"
    with pytest.raises(ZeroDivisionError):
        run("list", "--debug")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        *((verb, "--help") for verb in ("verify", "compare", "convert", "facts", "errata", "deviations")),
        ("--version",),
    ],
)
def test_help_and_version_go_to_stdout_and_fit_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    ran = run(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out
    assert len(ran.longest) <= COLUMNS, ran.longest


def test_the_first_sample_of_the_readme_is_what_is_printed(run: Run) -> None:
    def masked(text: str) -> str:
        """Without the lines of torchvision's file, which are those of one version."""
        return re.sub(r"(there layer[\w.]+ \(models/resnet\.py:)\d+", r"\1", " ".join(text.split()))

    command = ["compare", "repro:resnet50", "torchvision:resnet50"]
    readme = masked((Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"))
    assert f"$ repro {' '.join(command)} {masked(run(*command).out)} ```" in readme


# --- facts, errata and deviations --------------------------------------------------------------------------------


def test_facts_of_a_paper_fit_the_terminal_and_end_with_their_counts(run: Run) -> None:
    ran = run("facts", "owt")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("owt: One weird trick ")
    assert ran.out.endswith("\n7 facts: 3 agree, 2 hyper-parameters, 1 erratum, 1 unexplained\n")
    assert len(ran.longest) <= COLUMNS
    assert run("facts", "owt", "--verdict", "fail").out == (
        "there is no fact in the paper owt and of the verdict fail\n"
    )


def test_where_the_facts_of_a_network_are_is_told(run: Run) -> None:
    assert "facts measured on vgg16 are in resnet, vgg" in run("facts", "lenet", "--network", "vgg16").out
    ran = run("facts", "vgg16")
    assert ran.code == 2
    assert "which is a network: repro facts --network vgg16" in ran.err


@pytest.mark.parametrize("command", ["facts", "errata"])
def test_the_help_names_the_papers(run: Run, command: str) -> None:
    told = " ".join(run(command, "--help").out.split())
    assert f"default: all of them, which are {', '.join(papers())} " in told


def test_facts_as_a_page_are_those_of_the_paper(run: Run) -> None:
    ran = run("facts", "owt", "--format", "markdown")
    assert ran.out.startswith("# What the papers print\n")
    assert "| owt.filters.cfg | author configuration (not in the paper) |" in ran.out
    assert "Every number of the ledger that is in the paper owt, and some of what" in ran.out
    chosen = run("facts", "owt", "--network", "alexnet_owt", "--verdict", "erratum", "--format", "markdown").out
    told = "that is in the paper owt and measured on alexnet_owt and of the verdict erratum,"
    assert told in " ".join(chosen.split())


def test_errata_of_a_paper_are_its_errata_and_slips(run: Run) -> None:
    ran = run("errata", "zfnet")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("zfnet: Visualizing and Understanding Convolutional Networks (arXiv:1311.2901)\n")
    assert "\n  sec. 5.1\n      printed  better by 1.7 %" in ran.out
    assert ran.out.endswith("\n1 fact: 1 erratum; 1 slip\n")
    document = json.loads(run("errata", "zfnet", "--format", "json").out)
    assert [fact["id"] for fact in document["facts"]] == ["zfnet.sparse"]
    assert [slip["locus"] for slip in document["slips"]] == ["5.1"]
    assert "- **erratum**, section 3." in run("errata", "zfnet", "--format", "markdown").out


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the register one entry, by which torchvision's AlexNet has so many layers."""

    def registered(depth: int) -> None:
        measured = Check(depth, measure="depth", on="torchvision:alexnet")
        entry = Deviation("net.part", ("torchvision",), "This.", "1", "That.", checks=(measured,))
        monkeypatch.setattr("repro.deviations.register", lambda: Register("torchvision 0.29.2", (entry,)))

    return registered


def test_deviations_that_are_as_recorded_are_clean(run: Run, registered: Callable[[int], None]) -> None:
    registered(8)
    ran = run("deviations")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("as described  net.part (torchvision)\n  paper      1: This.\n")
    assert "\n  found      depth of torchvision:alexnet: 8\n" in ran.out
    assert ran.out.endswith("\n1 entry: 1 as described; 1 check made\n")
    assert len(ran.longest) <= COLUMNS
    assert "What is recorded was found in torchvision 0.29.2." in run("deviations", "--format", "markdown").out


def test_deviations_tell_how_far_they_are_on_a_terminal_and_only_there(
    run: Run, registered: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(8)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    told = run("deviations", "--format", "json")
    assert "checking" in told.err
    assert "1/1" in told.err
    assert json.loads(told.out)["summary"]["pass"] == 1


def test_a_reference_that_has_changed_is_a_finding(run: Run, registered: Callable[[int], None]) -> None:
    registered(9)
    ran = run("deviations")
    assert ran.code == 1
    assert ran.out.startswith("CHANGED       net.part (torchvision)\n")
    assert "\n  CHANGED    depth of torchvision:alexnet: 8, recorded 9\n" in ran.out
    assert ran.out.endswith("\n1 entry: 1 CHANGED; 1 check made\n")
    report = json.loads(run("deviations", "--format", "json").out)
    (result,) = report["results"]
    assert (result["check"], result["outcome"], report["summary"]["fail"]) == ("deviation", "fail", 1)
    assert [each["found"] for each in result["evidence"]["checks"]] == [8]


# --- as a process ------------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """This one's, with stdout buffered as it is by default, and our package on the path."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def test_the_module_can_be_run() -> None:
    command = [sys.executable, "-m", "repro", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == f"repro {repro.__version__}\n"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--format", "json"]])
def test_a_reader_that_has_gone_away_makes_no_noise(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "repro", *arguments]
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_head_gets_its_line() -> None:
    command = f"{sys.executable} -m repro list | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "alexnet:\n"
    assert done.stderr == ""
