"""Reading a file, and the amendments: what each changes, says and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from repro.errors import ReproError
from repro.onnx_graph import OnnxGraph, any_batch, logits, one_affine, read, setting
from repro.onnx_module import OnnxModule

Make = Callable[..., OnnxGraph]

SCALED = [
    helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["n"], epsilon=0.1),
    helper.make_node("Unsqueeze", ["factor"], ["f"], axes=[1, 2]),
    helper.make_node("Mul", ["n", "f"], ["m"]),
    helper.make_node("Unsqueeze", ["term"], ["t"], axes=[1, 2]),
    helper.make_node("Add", ["m", "t"], ["y"]),
]
VECTORS = {
    "scale": numpy.ones(3, numpy.float32),
    "shift": numpy.zeros(3, numpy.float32),
    **{name: numpy.array([0.5, 2.0, 3.0], numpy.float32) for name in ("mean", "variance", "factor", "term")},
}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """The graph of a file of nodes that make `y` of `x`, one image of 3x4x4, and of tensors that the file holds."""

    def make(nodes: list[Any], tensors: dict[str, Any] | None = None, inputs: str = "x", **opsets: int) -> OnnxGraph:
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 4, 4)) for name in inputs]
        results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        held = [numpy_helper.from_array(array, name) for name, array in (tensors or {}).items()]
        imports = [helper.make_opsetid(domain, version) for domain, version in {"": 9, **opsets}.items()]
        model = helper.make_model(helper.make_graph(nodes, "graph", given, results, held), opset_imports=imports)
        onnx.save(model, tmp_path / "graph.onnx")
        return read(tmp_path / "graph.onnx")

    return make


def refused(function: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ReproError) as caught:
        function(*arguments)
    return str(caught.value)


# --- reading -----------------------------------------------------------------------------------------------------


def test_what_a_file_says(make: Make) -> None:
    graph = make(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, 0, 1, 1], auto_pad="NOTSET")], {"w": numpy.eye(3)}
    )
    assert (graph.opset, graph.images, graph.shape, graph.output) == (9, "x", (1, 3, 4, 4), "y")
    (node,) = graph.nodes
    assert (node.op, node.inputs, node.outputs) == ("Conv", ("x", "w"), ("y",))
    assert node.attributes == {"pads": (0, 0, 1, 1), "auto_pad": "NOTSET"}
    assert graph.tensors.keys() == {"w"}
    assert not graph.shapes


@pytest.mark.parametrize("number", [0.1, 1e-4, 0.75, 1e-5, 2.0, 5e-4, 0.4])
def test_a_number_is_the_shortest_decimal_of_its_single_precision(make: Make, number: float) -> None:
    (node,) = make([helper.make_node("LRN", ["x"], ["y"], size=5, alpha=number)]).nodes
    assert node.attributes == {"size": 5, "alpha": number}
    above = float(numpy.nextafter(numpy.float32(number), numpy.float32(9)))
    (node,) = make([helper.make_node("LRN", ["x"], ["y"], size=5, alpha=above)]).nodes
    assert node.attributes["alpha"] > number, "the next number of single precision is another one"


def test_a_weight_that_was_left_out_is_a_shape(make: Make) -> None:
    value = numpy_helper.from_array(numpy.array([0.02], numpy.float32))
    nodes = [
        helper.make_node("ConstantOfShape", ["w__SHAPE"], ["w"], value=value),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    graph = make(nodes, {"w__SHAPE": numpy.array([4, 4])})
    assert [node.op for node in graph.nodes] == ["Add"]
    assert graph.shapes.keys() == {"w"}
    assert graph.shapes["w"][0] == (4, 4)
    (weight,) = OnnxModule(graph).parameters()
    assert weight.shape == (4, 4)
    torch.testing.assert_close(weight.detach(), torch.full((4, 4), 0.02))


def test_a_shape_that_is_computed_is_an_operation_and_refused(make: Make) -> None:
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["y"])]
    assert "the operation Shape is not understood" in refused(OnnxModule, make(nodes))


def test_another_number_of_inputs_and_another_domain_are_refused(make: Make) -> None:
    nodes = [helper.make_node("Add", ["x", "z"], ["y"])]
    assert refused(make, nodes, {}, "xz") == "graph.onnx has 2 inputs and 1 outputs; expected one"
    foreign = [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")]
    told = "graph.onnx: operators of 'com.microsoft' are not understood"
    with pytest.raises(ReproError, match=told):
        make(foreign, **{"com.microsoft": 1})


# --- amendments --------------------------------------------------------------------------------------------------


def test_logits_leave_out_the_softmax_at_the_end_and_no_other(make: Make) -> None:
    nodes = [helper.make_node("Softmax", ["x"], ["s"]), helper.make_node("Relu", ["s"], ["r"])]
    ending = [*nodes, helper.make_node("Softmax", ["r"], ["y"])]
    graph, note = logits(make(ending))
    assert ([node.op for node in graph.nodes], graph.output) == (["Softmax", "Relu"], "r")
    assert note == "without the Softmax at the end"
    assert "this graph ends without one" in refused(logits, graph)


def test_one_affine_is_the_second_of_the_two(make: Make) -> None:
    graph = make(SCALED, VECTORS)
    amended, note = one_affine(graph)
    (node,) = amended.nodes
    assert node.inputs == ("x", "factor", "term", "mean", "variance")
    assert (node.outputs, node.attributes) == (("y",), {"epsilon": 0.1})
    assert "taken for its own, which are 1 and 0 where the file has them" in note
    x = torch.arange(48.0).reshape(1, 3, 4, 4)
    torch.testing.assert_close(OnnxModule(amended)(x), OnnxModule(graph)(x))


@pytest.mark.parametrize(
    ("nodes", "tensors", "message"),
    [
        (SCALED, {"scale": VECTORS["factor"]}, "'scale' holds other values than 1"),
        (SCALED, {"shift": VECTORS["term"]}, "'shift' holds other values than 0"),
        ([helper.make_node("Relu", ["x"], ["y"])], {}, "and there are none"),
        ([*SCALED[:4], helper.make_node("Mul", ["m", "t"], ["y"])], {}, "and there are none"),
        ([*SCALED, helper.make_node("Relu", ["n"], ["other"])], {}, "and there are none"),
        (
            [*SCALED[:3], helper.make_node("Add", ["m", "whole"], ["y"])],
            {"whole": numpy.eye(4)},
            "one number a channel",
        ),
    ],
)
def test_one_affine_is_refused_where_it_would_be_another_network(
    make: Make, nodes: list[Any], tensors: dict[str, Any], message: str
) -> None:
    assert message in refused(one_affine, make(nodes, {**VECTORS, **tensors}))


def test_a_setting_is_of_every_operation_of_a_kind_and_says_what_it_was(make: Make) -> None:
    nodes = [
        helper.make_node("LRN", ["x"], ["a"], size=5, bias=1.0),
        helper.make_node("LRN", ["a"], ["b"], size=3, bias=3.0),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    graph, note = setting(make(nodes), "LRN", "bias", 2)
    assert [node.attributes.get("bias") for node in graph.nodes] == [2, 2, None]
    assert [node.attributes.get("size") for node in graph.nodes] == [5, 3, None]
    assert note == "LRN with bias 2 in place of 1.0 and 3.0"
    for op, attribute in (("LRN", "alpha"), ("Relu", "slope"), ("Conv", "pads")):
        assert f"the graph has no {op} that says what its {attribute} is" in refused(setting, graph, op, attribute, 2)


def test_any_batch_changes_reshapes_of_images_to_the_declared_batch(make: Make) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"]),
        helper.make_node("Reshape", ["a", "other"], ["b"]),
        helper.make_node("Reshape", ["w", "flat"], ["c"]),
        helper.make_node("Add", ["b", "c"], ["y"]),
    ]
    shapes = {"flat": numpy.array([1, 48]), "other": numpy.array([48, 1])}
    graph = any_batch(make(nodes, {**shapes, "w": numpy.zeros((4, 12), numpy.float32)}))
    targets = [graph.tensors[node.inputs[1]].tolist() for node in graph.nodes[:3]]
    assert targets == [[0, 48], [48, 1], [1, 48]]
