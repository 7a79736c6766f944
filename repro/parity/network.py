"""One side of a comparison: a module, its graphs, and its outputs for given weights."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from repro import fill
from repro.canonical import canonical
from repro.errors import ReproError, first_line
from repro.graph import Graph, TraceError, is_random, labelled, trace
from repro.references import Size, Source

BATCH = 3  # of the traced inputs: above one, so that a program that mixes rows is seen to


@dataclass
class Stopwatch:
    """Seconds spent in bare executions of modules, which no verification could do without."""

    seconds: float = 0.0


@dataclass
class Network:
    """A module under examination; its graphs are traced once per input size and mode, and kept."""

    source: Source
    module: nn.Module
    stopwatch: Stopwatch
    fixed: dict[str, torch.Tensor] = field(default_factory=dict)  # buffers whose values are part of the network
    _graphs: dict[tuple[Size, bool, int], Graph] = field(default_factory=dict)
    _canonical: dict[tuple[Size, bool], Graph] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, size: Size, stopwatch: Stopwatch) -> Network:
        """Build it, without values unless it holds some that only building it for real can give.

        size: (channels, height, width) of an input it takes. Raises ReproError if it cannot be built or traced.
        """
        network = cls(source, source.module(with_values=False), stopwatch)
        if source.on_meta:
            try:
                bare = bool(fill.keeps_values(network.graph(size))) or _hidden(network.module)
            except TraceError:
                bare = True
            if bare:
                network = cls(source, source.module(), stopwatch)
        own = _tensors(network.module)
        network.fixed = {key: own[key] for key in fill.keeps_values(network.graph(size))}
        return network

    def graph(self, size: Size, training: bool = False, batch: int = BATCH) -> Graph:
        """The graph as traced for `batch` inputs of `size`."""
        key = (tuple(size), training, batch)
        if key not in self._graphs:
            try:
                self._graphs[key] = trace(self.module, torch.empty(batch, *size, device="meta"), training=training)
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
        return fill.conditioned(self.graph(size, batch=1), _tensors(self.module), seed)

    def install(self, state: Mapping[str, torch.Tensor]) -> None:
        """Give the module these tensors, shared and not copied. Keys left out are read by no output and become zero."""
        full = self.module.state_dict()  # filled in and not made anew: modules read their version from its metadata
        for key, tensor in full.items():
            full[key] = state[key] if key in state else torch.zeros(tensor.shape)
        self.module.load_state_dict(full, strict=True, assign=True)
        floating = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), torch.float32)
        self.module.to(floating)  # buffers that no state_dict holds follow the rest
        left = [name for name, tensor in _tensors(self.module).items() if tensor.device.type == "meta"]
        if left:
            raise ReproError(f"{self.source.spec}: {left[0]!r} is in no state_dict and has no value")

    def outputs(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the module returns in eval mode, flattened to a list of tensors."""
        self.module.eval()
        with torch.inference_mode():
            start = time.perf_counter()
            try:
                result = self.module(images)
            except (Exception, SystemExit) as error:
                raise ReproError(
                    f"{self.source.spec}: forward failed on an input of {shape_text(images.shape)} ({images.dtype}): "
                    f"{first_line(error)}"
                ) from error
            self.stopwatch.seconds += time.perf_counter() - start
        return [value for _, value in labelled(result) if isinstance(value, torch.Tensor)]

    def draws(self, size: Size) -> bool:
        """Whether an output of the network in eval mode depends on a random draw."""
        calls = self.graph(size).calls
        return any(is_random(calls[node.origin][0]) for node in self.canonical(size).nodes if node.origin in calls)


def widened(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same values in float64; what is not floating stays."""
    done: dict[int, torch.Tensor] = {}
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
