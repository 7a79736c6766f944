"""What comes back from the sandbox, read as what it may be: anything that the code there likes to say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from repro.audit.finding import Confidence, Place, Severity, Words
from repro.audit.probe import Probe
from repro.audit.program import Program
from repro.audit.report import Network
from repro.audit.shown import Shown, line_place, symbol_place
from repro.running.definitions import FILE

_OWN_LINE = re.compile(re.escape(FILE) + r":(\d+)")
_LONGEST = 500  # characters of one sentence
_MOST = 5000  # entries of a list
_LARGEST = 1 << 53


def together(values: Sequence[Any]) -> dict[str, Any]:
    """The reports of the shares of one job as one. Raises TypeError, KeyError and ValueError for what is none."""
    networks = [each for value in values for each in _list(value["networks"])]
    measured: dict[str, list[Any]] = {}
    for value in values:
        for symbol, found in dict(value["measured"]).items():
            measured.setdefault(symbol, []).extend(_list(found))
    return {
        "networks": sorted(networks, key=lambda each: _number(each["number"])),
        "failures": values[0]["failures"],
        "measured": measured,
        "seen": [each for value in values for each in _list(value["seen"])],
    }


def networks(value: Any, program: Program) -> tuple[Network, ...]:
    """The networks of a report. Raises TypeError, KeyError, ValueError and AttributeError for what is none."""
    return tuple(_network(each, program) for each in _list(value["networks"]))


def left_out(value: Any, program: Program) -> tuple[tuple[Place, str], ...]:
    """The statements that failed. Raises as `networks`."""
    return tuple(
        (line_place(program, _number(each["line"])), _text(each["error"])) for each in _list(value["failures"])
    )


def _network(told: Any, program: Program) -> Network:
    kept = told["keeps_its_name"]
    symbol, line = _text(told["symbol"]), _number(told["line"])
    known = any(each.name == symbol for each in program.named)
    return Network(
        symbol=symbol,
        place=symbol_place(program, symbol) if known else line_place(program, line),
        call=_text(told["call"]),
        claims=_text(told["claims"]),
        identified=_text(told["identified"]),
        distance=_number(told["distance"]),
        told=_words(told["told"], program),
        differences=tuple(_words(each, program) for each in _list(told["differences"])),
        keeps_its_name=None if kept is None else bool(kept),
        error=_placed(_text(told["error"]), program),
        is_part=bool(told["is_part"]),
    )


def shown(value: Any, program: Program, asked: Sequence[Probe]) -> list[Shown]:
    """What the probes saw. Raises as `networks`."""
    by_code = {probe.code: probe for probe in asked}
    found: list[Shown] = []
    told: set[tuple[Any, int]] = set()
    for each in _list(value["seen"]):
        place = each["code"], _number(each["line"] or 0)
        if place[1] and place in told:
            continue  # many functions may build networks of one class
        told.add(place)
        values = {_text(name): _value(one, program) for name, one in dict(each["values"]).items()}
        severity, confidence = each["severity"], each["confidence"]
        found.append(
            Shown(
                by_code[each["code"]],
                _text(each["symbol"]),
                _number(each["line"] or 0),
                values,
                Severity(severity) if severity else None,
                Confidence(confidence) if confidence else None,
                frozenset(map(_text, _list(each["parts"]))),
                frozenset(map(_text, _list(each["confirms"]))),
                _text(each["about"]),
            )
        )
        found[-1].finding(program)  # what does not fill its message is not ours
    return found


def _value(value: Any, program: Program) -> Any:
    """A value from the sandbox: a number, a sentence, or one in both languages."""
    match value:
        case None | bool():
            return value
        case int() | float() if math.isfinite(value) and abs(value) < _LARGEST:
            return value
        case str():
            return _placed(_text(value), program)
        case {"en": _, "zh": _}:
            return _words(value, program)
        case list():
            return [_value(each, program) for each in value]
    raise TypeError(f"not expected: {type(value).__name__}")


def _words(value: Any, program: Program) -> Words:
    return Words(_placed(_text(value["en"]), program), _placed(_text(value["zh"]), program))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise TypeError("no list, or too long a one")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _LARGEST:
        raise TypeError("no number of a line or of places")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value[:_LONGEST]


def _placed(text: str, program: Program) -> str:
    """With lines of the document in place of those of the text that was run."""

    def where(found: re.Match[str]) -> str:
        place: Place = line_place(program, int(found[1]))
        return place.words.en

    return _OWN_LINE.sub(where, text)
