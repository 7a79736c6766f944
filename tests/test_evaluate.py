"""Canonical graphs run on tensors: what the program gives, in both precisions, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torchvision.models import VisionTransformer

from repro import budget, fill
from repro.canonical import canonical
from repro.errors import ReproError
from repro.evaluate import apply, evaluate
from repro.graph import Edge, Graph, Node, trace
from repro.models import get
from repro.movement import reshape
from repro.parity.network import Network, Stopwatch, widened
from repro.references import resolve

# Of each family the one whose weights are quickest to fill.
NETWORKS = "lenet5 lenet5_28 nin_cifar10 nin_imagenet googlenet_torchvision inception_v3 resnet18 resnet50_gn"


class Of(nn.Module):
    """A program of one tensor, with a weight of the given shape."""

    def __init__(self, program: Callable[..., Any], *weight: int) -> None:
        super().__init__()
        self.program = program
        self.weight = nn.Parameter(fill.uniform("weight", weight, -1, 1)) if weight else None

    def forward(self, x: torch.Tensor) -> Any:
        return self.program(x, self.weight) if self.weight is not None else self.program(x)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def graph_of(module: nn.Module, *shape: int, training: bool = False) -> Graph:
    return canonical(trace(module, torch.empty(shape, device="meta"), training=training))


def returned(graph: Graph, state: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return evaluate(graph, state, [x])[graph.returned[0].node]


def close(actual: torch.Tensor, expected: torch.Tensor) -> bool:
    """Equal to 1e-12 of the spread, which is a hundredth of what the budget allows."""
    return actual.dtype == expected.dtype and bool((actual - expected).abs().max() <= 1e-12 * expected.std())


@pytest.mark.parametrize("name", NETWORKS.split())
def test_a_network_of_the_catalog_gives_what_its_module_gives(name: str) -> None:
    variant = get(name)
    network = Network.of(resolve(f"repro:{name}"), variant.other_size, Stopwatch())
    state = widened(network.conditioned(variant.other_size, 0))
    images = fill.image(0, 2, variant.other_size).double()
    graph = canonical(network.graph(variant.other_size, batch=2))
    with torch.inference_mode():
        values = evaluate(graph, state, [images])
    network.install(state)
    (expected,) = network.outputs(images)
    assert close(values[graph.returned[0].node], expected)
    assert [tuple(value.shape) for value in values] == [node.shape for node in graph.nodes]


def test_attention_written_with_views_gives_what_its_module_gives() -> None:
    torch.manual_seed(0)
    module = VisionTransformer(16, 4, 2, 2, 24, 48, num_classes=7)
    nn.init.normal_(module.heads.head.weight)
    x = fill.image(0, 2, (3, 16, 16)).double()
    graph = graph_of(module, *x.shape)
    module.double().eval()
    assert close(returned(graph, state_of(module), x), module(x))


PROGRAMS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "convolution": (nn.Conv2d(4, 6, 3, 2, 1), (2, 4, 9, 8)),
    "grouped, dilated": (nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2, bias=False), (2, 4, 9, 8)),
    "one dimension": (nn.Conv1d(4, 6, 3), (2, 4, 9)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2), (2, 4, 5, 6)),
    "over the whole map": (nn.Conv2d(4, 6, (5, 3)), (2, 4, 5, 3)),
    "padded before": (nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(4, 6, 3)), (2, 4, 5, 6)),
    "linear": (nn.Linear(6, 5), (2, 3, 6)),
    "product with a weight": (Of(lambda x, w: x @ w, 6, 5), (4, 6)),
    "product of two": (Of(lambda x: x @ x.t()), (4, 6)),
    "batched product": (Of(lambda x: x @ x.transpose(1, 2)), (3, 4, 6)),
    "batch of one product": (Of(lambda x, w: torch.bmm(x, w.t().expand(3, 6, 5)), 5, 6), (3, 4, 6)),
    "batch norm": (nn.BatchNorm2d(4), (2, 4, 5, 6)),
    "batch norm without weights": (nn.BatchNorm2d(4, affine=False, eps=0.1), (2, 4, 5, 6)),
    "batch norm by the batch": (nn.BatchNorm2d(4, track_running_stats=False), (2, 4, 5, 6)),
    "layer norm": (nn.LayerNorm((5, 6)), (2, 4, 5, 6)),
    "layer norm without weights": (nn.LayerNorm(6, elementwise_affine=False), (2, 4, 6)),
    "group norm": (nn.GroupNorm(2, 4), (2, 4, 5, 6)),
    "mean of the middle": (Of(lambda x: x.mean((1, 2), keepdim=True)), (2, 4, 5, 6)),
    "sum of all but one": (Of(lambda x: x.sum((0, 2))), (2, 4, 5)),
    "max pool": (nn.MaxPool2d(3, 2, 1, dilation=1), (2, 3, 9, 8)),
    "largest index": (Of(lambda x: F.max_pool2d(x, 2, return_indices=True)[1] * x[..., :4, :4]), (2, 3, 8, 8)),
    "adaptive pool": (nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 7, 5)),
    "adaptive pool that divides": (nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 9, 4)),
    "views": (Of(lambda x: x.transpose(1, 2)[:, ::2].flatten(1).unflatten(1, (-1, 2)).expand(2, -1, 2)), (2, 4, 6)),
    "memory": (Of(lambda x: x.mT.as_strided((6, 4), (1, 6), 0)), (4, 6)),
    "concatenation": (Of(lambda x: torch.cat([x, torch.cat([x * 2, x], 1)], 1)), (2, 3, 4)),
    "numbers": (Of(lambda x: 2 - (x * 3 + 1) / 7 - 0.5), (2, 3)),
    "a multiple is added": (Of(lambda x, w: torch.add(x, w, alpha=3).sub(w, alpha=2), 3), (2, 3)),
    "number first": (Of(lambda x: 1 / (3 - x)), (2, 3)),
    "rounded division": (Of(lambda x: torch.div(x, 0.3, rounding_mode="floor") + x), (4, 3)),
    "broadcast": (Of(lambda x, w: x * w + w, 4, 1), (2, 4, 5)),
    "powers": (Of(lambda x: x.pow(2) + x.abs().pow(0.75)), (2, 3)),
    "clamps": (Of(lambda x: x.clamp(min=0) + x.clamp(-0.5, 0.6) + F.relu6(x * 5)), (4, 5)),
    "silu by hand": (Of(lambda x: x * torch.sigmoid(x)), (4, 5)),
    "gates": (Of(lambda x: F.gelu(x) + F.hardswish(x) + torch.tanh(x) + F.softmax(x, 1)), (4, 5)),
    "constants": (Of(lambda x: x * torch.linspace(0, 1, 5) + torch.arange(5) % 2), (4, 5)),
    "casts": (Of(lambda x: (x > 0).float() * x + (x * 4).int().to(x.dtype)), (4, 5)),
    "local response": (nn.LocalResponseNorm(5, 1.0), (2, 8, 3, 4)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_operation_gives_what_torch_gives_in_both_precisions(name: str) -> None:
    module, shape = PROGRAMS[name]
    module = module.float().eval()
    for tensor in module.parameters():
        tensor.data = fill.uniform("p", tuple(tensor.shape), 0.5, 1.5)
    graph = graph_of(module, *shape)
    x = fill.uniform("x", shape, -2, 2)
    with torch.no_grad():
        narrow, reference = returned(graph, state_of(module), x), module(x)
        module.double()
        wide, truth = returned(graph, state_of(module), x.double()), module(x.double())
    assert close(wide, truth)
    assert narrow.dtype == reference.dtype
    assert torch.equal(narrow, reference) or budget.judge(narrow, reference, truth).passed


@given(
    st.sampled_from([F.max_pool2d, F.avg_pool2d]),
    st.tuples(*[st.integers(7, 10)] * 2),
    st.tuples(*[st.integers(1, 4)] * 2),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)
def test_pooling_of_every_kind(
    pool: Any, size: tuple[int, int], kernel: tuple[int, int], stride: int, ceil_mode: bool, padded: bool
) -> None:
    padding = tuple(k // 2 for k in kernel) if padded else 0
    module = Of(lambda x: pool(x, kernel, stride, padding, ceil_mode=ceil_mode))
    x = fill.uniform("x", (2, 3, *size), -1, 1).double()
    assert close(returned(graph_of(module, *x.shape), {}, x), module(x))


class Trained(nn.Module):
    """What only train mode has: batch statistics, moving averages, dropout, a detached branch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, momentum=0.3)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(4 * 9, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)).tanh()
        x = self.drop(x + x.detach().square())
        x = self.fc(x.flatten(1))
        return x


def test_train_mode_gives_outputs_buffers_and_gradients() -> None:
    torch.manual_seed(0)
    module = Trained().double().train()
    x = fill.uniform("x", (4, 3, 5, 5), -1, 1).double()
    graph = canonical(trace(module.float(), x.float(), training=True))
    module.double()
    before = {key: tensor.detach().clone() for key, tensor in state_of(module).items()}
    kept: list[torch.Tensor] = []
    module.drop.register_forward_hook(lambda _, __, out: kept.append(out.detach() != 0))
    expected = module(x)
    named = dict(module.named_parameters())
    slopes = torch.autograd.grad(expected.square().sum(), list(named.values()))
    (dropout,) = [index for index, node in enumerate(graph.nodes) if node.op == "dropout"]
    leaves = [before[name].requires_grad_() for name in named]
    values = evaluate(graph, before, [x], {dropout: kept[0]})
    actual = values[graph.returned[0].node]
    found = torch.autograd.grad(actual.square().sum(), leaves)
    assert close(actual, expected)
    for gradient, slope in zip(found, slopes, strict=True):
        assert bool((gradient - slope).abs().max() < 1e-11)
    for label in ("norm.running_mean", "norm.running_var"):
        edge = dict(graph.outputs)[f"update of {label}"]
        assert close(values[edge.node], module.state_dict()[label])


# Operation -> an attribute of it, and another value: who evaluates without looking at it gets the old result.
TAMPERED: list[tuple[str, str, str, Any]] = [
    ("convolution", "convolution", "padding", (1, 0)),
    ("grouped, dilated", "convolution", "dilation", (1, 2)),
    ("transposed", "convolution", "padding_out", (0, 0)),
    ("batch norm without weights", "batch_norm", "eps", 0.2),
    ("layer norm", "layer_norm", "eps", 0.1),
    ("max pool", "max_pool2d", "stride", (2, 1)),
    ("concatenation", "cat", "dim", 2),
    ("numbers", "mul", "other", 3.5),
    ("a multiple is added", "add", "alpha", 2),
    ("clamps", "hardtanh", "min_val", -0.3),
    ("rounded division", "div", "rounding_mode", "trunc"),
    ("mean of the middle", "movement", "movement", reshape((2, 4, 5, 6), (2, 6, 20))),
]


@pytest.mark.parametrize(("name", "op", "attribute", "value"), TAMPERED)
def test_another_attribute_gives_another_result(name: str, op: str, attribute: str, value: Any) -> None:
    module, shape = PROGRAMS[name]
    module.double()
    graph = graph_of(module.float(), *shape)
    index = next(i for i, node in enumerate(graph.nodes) if node.op == op)
    node = graph.nodes[index]
    assert attribute in dict(node.attributes)
    other = replace(node, attributes=tuple({**dict(node.attributes), attribute: value}.items()))
    values = evaluate(graph, state_of(module), [fill.uniform("x", shape, -2, 2)])
    operands = [values[edge.node] for edge in node.inputs]
    tampered = apply(graph, other, operands)
    assert tampered.shape != values[index].shape or not torch.allclose(tampered, values[index])


def test_operands_are_read_in_order() -> None:
    graph = graph_of(Of(torch.atan2, 3), 2, 3)
    x, w = fill.uniform("x", (2, 3), 1, 2), fill.uniform("w", (3,), 1, 2)
    node = graph.nodes[graph.returned[0].node]
    assert torch.equal(apply(graph, node, [x, w]), torch.atan2(x, w))
    assert torch.equal(apply(graph, node, [w, x]), torch.atan2(w, x))


def test_what_cannot_be_evaluated_is_said() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    graph = graph_of(module, 2, 3)
    state = state_of(module)
    with pytest.raises(ReproError, match=r"inputs of shapes \(\(3, 3\),\) were given; .* with \(\(2, 3\),\)"):
        evaluate(graph, state, [torch.ones(3, 3)])
    with pytest.raises(ReproError, match=r"no value was given for '0\.bias'"):
        evaluate(graph, {"0.weight": state["0.weight"]}, [torch.ones(2, 3)])
    with pytest.raises(ReproError, match=r"linear of 0 .*cannot be computed from \(2, 3\).*float64"):
        evaluate(graph, state, [torch.ones(2, 3).double()])
    unknown = Node("fused", (), (Edge(0),), ((2, 4),), (torch.float32,), origin=graph.nodes[-1].origin)
    with pytest.raises(ReproError, match=r"how relu became it is not known"):
        apply(graph, unknown, [torch.ones(2, 4)])


def test_a_movement_is_of_the_shape_it_was_made_for() -> None:
    graph = graph_of(Of(lambda x: x.t()), 2, 3)
    with pytest.raises(ReproError, match=r"moves a tensor of shape \(2, 3\), not \(3, 2\)"):
        apply(graph, graph.nodes[-1], [torch.ones(3, 2)])


def test_memory_that_is_not_the_operands_alone_is_refused() -> None:
    graph = graph_of(Of(lambda x: x[1:].as_strided((2, 2), (1, 1), 0)), 3, 2)
    with pytest.raises(ReproError, match="reads memory"):
        evaluate(graph, {}, [torch.ones(3, 2)])


def test_random_draws_are_given_or_refused() -> None:
    dropout = graph_of(nn.Dropout(0.5), 2, 3, training=True)
    with pytest.raises(ReproError, match="not said which elements"):
        evaluate(dropout, {}, [torch.ones(2, 3)])
    noise = graph_of(Of(lambda x: x + torch.rand_like(x)), 2, 3, training=True)
    with pytest.raises(ReproError, match="draws random numbers"):
        evaluate(noise, {}, [torch.ones(2, 3)])
