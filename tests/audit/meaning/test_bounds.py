"""What a program would need much memory for is not computed; what Python would refuse is unknown."""

from __future__ import annotations

import ast
import tracemalloc

import pytest

from repro.audit.meaning.analysis import FEWEST, Analysis
from repro.audit.meaning.values import UNKNOWN
from repro.audit.program import Program

MEGABYTES = 32  # ten times what a run of a small program takes


def value(text: str) -> object:
    """What `x` stands for when a program has run."""
    return Analysis(Program("case.py", text, ast.parse(text))).runs[0].top.names["x"]


@pytest.mark.parametrize(
    "text",
    [
        "x = [0] * 200_000_000",
        "x = 200_000_000 * 'a'",
        "x = [0]\nfor i in range(64): x += x",
        "x = [0]\nfor i in range(64): x.extend(x)",
        "x = [0]\nfor i in range(64): x = [*x, *x]",
        "x = 'a'\nfor i in range(64): x = f'{x}{x}'",
        "x = 3 ** 1_000_000_000",
        "x = '%1000000000d' % 5",
    ],
)
def test_nothing_large_is_made(text: str) -> None:
    tracemalloc.start()
    try:
        found = value(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTES << 20
    assert found is UNKNOWN or (isinstance(found, list) and len(found) <= 4096)


@pytest.mark.parametrize("text", ["x = round(1e999)", "x = range(1, 2, 3, 4)", "x = abs(1e999 - 1e999)"])
def test_what_python_refuses_is_unknown(text: str) -> None:
    assert value(text) is UNKNOWN


def test_lists_in_lists_are_not_compared() -> None:
    text = "a, b = [0], [0]\nfor i in range(60): a, b = [a, a], [b, b]\nx = a == b"
    assert value(text) is UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "def f(module, name=''):\n  for each in module.children(): f(each, name)\n  for each in module.parts: f(each)",
        "def f(size, *rest, **kwargs):\n    return [f(each, **kwargs) for each in size]",
    ],
)
def test_a_recursion_that_nothing_known_ends_is_followed_once(text: str) -> None:
    run = Analysis(Program("case.py", text, ast.parse(text))).runs[0]
    assert run.steps > FEWEST - 200


def test_a_recursion_that_a_number_ends_is_followed() -> None:
    assert value("def f(n, x):\n    return x if n == 0 else f(n - 1, [*x, n])\nx = f(3, [])") == [3, 2, 1]


def test_ordinary_arithmetic_is_done() -> None:
    assert value("x = [2] * 3 + [2 ** 10, 'a' * 2]") == [2, 2, 2, 1024, "aa"]
