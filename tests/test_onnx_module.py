"""The operators against ONNX's own evaluation of the same file, and against windows written out; what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from repro import onnx_module
from repro.errors import ReproError
from repro.onnx_graph import any_batch, read
from repro.onnx_module import FUNCTIONS, OPSETS, OnnxModule

Array = npt.NDArray[Any]
Write = Callable[..., Path]

OPSET = 9  # of the files that onnx brings


def values(*shape: int) -> Array:
    """Numbers of both signs, none twice, the same in every run."""
    numbers = numpy.sin(numpy.arange(1, math.prod(shape) + 1) * 12.9898) * 2 + 0.1
    return numpy.asarray(numbers, numpy.float32).reshape(shape)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of nodes that make `y` of `x`: (nodes, shape of x, tensors that the file holds, version)."""

    def write(nodes: list[Any], shape: tuple[int, ...], tensors: dict[str, Array], opset: int = OPSET) -> Path:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        held = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
        graph = helper.make_graph(nodes, "graph", [x], [y], held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.save(model, tmp_path / "graph.onnx")
        return tmp_path / "graph.onnx"

    return write


def one(write: Write, op: str, shape: tuple[int, ...], *operands: Array, opset: int = OPSET, **attributes: Any) -> Path:
    """A file with this one operation, on `x` and on operands that the file holds."""
    tensors = {f"operand{i}": array for i, array in enumerate(operands)}
    return write([helper.make_node(op, ["x", *tensors], ["y"], **attributes)], shape, tensors, opset)


def ours(path: Path, x: Array) -> Array:
    module = OnnxModule(read(path)).eval()
    with torch.no_grad():
        return numpy.asarray(module(torch.from_numpy(x)))


def onnxs(path: Path, x: Array) -> Array:
    (result,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    return numpy.asarray(result)


# operation, shape of x, further operands, attributes: odd paddings, and everything that changes what is computed
CASES: list[tuple[str, tuple[int, ...], list[Array], dict[str, Any]]] = [
    ("Conv", (2, 4, 7, 9), [values(6, 4, 3, 2)], {}),
    ("Conv", (2, 4, 7, 9), [values(6, 4, 3, 2), values(6)], {"pads": [2, 1, 0, 3], "strides": [2, 1]}),
    ("Conv", (2, 4, 7, 9), [values(6, 2, 3, 3), values(6)], {"pads": [1, 2, 1, 2], "group": 2, "kernel_shape": [3, 3]}),
    ("Conv", (2, 4, 7, 9), [values(4, 4, 2, 3)], {"dilations": [3, 2], "pads": [1, 0, 2, 2]}),
    ("Conv", (2, 4, 7, 8), [values(4, 4, 2, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ("Conv", (2, 4, 7, 8), [values(4, 4, 2, 4)], {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ("Conv", (2, 4, 7, 8), [values(4, 4, 2, 4)], {"auto_pad": "VALID"}),
    ("MaxPool", (2, 3, 7, 9), [], {"kernel_shape": [3, 2]}),
    ("MaxPool", (2, 3, 7, 9), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [2, 2, 2, 2]}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [3, 2], "pads": [0, 1, 1, 0], "ceil_mode": 1}),
    ("MaxPool", (2, 3, 8, 9), [], {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 0, 1, 2]}),
    ("AveragePool", (2, 3, 7, 9), [], {"kernel_shape": [3, 2], "strides": [2, 1]}),
    ("AveragePool", (2, 3, 8, 8), [], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    (
        "AveragePool",
        (2, 3, 8, 8),
        [],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 0], "ceil_mode": 1},
    ),
    ("AveragePool", (2, 3, 7, 9), [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("AveragePool", (2, 3, 7, 9), [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", (2, 3, 8, 9), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 2]}),
    ("AveragePool", (2, 3, 8, 9), [], {"kernel_shape": [3, 4], "pads": [0, 1, 1, 2], "count_include_pad": 1}),
    ("AveragePool", (2, 3, 6, 6), [], {"kernel_shape": [7, 7], "pads": [0, 0, 1, 1]}),
    ("GlobalAveragePool", (2, 3, 5, 4), [], {}),
    ("LRN", (2, 7, 3, 2), [], {"size": 5}),
    ("LRN", (2, 7, 3, 2), [], {"size": 3, "alpha": 0.5, "beta": 0.4, "bias": 2.0}),
    ("BatchNormalization", (2, 3, 4, 5), [values(3), values(3), values(3), values(3) ** 2], {}),
    (
        "BatchNormalization",
        (2, 3, 4, 5),
        [values(3), values(3), values(3), values(3) ** 2],
        {"epsilon": 0.1, "momentum": 0.5},
    ),
    ("Gemm", (2, 3), [values(4, 3), values(4)], {"transB": 1}),
    ("Gemm", (2, 3), [values(3, 4), values(2, 1)], {"alpha": 0.5, "beta": -2.0}),
    ("Gemm", (3, 2), [values(4, 3), values(1)], {"transA": 1, "transB": 1}),
    ("Gemm", (2, 3), [values(4, 3), values(4)], {"transB": 1, "alpha": 3.0}),
    ("Gemm", (2, 3), [values(4, 3), values(4)], {"transB": 1, "beta": 3.0}),
    ("Dropout", (2, 3), [], {"ratio": 0.25}),
    ("Softmax", (2, 3), [], {}),
    ("Softmax", (2, 3, 4, 5), [], {"axis": 2}),
    ("Reshape", (2, 3, 4), [numpy.array([0, -1])], {}),
    ("Reshape", (2, 3, 4), [numpy.array([4, 0, 2])], {}),
    ("Flatten", (2, 3, 4, 5), [], {"axis": 2}),
    ("Flatten", (2, 3, 4, 5), [], {"axis": 0}),
    ("Flatten", (2, 3, 4), [], {}),
    ("Unsqueeze", (2, 3), [], {"axes": [0, 2]}),
    ("Transpose", (2, 3, 4), [], {"perm": [1, 0, 2]}),
    ("Transpose", (2, 3, 4), [], {}),
    ("Concat", (2, 3, 4), [values(2, 1, 4)], {"axis": 1}),
    ("Sum", (2, 3, 4), [values(3, 1), values(2, 1, 4)], {}),
    ("Add", (2, 3, 4), [values(3, 1)], {}),
    ("Mul", (2, 3, 4), [values(3, 1)], {}),
    ("Relu", (2, 3, 4), [], {}),
    ("Identity", (2, 3, 4), [], {}),
]


# By the specification's formulas, where onnx's own evaluation is of something else in version 9: an LRN of the first
# maps only, as many as there are images; statistics of the batch; a softmax over one dimension, as in version 13.


def lrn(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Array:
    total = numpy.zeros_like(x)
    for c in range(x.shape[1]):
        total[:, c] = (x[:, max(0, c - size // 2) : c + size // 2 + 1] ** 2).sum(1)
    return numpy.asarray(x / (bias + alpha / size * total) ** beta)


def batch_norm(
    x: Array, scale: Array, shift: Array, mean: Array, variance: Array, epsilon: float = 1e-5, momentum: float = 0.9
) -> Array:
    scale, shift, mean, variance = (vector[:, None, None] for vector in (scale, shift, mean, variance))
    return numpy.asarray(scale * (x - mean) / numpy.sqrt(variance + epsilon) + shift)


def softmax(x: Array, axis: int = 1) -> Array:
    powers = numpy.exp(x.reshape(math.prod(x.shape[:axis]), -1))
    return numpy.asarray(powers / powers.sum(1, keepdims=True)).reshape(x.shape)


FORMULAS: dict[str, Callable[..., Array]] = {"LRN": lrn, "BatchNormalization": batch_norm, "Softmax": softmax}


def expected(write: Write, op: str, shape: tuple[int, ...], operands: list[Array], attributes: dict[str, Any]) -> Array:
    x = values(*shape)
    if op in FORMULAS:
        return FORMULAS[op](x, *operands, **attributes)
    return onnxs(one(write, op, shape, *operands, opset=11, **attributes), x)


@pytest.mark.parametrize(("op", "shape", "operands", "attributes"), CASES)
def test_an_operation_is_onnxs(
    write: Write, op: str, shape: tuple[int, ...], operands: list[Array], attributes: dict[str, Any]
) -> None:
    wanted = expected(write, op, shape, operands, attributes)
    for opset in (OPSET, 11):
        found = ours(one(write, op, shape, *operands, opset=opset, **attributes), values(*shape))
        numpy.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


def test_every_operation_has_a_case() -> None:
    assert {op for op, *_ in CASES} == set(FUNCTIONS)


def test_onnxs_own_evaluation_of_an_lrn_is_still_of_the_first_maps_only(write: Write) -> None:
    path, x = one(write, "LRN", (2, 7, 3, 2), size=3, alpha=0.5), values(2, 7, 3, 2)
    same = numpy.isclose(onnxs(path, x), lrn(x, 3, alpha=0.5), rtol=1e-4).all((0, 2, 3))
    assert same.tolist() == [True, True, *[False] * 5], "mended: LRN needs no formula of its own here"


# --- windows written out -----------------------------------------------------------------------------------------


def windows(x: Array, kernel: list[int], strides: list[int], pads: list[int], reduce: Callable[[Array], Any]) -> Array:
    """What a pooling gives: `reduce` of the elements of the map, and no others, that are in each window."""
    sides = [
        (n + b + a - k) // s + 1 for n, k, s, b, a in zip(x.shape[2:], kernel, strides, pads[:2], pads[2:], strict=True)
    ]
    found = numpy.zeros((*x.shape[:2], *sides), x.dtype)
    for image, channel, i, j in numpy.ndindex(*found.shape):
        rows, columns = (
            slice(max(0, place * s - b), place * s - b + k)
            for place, k, s, b in zip((i, j), kernel, strides, pads[:2], strict=True)
        )
        found[image, channel, i, j] = reduce(x[image, channel, rows, columns])
    return found


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0], [2, 1, 2, 0], [0, 2, 1, 2]])
@pytest.mark.parametrize(("op", "reduce"), [("MaxPool", numpy.max), ("AveragePool", numpy.mean)])
def test_a_pooling_is_of_the_elements_of_the_map_in_each_window(
    write: Write, op: str, reduce: Callable[[Array], Any], pads: list[int]
) -> None:
    for shape in ((1, 2, 6, 7), (1, 2, 8, 9)):
        x = values(*shape) - 4  # all below zero, so that a padded zero would be the largest
        path = one(write, op, shape, kernel_shape=[3, 3], strides=[2, 2], pads=pads)
        wanted = windows(x, [3, 3], [2, 2], pads, reduce)
        numpy.testing.assert_allclose(ours(path, x), wanted, rtol=2e-5)


# --- that this can fail ------------------------------------------------------------------------------------------


def other_sides(function: Any) -> Any:
    def sides(*arguments: Any) -> Any:
        before, after = function(*arguments)
        return after, before

    return sides


def padded_with_zeros(function: Any) -> Any:
    return lambda x, before, after, value: function(x, before, after, 0.0)


@pytest.mark.parametrize(
    ("op", "name", "change"),
    [
        ("Conv", "_sides", other_sides),
        ("MaxPool", "_sides", other_sides),
        ("AveragePool", "_sides", other_sides),
        ("MaxPool", "_padded", padded_with_zeros),
    ],
)
def test_wrong_padding_is_noticed(
    write: Write, monkeypatch: pytest.MonkeyPatch, op: str, name: str, change: Callable[[Any], Any]
) -> None:
    shape, operands = (2, 3, 8, 9), [values(2, 3, 3, 3)] if op == "Conv" else []
    x = values(*shape) - 4
    path = one(write, op, shape, *operands, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 2])
    before, wanted = ours(path, x), onnxs(path, x)
    numpy.testing.assert_allclose(before, wanted, rtol=2e-5, atol=2e-6)
    monkeypatch.setattr(onnx_module, name, change(getattr(onnx_module, name)))
    assert not numpy.allclose(ours(path, x), wanted, rtol=1e-2)


# --- what is refused ---------------------------------------------------------------------------------------------


def refusal(path: Path, *shape: int) -> str:
    with pytest.raises(ReproError) as caught:
        ours(path, values(*shape))
    return str(caught.value)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        ("Sigmoid", [], {}, "the operation Sigmoid is not understood; those that are: Add, AveragePool, "),
        (
            "MaxPool",
            [],
            {"kernel_shape": [2, 2], "storage_order": 1},
            "MaxPool of 'y': the attribute 'storage_order' is",
        ),
        ("Dropout", [], {"training": 1}, "Dropout of 'y': the attribute 'training' is not understood"),
        ("MaxPool", [], {}, "MaxPool of 'y': missing a required argument: 'kernel_shape'"),
        ("Relu", [values(3)], {}, "Relu of 'y': too many positional arguments"),
        ("LRN", [], {"size": 4}, "LRN: an even size, here 4, is not understood"),
        ("BatchNormalization", [values(3)] * 4, {"spatial": 0}, "statistics of each pixel (spatial 0)"),
        (
            "Conv",
            [values(4, 3, 3, 3)],
            {"kernel_shape": [2, 2]},
            "kernel_shape (2, 2) is not that of the weight, (3, 3)",
        ),
        ("MaxPool", [], {"kernel_shape": [2]}, "windows over an input of shape (2, 3, 8, 9) are not understood"),
        ("MaxPool", [], {"kernel_shape": [2, 2], "auto_pad": "SAME"}, "auto_pad SAME is not understood"),
        (
            "MaxPool",
            [],
            {"kernel_shape": [2, 2], "auto_pad": "VALID", "pads": [1, 0, 0, 0]},
            "auto_pad VALID contradicts pads (1, 0, 0, 0)",
        ),
        ("AveragePool", [], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, "AveragePool: auto_pad SAME_UPPER"),
        (
            "AveragePool",
            [],
            {"kernel_shape": [2, 2], "ceil_mode": 1, "count_include_pad": 1},
            "AveragePool: ceil_mode with count_include_pad",
        ),
        (
            "MaxPool",
            [],
            {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1},
            "ceil_mode adds a window that begins behind the map",
        ),
    ],
)
def test_what_is_not_understood_is_named(
    write: Write, op: str, operands: list[Array], attributes: dict[str, Any], message: str
) -> None:
    assert message in refusal(one(write, op, (2, 3, 8, 9), *operands, **attributes), 2, 3, 8, 9)


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[-1] + 1])
def test_another_version_of_the_operators_is_refused(write: Write, opset: int) -> None:
    assert refusal(one(write, "Relu", (2, 3), opset=opset), 2, 3) == (
        f"operator set {opset} is not understood; those from 7 to 11 are"
    )


def test_a_normalisation_in_training_mode_is_refused(write: Write) -> None:
    names = [f"v{i}" for i in range(4)]
    node = helper.make_node("BatchNormalization", ["x", *names], ["y", "a", "b", "c", "d"])
    path = write([node], (2, 3, 4, 4), {name: values(3) for name in names})
    assert "BatchNormalization of 'y' is in training mode, which is not understood" in refusal(path, 2, 3, 4, 4)


def test_a_further_output_that_is_read_is_refused(write: Write) -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["z", "mask"]), helper.make_node("Add", ["z", "mask"], ["y"])]
    assert "Add of 'y' reads 'mask', which no operation before it gives" in refusal(write(nodes, (2, 3), {}), 2, 3)
    nodes = [helper.make_node("Dropout", ["x"], ["z", "y"])]
    assert "no operation gives 'y', the output, as its first one" in refusal(write(nodes, (2, 3), {}), 2, 3)


def test_names_that_fall_together_are_refused(write: Write) -> None:
    nodes = [helper.make_node("Add", ["x", "a/b"], ["z"]), helper.make_node("Add", ["z", "a.b"], ["y"])]
    path = write(nodes, (2, 3), {"a/b": values(3), "a.b": values(3)})
    assert "two things of this graph would be called 'a_b'" in refusal(path, 2, 3)


# --- the module --------------------------------------------------------------------------------------------------


def test_tensors_are_parameters_statistics_are_buffers_and_what_is_not_read_is_left_out(write: Write) -> None:
    names = ["net/scale", "net/shift", "net/mean", "net/variance"]
    nodes = [helper.make_node("BatchNormalization", ["x", *names], ["y"])]
    path = write(nodes, (2, 3, 4, 4), {name: values(3) ** 2 for name in [*names, "queue"]})
    module = OnnxModule(read(path))
    assert [name for name, _ in module.named_parameters()] == ["net_scale", "net_shift"]
    assert [name for name, _ in module.named_buffers()] == ["net_mean", "net_variance"]
    assert dict(module.named_children()).keys() == {"BatchNormalization_y"}
    numpy.testing.assert_array_equal(module.state_dict()["net_mean"].numpy(), values(3) ** 2)


def test_dropout_follows_the_mode_and_a_normalisation_does_not(write: Write) -> None:
    nodes = [
        helper.make_node("BatchNormalization", ["x", "a", "b", "c", "d"], ["z"]),
        helper.make_node("Dropout", ["z"], ["y"], ratio=0.25),
    ]
    module = OnnxModule(read(write(nodes, (4, 3, 5, 5), {name: values(3) ** 2 for name in "abcd"})))
    x = torch.from_numpy(values(4, 3, 5, 5))
    torch.manual_seed(0)
    with torch.no_grad():
        eval_mode, train_mode = module.eval()(x), module.train()(x)
    kept = train_mode != 0
    assert 0.65 < kept.float().mean() < 0.85
    torch.testing.assert_close(train_mode[kept], eval_mode[kept] / 0.75)
    assert torch.equal(module.state_dict()["c"], torch.from_numpy(values(3) ** 2))


def test_a_reshape_to_the_declared_batch_is_of_any_batch_and_others_are_left_alone(write: Write) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["z"]),
        helper.make_node("Reshape", ["weight", "matrix"], ["m"]),
        helper.make_node("Gemm", ["z", "m"], ["y"], transB=1),
    ]
    tensors = {"flat": numpy.array([1, 12]), "weight": values(1, 1, 1, 12), "matrix": numpy.array([1, 12])}
    graph = read(write(nodes, (1, 3, 2, 2), tensors))
    module, plain = OnnxModule(any_batch(graph)), OnnxModule(graph)
    x = torch.from_numpy(values(5, 3, 2, 2))
    with torch.no_grad():
        assert torch.equal(module(x[:1]), plain(x[:1]))
        torch.testing.assert_close(module(x), x.flatten(1) @ torch.from_numpy(values(12, 1)))
        with pytest.raises(RuntimeError, match="shape"):
            plain(x)


def test_what_is_read_no_more_is_let_go(write: Write) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Add", ["a", "a"], ["y"])]
    module = OnnxModule(read(write(nodes, (2, 3), {})))
    assert [spent for *_, spent in module._steps] == [["x"], ["a"]]


def test_the_output_is_kept_where_it_is_read_as_well(write: Write) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Add", ["y", "y"], ["unused"])]
    path, x = write(nodes, (2, 3), {}), values(2, 3)
    numpy.testing.assert_array_equal(ours(path, x), numpy.maximum(x, 0))
