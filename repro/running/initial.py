"""Which parameters of a network begin as its paper says, and which its author has left to torch."""

from __future__ import annotations

from torch import nn

from repro import models
from repro.graph import Graph
from repro.identity import Identity
from repro.initialisation import beside_of, fits, matches, measure
from repro.models._catalog import initialisation_of
from repro.running.departures.catalog import counterpart
from repro.running.departures.pairing import pairs
from repro.running.departures.reading import read

_DEFAULT = "uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in))"  # of torch's convolutions and linear layers, and their biases


def begins(network: nn.Module, graph: Graph, identity: Identity, name: str) -> tuple[list[str], list[str], str]:
    """The parameters that begin as the paper says, those that torch has given their values, and where it says so.

    network: with its values; graph: of the same code; name: the network of the catalog that it is held against. All
    three are empty where no paper says anything, and where a parameter begins in some third way: who has an idea of
    their own has not forgotten a line of the paper's.
    """
    if name not in models.catalog():
        return [], [], ""
    initialisation = initialisation_of(models.get(name))
    here, there = read(graph), counterpart(name, identity.input_size, identity.classes, graph.training)
    own = {key for key, _ in network.named_parameters()}
    laws: dict[str, str] = {}
    for i, j in pairs(here, there):
        if i is None or j is None:
            continue
        for suffix in ("weight", "bias"):
            key, theirs = f"{here[i].path}.{suffix}", f"{there[j].path}.{suffix}"
            pattern = matches([theirs], initialisation.rules).get(theirs)
            if key in own and pattern:
                laws[key] = initialisation.rules[pattern]
    tensors = dict(network.named_parameters())
    kept: dict[str, bool] = {}
    for key, text in laws.items():
        beside = beside_of(key)
        drawn = {each: measure(tensors[each].detach()) for each in {key, beside} if each in tensors}
        kept[key] = fits(key, drawn, text)
        if not kept[key] and not fits(key, drawn, _DEFAULT):
            return [], [], ""
    if not any(fit and key.endswith("weight") for key, fit in kept.items()):
        return [], [], ""
    held, left = ([key for key, fit in kept.items() if fit is wanted] for wanted in (True, False))
    return held, left, initialisation.locus
