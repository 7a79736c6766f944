"""The study of the checks: what it counts as seen, as located and as a false alarm, and that it can come out badly."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from repro import cli, models, power
from repro.errors import ReproError
from repro.faults import Fault, faults, kinds
from repro.faults._plant import rewiring
from repro.parity.causes import Difference, Side
from repro.parity.check import CHECKS, FUNCTIONS
from repro.parity.check import check as every_check
from repro.parity.network import Network
from repro.parity.pair import Pair
from repro.power import Bench, Rerun, Study, Trial, study
from repro.result import Outcome, Result

NAME = "lenet5_28"  # the smallest network of the catalog
IN_EVAL = {"structure", "values", "forward.float64", "backward.float64", "train.structure", "train.float64"}

# What each check alone is there for: a fault, and the only mode it is taken to be seen in.
ONLY = {
    "structure": ("linear bias missing", "eval"),
    "values": ("weight element", "values"),
    "forward.float64": ("weight element", "eval"),
    "backward.float64": ("gradient doubled", "backward"),
    "train.structure": ("linear bias missing", "train"),
    "train.float64": ("gradient doubled", "train"),
    "initialisation": ("initial bias", "initial"),
}

Planted = Callable[..., Fault]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(models.get(NAME))


@pytest.fixture(scope="module")
def planted(bench: Bench) -> Planted:
    """(kind, fields to change) -> the fault of that kind that this network is given."""
    found: dict[str, Fault] = {}

    def planted(kind: str, **changes: Any) -> Fault:
        if kind not in found:
            (found[kind],) = faults(bench.pristine, bench.size, only=[kind])
        return replace(found[kind], **changes)

    return planted


def blind(monkeypatch: pytest.MonkeyPatch, *checks: str) -> None:
    """Have these checks pass whatever they are given."""
    for check in checks:
        if check == "initialisation":  # a study measures the faulty network's values itself
            monkeypatch.setattr(
                "repro.parity.initialisation.check", lambda *_: Result("initialisation", "", "", Outcome.PASS, "")
            )
        else:
            monkeypatch.setitem(FUNCTIONS, check, partial(seeing_nothing, check))


def seeing_nothing(check: str, pair: Pair) -> Result:
    return pair.result(check, Outcome.PASS, "")


def crying_wolf(pair: Pair) -> Result:
    return pair.result("mapping", Outcome.FAIL, "a wolf")


class InProcess:
    """In place of a pool of processes, into which no test could reach."""

    made: ClassVar[list[tuple[int, Any, tuple[Any, ...]]]] = []
    given: ClassVar[list[list[str]]] = []  # to each of them

    def __init__(self, jobs: int, mp_context: Any, initializer: Any, initargs: tuple[Any, ...]) -> None:
        InProcess.made.append((jobs, initializer, initargs))
        InProcess.given.append([])

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        InProcess.given[-1].append(arguments[0])
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A study in this process, of these kinds of fault and one way of running correctly."""

    def quick(*chosen: str) -> None:
        monkeypatch.setattr(power, "ProcessPoolExecutor", InProcess)
        monkeypatch.setattr(InProcess, "made", [])
        monkeypatch.setattr(InProcess, "given", [])
        monkeypatch.setattr(power, "kinds", lambda: list(chosen))
        monkeypatch.setattr(power, "_WAYS", {"as it is": lambda bench: (bench.pair(), nullcontext())})
        monkeypatch.setattr("shutil.which", lambda _: None)  # compiling takes long

    return quick


# --- one fault ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "first", "asked"),
    [
        ("weight element", "values", IN_EVAL),
        ("activation missing", "structure", IN_EVAL - {"values"}),
        ("linear bias missing", "structure", {"structure", "train.structure"}),  # no weights fit both
        ("gradient doubled", "backward.float64", {"backward.float64", "train.structure", "train.float64"}),
        ("silent write after use", "backward.float64", {"backward.float64", "train.structure", "train.float64"}),
        ("initial bias", "initialisation", {"initialisation"}),
    ],
)
def test_a_fault_is_caught_and_located_by_the_checks_in_whose_domain_it_is(
    bench: Bench, planted: Planted, kind: str, first: str, asked: set[str]
) -> None:
    before = {key: tensor.clone() for key, tensor in bench.state.items()}
    trial = bench.trial(planted(kind))
    assert trial.caught
    assert trial.located
    assert trial.seen.keys() == asked
    assert next(name for name, sight in trial.seen.items() if sight != "missed") == first
    assert trial.message
    assert (trial.network, trial.kind) == (NAME, kind)
    assert all(torch.equal(bench.state[key], tensor) for key, tensor in before.items()), "the bench is as it was"


@pytest.mark.parametrize("check", ONLY)
def test_what_one_check_alone_can_see_survives_when_it_is_blind(
    bench: Bench, planted: Planted, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    kind, mode = ONLY[check]
    fault = planted(kind, modes=frozenset({mode}))
    seeing = Study((bench.trial(fault),), ())
    assert seeing.sound
    assert seeing.survivors == []
    blind(monkeypatch, check)
    blinded = Study((bench.trial(fault),), ())
    assert blinded.trials[0].seen[check] == "missed"
    assert blinded.survivors == list(blinded.trials)
    assert not blinded.sound
    told = blinded.evidence()
    assert (told["planted"], told["caught"], told["located"]) == (1, 0, 0)
    assert [trial["kind"] for trial in told["survivors"]] == [kind]


def test_a_fault_that_changes_nothing_must_be_seen_by_none(bench: Bench) -> None:
    fault = Fault(
        kind="activation doubled",
        path="fc1",
        op="addmm",
        detail="a copy of its input",
        equivalent="a copy is equal",
        modes=frozenset(),
        plant=rewiring("fc1", lambda forward, x: forward(x.clone())),
    )
    found = Study((bench.trial(fault),), ())
    assert set(found.trials[0].seen.values()) == {"missed"}
    assert found.trials[0].seen.keys() == IN_EVAL - {"values"}
    assert found.sound
    assert (found.evidence()["planted"], found.evidence()["equivalent"]) == (0, 1)


@pytest.mark.parametrize("kind", ["activation missing", "gradient doubled"])
def test_a_fault_that_is_said_to_change_nothing_and_is_seen_is_disputed(
    bench: Bench, planted: Planted, kind: str
) -> None:
    trial = bench.trial(planted(kind, equivalent="it is said so", modes=frozenset()))
    found = Study((trial,), ())
    assert found.disputed == [trial]
    assert found.survivors == []
    assert not found.sound
    assert [told["kind"] for told in found.evidence()["disputed"]] == [kind]


@pytest.mark.parametrize(
    ("kind", "elsewhere"),
    [
        ("weight element", {"path": "conv1", "key": "conv1.weight"}),
        ("activation missing", {"path": "fc1"}),
        pytest.param(
            *("activation missing", {"occurrence": 0}),  # another call of the same module: only the line tells
        ),
        ("linear bias missing", {"path": "fc1"}),
        ("gradient doubled", {"path": "conv1", "key": "conv1.weight"}),
        ("initial bias", {"key": "conv1.weight"}),
    ],
)
def test_a_report_that_points_elsewhere_does_not_locate(
    bench: Bench, planted: Planted, kind: str, elsewhere: dict[str, Any]
) -> None:
    fault = planted(kind)
    assert all(getattr(fault, name) != value for name, value in elsewhere.items())
    found = Study((bench.trial(replace(fault, **elsewhere)),), ())
    (trial,) = found.trials
    assert trial.caught
    assert not trial.located
    assert set(trial.seen.values()) <= {"missed", "misplaced"}
    told = found.evidence()
    assert (told["caught"], told["located"]) == (1, 0)
    assert [each["kind"] for each in told["not_located"]] == [kind]
    assert found.sound, "that a place is wrong is counted, and hides no fault"


# --- what counts as the place ------------------------------------------------------------------------------------


def side(path: str, where: str = "", origin: int = -1, op: str = "relu") -> Side:
    return Side(op, path, where, (1,), (), (), origin)


def at(key: str, *places: tuple[str, str]) -> dict[str, Any]:
    """The evidence of a divergence."""
    (path, line), (other, its_line) = places if len(places) == 2 else places * 2
    return {
        "divergence": {
            "at": {
                "key": key,
                "subject": {"module": path, "line": line},
                "reference": {"module": other, "line": its_line},
            }
        }
    }


KEY = Fault(detail="", path="conv2", key="conv2.weight")
ROOT_KEY = Fault(detail="", path="", key="scale")
OPERATION = Fault(detail="", path="conv2", op="convolution")
POINTS = [
    ("values", KEY, {"different": {"conv2.weight": {}, "conv1.weight": {}}}, True),
    ("values", KEY, {"different": {"conv1.weight": {}, "conv2.weight": {}}}, False),
    ("values", KEY, {"different": {"conv2.bias": {}}}, False),
    ("initialisation", KEY, {"problems": ["conv2.weight should be 0", "conv1.weight should be 0"]}, True),
    ("initialisation", KEY, {"problems": ["conv1.weight should be 0", "conv2.weight should be 0"]}, False),
    ("initialisation", KEY, {"problems": ["conv2.weights should be 0"]}, False),
    ("backward.float64", KEY, {"lost": ["conv2"], "tensor": "conv1.weight"}, True),
    ("backward.float64", KEY, {"lost": ["conv1"], "tensor": "conv2.weight"}, False),
    ("forward.float64", KEY, at("conv2.weight", ("", "")), True),
    ("forward.float64", KEY, at("conv1.weight", ("conv1", "")), False),
    ("forward.float64", OPERATION, at("", ("conv2", "elsewhere:1")), True),
    ("forward.float64", OPERATION, at("", ("", ""), ("conv2", "")), True),
    ("forward.float64", OPERATION, at("", ("conv1", "")), False),
    ("train.float64", KEY, {"tensor": "conv2.bias"}, True),
    ("train.float64", KEY, {"tensor": "conv1.weight"}, False),
    ("train.float64", KEY, {"tensor": "conv2.inner.weight"}, False),
    ("train.float64", OPERATION, {"tensor": "conv2.weight"}, False),  # a tensor is no operation
    pytest.param(
        *("backward.float64", ROOT_KEY, {"tensor": "the input"}, False),
    ),
    pytest.param(
        *("train.float64", ROOT_KEY, {"tensor": "output 0"}, False),
    ),
]


@pytest.mark.parametrize(("check", "fault", "evidence", "points"), POINTS)
def test_a_result_points_by_what_its_check_says(
    bench: Bench, check: str, fault: Fault, evidence: dict[str, Any], points: bool
) -> None:
    result = Result(check, "", "", Outcome.FAIL, "", evidence)
    assert bench._points(fault, bench.pair(), result) is points


class Block(nn.Module):
    """Two operations of its own beside a layer, on a line each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x) + x
        return torch.relu(x)


@pytest.mark.parametrize(
    ("path", "right"),
    [
        pytest.param("", True, id="the root, at the line"),
        pytest.param("", False, id="the root, elsewhere"),
        pytest.param("block", True, id="a block, at the line"),
        pytest.param("block", False, id="a block, elsewhere"),
    ],
)
def test_in_a_module_of_several_operations_the_line_must_be_right(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, path: str, right: bool
) -> None:
    network = SimpleNamespace(module=Block() if path == "" else nn.Sequential())
    if path:
        network.module.add_module(path, Block())
    pair: Any = SimpleNamespace(subject=network, reference=network)
    monkeypatch.setattr(power, "_node", lambda *_: SimpleNamespace(where="block:9", path=path))
    evidence = at("", (path, "block:9" if right else "block:10"))
    result = Result("forward.float64", "", "", Outcome.FAIL, "", evidence)
    assert bench._points(Fault(detail="", path=path, op="add"), pair, result) is right


def structural(monkeypatch: pytest.MonkeyPatch, bench: Bench, fault: Fault, *found: Difference) -> bool:
    """Whether a report that begins with these differences points at a fault."""
    monkeypatch.setattr(power, "differences", lambda *_: list(found))
    result = Result("structure", "", "", Outcome.FAIL, "", {})
    return bench._points(fault, bench.pair(), result)


def test_a_structural_report_points_by_its_first_difference(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(detail="", path="", op="view")  # at the root, whose forward says more than this
    node = power._node(fault, bench.pair())
    assert node is not None
    there = side("", "elsewhere:1", node.origin)
    right = Difference("missing", "", there, None, ())
    wrong = Difference("missing", "", side("", "elsewhere:1"), None, ())
    piece = replace(wrong, rest=(there,))
    line = Difference("missing", "", side("", node.where), None, ())
    layer = Difference("missing", "", side("fc1", "elsewhere:1"), None, ())
    for found, points in (([right], True), ([wrong], False), ([wrong, right], False), ([], False), ([piece], True)):
        assert structural(monkeypatch, bench, fault, *found) is points
    assert structural(monkeypatch, bench, fault, line)
    assert not structural(monkeypatch, bench, fault, layer)
    assert structural(monkeypatch, bench, replace(fault, path="fc1", op="addmm"), layer), "its module is one operation"
    views = Difference("attributes", "", side("", "elsewhere:1", op="movement"), None, ())
    assert structural(monkeypatch, bench, fault, views), "a chain of views is one operation"
    assert not structural(monkeypatch, bench, replace(fault, op="sigmoid"), views)


def test_an_operation_of_the_other_graph_with_the_same_number_is_not_the_place(
    bench: Bench, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = planted("activation missing")
    node = power._node(fault, bench.pair())
    assert node is not None
    theirs = side("far", "elsewhere:1", node.origin)
    extra = Difference("extra", "", None, side("far", "elsewhere:2"), (), (theirs,))
    assert not structural(monkeypatch, bench, fault, extra)


# --- networks that are not small ---------------------------------------------------------------------------------


def test_in_larger_networks_only_the_first_check_is_asked_for_the_place(
    bench: Bench, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "small", False)
    trial = bench.trial(planted("weight element"))
    assert trial.seen == {"structure": "missed", "values": "located", "forward.float64": "caught"}
    assert trial.located
    trial = bench.trial(planted("gradient doubled"))
    assert trial.seen == {"backward.float64": "located", "train.structure": "missed", "train.float64": "caught"}
    blind(monkeypatch, "values")
    assert bench.trial(planted("weight element")).seen["forward.float64"] == "located"


def test_a_large_network_has_a_share_that_goes_by_its_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench._share(kinds(), 4) == kinds()
    monkeypatch.setattr(bench, "large", True)
    share = bench._share(kinds(), 4)
    assert 0.1 < len(share) / len(kinds()) < 0.4
    assert share == [name for name in kinds() if name in share] == bench._share(kinds(), 4)
    assert share != bench._share([*kinds(), "another"], 1)
    other = Bench(models.get("lenet5"))
    monkeypatch.setattr(other, "large", True)
    assert other._share(kinds(), 4) != share


# --- correct runs ------------------------------------------------------------------------------------------------


def test_correct_runs_raise_no_alarm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {
        name: way for name, way in power._WAYS.items() if name in ("one thread", "batch 3", "weights through a file")
    }
    monkeypatch.setattr(power, "_WAYS", ways)
    monkeypatch.setattr("shutil.which", lambda _: None)  # compiling takes long
    found = list(bench.correct_runs())
    assert {rerun.how: rerun.checks for rerun in found} == {
        **dict.fromkeys(ways, len(CHECKS)),
        "image by image, forward": 2,
    }
    assert [rerun.alarms for rerun in found] == [{}] * 4
    assert Study((), tuple(found)).sound


@pytest.mark.parametrize("check", ["structure", "values", "train.float32"])
def test_a_check_that_cries_wolf_is_a_false_alarm(bench: Bench, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    monkeypatch.setitem(FUNCTIONS, check, lambda pair: pair.result(check, Outcome.FAIL, "a wolf"))
    rerun = bench._rerun("as it is", bench.pair(), nullcontext(), every_check)
    assert rerun.alarms.keys() == {check}
    assert rerun.alarms[check].startswith("a wolf")
    found = Study((), (rerun, Rerun(NAME, "otherwise", 11)))
    assert found.false_alarms == [rerun]
    assert not found.sound
    told = found.evidence()
    assert (told["correct_runs"], told["false_alarms"]) == (2, 1)
    assert told["alarms"] == [vars(rerun)]


def test_a_correct_run_that_cannot_be_made_is_a_false_alarm_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pair: Pair) -> Result:
        raise ReproError("no luck")

    monkeypatch.setitem(FUNCTIONS, "mapping", refuse)
    rerun = bench._rerun("as it is", bench.pair(), nullcontext(), every_check)
    assert rerun.alarms == {"error": "no luck"}
    assert rerun.checks == 1, "what was made before"
    assert not Study((), (rerun,)).sound


def test_image_by_image_is_one_image_at_a_time(bench: Bench) -> None:
    pair = bench._split()
    batches: list[int] = []
    pair.reference.module.get_submodule("conv1").register_forward_pre_hook(lambda _, x: batches.append(len(x[0])))
    rerun = bench._rerun("split", pair, nullcontext(), power._forwards)
    assert (rerun.checks, rerun.alarms) == (2, {})
    assert batches == [1] * power.IMAGES * 2, "in both precisions"


@pytest.mark.parametrize(("factor", "alarms"), [(1.0, set()), (1.001, {"forward.float64", "forward.float32"})])
def test_a_compiler_that_computes_something_else_is_noticed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, factor: float, alarms: set[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "c++")
    monkeypatch.setattr("torch.compile", lambda forward: lambda images: factor * forward(images))
    monkeypatch.setattr(power, "_WAYS", {})
    last = list(bench.correct_runs())[-1]
    assert (last.how, last.checks) == ("torch.compile, forward", 2)
    assert last.alarms.keys() == alarms


def test_what_a_correct_run_skips_is_not_counted_as_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, "values", lambda pair: pair.result("values", Outcome.SKIP, "not today"))
    rerun = bench._rerun("as it is", bench.pair(), nullcontext(), every_check)
    assert (rerun.checks, rerun.alarms) == (len(CHECKS) - 1, {})


def test_a_correct_run_that_differs_in_no_bit_has_nothing_to_excuse(bench: Bench) -> None:
    assert not bench._rerun("as it is", bench.pair(), nullcontext(), every_check).differs
    bias = bench.state["fc3.bias"]
    state = {**bench.state, "fc3.bias": torch.nextafter(bias, bias + 1)}
    rerun = bench._rerun("a bit away", bench.pair(state), nullcontext(), every_check)
    assert rerun.differs
    told = Study((), (replace(rerun, alarms={}), Rerun(NAME, "otherwise", 11))).evidence()
    assert (told["correct_runs"], told["correct_runs_that_differ"]) == (2, 1)


def test_runs_that_are_not_made_do_not_differ(bench: Bench) -> None:
    assert not bench._rerun("as it is", bench.pair(), nullcontext(), power._forwards).differs


def test_a_correct_run_ends_with_the_settings_it_began_with(bench: Bench) -> None:
    before = torch.get_num_threads()
    for way in ("one thread", "two threads"):
        with power._WAYS[way](bench)[1]:
            assert torch.get_num_threads() == {"one thread": 1, "two threads": 2}[way]
        assert torch.get_num_threads() == before


def test_only_one_side_of_a_correct_run_is_run_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(models.get(NAME))
    ran: set[tuple[bool, bool]] = set()
    outputs = Network.outputs

    def observed(network: Network, images: torch.Tensor) -> list[torch.Tensor]:
        ran.add((network is bench.healthy, bool(torch.backends.mkldnn.enabled)))
        return outputs(network, images)

    monkeypatch.setattr(Network, "outputs", observed)
    monkeypatch.setattr(power, "_WAYS", {"mkldnn off": power._WAYS["mkldnn off"]})
    monkeypatch.setattr("shutil.which", lambda _: None)  # compiling takes long
    assert [rerun.alarms for rerun in bench.correct_runs()] == [{}] * 2
    assert (False, False) in ran
    assert (True, True) in ran
    assert (True, False) not in ran


def test_no_correct_run_makes_torch_warn(bench: Bench) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for way in power._WAYS.values():
            with way(bench)[1]:
                pass
    assert [str(warning.message) for warning in told] == []


# --- a study -----------------------------------------------------------------------------------------------------


def trial(kind: str = "weight element", equivalent: str = "", **seen: str) -> Trial:
    named = {name.replace("_", "."): sight for name, sight in seen.items()}
    return Trial("a network", kind, "conv.weight", "changed", equivalent, named, "told" * any(named))


@pytest.mark.parametrize(
    ("seen", "caught", "located"),
    [
        ({}, False, False),
        ({"structure": "missed", "values": "missed"}, False, False),
        ({"structure": "missed", "values": "located"}, True, True),
        ({"structure": "misplaced", "values": "located"}, True, False),
        ({"structure": "located", "values": "misplaced"}, True, True),
        ({"structure": "caught", "values": "located"}, True, False),
    ],
)
def test_the_first_check_that_catches_a_fault_is_the_one_that_locates_it(
    seen: dict[str, str], caught: bool, located: bool
) -> None:
    found = trial(**seen)
    assert (found.caught, found.located) == (caught, located)


WELL = (trial(structure="located"), trial(equivalent="no reason", structure="missed"))


@pytest.mark.parametrize(
    ("bad", "sound"),
    [
        (Study(WELL, (Rerun("a network", "how", 1),)), True),
        (Study((*WELL, trial(structure="misplaced")), ()), True),
        (Study((*WELL, trial(structure="missed")), ()), False),
        (Study((*WELL, trial(equivalent="no reason", structure="caught")), ()), False),
        (Study(WELL, (Rerun("a network", "how", 1, {"values": "a wolf"}),)), False),
    ],
)
def test_a_survivor_a_false_alarm_or_a_dispute_makes_a_study_unsound(bad: Study, sound: bool) -> None:
    assert bad.sound is sound


def test_the_evidence_adds_up() -> None:
    one, other, third = kinds()[:3]
    found = Study(
        (
            trial(one, structure="missed", values="located", forward_float64="misplaced"),
            trial(one, structure="missed", values="misplaced", forward_float64="caught"),
            trial(one, structure="missed", values="missed"),
            trial(other, structure="located"),
            trial(other, "no reason", structure="missed"),
            trial(third, "another reason", structure="missed"),
        ),
        (Rerun("a network", "how", 11), Rerun("a network", "otherwise", 11, {"values": "a wolf"})),
    )
    told = found.evidence()
    json.dumps(told)
    rows = told["kinds"]
    assert [row["kind"] for row in rows] == [one, other, third], "in the order of the kinds, and those that there are"
    for count in ("planted", "equivalent", "caught", "located"):
        assert told[count] == sum(row[count] for row in rows)
    assert [told[count] for count in ("planted", "equivalent", "caught", "located")] == [4, 2, 3, 2]
    assert told["planted"] - told["caught"] == len(told["survivors"]) == 1
    assert told["caught"] - told["located"] == len(told["not_located"]) == 1
    assert told["equivalent"] == len(told["equivalents"])
    assert (told["correct_runs"], told["false_alarms"]) == (2, 1)
    assert (len(told["correct"]), len(told["alarms"])) == (2, 1)
    assert rows[0]["checks"] == {
        "structure": {"planted": 3, "caught": 0, "located": 0, "misplaced": 0},
        "values": {"planted": 3, "caught": 2, "located": 1, "misplaced": 1},
        "forward.float64": {"planted": 2, "caught": 2, "located": 0, "misplaced": 1},
    }
    assert rows[1]["checks"]["structure"]["planted"] == 1, "what changes nothing is not counted as planted"
    assert rows[1]["reasons"] == ["no reason"]
    assert rows[2]["checks"] == {}


def test_a_study_is_of_all_networks_in_order_with_two_seeds_of_correct_runs(quick: Callable[..., None]) -> None:
    quick("weight element", "initial bias")
    finished: list[str] = []
    found = study(["lenet5_28", "lenet5"], seed=3, jobs=2, done=finished.append)
    assert sorted(finished) == ["lenet5", "lenet5_28"]
    assert [trial.network for trial in found.trials] == ["lenet5_28"] * 2 + ["lenet5"] * 2
    ways = ["as it is", "image by image, forward"] * 2
    assert [(rerun.network, rerun.how) for rerun in found.reruns] == [
        *(("lenet5_28", how) for how in ways),
        *(("lenet5", how) for how in ways),
    ]
    assert found.sound
    assert {trial.kind: trial.located for trial in found.trials} == {"weight element": True, "initial bias": True}
    assert InProcess.made[0] == (2, power._start, (2,))


def test_the_heaviest_networks_have_the_machine_to_themselves(
    quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick("initial bias")
    monkeypatch.setattr(power, "HEAVY", 50_000)  # lenet5 has 60,000 parameters, lenet5_28 has 44,426
    found = study(["lenet5", "lenet5_28"], jobs=2)
    assert [trial.network for trial in found.trials] == ["lenet5", "lenet5_28"]
    assert InProcess.given == [["lenet5_28"], ["lenet5"]]
    assert [jobs for jobs, *_ in InProcess.made] == [2, 1]


def test_after_a_process_is_killed_the_rest_is_studied_one_at_a_time(
    quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    study_one, killed = power._of_network, ["lenet5"]

    def of_network(name: str, seed: int) -> Study:
        if name in killed:
            killed.remove(name)
            raise BrokenProcessPool
        return study_one(name, seed)

    quick("initial bias")
    monkeypatch.setattr(power, "_of_network", of_network)
    finished: list[str] = []
    found = study(["lenet5_28", "lenet5"], jobs=2, done=finished.append)
    assert [trial.network for trial in found.trials] == ["lenet5_28", "lenet5"]
    assert sorted(finished) == ["lenet5", "lenet5_28"]
    assert InProcess.made[-1][0] == 1


def test_a_network_whose_process_is_killed_twice_is_unfinished_and_costs_no_other(
    quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study_one, tries = power._of_network, []

    def of_network(name: str, seed: int) -> Study:
        tries.append(name)
        if name == "lenet5":
            raise BrokenProcessPool
        return study_one(name, seed)

    quick("initial bias")
    monkeypatch.setattr(power, "_of_network", of_network)
    found = study(["lenet5", "lenet5_28"], jobs=2)
    assert [trial.network for trial in found.trials] == ["lenet5_28"]
    assert tries.count("lenet5") == 2
    assert found.unfinished == ("lenet5",)
    assert not found.sound
    assert found.evidence()["unfinished"] == ["lenet5"]
    assert cli.main(["verify", "--power", "--jobs", "1", "lenet5", "lenet5_28"]) == 2
    assert "UNFINISHED: lenet5: its process was killed twice" in " ".join(capsys.readouterr().out.split())


def test_seeds_change_what_is_planted_where(bench: Bench) -> None:
    places = {next(faults(bench.pristine, bench.size, seed, only=["weight element"])).key for seed in range(6)}
    assert len(places) > 1


def test_the_cores_are_shared_out_over_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(power, "keep_memory", lambda: None)  # which is for the process's whole life
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    for jobs in (1, 3, 16):
        power._start(jobs)
    assert given == [8, 2, 1]


def test_a_study_with_a_blind_check_reports_what_survives(
    quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick("linear bias missing", "initial bias", "gradient doubled")
    blind(monkeypatch, "initialisation", "backward.float64")
    found = study([NAME])
    assert [trial.kind for trial in found.survivors] == ["initial bias"]
    assert found.false_alarms == []
    assert not found.sound
    (row,) = (row for row in found.evidence()["kinds"] if row["kind"] == "gradient doubled")
    assert row["checks"]["backward.float64"]["caught"] == 0
    assert row["checks"]["train.float64"]["caught"] == row["caught"] == 1


def test_a_study_with_a_check_that_cries_wolf_reports_false_alarms(
    quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick()
    monkeypatch.setitem(FUNCTIONS, "mapping", crying_wolf)
    found = study([NAME])
    assert found.trials == ()
    assert [(rerun.how, rerun.alarms) for rerun in found.false_alarms] == [("as it is", {"mapping": "a wolf"})] * 2
    assert len(found.reruns) == 4
    assert not found.sound


def test_the_smallest_change_that_is_noticed_is_the_last_bit_for_values(bench: Bench) -> None:
    found = {threshold.check: threshold.relative for threshold in bench.thresholds()}
    assert found["values"] == found["backward.float64"] == 2.0**-23, "the last bit of a float32"
    assert found["values"] <= found["forward.float64"] < found["forward.float32"] < 1


def test_a_check_that_notices_nothing_has_no_threshold(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = Result("values", "", "", Outcome.PASS, "")
    monkeypatch.setitem(FUNCTIONS, "values", lambda _: blind)
    monkeypatch.setattr(power, "_SENSITIVE", ("values",))
    assert list(bench.thresholds()) == []
