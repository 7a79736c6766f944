"""One side of a comparison: a module, its graphs, and its outputs for given weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import nn

from repro import fill
from repro.canonical import canonical
from repro.errors import ReproError, first_line
from repro.graph import Graph, TraceError, is_random, labelled, trace
from repro.parity.initialisation import Drawn
from repro.parity.steering import Steering
from repro.references import Size, Source

BATCH = 3  # of the traced inputs: above one, so that a program that mixes rows is seen to

# Of the training step. The momentum of a first step is its gradient; a second step would have it felt, and any kink
# crossed in the first one as well.
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4


@dataclass
class Stopwatch:
    """Seconds spent in bare executions of modules, which no verification could do without."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start


class BackwardError(ReproError):
    """A network that runs forward and not backward."""


Cotangents = Callable[[int, torch.Tensor], torch.Tensor]  # the place of an output, and it -> a tensor like it


@dataclass(frozen=True)
class Gradients:
    """Of one scalar: what was returned on the way, and the derivatives; None where there is no path."""

    outputs: list[torch.Tensor]
    image: torch.Tensor | None
    parameters: dict[str, torch.Tensor | None]


@dataclass(frozen=True)
class Trained:
    """After one step in train mode: what was returned on the way, and the state_dict it left."""

    outputs: list[torch.Tensor]
    state: dict[str, torch.Tensor]


@dataclass
class Network:
    """A module under examination; its graphs are traced once per input size and mode, and kept."""

    source: Source
    module: nn.Module
    stopwatch: Stopwatch
    fixed: dict[str, torch.Tensor] = field(default_factory=dict)  # buffers whose values are part of the network
    batch: int = BATCH  # of the traced inputs, unless one is asked for
    installed: Mapping[str, torch.Tensor] | None = field(default=None, init=False)  # what the module was given last
    _dtypes: dict[str, torch.dtype] = field(init=False)  # as built, whatever is installed later
    _program: nn.Module = field(init=False)
    _tied: dict[str, str] = field(init=False)  # further keys of a shared parameter -> its first one
    _graphs: dict[tuple[Size, bool, int], Graph] = field(default_factory=dict)
    _canonical: dict[tuple[Size, bool], Graph] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dtypes = {key: tensor.dtype for key, tensor in _tensors(self.module).items()}
        self._program = copy.deepcopy(self.module)  # what a trace leaves in it, as in a cache, is not to be run
        names = dict(self.module.named_parameters(remove_duplicate=False))
        first = {id(p): key for key, p in reversed(names.items())}
        self._tied = {key: first[id(p)] for key, p in names.items() if first[id(p)] != key}

    @classmethod
    def of(cls, source: Source, size: Size, stopwatch: Stopwatch, batch: int = BATCH) -> Network:
        """Build it, without values unless it holds some that only building it for real can give.

        size: (channels, height, width) of an input it takes. Raises ReproError if it cannot be built or traced.
        """
        network = cls(source, source.module(with_values=False), stopwatch, batch=batch)
        if source.on_meta:
            try:
                bare = bool(fill.keeps_values(network.graph(size))) or _hidden(network.module)
            except TraceError:
                bare = True
            if bare:
                network = cls(source, source.module(), stopwatch, batch=batch)
        own = _tensors(network.module)
        network.fixed = {key: own[key] for key in fill.keeps_values(network.graph(size))}
        return network

    def twin(self) -> Network:
        """The same program once more, to be run with other weights; what is traced of one is traced of both.

        To be asked for before this one is run.
        """
        return replace(self, module=copy.deepcopy(self.module))

    def graph(self, size: Size, training: bool = False, batch: int | None = None) -> Graph:
        """The graph as traced for `batch` inputs of `size`."""
        batch = batch or self.batch
        key = (tuple(size), training, batch)
        if key not in self._graphs:
            try:
                images = torch.empty(batch, *size, device="meta")
                self._graphs[key] = trace(self._program, images, training=training, dtypes=self._dtypes)
            except TraceError as error:
                raise TraceError(f"{self.source.spec}: {error}") from error.__cause__
        return self._graphs[key]

    def canonical(self, size: Size, training: bool = False) -> Graph:
        """The canonical form of `graph`."""
        key = (tuple(size), training)
        if key not in self._canonical:
            self._canonical[key] = canonical(self.graph(size, training))
        return self._canonical[key]

    def conditioned(self, size: Size, seed: int) -> dict[str, torch.Tensor]:
        """Closed-form weights whose running statistics are those of one image of `size`."""
        graph = self.graph(size, batch=1)
        read, own = graph.readers(), _tensors(self.module)
        training = None
        if any(own[key].is_floating_point() for key in graph.state if key not in read):  # such as auxiliary heads
            with suppress(TraceError):
                training = self.graph(size, training=True)
        try:
            return fill.conditioned(graph, own, seed, training)
        except RuntimeError as error:  # what casts to a dtype of its own cannot be computed again in float64
            raise ReproError(f"{self.source.spec}: it cannot be computed in float64: {first_line(error)}") from error

    def install(self, state: Mapping[str, torch.Tensor]) -> None:
        """Give the module these tensors, shared and not copied. Keys left out are read by no output and become zero."""
        self.installed = None
        full = self.module.state_dict()  # filled in and not made anew: modules read their version from its metadata
        for key, tensor in full.items():
            if isinstance(tensor, torch.Tensor):  # a module may keep other things there
                full[key] = state[key] if key in state else torch.zeros(tensor.shape)
        hooks = {key: p._backward_hooks for key, p in self.module.named_parameters() if p._backward_hooks}
        self.module.load_state_dict(full, strict=True, assign=True)
        for key, first in self._tied.items():
            owner, _, name = key.rpartition(".")
            setattr(self.module.get_submodule(owner), name, self.module.get_parameter(first))
        for key, found in hooks.items():
            self.module.get_parameter(key)._backward_hooks = found
        floating = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), torch.float32)
        self.module.to(floating)  # buffers that no state_dict holds follow the rest
        left = [name for name, tensor in _tensors(self.module).items() if tensor.device.type == "meta"]
        if left:
            raise ReproError(f"{self.source.spec}: {left[0]!r} is in no state_dict and has no value")
        self.installed = state

    def outputs(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the module returns in eval mode, flattened to a list of tensors."""
        self.module.eval()
        with torch.inference_mode(), self.stopwatch.running():
            return self._call(images)

    def backward(self, images: torch.Tensor, cotangents: Cotangents, steering: Steering) -> Gradients:
        """Run it forward and backward in the mode it was put in; the scalar is the sum of outputs times cotangents."""
        images = images.clone().requires_grad_()
        named = {key: p for key, p in self.module.named_parameters(remove_duplicate=False) if p.requires_grad}
        parameters = {key: p for key, p in named.items() if key not in self._tied}
        with torch.enable_grad(), self.stopwatch.running():
            with steering:
                outputs = self._call(images.clone())  # a program may write into its input, and not into a leaf
            scalar = sum((x * cotangents(i, x)).sum() for i, x in enumerate(outputs) if x.requires_grad)
            found: Sequence[torch.Tensor | None] = [None] * (1 + len(parameters))
            try:
                if isinstance(scalar, torch.Tensor):  # else nothing that is returned has a derivative
                    found = torch.autograd.grad(scalar, [images, *parameters.values()], allow_unused=True)
            except RuntimeError as error:
                raise BackwardError(f"{self.source.spec}: backward failed: {first_line(error)}") from error
        steering.finish()
        gradients = dict(zip(parameters, found[1:], strict=True))
        return Gradients(
            [x.detach() for x in outputs], found[0], {key: gradients[self._tied.get(key, key)] for key in named}
        )

    def step(self, images: torch.Tensor, cotangents: Cotangents, steering: Steering, rate: float) -> Trained:
        """Run one step of SGD in train mode; the tensors installed before are the module's to change."""
        self.module.train()
        gradients = self.backward(images, cotangents, steering)
        with self.stopwatch.running():
            parameters = dict(self.module.named_parameters())
            for key, parameter in parameters.items():
                parameter.grad = gradients.parameters.get(key)
            if parameters:
                torch.optim.SGD(parameters.values(), rate, MOMENTUM, weight_decay=WEIGHT_DECAY, fused=True).step()
        self.module.zero_grad(set_to_none=True)
        self.module.eval()
        return Trained(gradients.outputs, {key: x.detach() for key, x in self.module.state_dict().items()})

    def _call(self, images: torch.Tensor) -> list[torch.Tensor]:
        try:
            result = self.module(images)
        except (Exception, SystemExit) as error:
            raise ReproError(
                f"{self.source.spec}: forward failed on an input of {shape_text(images.shape)} ({images.dtype}): "
                f"{first_line(error)}"
            ) from error
        return [value for _, value in labelled(result) if isinstance(value, torch.Tensor)]

    @cached_property
    def drawn(self) -> Drawn:
        """Its own initial values, measured, of a copy that is built for that."""
        return Drawn.of(self.source)

    def draws(self, size: Size) -> bool:
        """Whether an output of the network in eval mode depends on a random draw."""
        calls = self.graph(size).calls
        return any(is_random(calls[node.origin][0]) for node in self.canonical(size).nodes if node.origin in calls)


def widened(
    state: Mapping[str, torch.Tensor], done: Mapping[int, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """The same values in float64; what is not floating stays. done: what is known already, by the id of the tensor."""
    done = dict(done or {})
    return {
        key: done.setdefault(id(tensor), tensor.double() if tensor.is_floating_point() else tensor)
        for key, tensor in state.items()
    }


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it: 3x224x224."""
    return "x".join(map(str, shape))


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _hidden(module: nn.Module) -> bool:
    """Whether it has buffers that no state_dict shows."""
    return not set(_tensors(module)) <= set(module.state_dict())
