"""Trace a module into a dataflow graph: one node per ATen operation, on the meta device, so that no data moves.

The module runs once under a dispatch mode, functionalised, so that an in-place operation, a view written through or a
buffer updated shows up as the pure operation it amounts to. Nothing else in the project knows how to walk a network.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from repro.errors import ReproError, first_line

Shape = tuple[int, ...]

NORM_OPERANDS = ("weight", "bias", "running_mean", "running_var")

LEAVES = ("input", "parameter", "buffer", "constant")

# Where an operation puts its result, not what it computes.
_PLACEMENT = frozenset({"device", "layout", "pin_memory", "non_blocking", "memory_format"})

# Reading a value out of a tensor, which a program does to decide what to do next.
_DATA_DEPENDENT = frozenset(
    {"_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "unique", "_unique2"}
)

_OURS = Path(__file__).parent
_INTERNAL = (f"{Path(torch.__file__).parent}{os.sep}", __file__, f"{_OURS / 'parity'}{os.sep}")


class TraceError(ReproError):
    """The module cannot be traced; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One output of one node."""

    node: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One operation, or one leaf (an input, parameter, buffer or constant).

    op          ATen's name in its functional form: `relu`, `convolution`
    attributes  every argument that is not a tensor, by schema name and with defaults filled in; of a parameter that is
                not trained, in train mode, `requires_grad=False`
    inputs      the tensors read, in schema order
    shapes      the shape of each output
    dtypes      the dtype of each output
    name        of a leaf: its state_dict key, `input[0]`, or a constant's digest
    path        of the innermost module that was running, "" for the root
    where       file and line, outside torch, that called for it
    origin      index of the node in the graph as traced, kept through rewriting
    """

    op: str
    attributes: tuple[tuple[str, Any], ...]
    inputs: tuple[Edge, ...]
    shapes: tuple[Shape, ...]
    dtypes: tuple[torch.dtype, ...]
    name: str = ""
    path: str = ""
    where: str = ""
    origin: int = -1

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        return self.shapes[0]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the first output."""
        return self.dtypes[0]

    def get(self, attribute: str, default: Any = None) -> Any:
        """The value of one attribute."""
        return next((value for name, value in self.attributes if name == attribute), default)


@dataclass(frozen=True)
class Graph:
    """A traced program: nodes in execution order, inputs before their readers.

    outputs   label -> the tensors the program returns, then those it leaves behind (`update of KEY`)
    literals  label -> what it returns beside tensors, as Python writes it
    state     key -> shape of every parameter and buffer in the module's state_dict, read or not
    aliases   key -> the first key of the same tensor, for shared parameters
    calls     node index -> the ATen call as made, with edges in place of tensors (see `replay`)
    """

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, Edge], ...]
    literals: tuple[tuple[str, str], ...]
    training: bool
    state: Mapping[str, Shape]
    aliases: Mapping[str, str]
    calls: Mapping[int, tuple[Any, tuple[Any, ...], dict[str, Any]]]
    constants: Mapping[str, torch.Tensor]

    def node(self, edge: Edge) -> Node:
        """The node an edge comes from."""
        return self.nodes[edge.node]

    def shape(self, edge: Edge) -> Shape:
        """The shape an edge carries."""
        return self.nodes[edge.node].shapes[edge.output]

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs it was traced with."""
        return tuple(node.shape for node in self.nodes if node.op == "input")

    @property
    def returned(self) -> list[Edge]:
        """What the program returns, without what it leaves behind."""
        return [edge for label, edge in self.outputs if label.startswith("output")]

    @property
    def returned_names(self) -> list[str]:
        """The keys of a returned dict; empty for a tensor or a tuple, whose members have places and no names."""
        return [label for label, _ in self.outputs if label.startswith("output") and "['" in label]

    @property
    def updates(self) -> dict[str, Edge]:
        """The parameters, buffers and inputs that a call leaves changed, and what it leaves in them."""
        marked = "update of "
        return {label.removeprefix(marked): edge for label, edge in self.outputs if label.startswith(marked)}

    def readers(self) -> dict[str, list[tuple[Node, int]]]:
        """key -> the nodes that read that parameter or buffer, with the operand's position."""
        found: dict[str, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for position, edge in enumerate(node.inputs):
                leaf = self.nodes[edge.node]
                if leaf.op in ("parameter", "buffer"):
                    found.setdefault(leaf.name, []).append((node, position))
        return found


def trace(
    module: nn.Module,
    *inputs: torch.Tensor,
    training: bool = False,
    dtypes: Mapping[str, torch.dtype] | None = None,
) -> Graph:
    """Run `module` once on the meta device and return its graph.

    inputs: only their shapes and dtypes count; they may be on any device, and so may the module, which is left as it
    was. dtypes: of parameters and buffers by name, where those are not the ones they have at the moment. Raises
    TraceError for a module that fails, is lazy, or decides by the values in a tensor.
    """
    lazy = [name for name, child in module.named_modules() if isinstance(child, nn.modules.lazy.LazyModuleMixin)]
    tensors_of_all = (*module.parameters(), *module.buffers())
    if lazy and any(nn.parameter.is_lazy(tensor) for tensor in tensors_of_all):
        name = f"module {lazy[0]!r}" if lazy[0] else "the module"
        raise TraceError(f"{name} is lazy: its shapes are not known; run one batch through it first")

    parameters = dict(module.named_parameters(remove_duplicate=False))
    tensors = {**parameters, **dict(module.named_buffers(remove_duplicate=False))}
    saved = module.state_dict(keep_vars=True)
    first: dict[int, str] = {}
    aliases = {key: first.setdefault(id(tensor), key) for key, tensor in tensors.items()}
    recorder = _Recorder()
    stand_ins: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        if aliases[key] == key:  # functional_call gives the further names of a shared tensor the same stand-in
            dtype = (dtypes or {}).get(key, tensor.dtype)
            stand_ins[key] = torch.empty(tensor.shape, dtype=dtype, device="meta")
            if key in parameters:
                frozen = {"requires_grad": False} if training and not tensor.requires_grad else {}
                recorder.leaf("parameter", key, stand_ins[key], **frozen)
            elif key in saved or tensor.device.type == "meta":
                recorder.leaf("buffer", key, stand_ins[key])
            else:  # a buffer that no state_dict holds cannot be mapped: its values are part of the program
                recorder.constant(tensor.to(dtype), stand_ins[key])
    images = tuple(torch.empty(x.shape, dtype=x.dtype, device="meta") for x in inputs)
    for index, image in enumerate(images):
        recorder.leaf("input", f"input[{index}]", image)

    def program(state: dict[str, torch.Tensor], arguments: tuple[torch.Tensor, ...]) -> Any:
        return torch.func.functional_call(module, state, arguments)

    functional = torch.func.functionalize(program, remove="mutations")
    with _mode_of(module, training), recorder.following(module), torch.enable_grad(), _plain_attention():
        try:
            with recorder, _AsOnCpu():
                result = functional(stand_ins, images)
        except TraceError:
            raise
        except (Exception, SystemExit) as error:
            raise TraceError(recorder.explain(error, inputs)) from error

    returned = labelled(result)
    outputs = [(label, recorder.edge(value)) for label, value in returned if isinstance(value, torch.Tensor)]
    if not outputs:
        raise TraceError(f"the module returned {type(result).__name__}, in which there is no tensor")
    outputs += [(f"update of {key}", edge) for key, edge in sorted(recorder.updates.items())]
    return Graph(
        nodes=tuple(recorder.nodes),
        outputs=tuple(outputs),
        training=training,
        state={key: tuple(tensor.shape) for key, tensor in tensors.items() if key in saved},
        aliases={key: target for key, target in aliases.items() if key != target},
        literals=tuple((label, repr(value)) for label, value in returned if not isinstance(value, torch.Tensor)),
        calls=recorder.calls,
        constants=recorder.constants,
    )


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Writes down every ATen operation that reaches it, and what it reads."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.calls: dict[int, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {}
        self.constants: dict[str, torch.Tensor] = {}
        self.updates: dict[str, Edge] = {}
        self.paths: list[str] = [""]
        self._failed: tuple[BaseException | None, str] = (None, "")  # an exception, and the module that raised it
        self._edges: dict[int, Edge] = {}
        self._updated: dict[int, str] = {}  # of buffers that a call changes: what they were read as at first
        self._values: dict[int, torch.Tensor] = {}  # the data of tensors that depend on no input
        self._alive: list[Any] = []  # an id means something only while its tensor lives

    def leaf(self, op: str, name: str, tensor: torch.Tensor, **attributes: Any) -> Edge:
        edge = Edge(len(self.nodes))
        shapes, dtypes, pairs = (tuple(tensor.shape),), (tensor.dtype,), tuple(attributes.items())
        self.nodes.append(Node(op, pairs, (), shapes, dtypes, name, self.paths[-1], origin=len(self.nodes)))
        self._edges[id(tensor)] = edge
        self._alive.append(tensor)
        return edge

    def edge(self, tensor: torch.Tensor) -> Edge:
        """Where a tensor came from; one that nothing produced here is a constant."""
        known = self._edges.get(id(tensor))
        if known is not None:
            return known
        if tensor.device.type == "meta":
            raise TraceError(
                f"{self._place()}: a tensor on the meta device that is no parameter, buffer or input is read"
            )
        return self.constant(tensor, tensor)

    def constant(self, data: torch.Tensor, tensor: torch.Tensor) -> Edge:
        """Write down that `tensor` holds `data`, whatever the inputs."""
        data = data.detach().cpu().contiguous()
        edge = self.leaf("constant", digest(data), tensor)
        self.constants[self.nodes[edge.node].name] = data
        self._values[id(tensor)] = data
        return edge

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema, name = _schema(func), name_of(func)
        tensors = _tensors((args, kwargs))
        known = all(id(x) in self._values or (id(x) not in self._edges and x.device.type != "meta") for x in tensors)
        by_mask = name == "index" and any(x.dtype == torch.bool for x in tensors[1:])
        if name in _DATA_DEPENDENT or (by_mask and not known):
            if known and tensors:
                return func(*self._real(args), **self._real(kwargs))
            what = name.lstrip("_")
            raise TraceError(
                f"{self._place()}: it decides by the values in a tensor ({what}), so it has no fixed graph"
            )
        if schema.writes:
            target = self._overwritten(args[0])
            if name == "copy_" and target is not None:
                self.updates[target.name] = self.edge(args[1])
                return args[0]
            if args[0].device.type != "meta":
                raise TraceError(
                    f"{self._place()}: it writes into a tensor that is no parameter, buffer or input ({name})"
                )
            # What is left are torch's own temporaries, which nothing else looks at: the result takes over their name.
            self._values.pop(id(args[0]), None)
            name = name.removesuffix("_")
        if func is torch.ops.aten.native_batch_norm.default and args[5] and args[3] is not None:
            return self._training_batch_norm(*args)
        here = {"device": "meta"} if "device" in schema.defaults else {}
        shaped = _SHAPES.get(func)
        bare = all(x.device.type == "meta" for x in tensors)
        given, named = (args, kwargs) if bare else (self._meta(args), self._meta(kwargs))
        result = shaped(*given, **named) if shaped else func(*given, **{**named, **here})
        self._write(func, name, args, kwargs, result)
        if known and not is_random(func) and not schema.writes:
            self._evaluate(func, args, kwargs, result)
        return result

    def _overwritten(self, tensor: torch.Tensor) -> Node | None:
        """The leaf that a tensor is or views all of."""
        edge = self._edges.get(id(tensor))
        while edge is not None:
            node = self.nodes[edge.node]
            if node.op in LEAVES:
                return node
            edge = node.inputs[0] if node.op in ("alias", "detach", "view") else None
        return None

    def _training_batch_norm(self, *args: Any) -> Any:
        """The form of it that returns the new running statistics, which the module's own writes into its buffers."""
        func = torch.ops.aten._native_batch_norm_legit_functional.default
        x, channels = args[0], args[0].shape[1]  # as func would return them, and many times quicker
        result = (torch.empty_like(x), *(x.new_empty(channels) for _ in range(4)))
        self._write(func, name_of(func), args, {}, result)
        for buffer, output in ((args[3], result[3]), (args[4], result[4])):
            name = self._updated.setdefault(id(buffer), self.nodes[self.edge(buffer).node].name)
            if name:
                self.updates[name] = self.edge(output)
            self._edges[id(buffer)] = self._edges[id(output)]
        return result[:3]

    def _write(self, func: Any, name: str, args: Any, kwargs: Any, result: Any) -> None:
        defaults = _schema(func).defaults
        given = {**defaults, **dict(zip(defaults, args, strict=False)), **kwargs}
        attributes: list[tuple[str, Any]] = []
        inputs: list[Edge] = []
        for argument, value in given.items():
            if isinstance(value, torch.Tensor):
                inputs.append(self.edge(value))
            elif isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
                inputs.extend(self.edge(item) for item in value if item is not None)
                attributes.append((argument, tuple(item is not None for item in value)))
            elif argument not in _PLACEMENT:
                attributes.append((argument, _hashable(value)))
        if name == "as_strided":  # the one operation that sees memory and not values
            memory = (tuple(args[0].stride()), args[0].storage_offset(), args[0].untyped_storage().nbytes())
            attributes.append(("memory", memory))
        outputs = _tensors(result)
        index = len(self.nodes)
        shapes, dtypes = tuple(tuple(x.shape) for x in outputs), tuple(x.dtype for x in outputs)
        self.nodes.append(
            Node(name, tuple(attributes), tuple(inputs), shapes, dtypes, "", self.paths[-1], _caller(), index)
        )
        as_edges = _mapped(lambda x: self.edge(x) if isinstance(x, torch.Tensor) else x, (args, kwargs))
        self.calls[index] = (func, *as_edges)
        for position, output in enumerate(outputs):
            self._edges[id(output)] = Edge(index, position)
        self._alive.append((args, kwargs, result))

    def _evaluate(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Compute for real what depends on no input, so that equal constants are equal however they were made."""
        outputs = _tensors(result)
        if sum(x.numel() for x in outputs) > 1 << 22 or name_of(func).startswith("empty"):
            return
        real = func(*self._real(args), **{**self._real(kwargs), **({"device": "cpu"} if "device" in kwargs else {})})
        for output, value in zip(outputs, _tensors(real), strict=True):
            self.constant(value, output)

    def _real(self, tree: Any) -> Any:
        return _mapped(lambda x: self._values.get(id(x), x) if isinstance(x, torch.Tensor) else x, tree)

    def _meta(self, tree: Any) -> Any:
        def move(x: Any) -> Any:
            if not isinstance(x, torch.Tensor) or x.device.type == "meta":
                return x
            self.edge(x)
            return torch.empty_like(x, device="meta")

        return _mapped(move, tree)

    def _place(self) -> str:
        return (
            f"module {self.paths[-1]!r} ({_caller() or 'unknown line'})"
            if self.paths[-1]
            else _caller() or "the module"
        )

    def explain(self, error: BaseException, inputs: Sequence[torch.Tensor]) -> str:
        """One line for an exception that left the module's forward."""
        frame: FrameType | None = None
        trace_back = error.__traceback__
        while trace_back is not None:
            if not trace_back.tb_frame.f_code.co_filename.startswith(_INTERNAL):
                frame, line = trace_back.tb_frame, trace_back.tb_lineno
            trace_back = trace_back.tb_next
        where = f" at {_short(frame.f_code.co_filename)}:{line}" if frame is not None else ""
        failed, name = self._failed
        path = f" in module {name!r}" if failed is error and name else ""
        given = ", ".join("x".join(map(str, x.shape)) for x in inputs)
        return f"forward failed on an input of {given}{path}{where}: {first_line(error)}"

    @contextmanager
    def following(self, module: nn.Module) -> Iterator[None]:
        """Keep the path of the innermost running module at hand."""
        names = {id(child): name for name, child in reversed(list(module.named_modules(remove_duplicate=False)))}

        def enter(child: nn.Module, _: Any) -> None:
            self.paths.append(names.get(id(child), self.paths[-1]))

        def leave(_: nn.Module, __: Any, ___: Any) -> None:
            error = sys.exc_info()[1]
            if error is not None and error is not self._failed[0]:
                self._failed = (error, self.paths[-1])
            self.paths.pop()

        handles = [
            module_hooks.register_module_forward_pre_hook(enter),
            module_hooks.register_module_forward_hook(leave, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def replay(
    graph: Graph,
    state: Mapping[str, torch.Tensor],
    inputs: Sequence[torch.Tensor],
    observe: Callable[[Node, list[Any]], Any] | None = None,
) -> dict[str, torch.Tensor]:
    """Run a traced graph on real tensors of the traced shapes; returns its outputs by label.

    observe: called with each node and the tensors it reads, in `node.inputs` order; what it returns, unless None,
    takes the place of the node's own result.
    """
    shapes = tuple(tuple(x.shape) for x in inputs)
    if shapes != graph.input_shapes:
        raise ValueError(f"inputs of shapes {shapes} were given; the graph was traced with {graph.input_shapes}")
    values: dict[Edge, torch.Tensor] = {}
    remaining = iter(inputs)
    last_reader = {edge: node.origin for node in graph.nodes for edge in node.inputs}
    last_reader.update({edge: len(graph.nodes) for _, edge in graph.outputs})
    expiring: dict[int, list[Edge]] = {}
    for edge, reader in last_reader.items():
        expiring.setdefault(reader, []).append(edge)
    for index, node in enumerate(graph.nodes):
        if node.op in LEAVES:
            if node.op == "constant":
                values[Edge(index)] = graph.constants[node.name]
            else:
                values[Edge(index)] = next(remaining) if node.op == "input" else state[node.name]
            continue
        if not any(Edge(index, output) in last_reader for output in range(len(node.shapes))):
            continue
        func, args, kwargs = graph.calls[index]
        result = observe(node, [values[edge] for edge in node.inputs]) if observe else None
        if result is None:
            args, kwargs = _mapped(lambda x: values[x] if isinstance(x, Edge) else x, (args, kwargs))
            result = func(*args, **{k: v for k, v in kwargs.items() if k != "device"})
        for output, value in enumerate(_tensors(result)):
            values[Edge(index, output)] = value
        for edge in expiring.get(index, ()):
            values.pop(edge, None)
    return {label: values[edge] for label, edge in graph.outputs}


def ancestors(nodes: Sequence[Node], outputs: Iterable[tuple[str, Edge]]) -> set[int]:
    """The indices of the nodes that labelled outputs depend on, their own included."""
    found: set[int] = set()
    pending = [edge.node for _, edge in outputs]
    while pending:
        index = pending.pop()
        if index not in found:
            found.add(index)
            pending.extend(edge.node for edge in nodes[index].inputs)
    return found


def digest(tensor: torch.Tensor) -> str:
    """A name for a tensor's contents: equal digests mean equal shape, dtype and bits."""
    content = hashlib.blake2b(f"{tensor.dtype}{tuple(tensor.shape)}".encode(), digest_size=16)
    content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


# What a program learns when it asks a tensor where it is: what it would learn of ordinary inputs.
_ON_CPU: dict[Any, Any] = {
    vars(torch._C.TensorBase)[name].__get__: answer
    for name, answer in (("device", torch.device("cpu")), ("is_cpu", True), ("is_cuda", False), ("is_meta", False))
}


_DATA = vars(torch._C.TensorBase)["data"].__get__


class _AsOnCpu(TorchFunctionMode):
    """Have the program run as on the CPU: branch alike, and keep the numbers written out in it.

    What it computes without gradients becomes a `detach` in the graph, as if that were what it had called.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            raise TraceError(f"{_caller()}: autocast is on, which a trace cannot see; compare the networks without it")
        if func in _ON_CPU:
            return _ON_CPU[func]
        if func is torch.Tensor.new_tensor and not isinstance(args[1], torch.Tensor):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype), device="cpu")
        if func in (torch.tensor, torch.as_tensor, torch.asarray) and not isinstance(args[0], torch.Tensor):
            kwargs["device"] = "cpu"
        if func == _DATA:
            return args[0].detach()
        result = func(*args, **kwargs)
        return result if torch.is_grad_enabled() else _detached(result, (args, kwargs))


def _detached(result: Any, arguments: Any) -> Any:
    """The same without gradients; an argument that is returned, as by an in-place operation, stays itself."""
    given = {id(x) for x in pytree.tree_leaves(arguments)}

    def detach(x: Any) -> Any:
        return x.detach() if isinstance(x, torch.Tensor) and x.is_floating_point() and id(x) not in given else x

    return pytree.tree_map(detach, result)


def _batch_norm_shapes(x: torch.Tensor, *rest: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    saved = x.shape[1] if rest[4] else 0  # the batch's statistics are kept for backward, in training only
    return torch.empty_like(x), x.new_empty(saved), x.new_empty(saved)


def _sum_shape(one: Any, other: Any, **scaled: Any) -> Any:
    def plain(x: Any) -> bool:
        return isinstance(x, torch.Tensor) and x.is_meta and x.is_contiguous()

    counts = isinstance(other, int) and plain(one) and one.dtype != torch.bool
    if counts or (plain(one) and plain(other) and (one.shape, one.dtype) == (other.shape, other.dtype)):
        return torch.empty_like(one)
    return torch.ops.aten.add.Tensor(one, other, **scaled)


# The commonest operations, whose meta kernels are written in Python and take most of a trace's time: what they return
# is said here instead. tests/test_graph.py holds this against the kernels.
_SHAPES: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.native_batch_norm.default: _batch_norm_shapes,
    torch.ops.aten.relu.default: torch.empty_like,
    torch.ops.aten.add.Tensor: _sum_shape,
}


def norm_operands(node: Node) -> list[str]:
    """The names of what a normalisation reads after its input, in order; one that is absent has the attribute None."""
    return [name for name in NORM_OPERANDS if node.get(name, node) is not None]


def is_random(func: Any) -> bool:
    """Whether an ATen operation draws from a generator: then two calls are never the same value."""
    return torch.Tag.nondeterministic_seeded in func.tags


class _Schema(NamedTuple):
    """What is declared of an ATen operation: its name, whether it writes into an argument, its arguments' defaults."""

    name: str
    writes: bool
    defaults: dict[str, Any]


@cache
def _schema(func: Any) -> _Schema:
    """Asked once: torch makes the whole of it anew each time."""
    declared = func._schema
    defaults = {argument.name: argument.default_value for argument in declared.arguments}
    return _Schema(declared.name.removeprefix("aten::"), declared.is_mutable, defaults)


def name_of(func: Any) -> str:
    """ATen's name of an operation, without namespace and overload."""
    return _schema(func).name


@contextmanager
def _mode_of(module: nn.Module, training: bool) -> Iterator[None]:
    before = [(child, child.training) for child in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for child, mode in before:
            child.training = mode


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Keep nn.MultiheadAttention off its fused inference path, which is one opaque operation."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def labelled(result: Any) -> list[tuple[str, Any]]:
    """Every tensor and plain value in what a module returned, under a label; those of a dict in the order of its keys.

    Raises TraceError for anything else, in which tensors might be out of sight.
    """
    found = [(f"output{pytree.keystr(path)}", value) for path, value in pytree.tree_flatten_with_path(result)[0]]
    for label, value in found:
        if not isinstance(value, torch.Tensor | bool | int | float | str | None):
            raise TraceError(
                f"{label} is a {type(value).__name__}, which torch cannot look into; return tensors in a tuple"
            )
    return sorted(found, key=lambda pair: pair[0]) if any("['" in label for label, _ in found) else found


# Arguments and results of ATen operations are nested in lists, tuples and dicts only; torch's own walk, which knows of
# every container, took a quarter of the time of a trace.
def _tensors(tree: Any) -> list[torch.Tensor]:
    """The tensors in it, in their order."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [tensor for item in items for tensor in _tensors(item)]


def _mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """It with `change` made to each leaf."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind([_mapped(change, item) for item in tree])
    if kind is dict:
        return {key: _mapped(change, item) for key, item in tree.items()}
    return change(tree)


def _hashable(value: Any) -> Any:
    if isinstance(value, float) and value == 0:
        return repr(value) if math.copysign(1, value) < 0 else 0.0  # -0.0 equals 0.0 and divides otherwise
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _caller() -> str:
    """The innermost line of the program; "" where it is torch's own throughout, as an nn.Sequential of layers is."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not trace.__code__:
        if not frame.f_code.co_filename.startswith(_INTERNAL) and "<frozen" not in frame.f_code.co_filename:
            return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


@cache
def _short(filename: str) -> str:
    """The last two parts of a file's path: enough to find it, the same on every machine."""
    return "/".join(Path(filename).parts[-2:])
