"""Tracing: what it leaves alone, what it writes down, what it says when it cannot, and that a replay is the program."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as module_hooks

from repro import graph as module_under_test
from repro.graph import Graph, Node, TraceError, digest, replay, trace

HERE = "/".join(Path(__file__).parts[-2:])


class Program(nn.Module):
    """A forward given as a function, and parameters by shape."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], Any], **shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.run = forward
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape)))

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


class Residual(nn.Module):
    """A network with whatever a residual network has: in-place operations, a view, a concatenation, a constant."""

    shift: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.block = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8 * 3 * 3, 5)
        self.register_buffer("shift", torch.randn(4, 1, 1))
        self.scale = torch.tensor([2.0, 3.0, 5.0, 7.0])  # neither a parameter nor a buffer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        identity = x
        x = self.block(x)
        x += identity
        x = F.relu(x, inplace=True)
        x[:, :2] *= 3
        x = torch.cat([x * self.scale.view(4, 1, 1), x + self.shift], 1)
        x = F.max_pool2d(x, 2).transpose(2, 3)
        x = self.fc(self.drop(x.flatten(1)))
        return x


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op not in ("input", "parameter", "buffer", "constant")]


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))


def line_of(function: Callable[..., Any], text: str) -> str:
    lines, start = inspect.getsourcelines(function)
    return f"{HERE}:{start + next(i for i, line in enumerate(lines) if text in line)}"


def failing(forward: Callable[[Any, torch.Tensor], Any], *shape: int, **shapes: tuple[int, ...]) -> str:
    with pytest.raises(TraceError) as caught:
        trace(Program(forward, **shapes), torch.empty(shape or (2, 3)))
    return str(caught.value)


# What it leaves alone


@pytest.mark.parametrize("training", [False, True])
def test_tracing_leaves_the_module_as_it_was(training: bool) -> None:
    network = Residual()
    network.block.eval()
    before = {key: (tensor, tensor.clone()) for key, tensor in state_of(network).items()}
    modes = {name: child.training for name, child in network.named_modules()}
    attributes = {name: dict(vars(child)) for name, child in network.named_modules()}
    trace(network, torch.empty(2, 3, 6, 6), training=training)
    assert {name: child.training for name, child in network.named_modules()} == modes
    assert {name: dict(vars(child)) for name, child in network.named_modules()} == attributes
    for key, tensor in state_of(network).items():
        kept, value = before[key]
        assert tensor is kept, key
        assert torch.equal(tensor, value), key


def test_tracing_leaves_no_hook_behind_and_no_fast_path_off() -> None:
    trace(Residual(), torch.empty(2, 3, 6, 6))
    assert not module_hooks._global_forward_pre_hooks
    assert not module_hooks._global_forward_hooks
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_forward_that_raises_leaves_the_module_as_it_was_too() -> None:
    network = Residual()
    network.fc = nn.Linear(7, 5)
    network.block.eval()
    modes = {name: child.training for name, child in network.named_modules()}
    before = state_of(network)
    with pytest.raises(TraceError):
        trace(network, torch.empty(2, 3, 6, 6))
    assert {name: child.training for name, child in network.named_modules()} == modes
    assert {key: id(tensor) for key, tensor in state_of(network).items()} == {k: id(t) for k, t in before.items()}
    assert not module_hooks._global_forward_pre_hooks
    assert not module_hooks._global_forward_hooks
    assert torch.backends.mha.get_fastpath_enabled()


def test_tracing_keeps_the_users_own_hooks_and_runs_them() -> None:
    network = nn.Sequential(nn.Linear(3, 4))
    network[0].register_forward_hook(lambda *call: call[2] * 2)
    assert ops(trace(network, torch.empty(2, 3))) == ["t", "addmm", "mul"]
    assert len(network[0]._forward_hooks) == 1


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda _, x: F.dropout(x, 0.5, True), id="dropout"),
        pytest.param(lambda _, x: x + torch.rand(3), id="rand"),
        pytest.param(lambda _, x: x[:, torch.randperm(3)], id="randperm"),
    ],
)
def test_tracing_draws_no_random_number(forward: Callable[[Any, torch.Tensor], Any]) -> None:
    before = torch.get_rng_state()
    trace(Program(forward), torch.empty(2, 3))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_module_on_the_meta_device_and_one_with_data_have_the_same_graph() -> None:
    with torch.device("meta"):
        bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    real = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    x = torch.empty(2, 3, 6, 6)
    assert trace(bare, x.to("meta")).nodes == trace(real, x).nodes


def test_writing_into_a_plain_tensor_attribute_is_refused_and_not_done() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        m.steps += 1
        return x * 2

    module = Program(forward)
    module.steps = torch.zeros(1)
    kept = module.steps
    with pytest.raises(TraceError, match=r"it writes into a tensor that is no parameter, buffer or input \(add_\)"):
        trace(module, torch.empty(2, 3))
    assert module.steps is kept
    assert kept.tolist() == [0]


# What it writes down


def test_in_place_operations_are_recorded_as_the_function_they_amount_to() -> None:
    def in_place(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x.relu_()
        x.mul_(2).add_(m.b)
        return x

    graph = trace(Program(in_place, b=(3,)), torch.empty(2, 3))
    assert ops(graph) == ["clone", "relu", "mul", "add"]


def test_an_alias_of_what_is_overwritten_reads_the_new_value() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        identity = x = x * 1.5
        out = F.relu(x, inplace=True)
        return out + identity  # identity is out: the sum is 2 relu(x), not relu(x) + x

    graph = trace(Program(forward), torch.empty(2, 3))
    add = next(node for node in graph.nodes if node.op == "add")
    assert [graph.node(edge).op for edge in add.inputs] == ["relu", "relu"]
    x = torch.tensor([[-1.0, 0.0, 2.0]]).expand(2, 3)
    assert replay(graph, {}, [x])["output"].tolist() == [[0.0, 0.0, 6.0]] * 2


def test_writing_through_a_view_changes_what_it_views() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[:, 1] = m.b
        y.view(-1)[:2].zero_()
        return y

    module = Program(forward, b=(2,))
    x = torch.randn(2, 3)
    assert torch.equal(replay(trace(module, x), state_of(module), [x])["output"], module(x))


def test_a_written_input_is_an_update_and_not_an_output() -> None:
    graph = trace(Program(lambda _, x: x.add_(1)), torch.empty(2, 3))
    assert [label for label, _ in graph.outputs] == ["output", "update of input[0]"]


@pytest.mark.parametrize(
    ("forward", "op"),
    [
        pytest.param(lambda _, x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), "bernoulli", id="attention"),
        pytest.param(lambda m, x: F.linear(x[0, 0], m.w), "squeeze", id="linear map of a vector"),
    ],
)
def test_in_place_operations_inside_torch_are_functional_too(
    forward: Callable[[Any, torch.Tensor], Any], op: str
) -> None:
    graph = trace(Program(forward, w=(4, 3)), torch.empty(2, 2, 3))
    assert op in ops(graph)
    assert not [name for name in ops(graph) if name.endswith("_")]


def test_every_node_knows_its_innermost_module() -> None:
    graph = trace(Residual(), torch.empty(2, 3, 6, 6))
    paths = {node.op: node.path for node in graph.nodes}
    assert paths["native_batch_norm"] == "stem.1"
    assert paths["addmm"] == "fc"
    assert paths["max_pool2d_with_indices"] == ""
    assert [node.path for node in graph.nodes if node.op == "convolution"] == ["stem.0", "block"]


def test_every_node_knows_the_line_outside_torch_that_called_for_it() -> None:
    graph = trace(Residual(), torch.empty(2, 3, 6, 6))
    where = {node.op: node.where for node in graph.nodes}
    assert where["cat"] == line_of(Residual.forward, "torch.cat")
    assert where["native_batch_norm"] == line_of(Residual.forward, "self.stem(x)")


def test_torchs_own_layers_have_no_line_of_the_program() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.ReLU())
    graph = trace(network, torch.empty(2, 3, 8, 8, device="meta"), training=True)
    assert {node.path for node in graph.nodes} == {"", "0", "1", "2"}
    assert {node.where for node in graph.nodes} == {""}  # and not that of whoever asks for the trace


def test_a_module_called_twice_has_its_first_name() -> None:
    relu = nn.ReLU()
    graph = trace(nn.Sequential(relu, nn.Tanh(), relu), torch.empty(2, 3))
    assert [(node.op, node.path) for node in graph.nodes[1:]] == [("relu", "0"), ("tanh", "1"), ("relu", "0")]


def test_a_module_that_raises_and_is_caught_does_not_lend_its_path_to_what_follows() -> None:
    class Fallback(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.child = Program(lambda _, x: x[7])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.child(x)  # type: ignore[no-any-return]
            except IndexError:
                return x.tanh()

    graph = trace(Fallback(), torch.empty(2, 3))
    assert [(node.op, node.path) for node in graph.nodes[1:]] == [("tanh", "")]


def test_attributes_have_their_defaults_filled_in_and_no_placement() -> None:
    graph = trace(nn.MaxPool2d(3, 2), torch.empty(2, 3, 7, 7))
    assert dict(graph.nodes[1].attributes) == {
        "kernel_size": (3, 3),
        "stride": (2, 2),
        "padding": (0, 0),
        "dilation": (1, 1),
        "ceil_mode": False,
    }
    assert graph.nodes[1].get("ceil_mode") is False
    assert graph.nodes[1].get("nothing", 7) == 7
    assert graph.nodes[1].shapes == ((2, 3, 3, 3), (2, 3, 3, 3))
    copied = trace(Program(lambda _, x: x.to(torch.float64, copy=True)), torch.empty(2, 3)).nodes[1]
    assert dict(copied.attributes) == {"dtype": torch.float64}


def test_a_shared_parameter_is_one_leaf_with_an_alias() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    graph = trace(network, torch.empty(2, 3))
    assert graph.aliases == {"1.weight": "0.weight"}
    assert [node.name for node in graph.nodes if node.op == "parameter"] == ["0.weight", "0.bias", "1.bias"]
    assert list(graph.state) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_an_unused_parameter_is_in_the_state_and_has_no_reader() -> None:
    graph = trace(Program(lambda m, x: x * m.used, used=(3,), unused=(7, 2)), torch.empty(2, 3))
    assert graph.state == {"used": (3,), "unused": (7, 2)}
    assert [(key, node.op, position) for key, ((node, position),) in graph.readers().items()] == [("used", "mul", 1)]


def test_eval_has_no_dropout_and_train_has() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(0.2), nn.AlphaDropout(0.5))
    x = torch.empty(2, 3, 4, 4)
    assert ops(trace(network, x)) == []
    assert ops(trace(network, x, training=True)).count("bernoulli") == 3


def test_train_mode_records_the_buffers_it_updates() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3))
    x = torch.empty(2, 3, 4, 4)
    assert [label for label, _ in trace(network, x).outputs] == ["output"]
    graph = trace(network, x, training=True)
    assert graph.training
    assert {label for label, _ in graph.outputs} == {
        "output",
        "update of 0.num_batches_tracked",
        "update of 0.running_mean",
        "update of 0.running_var",
    }


def test_an_update_names_the_buffer_it_is_of() -> None:
    network = nn.InstanceNorm2d(3, track_running_stats=True)
    graph = trace(network, torch.empty(2, 3, 4, 4), training=True)
    assert {label for label, _ in graph.outputs} == {"output", "update of running_mean", "update of running_var"}


def test_outputs_are_labelled_by_where_they_are_in_the_result() -> None:
    graph = trace(Program(lambda _, x: {"logits": x + 1, "aux": (x * 2, None)}), torch.empty(2, 3))
    assert [label for label, _ in graph.outputs] == ["output['aux'][0]", "output['logits']"]
    assert graph.literals == (("output['aux'][1]", "None"),)
    assert graph.input_shapes == ((2, 3),)
    assert [graph.shape(edge) for _, edge in graph.outputs] == [(2, 3), (2, 3)]


TABLE = torch.tensor([0.0, 2.0, 4.0])


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda _, x: x * TABLE.view(3), id="view"),
        pytest.param(lambda _, x: x * (torch.arange(3) * 2.0), id="arange"),
        pytest.param(lambda _, x: x * torch.linspace(0, 4, 3), id="linspace"),
        pytest.param(lambda _, x: x * torch.Tensor([0, 2, 4]), id="Tensor"),
        pytest.param(lambda _, x: x * torch.tensor([0.0, 2.0, 4.0], device="cpu"), id="tensor on a device"),
        pytest.param(lambda _, x: x * torch.tensor([0.0, 2.0, 4.0]), id="tensor"),
        pytest.param(lambda _, x: x * x.new_tensor([0.0, 2.0, 4.0]), id="new_tensor"),
        pytest.param(lambda _, x: x * torch.tensor([0.0, 2.0, 4.0], device=x.device), id="tensor where the input is"),
    ],
)
def test_constants_of_equal_contents_are_equal_however_they_were_made(
    forward: Callable[[Any, torch.Tensor], Any],
) -> None:
    graph = trace(Program(forward), torch.empty(2, 3))
    assert ops(graph)[-1] == "mul"
    constant = graph.node(graph.nodes[-1].inputs[1])
    assert constant.op == "constant"
    assert constant.name == digest(TABLE)
    assert torch.equal(graph.constants[constant.name], TABLE)


def test_a_constant_may_have_a_type_that_numpy_lacks() -> None:
    table = TABLE.bfloat16()
    graph = trace(Program(lambda _, x: x * table), torch.empty(2, 3))
    assert [value.dtype for value in graph.constants.values()] == [torch.bfloat16]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(TABLE + 1, id="contents"),
        pytest.param(TABLE.double(), id="dtype"),
        pytest.param(TABLE.view(1, 3), id="shape"),
        pytest.param(TABLE.view(torch.int32), id="type of the same bits"),
    ],
)
def test_a_digest_tells_apart(other: torch.Tensor) -> None:
    assert digest(other) != digest(TABLE)
    assert digest(other) == digest(other.clone())


def test_a_decision_by_a_constant_is_no_decision_by_data() -> None:
    graph = trace(Program(lambda _, x: x.relu() if TABLE.sum() > 0 else x.tanh()), torch.empty(2, 3))
    assert ops(graph)[-1] == "relu"


# What it says when it cannot


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    "lazy", [lambda: nn.LazyConv2d(4, 3), lambda: nn.LazyBatchNorm2d(affine=False)], ids=["parameters", "buffers"]
)
def test_a_lazy_module_is_named(lazy: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(nn.Identity(), lazy())
    expected = "module '1' is lazy: its shapes are not known; run one batch through it first"
    with pytest.raises(TraceError, match=f"^{re.escape(expected)}$"):
        trace(network, torch.empty(2, 3, 6, 6))


@pytest.mark.parametrize(
    ("forward", "what"),
    [
        pytest.param(lambda _, x: x if x.sum() > 0 else -x, "local_scalar_dense", id="if"),
        pytest.param(lambda _, x: x * x.mean().item(), "local_scalar_dense", id="item"),
        pytest.param(lambda _, x: x * float(x[0, 0]), "local_scalar_dense", id="float"),
        pytest.param(lambda _, x: x[x.nonzero()], "nonzero", id="nonzero"),
        pytest.param(lambda _, x: x.unique(), "unique2", id="unique"),
    ],
)
def test_a_decision_by_data_is_refused_at_its_line(forward: Callable[[Any, torch.Tensor], Any], what: str) -> None:
    line = f"{HERE}:{forward.__code__.co_firstlineno}"
    expected = f"{line}: it decides by the values in a tensor ({what}), so it has no fixed graph"
    assert failing(forward) == expected


def test_a_decision_by_data_names_the_module_too() -> None:
    network = nn.Sequential(nn.Identity(), Program(lambda _, x: x if x.sum() > 0 else -x))
    with pytest.raises(TraceError, match=rf"^module '1' \({HERE}:\d+\): it decides by the values"):
        trace(network, torch.empty(2, 3))


def test_a_forward_that_raises_is_told_with_shape_module_line_and_error() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no such layer")

    network = nn.Sequential(nn.Identity(), Program(forward))
    with pytest.raises(TraceError) as caught:
        trace(network, torch.empty(2, 3))
    line = line_of(forward, "raise KeyError")
    assert str(caught.value) == f"forward failed on an input of 2x3 in module '1' at {line}: KeyError: 'no such layer'"
    assert isinstance(caught.value.__cause__, KeyError)


def test_only_the_first_line_of_an_error_is_told() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("one\ntwo")

    assert failing(forward).endswith("ValueError: one")


def test_the_wrong_number_of_channels_is_told_with_the_layer() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(TraceError, match=r"^forward failed on an input of 2x4x5x5 in module '0\.0': RuntimeError: "):
        trace(network, torch.empty(2, 4, 5, 5))


@pytest.mark.parametrize(("result", "name"), [(None, "NoneType"), (3, "int"), ([], "list")])
def test_a_result_without_a_tensor_is_refused(result: Any, name: str) -> None:
    assert failing(lambda *_: result) == f"the module returned {name}, in which there is no tensor"


def test_indexing_by_a_mask_is_refused_as_a_decision_by_data() -> None:
    assert "it decides by the values in a tensor" in failing(lambda _, x: x[x > 0])


def test_writing_to_a_plain_tensor_attribute_is_traced_or_refused() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        m.mask.fill_(2)
        x = x * m.mask
        return x

    module = Program(forward)
    module.mask = torch.ones(3)
    x = torch.ones(2, 3)
    try:
        graph = trace(module, x)
    except TraceError:
        return
    assert torch.equal(replay(graph, {}, [x])["output"], module(x))


# Replay

NETWORKS = [
    pytest.param(Residual, (2, 3, 6, 6), id="residual"),
    pytest.param(lambda: nn.Sequential(nn.Conv1d(3, 4, 3, padding="same"), nn.GELU()), (2, 3, 5), id="conv1d"),
    pytest.param(
        lambda: nn.Sequential(nn.ConvTranspose2d(3, 2, 3, 2), nn.GroupNorm(1, 2)), (2, 3, 4, 4), id="transposed"
    ),
    pytest.param(lambda: Program(lambda _, x: x + torch.arange(3) * TABLE), (2, 3), id="constants"),
    pytest.param(lambda: Program(lambda _, x: torch.zeros_like(x).copy_(x[:, :1])), (2, 3), id="broadcast copy"),
]


@pytest.mark.parametrize(("build", "shape"), NETWORKS)
def test_a_replay_is_bit_for_bit_what_the_module_returns(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    module = build().eval()
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    x = torch.randn(shape)
    with torch.no_grad():
        expected = module(x.clone())
        actual = replay(trace(module, x), state_of(module), [x])
    assert list(actual) == ["output"]
    assert torch.equal(actual["output"], expected)


@pytest.mark.parametrize(
    "build", [lambda: nn.MultiheadAttention(4, 2), lambda: nn.LSTM(4, 3)], ids=["attention", "lstm"]
)
def test_a_replay_of_what_has_a_fused_kernel_agrees_to_rounding(build: Callable[[], nn.Module]) -> None:
    module = build().eval().double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    inputs = (x, x, x) if isinstance(module, nn.MultiheadAttention) else (x,)
    with torch.no_grad():
        expected = module(*inputs)[0]
        actual = replay(trace(module, *inputs), state_of(module), inputs)["output[0]"]
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_a_replay_in_float64_stays_there() -> None:
    network = Residual().eval()
    graph = trace(network, torch.empty(2, 3, 6, 6))
    network.double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(replay(graph, state_of(network), [x])["output"], network(x))


def test_a_replay_leaves_state_and_inputs_alone() -> None:
    network = Residual()
    x = torch.randn(2, 3, 6, 6)
    state = {key: tensor.clone() for key, tensor in state_of(network).items()}
    kept = x.clone()
    replay(trace(network, x, training=True), state_of(network), [x])
    assert torch.equal(x, kept)
    for key, tensor in state_of(network).items():
        assert torch.equal(tensor, state[key]), key


def test_an_observer_sees_every_node_with_what_it_reads() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    seen: list[tuple[str, list[tuple[int, ...]]]] = []
    x = torch.randn(2, 3)
    replay(
        trace(network, x),
        state_of(network),
        [x],
        lambda node, operands: seen.append((node.op, [tuple(operand.shape) for operand in operands])),
    )
    assert seen == [("t", [(4, 3)]), ("addmm", [(4,), (2, 3), (3, 4)]), ("relu", [(2, 4)])]


def test_an_observer_can_replace_a_value() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(2, 3)

    def observe(node: Node, operands: list[Any]) -> Any:
        return torch.full((2, 4), 3.0) if node.op == "relu" else None

    actual = replay(trace(network, x), state_of(network), [x], observe)["output"]
    assert torch.equal(actual, network[2](torch.full((2, 4), 3.0)))


# What is said of an operation instead of asking its meta kernel

KERNELS: dict[str, list[tuple[Any, ...]]] = {
    "relu": [
        (torch.ones(2, 3),),
        (torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),),
        (torch.ones(3).long(),),
    ],
    "add": [
        (one, other)
        for one in (torch.ones(2, 3), torch.ones(3, 2).t(), torch.ones(1, 3), torch.ones(2, 1).expand(2, 3))
        for one in (one, one.double(), one.long(), one.bool())
        for other in (one, torch.ones(2, 3), torch.ones(2, 3).long(), torch.ones(()), 1, True, 0.5)
    ],
    "native_batch_norm": [
        (x, w, w, w, w, training, 0.1, 1e-5)
        for x in (torch.ones(4, 3), torch.ones(2, 3, 4), torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last))
        for w in (torch.ones(3), None)
        for training in (True, False)
        if training or w is not None
    ],
}


@pytest.mark.parametrize("func", module_under_test._SHAPES, ids=module_under_test.name_of)
def test_what_is_said_of_an_operation_is_what_it_returns(func: Any) -> None:
    for given in KERNELS[module_under_test.name_of(func)]:
        on_meta = tuple(x.to("meta") if isinstance(x, torch.Tensor) else x for x in given)
        said, returned = (
            [(x.shape, x.stride(), x.dtype) for x in torch.utils._pytree.tree_leaves(result)]
            for result in (module_under_test._SHAPES[func](*on_meta), func(*given))
        )
        assert said == returned


def test_every_recorded_shape_is_that_of_the_real_tensor() -> None:
    network = nn.Sequential(Residual())
    x = torch.randn(2, 3, 6, 6)
    graph = trace(network, x, training=True)

    def observe(node: Node, operands: list[torch.Tensor]) -> None:
        assert [graph.shape(edge) for edge in node.inputs] == [tuple(operand.shape) for operand in operands]

    replay(graph, {key: tensor.clone() for key, tensor in state_of(network).items()}, [x], observe)


# What training is about


def no_grad(_: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        y = x.exp()
    return y * x


@torch.no_grad()
def decorated(x: torch.Tensor) -> torch.Tensor:
    return x.exp()


def switched(_: Any, x: torch.Tensor) -> torch.Tensor:
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    y = x.exp()
    torch.set_grad_enabled(before)
    return y * x


def inference(_: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        y = x.exp()
    return y * x


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda _, x: x.exp().detach() * x, id="detach"),
        pytest.param(lambda _, x: x.exp().detach_() * x, id="detach_"),
        pytest.param(lambda _, x: x.exp().data * x, id="data"),
        pytest.param(no_grad, id="no_grad"),
        pytest.param(lambda _, x: decorated(x) * x, id="decorator"),
        pytest.param(switched, id="set_grad_enabled"),
        pytest.param(inference, id="inference_mode"),
    ],
)
def test_where_gradients_stop_there_is_a_detach(forward: Callable[[Any, torch.Tensor], Any], training: bool) -> None:
    graph = trace(Program(forward), torch.empty(2, 3), training=training)
    assert ops(graph) == ["exp", "detach", "mul"]
    detach = next(node for node in graph.nodes if node.op == "detach")
    assert graph.node(detach.inputs[0]).op == "exp"


def test_a_region_without_gradients_ends() -> None:
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x.exp().tanh()
        return y.sin() * x.cos()

    graph = trace(Program(forward), torch.empty(2, 3))
    assert ops(graph) == ["exp", "detach", "tanh", "detach", "sin", "cos", "mul"]


def test_gradients_are_on_in_the_trace_whatever_the_caller_has() -> None:
    with torch.no_grad():
        graph = trace(Program(lambda _, x: x.exp() * x), torch.empty(2, 3), training=True)
        assert not torch.is_grad_enabled()
    assert ops(graph) == ["exp", "mul"]
    assert torch.is_grad_enabled()


def test_a_frozen_parameter_is_marked_in_train_mode_only() -> None:
    network = nn.Linear(3, 2)
    network.weight.requires_grad_(False)
    x = torch.empty(4, 3)
    marks = {
        training: {n.name: n.get("requires_grad") for n in trace(network, x, training=training).nodes if n.name}
        for training in (False, True)
    }
    assert marks[False] == {"weight": None, "bias": None, "input[0]": None}
    assert marks[True] == {"weight": False, "bias": None, "input[0]": None}
    assert not network.weight.requires_grad


def test_updates_are_by_the_key_of_what_is_changed() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        m.seen.mul_(0.5)
        m.seen.add_(x.mean())
        m.count += 1
        x = x * m.scale
        return x

    module = Program(forward, scale=(3,))
    module.register_buffer("seen", torch.zeros(()))
    module.register_buffer("count", torch.zeros((), dtype=torch.long))
    graph = trace(module, torch.empty(2, 3))
    assert {key: graph.node(edge).op for key, edge in graph.updates.items()} == {"seen": "add", "count": "add"}
    assert [graph.node(edge).op for edge in graph.returned] == ["mul"]
    assert module.get_buffer("count") == 0


def test_a_batch_normalisation_has_its_new_statistics_as_outputs_of_its_own() -> None:
    graph = trace(nn.BatchNorm2d(3), torch.empty(2, 3, 4, 4), training=True)
    edges = {key: (graph.node(edge).op, edge.output) for key, edge in graph.updates.items()}
    assert edges["running_mean"] == ("_native_batch_norm_legit_functional", 3)
    assert edges["running_var"] == ("_native_batch_norm_legit_functional", 4)
    assert edges["num_batches_tracked"][0] == "add"


def test_two_batches_through_one_normalisation_update_it_twice() -> None:
    norm = nn.BatchNorm2d(3)
    network = nn.Sequential(norm, norm)
    graph = trace(network, torch.empty(2, 3, 4, 4), training=True)
    mean = graph.node(graph.updates["0.running_mean"])
    assert graph.node(mean.inputs[-2]).op == "_native_batch_norm_legit_functional"


def test_dtypes_are_those_that_are_given() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    given = {
        key: tensor.dtype for key, tensor in nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict().items()
    }
    x = torch.empty(4, 3)
    graph, plain = (
        trace(network.to(dtype), x, training=True, dtypes=given) for dtype in (torch.float64, torch.float32)
    )
    assert {node.name: node.dtype for node in graph.nodes if node.name in given} == given
    assert graph.nodes == plain.nodes
    assert network[0].weight.dtype is torch.float32
    wide = trace(network.double(), x.double(), training=True)
    assert {node.dtype for node in wide.nodes if node.op == "parameter"} == {torch.float64}, "the check can fail"
