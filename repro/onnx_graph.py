"""What an ONNX file says, in plain Python, and the amendments under which it is a network of logits.

A file is read once and without torch. Numbers in attributes are kept in single precision there; they are read as the
shortest decimal that has this value, so that a file's 0.1 is 0.1 and not 0.10000000149.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
import numpy.typing as npt

from repro.errors import ReproError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OnnxNode:
    """One operation of a file.

    inputs      names of tensors in the order of the operator's specification, "" for one that is left out
    outputs     names, likewise
    attributes  by name: int, float, str, a tuple of these, or an array
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.op} of {self.outputs[0]!r}"


@dataclass(frozen=True)
class OnnxGraph:
    """The program of a file: nodes in execution order.

    opset    version of ONNX's own operators that the file was written for
    images   name of the one input that is not in the file
    shape    what the file declares of it: (batch, channels, height, width)
    output   name of the one result
    tensors  name -> values that the file holds
    shapes   name -> (shape, value) of tensors of which it gives no more than that: weights left out of it
    """

    opset: int
    images: str
    shape: tuple[int, ...]
    output: str
    nodes: tuple[OnnxNode, ...]
    tensors: Mapping[str, Array]
    shapes: Mapping[str, tuple[tuple[int, ...], float]]

    def readers(self, name: str) -> list[OnnxNode]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.inputs]


def read(path: Path) -> OnnxGraph:
    """The graph in a file. Raises ReproError for what has more than one input or output, or another domain's operators.

    A ConstantOfShape whose shape the file holds is no operation: it stands for a weight that was left out.
    """
    onnx, helper, numpy_helper = map(importlib.import_module, ("onnx", "onnx.helper", "onnx.numpy_helper"))
    model: Any = onnx.load(path)
    domains = {entry.domain: entry.version for entry in model.opset_import}
    foreign = {node.domain for node in model.graph.node} | set(domains) - {"", "ai.onnx"}
    if foreign - {"", "ai.onnx"}:
        raise ReproError(f"{path.name}: operators of {min(foreign - {'', 'ai.onnx'})!r} are not understood")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in tensors]
    if len(given) != 1 or len(model.graph.output) != 1:
        raise ReproError(f"{path.name} has {len(given)} inputs and {len(model.graph.output)} outputs; expected one")
    nodes, shapes = [], {}
    for node in model.graph.node:
        attributes = {each.name: _plain(helper.get_attribute_value(each), numpy_helper) for each in node.attribute}
        if node.op_type == "ConstantOfShape" and node.input[0] in tensors:
            value = attributes.get("value", numpy.zeros(1, numpy.float32))
            shapes[node.output[0]] = tuple(map(int, tensors[node.input[0]])), float(value.item())
        else:
            nodes.append(OnnxNode(node.op_type, tuple(node.input), tuple(node.output), attributes))
    shape = tuple(side.dim_value for side in given[0].type.tensor_type.shape.dim)
    opset = domains.get("", domains.get("ai.onnx", 0))
    return OnnxGraph(opset, given[0].name, shape, model.graph.output[0].name, tuple(nodes), tensors, shapes)


def _plain(value: Any, numpy_helper: Any) -> Any:
    """An attribute's value as Python has it."""
    if isinstance(value, float):
        return float(str(numpy.float32(value)))
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int):
        return value
    if hasattr(value, "dims"):
        return numpy_helper.to_array(value)
    return tuple(_plain(item, numpy_helper) for item in value)


# --- amendments --------------------------------------------------------------------------------------------------


def any_batch(graph: OnnxGraph) -> OnnxGraph:
    """Let a reshape to the batch that the file declares keep the batch that it is given: ONNX writes that as 0.

    For the declared batch nothing changes.
    """
    tensors = dict(graph.tensors)
    moving, nodes = {graph.images}, []  # what depends on the images
    for node in graph.nodes:
        if moving.intersection(node.inputs):
            moving.update(node.outputs)
            if node.op == "Reshape" and node.inputs[1] in tensors:
                target = tensors[node.inputs[1]]
                kept = f"{node.inputs[1]} of any batch"
                if target.size and target[0] == graph.shape[0]:
                    tensors[kept] = numpy.concatenate([[0], target[1:]])
                    node = replace(node, inputs=(node.inputs[0], kept))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), tensors=tensors)


def logits(graph: OnnxGraph) -> tuple[OnnxGraph, str]:
    """Without the Softmax that ends it. Raises ReproError if none does."""
    last = next((node for node in graph.nodes if graph.output in node.outputs), None)
    if last is None or last.op != "Softmax":
        raise ReproError("+logits leaves out the Softmax at the end, and this graph ends without one")
    nodes = tuple(node for node in graph.nodes if node is not last)
    return replace(graph, nodes=nodes, output=last.inputs[0]), "without the Softmax at the end"


def one_affine(graph: OnnxGraph) -> tuple[OnnxGraph, str]:
    """Each BatchNormalization with the factor and term of the Mul and Add that follow it, in place of its own.

    That is how Caffe's normalisation, which has none, comes out with the layer that scales it. The file's own must be
    1 and 0 where it holds values. Raises ReproError if they are not, or if no normalisation is followed by the two.
    """
    by_output = {node.outputs[0]: node for node in graph.nodes}
    merged: dict[int, OnnxNode | None] = {}  # id of a node -> what takes its place
    for norm in graph.nodes:
        multiply = _only(graph.readers(norm.outputs[0]), "Mul") if norm.op == "BatchNormalization" else None
        add = _only(graph.readers(multiply.outputs[0]), "Add") if multiply is not None else None
        if multiply is None or add is None:
            continue
        found = [_a_channel(by_output, multiply, norm.outputs[0]), _a_channel(by_output, add, multiply.outputs[0])]
        for name, neutral in zip(norm.inputs[1:3], (1, 0), strict=True):
            if name in graph.tensors and (graph.tensors[name] != neutral).any():
                raise ReproError(f"+one_affine: {name!r} holds other values than {neutral}")
        factor, term = (vector.inputs[0] for vector in found)
        inputs = (norm.inputs[0], factor, term, *norm.inputs[3:])
        merged |= {id(norm): None, id(multiply): None, **{id(vector): None for vector in found}}
        merged[id(add)] = replace(norm, inputs=inputs, outputs=add.outputs)
    if not merged:
        raise ReproError("+one_affine merges a BatchNormalization and a Mul and an Add after it, and there are none")
    replaced = (merged.get(id(node), node) for node in graph.nodes)
    note = (
        "the factor and term after each BatchNormalization taken for its own, which are 1 and 0 where the file has them"
    )
    return replace(graph, nodes=tuple(node for node in replaced if node is not None)), note


def _only(nodes: list[OnnxNode], op: str) -> OnnxNode | None:
    return nodes[0] if len(nodes) == 1 and nodes[0].op == op else None


def _a_channel(by_output: Mapping[str, OnnxNode], node: OnnxNode, x: str) -> OnnxNode:
    """The Unsqueeze to (channels, 1, 1) of a vector that is the operand beside `x`."""
    (other,) = (name for name in node.inputs if name != x)
    vector = by_output.get(other)
    if vector is None or vector.op != "Unsqueeze" or tuple(vector.attributes.get("axes", ())) != (1, 2):
        raise ReproError(f"+one_affine: {node} is not with one number a channel")
    return vector


def setting(graph: OnnxGraph, op: str, attribute: str, value: Any) -> tuple[OnnxGraph, str]:
    """With another value of one attribute in every node of one operation, all of which must say what theirs is.

    Raises ReproError if there is none, or one that leaves it to the default.
    """
    found = [node for node in graph.nodes if node.op == op]
    if not found or any(attribute not in node.attributes for node in found):
        raise ReproError(f"+{op}.{attribute}={value}: the graph has no {op} that says what its {attribute} is")
    own = " and ".join(sorted({str(node.attributes[attribute]) for node in found}))
    nodes = tuple(
        replace(node, attributes={**node.attributes, attribute: value}) if node.op == op else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes), f"{op} with {attribute} {value} in place of {own}"


AMENDMENTS: dict[str, Callable[[OnnxGraph], tuple[OnnxGraph, str]]] = {"logits": logits, "one_affine": one_affine}
