"""The ledger on a terminal: what is printed, measured and found, in columns, and what does not fit in them."""

from __future__ import annotations

from typing import Any

import pytest

from repro.conformance import Row
from repro.papers import Paper, Slip, papers
from repro.render.ledger import errata, facts

COLUMNS = 80
NET = Paper("net", "A Network", "Somebody", 2020, "arXiv:2001.00000", (), (Slip("5", "this", "that"),))
HEADER = "                               printed           measured       verdict"


def row(**given: Any) -> Row:
    whole = {"id": "net.a", "locus": "3", "network": "lenet5", "quantity": "side", "printed": "7", "told": ""}
    return Row(**{**whole, "measure": "side", "measured": 7, "verdict": "agrees", **given})


def told(*rows: Row) -> list[str]:
    return "\n".join(facts(rows, [NET])).splitlines()


def test_a_fact_is_a_row_below_its_paper_and_its_networks() -> None:
    assert told(row(), row(network="vgg11"), row(id="net.b", measured=8, verdict="fail", told="8, expected 7")) == [
        "net: A Network (arXiv:2001.00000)",
        HEADER,
        "lenet5, vgg11",
        "  side (sec. 3)                7                 7              agrees",
        "lenet5",
        "  side (sec. 3)                7                 8              fail",
        "      why      8, expected 7",
        "",
        "agrees          as printed, to the precision of the print",
        "2 facts: 1 agrees, 1 fails",
    ]


def test_what_is_not_measured_has_the_room_of_both_columns_and_the_usual_reason_once() -> None:
    unmeasured = {"measured": None, "measure": "", "verdict": "result", "network": "Net", "told": "of training"}
    printed = "21.9 % top-1, 5.79 % top-5"
    lines = told(row(**unmeasured, printed=printed), row(**{**unmeasured, "id": "net.b"}))
    assert lines[2:4] == ["Net, not measured", f"  side (sec. 3)                {printed:<32} result"]
    assert [line for line in lines if "of training" in line] == ["result          of training"]
    odd = row(**{**unmeasured, "id": "net.c", "told": "odd"})
    assert "      why      odd" in told(row(**unmeasured), row(**{**unmeasured, "id": "net.b"}), odd)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"quantity": "side of the first and only convolution", "locus": "Table 1"}, "    (Table 1)"),
        ({"printed": "a number in many words, that would need more than two lines"}, "      measured 7"),
        ({"measured": ["3x3 64", "3x3 128", "3x3 256", "3x3 512"]}, "      printed  7"),
        ({"printed": ",".join(["512"] * 30)}, "      printed  512, 512, 512,"),
        ({"measured": 19_632_062_464}, "  side (sec. 3)                7                 19,632,062,464 agrees"),
    ],
)
def test_what_does_not_fit_in_a_row_is_below_it(given: dict[str, Any], expected: str) -> None:
    lines = told(row(**given))
    assert any(line.startswith(expected) for line in lines), lines
    assert max(map(len, lines)) < COLUMNS


def test_errata_stand_below_their_paper_once_with_its_slips() -> None:
    rows = [row(verdict="erratum", measured=8, told="2 * 4 = 8", network=name) for name in ("lenet5", "vgg11")]
    lines = "\n".join(errata(rows, [NET])).splitlines()
    assert lines[2:9] == [
        "lenet5, vgg11",
        "  side (sec. 3)                7                 8              erratum",
        "      why      2 * 4 = 8",
        "slips: wrong names and captions, which no network could show",
        "  sec. 5",
        "      printed  this",
        "      correct  that",
    ]
    assert lines[-1] == "1 fact: 1 erratum; 1 slip"
    assert "\n".join(errata([], [NET])).startswith("net: A Network (arXiv:2001.00000)\nslips: ")


def test_every_fact_there_is_fits_the_terminal() -> None:
    every = [fact for paper in papers().values() for fact in paper.facts]
    rows = [
        Row(each.id, each.locus, each.network, each.quantity, each.printed, each.measure, value, each.status, "why")
        for each in every
        for value in [None if not each.measure else each.value if each.measured is None else each.measured]
    ]
    lines = "\n".join(facts(rows, [*papers().values()])).splitlines()
    assert len(lines) > len(every)
    assert max(map(len, lines)) < COLUMNS, max(lines, key=len)
    lines = "\n".join(errata(rows, [*papers().values()])).splitlines()
    assert max(map(len, lines)) < COLUMNS, max(lines, key=len)
