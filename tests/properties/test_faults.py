"""Each property is seen to fail, on no more examples than a large network gets; and a sound network keeps them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase
from torch import nn

from tests.properties._case import Case
from tests.properties._drawn import DRAWN, Drawn
from tests.properties._faults import PLANTED, SIDES, Planted, Sound

AS_IN_CI: dict[str, Any] = {"max_examples": 1, "derandomize": True, "phases": [Phase.generate]}  # in any profile

BY_PROPERTY = {name: drawn for drawn in DRAWN for name in drawn.group.properties}


def case(make: Callable[..., nn.Module]) -> Case:
    network = Case("a small network", make, channels=3, side=32, dropouts=(0.5,))
    network.sides = network.training_sides = SIDES  # what a faulty one says itself is not to be relied on
    return network


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: drawn.group.name)
def test_a_sound_network_keeps_them(drawn: Drawn) -> None:
    drawn.hold(case(Sound), examples=5)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.property}-{planted.mistake}")
def test_a_property_fails_on_what_breaks_it(planted: Planted) -> None:
    drawn = BY_PROPERTY[planted.property]

    def draw(network: Case, data: Any) -> Any:
        subject = drawn.draw(network, data)
        if planted.subject is not None:
            planted.subject(subject)
        return subject

    with pytest.raises(AssertionError) as caught:
        replace(drawn, draw=draw).hold(case(planted.make), 1, only=planted.property, **AS_IN_CI)
    assert planted.says in str(caught.value)


@pytest.mark.parametrize("name", BY_PROPERTY)
def test_every_property_has_been_seen_to_fail(name: str) -> None:
    assert name in {planted.property for planted in PLANTED}
