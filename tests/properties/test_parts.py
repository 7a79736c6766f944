"""The properties of parts: kept by ours, and broken by each of the mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.properties._drawn import scaled
from tests.properties.parts import EXAMPLES, PARTS, Part

KEPT = [pytest.param(part, build, id=f"{part.name}-{name}") for part in PARTS for name, build in part.kept.items()]
BROKEN = [
    pytest.param(part, build, says, id=f"{part.name}-{mistake}")
    for part in PARTS
    for mistake, (build, says) in part.broken.items()
]


def check(part: Part, build: Any, **options: Any) -> None:
    @settings(**{"max_examples": scaled(EXAMPLES), **options})
    @given(st.data())
    def on_examples(data: st.DataObject) -> None:
        part.holds(build, data.draw)

    on_examples()


@pytest.mark.parametrize(("part", "build"), KEPT)
def test_a_part_keeps_it(part: Part, build: Any) -> None:
    check(part, build)


@pytest.mark.parametrize(("part", "build", "says"), BROKEN)
def test_a_mistake_breaks_it(part: Part, build: Any, says: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check(part, build, max_examples=EXAMPLES, derandomize=True, phases=[Phase.generate])  # as in the profile ci
    assert says in str(caught.value)
