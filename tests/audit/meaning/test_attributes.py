"""Where attributes are set and read, and which parameters nothing reads."""

from __future__ import annotations

import ast

from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.attributes import Attributes
from repro.audit.meaning.parts import has_weights, modules, parts
from repro.audit.meaning.scopes import Parameters
from repro.audit.meaning.values import Instance
from repro.audit.program import Program


def program(text: str) -> Program:
    return Program("case.py", text, ast.parse(text))


NETWORK = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        self.fc = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.spare = [nn.Linear(2, 2), {"a": nn.Tanh()}]
    class Inner:
        def get(self):
            return self.secret
    def forward(self, x):
        return self.gate(self.fc(x))
class Wide(Net):
    pass
net = Wide(nn.Sigmoid())
net.spare
"""


def test_attributes_belong_to_the_innermost_class_around_them() -> None:
    text = program(NETWORK)
    outer, inner, _ = text.nodes(ast.ClassDef)
    found = Attributes.of(text)
    assert list(found.written(outer)) == ["gate", "fc", "spare"]
    assert found.read(outer).keys() == {"gate", "fc"}
    assert found.read(inner).keys() == {"secret"}
    assert "spare" in found.elsewhere
    assert "gate" not in found.elsewhere


def test_an_attribute_is_found_in_the_class_that_sets_it() -> None:
    text = program(NETWORK)
    wide = next(kind for kind in Analysis.of(text).classes() if kind.name == "Wide")
    at = Attributes.of(text).first_written(wide, "fc")
    assert at is not None
    assert text.symbol(at) == "Net.__init__"
    assert Attributes.of(text).first_written(wide, "bias") is None


def test_parts_are_what_torch_counts() -> None:
    network = next(each for each in Analysis.of(program(NETWORK)).instances() if each.call is not None)
    assert [getattr(each, "short", "Wide") for each in parts(network)] == [
        "Wide",
        "Sequential",
        "ReLU",
        "Linear",
        "Sigmoid",
    ]
    kept = [each for each in modules(network.attributes["spare"]) if not isinstance(each, Instance)]
    assert [each.short for each in kept] == ["Linear", "Tanh"]
    assert [has_weights(each) for each in kept] == [True, False]


def test_a_parameter_is_read_in_the_scopes_within_a_function_too() -> None:
    text = program(
        "def first(a, b, c, d):\n"
        "    def second(b):\n"
        "        return a, b\n"
        "    return second, [c for _ in range(2)]\n"
        "def third(e):\n"
        "    return locals()\n"
    )
    first, _, third = text.nodes(ast.FunctionDef)
    assert Parameters.of(text).unread(first) == {"b", "d"}
    assert Parameters.of(text).unread(third) == set()


def test_calls_of_the_programs_own_are_told_once_for_each_target() -> None:
    text = program("def one(): pass\ndef two(): pass\nfor each in (one, two, one):\n    each()\nprint(one)\n")
    assert [what.node.name for _, what in Analysis.of(text).calls()] == ["one", "two"]  # type: ignore[union-attr]
