"""What is measured of a network for the claims that a document makes of it, in JSON types."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from repro import models
from repro.graph import LEAVES, Graph, Node, ancestors, trace
from repro.layers import multiply_adds
from repro.measures import MEASURES, PlaceError, Subject
from repro.neighbours import PRODUCTS, called
from repro.running.definitions import FILE

_BATCH = 2
_LINE = re.compile(re.escape(FILE) + r":(\d+)")
_POOLS = ("max", "average")


def measured(module: nn.Module, graph: Graph, training: Graph | None = None) -> dict[str, Any]:
    """What there is to measure of a network, for `repro.running.claims`.

    graph: of the same module, traced in eval mode with a batch of images, not canonical; training: the same in train
    mode, where that can be had. A dict with

    input                    shape of the images, without the batch
    parameters               elements of all parameters, shared ones once; as 32-bit numbers, four bytes each
    parameters_read          of these, what is read in eval mode: auxiliary heads are not
    multiply_adds            of convolutions and matrix products for one image
    depth                    layers with weights on the longest way; 0 if there are none
    convolutions             all of them, and in `convolutions_on_the_way` those of that way
    full_windows             of these, how many see all of a map at once, as fully connected layers do
    linears                  matrix products
    linear_parameters        of each of these, in order: its weight and its bias
    pools                    how many poolings are called; lrn, normalisations: local response, batch normalisations
    dropouts                 how many are called in train mode; None where that is not known
    """
    live = ancestors(graph.nodes, graph.outputs)
    operations = [node for index, node in enumerate(graph.nodes) if index in live and node.op not in LEAVES]
    names = [name for index, name in enumerate(called(graph)) if index in live]
    convolutions = [node for node in operations if node.op == "convolution"]
    linears = [node for node in operations if node.op in PRODUCTS]
    way = _on_the_way(graph)
    return {
        "input": list(graph.input_shapes[0][1:]),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "parameters_read": sum(math.prod(graph.nodes[index].shape) for index in live if _is_parameter(graph, index)),
        "multiply_adds": sum(multiply_adds(graph, node) for node in operations) // max(graph.input_shapes[0][0], 1),
        "depth": way[0],
        "convolutions": len(convolutions),
        "convolutions_on_the_way": way[1],
        "full_windows": sum(_sees_all(graph, node) for node in convolutions),
        "linears": len(linears),
        "linear_parameters": [_own(module, node.path) for node in linears],
        "pools": sum(names.count(name) for name in _POOLS),
        "lrn": names.count("LRN"),
        "normalisations": names.count("batch normalisation"),
        "dropouts": None if training is None else called(training).count("dropout"),
    }


def printed(module: nn.Module, graph: Graph) -> dict[str, Any]:
    """What is measured of a document's own network beside that.

    repr      its own, as text
    layers    path of a module -> elements of its own parameters, of those that have any
    outputs   path of a module, or line of the program's text as a number in words -> shapes of what is computed there,
              without the batch
    """
    outputs: dict[str, list[list[int]]] = {}
    for node in graph.nodes:
        if node.op in LEAVES or not node.shapes:
            continue
        line = _LINE.search(node.where)
        for place in (node.path, line[1] if line else ""):
            shapes = outputs.setdefault(place, [])
            if list(node.shape[1:]) not in shapes:
                shapes.append(list(node.shape[1:]))
    layers = {path: _own(module, path) for path, _ in module.named_modules()}
    return {
        "repr": repr(module),
        "layers": {path: count for path, count in layers.items() if count},
        "outputs": {place: shapes for place, shapes in outputs.items() if place},
    }


def _on_the_way(graph: Graph) -> tuple[int, int]:
    """Layers with weights on the longest way, and how many of them are convolutions."""
    subject = Subject(graph, graph, {})
    try:
        return MEASURES["depth"](subject, ""), len(MEASURES["convolutions"](subject, ""))
    except PlaceError:
        return 0, 0


def _is_parameter(graph: Graph, index: int) -> bool:
    return graph.nodes[index].op == "parameter"


def _sees_all(graph: Graph, node: Node) -> bool:
    """Whether a convolution has one position, and a map before it: written as a layer, it is fully connected."""
    extent = graph.shape(node.inputs[0])[2:]
    return set(node.shape[2:]) == {1} and math.prod(extent) > 1 and graph.shape(node.inputs[1])[2:] == extent


def _own(module: nn.Module, path: str) -> int:
    """Elements of the parameters that a module has itself."""
    return sum(parameter.numel() for parameter in module.get_submodule(path).parameters(recurse=False))


def catalog() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each network of the catalog, measured now: python -m repro.running.measured > repro/measured.json."""
    for name in models.catalog():
        yield name, of_catalog(name)


def of_catalog(name: str) -> dict[str, Any]:
    """Of one network of the catalog, for the images that it was made for."""
    with torch.device("meta"):
        network = models.build(name).eval()
        images = torch.empty(_BATCH, *models.catalog()[name].input_size)
    return measured(network, trace(network, images), trace(network, images, training=True))


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Measurements as they are written down, a line for each network."""
    lines = [f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(table(dict(catalog())))
