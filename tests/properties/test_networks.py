"""Every property of a network, for every network of the catalog, on drawn examples."""

from __future__ import annotations

import pytest

from repro import models
from tests.properties._case import case
from tests.properties._drawn import DRAWN, Drawn


# The groups of one network follow each other: it is built once for all of them.
@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: drawn.group.name)
@pytest.mark.parametrize("name", list(models.catalog()))
def test_a_network_keeps_what_every_network_must(name: str, drawn: Drawn) -> None:
    network = case(name)
    drawn.hold(network, network.examples)
