"""A network on the inputs of a golden, with closed-form weights, run in one way after another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from repro import fill
from repro.golden.inputs import inputs
from repro.golden.recording import Run, run, stages, sums
from repro.graph import Graph
from repro.parity.network import Network, Stopwatch, shape_text, widened
from repro.references import Size, Source

SEED = 0

# A stage may be zero in exact arithmetic for one input, such as one without any light. Rounding errors of that are not
# measured by themselves but by this share of the stage's size for noise, the second input.
FLOOR, NOISE = 1e-3, 1


@dataclass(frozen=True)
class Seen:
    """What a run in float64 did, by stage or output, and all elements of the outputs by "output INDEX INPUT"."""

    described: dict[str, dict[str, Any]]
    sums: dict[str, torch.Tensor]
    sizes: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]


class Subject:
    """A network with closed-form weights on the inputs of a golden; each run is made when it is asked for.

    names: of its stages as a golden has them; by default those of as many modules as fit.

    truth  (stage or output, name of an input) -> all its elements in float64, once `wide` was called with that input
    """

    def __init__(self, source: Source, size: Size, names: Iterable[str] | None = None) -> None:
        self.network = Network.of(source, size, Stopwatch(), batch=1)  # a thousand layers are slow to trace: once
        self.modules = dict(self.network.module.named_modules(remove_duplicate=False)).keys() - {""}
        self.own_stages = stages(self.network.graph(size))
        wanted = self.own_stages if names is None else {path for name in names for path in paths(name)}
        self._paths = wanted & self.modules
        self.inputs = inputs(size, SEED)
        self._narrow = self.network.conditioned(size, SEED)
        self.elements = sum(tensor.numel() for tensor in self._narrow.values())
        self._installed: tuple[Any, ...] = ()
        self.truth: dict[tuple[str, str], torch.Tensor] = {}
        self.returned = _returned(self.network.graph(size))
        self._read = self.network.graph(size).readers()

    def weights(self) -> dict[str, str]:
        """Digests, as in `Golden.weights`."""
        named = dict(self.network.module.named_parameters(remove_duplicate=False))
        groups = {"names": hashlib.sha256(), "parameters": hashlib.sha256(), "buffers": hashlib.sha256()}
        for key, tensor in self._narrow.items():
            groups["names"].update(f"{key} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            if key not in self._read:
                continue  # what eval mode does not read may be the module's own
            groups["parameters" if key in named else "buffers"].update(fill.fingerprint(tensor))
        return {group: found.hexdigest()[:32] for group, found in groups.items()}

    def wide(self, way: Run, inputs: slice) -> Seen:
        """Run it in float64 on these inputs. The first time that it sees an input is the truth of it."""
        found = Seen({}, {}, {}, {})
        kinds = list(self.inputs)[inputs]

        def seen(name: str, tensor: torch.Tensor) -> None:
            found.described[name] = _described(tensor[min(NOISE, len(tensor) - 1)])
            found.sums[name], found.sizes[name] = sums(tensor), rms(tensor)
            for kind, row in zip(kinds, tensor, strict=True):
                copied = row.clone()  # what follows may write into it
                self.truth.setdefault((name, kind), copied)
                if name.startswith("output "):
                    found.outputs[f"{name} {kind}"] = copied

        self._run(way, inputs, seen)
        return found

    def keep(self, names: Collection[str]) -> None:
        """Forget the truth of all others."""
        self.truth = {key: row for key, row in self.truth.items() if key[0] in names}

    def narrow(self, way: Run, inputs: slice) -> dict[str, torch.Tensor]:
        """Stage or output -> greatest error and root mean square error in float32, (inputs, 2), absolute."""
        found: dict[str, torch.Tensor] = {}
        kinds = list(self.inputs)[inputs]

        def seen(name: str, tensor: torch.Tensor) -> None:
            if (name, kinds[0]) not in self.truth:
                return  # a program that does more in float32 does less in float64
            rows = [(row.double() - self.truth[name, kind]).abs_() for kind, row in zip(kinds, tensor, strict=True)]
            found[name] = torch.stack([torch.stack([row.amax(), rms(row[None])[0]]) for row in rows])

        self._run(way, inputs, seen)
        return found

    def _run(self, way: Run, inputs: slice, seen: Callable[[str, torch.Tensor], None]) -> None:
        if self._installed != (way.dtype, way.layout):
            state = widened(self._narrow) if way.dtype is torch.float64 else self._narrow
            self.network.install({key: way.layout(tensor) for key, tensor in state.items()})
            self._installed = way.dtype, way.layout
        run(self.network, torch.stack(list(self.inputs.values())[inputs]), way, self._paths, seen)


def paths(stage: str) -> tuple[str, str]:
    """The modules that a stage may be of: PATH#2 is the second call of one, or the name of one."""
    return stage, stage.rpartition("#")[0]


def rms(tensor: torch.Tensor) -> torch.Tensor:
    """Root mean square of each row."""
    rows = tensor.reshape(len(tensor), -1)
    size: torch.Tensor = torch.linalg.vector_norm(rows, dim=1) / math.sqrt(rows.shape[1])
    return size


def scale(sizes: torch.Tensor) -> torch.Tensor:
    """What differences of a stage are measured by, for each input: its size, but some share of that for noise."""
    scale = torch.maximum(sizes, FLOOR * sizes[NOISE])
    return torch.where(scale > 0, scale, 1.0)


def distance(actual: torch.Tensor, expected: torch.Tensor, sizes: torch.Tensor, inputs: slice) -> torch.Tensor:
    """How far the weighted sums of a stage are apart for some of the inputs, in what they are measured by: (inputs,).

    sizes: of the stage, for all inputs.
    """
    return (actual - expected).abs().amax(1) / scale(sizes)[inputs]


def _returned(graph: Graph) -> list[str]:
    """What a program returns, in the terms of `Golden.returned`."""
    tensors = [f"{label} {graph.node(edge).dtype}" for label, edge in graph.outputs if label.startswith("output")]
    return [*tensors, *(f"{label} = {value}" for label, value in graph.literals)]


def _described(row: torch.Tensor) -> dict[str, Any]:
    described = {"mean": float(row.mean()), "rms": float(rms(row[None])[0])}
    return {"shape": shape_text(row.shape), **{key: float(f"{value:.5g}") for key, value in described.items()}}
