"""The kill matrix: a row a kind, what went badly named, totals that are those of the evidence, and all of it fits."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from repro.faults import kinds
from repro.power import Rerun, Study, Trial
from repro.render.matrix import LEGEND, matrix

COLUMNS = 80
ONE, OTHER = kinds()[:2]


def trial(kind: str = ONE, equivalent: str = "", message: str = "", **seen: str) -> Trial:
    named = {name.replace("_", "."): sight for name, sight in seen.items()}
    return Trial("resnet18", kind, "conv1.weight", "one element times 1.001", equivalent, named, message)


def lines(*trials: Trial, reruns: tuple[Rerun, ...] = ()) -> list[str]:
    return "\n".join(matrix(Study(trials, reruns).evidence())).splitlines()


def row(kind: str, *trials: Trial) -> list[str]:
    """The cells after the name of a kind's row."""
    (found,) = (line for line in lines(*trials) if line.startswith(f"{kind} "))
    return found.removeprefix(kind).split()


def test_a_row_has_the_counts_of_its_kind_under_the_names_of_the_checks() -> None:
    trials = (
        trial(structure="missed", values="located", forward_float64="caught", backward_float64="missed"),
        trial(structure="missed", values="misplaced", forward_float64="located", backward_float64="misplaced"),
        trial(structure="missed", values="missed", train_structure="missed", train_float64="missed"),
        trial(OTHER, initialisation="located"),
    )
    assert lines(*trials)[0].split() == "fault kind made seen at stru vals forw back t.st t.nu init".split()
    assert row(ONE, *trials) == ["3", "2", "1", "0", "2", "2", "1", "0", "0", "-"]
    assert row(OTHER, *trials) == ["1", "1", "1", "-", "-", "-", "-", "-", "-", "1"]
    assert lines(*trials)[1].startswith(ONE)
    assert LEGEND.splitlines()[0] in lines(*trials)


def test_the_columns_stand_below_their_names() -> None:
    found = lines(trial(structure="located", initialisation="located"))
    for name in ("made", "seen", "at", "stru", "init"):
        end = found[0].index(f" {name}") + 1 + len(name)
        assert found[1][end - 1] == "1"
        assert found[1][end : end + 1] in ("", " ")


def test_a_clean_study_names_nothing() -> None:
    found = lines(
        trial(structure="located"), trial(OTHER, initialisation="located"), reruns=(Rerun("a", "how", 11, {}, True),)
    )
    assert found[-3:] == [
        "2 faults of 2 kinds planted, and 0 that change nothing:",
        "2 caught, 2 located (100.0 %), 0 survive every check;",
        "1 correct runs, of which 1 differ in some bit; 0 false alarms",
    ]
    assert not [line for line in found if line.startswith("  ") and line.strip()[:5].isupper()]


@pytest.mark.parametrize(
    ("bad", "title"),
    [
        (trial(structure="missed"), "SURVIVED"),
        (trial(structure="misplaced", message="stride 2 here, 1 there"), "NOT LOCATED"),
        (trial(equivalent="no reason", structure="caught", message="told"), "SAID TO CHANGE NOTHING, AND CAUGHT"),
    ],
)
def test_what_goes_badly_is_named_with_what_was_said_of_it(bad: Trial, title: str) -> None:
    text = " ".join(" ".join(lines(bad, trial(OTHER, structure="located"))).split())
    assert f"{title}: resnet18: {ONE} at conv1.weight: one element times 1.001." in text
    assert (f"The report: {bad.message}" in text) is bool(bad.message)
    for other in {"SURVIVED:", "NOT LOCATED:", "SAID TO CHANGE NOTHING, AND CAUGHT:", "FALSE ALARM:"} - {f"{title}:"}:
        assert other not in text


def test_a_false_alarm_is_named_with_every_check_that_raises_it() -> None:
    reruns = (Rerun("vgg11", "one thread", 11, {"values": "a wolf", "mapping": "another"}), Rerun("a", "how", 11))
    found = lines(reruns=reruns)
    assert "  FALSE ALARM: vgg11, one thread: values: a wolf; mapping: another" in found
    assert found[-1] == "2 correct runs, of which 0 differ in some bit; 1 false alarms"


def test_a_long_list_is_cut_and_the_rest_counted() -> None:
    found = lines(*(trial(structure="missed") for _ in range(13)))
    assert sum("SURVIVED" in line for line in found) == 10
    assert "  and 3 more (--format json has them all)" in found
    assert not [line for line in lines(*(trial(structure="missed") for _ in range(10))) if "more (" in line]


def test_why_a_fault_can_change_nothing_is_told_once() -> None:
    equal = trial(equivalent="relu is idempotent", structure="missed")
    found = lines(equal, equal, replace(equal, kind=OTHER, equivalent="it adds no window"))
    assert found.count(f"  {ONE} can be equivalent: relu is idempotent") == 1
    assert found.count(f"  {OTHER} can be equivalent: it adds no window") == 1
    assert "0 caught, 0 located (none), 0 survive every check;" in found


def worst() -> Study:
    """Every kind that there is, in numbers of four figures, and all that can go badly, at length."""
    sights = cycle(("missed", "misplaced", "located"))
    names = "structure values forward.float64 backward.float64 train.structure train.float64 initialisation".split()
    message = "proved different for every input: " * 20 + "x" * 200
    trials = [
        Trial("resnext101_64x4d", kind, "features.denseblock1.denselayer1.norm1.weight", "changed", why, seen, message)
        for kind in kinds()
        for why in ("", "it is said to change nothing, at length and in more words than one line has room for")
        for seen in ({name: next(sights) for name in names}, dict.fromkeys(names, "missed"))
    ]
    return Study(tuple(trials), (Rerun("resnext101_64x4d", "weights through float64", 11, {"structure": message}),))


def too_long(power: dict[str, Any]) -> list[str]:
    return [line for line in "\n".join(matrix(power)).splitlines() if len(line) > COLUMNS]


def test_it_fits_the_terminal() -> None:
    power = worst().evidence()
    for kind in power["kinds"]:
        kind.update(planted=1000, caught=1000, located=1000)
        kind["checks"] = {name: {**cells, "caught": 1000} for name, cells in kind["checks"].items()}
    assert too_long(power) == []


def test_every_kind_has_a_row_by_which_it_is_known() -> None:
    found = lines(*(trial(kind, structure="located") for kind in kinds()))
    names = [line[:28] for line in found[1 : 1 + len(kinds())]]
    assert len(set(names)) == len(kinds())
    assert found[1 + len(kinds())] == ""


def test_a_line_that_does_not_fit_would_be_noticed() -> None:
    power = Study((trial(structure="located"),), ()).evidence()
    power["kinds"][0]["planted"] = 10**40
    assert too_long(power)
