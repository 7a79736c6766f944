"""What a network makes of inputs on the way to its outputs: the output of each of its modules, as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from repro import fill
from repro.errors import ReproError
from repro.graph import LEAVES, Graph
from repro.parity.network import Network
from repro.parity.pair import channels_last

STAGES = 64  # modules that are listened to, at most, so that the record of a network of a thousand layers stays small
SUMS = 4  # of each stage and input

Seen = Callable[[str, torch.Tensor], None]


@dataclass(frozen=True)
class Run:
    """A way to run a network, and which of the inputs it is checked on."""

    name: str
    dtype: torch.dtype
    threads: int
    inputs: slice
    layout: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.contiguous


# In each precision every input is run once, and some in channels_last too: all inputs in all ways would take half as
# long again. The last image of each way has detail: what goes wrong with the further images of a batch, such as a wrong
# offset, may not show in one that is the same everywhere.
FIRST, OTHERS, DETAILED = slice(0, 2), slice(2, None), slice(1, 3)

WIDE = (Run("float64", torch.float64, 1, FIRST), Run("float64.2-threads", torch.float64, 2, OTHERS))
NARROW = (
    Run("float32", torch.float32, 1, FIRST),
    Run("float32.2-threads", torch.float32, 2, OTHERS),
    Run("float32.channels_last", torch.float32, 2, DETAILED, channels_last),
)


def run(network: Network, images: torch.Tensor, way: Run, paths: Iterable[str], seen: Seen) -> None:
    """Run a network on a batch; `seen` is called with each stage, and then with each output, as (batch, ...).

    network  with weights of the precision and layout of the run
    paths    of the modules to listen to

    Raises ReproError if it fails, or returns what is not a batch.
    """
    with _threads(way.threads), _listening(network.module, paths, len(images), seen):
        outputs = network.outputs(way.layout(images.to(way.dtype)))
        for index, output in enumerate(outputs):
            if not output.ndim or len(output) != len(images):
                raise ReproError(
                    f"{network.source.spec}: output {index} has shape {tuple(output.shape)} for a batch of "
                    f"{len(images)}; expected as many rows"
                )
            if output.numel():
                seen(f"output {index}", _real(output))


def stages(graph: Graph) -> frozenset[str]:
    """The paths of the modules to listen to: as deep as there are at most `STAGES` of them, and one level at least."""
    paths = {node.path for node in graph.nodes if node.op not in LEAVES and node.path}
    found: frozenset[str] = frozenset()
    for depth in range(1, 1 + max((path.count(".") + 1 for path in paths), default=0)):
        deeper = {".".join(path.split(".")[:level]) for path in paths for level in range(1, depth + 1)}
        if found and len(deeper) > STAGES:
            break
        found = frozenset(deeper)
    return found


def sums(stage: torch.Tensor) -> torch.Tensor:
    """Weighted sums of all elements of each row of a stage, (rows, SUMS), float64, in which any change of one is seen.

    The weights are closed-form noise of unit variance, one factor for the channel and one for the place in it.
    """
    rows = stage.double().reshape(len(stage), stage.shape[1] if stage.ndim > 1 else 1, -1)
    _, channels, places = rows.shape
    total: torch.Tensor = ((rows @ _noise("places", places)) * _noise("channels", channels)).sum(1)
    return total.div_((channels * places) ** 0.5)


@lru_cache(maxsize=32)  # the stages of a network have few different shapes
def _noise(kind: str, count: int) -> torch.Tensor:
    edge = 3**0.5
    return fill.uniform(f"golden/{kind}", (count, SUMS), -edge, edge).double()


def _real(values: torch.Tensor) -> torch.Tensor:
    """The same as real numbers: a complex one as two, a truth value or a whole number as the number that it is."""
    if values.is_complex():
        return torch.view_as_real(values.resolve_conj())
    return values if values.is_floating_point() else values.double()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _listening(module: nn.Module, paths: Iterable[str], batch: int, seen: Seen) -> Iterator[None]:
    """Have `seen` called with what the modules at these paths return, if it has a row for each image of the batch.

    A second call of a module is PATH#2. A container that returns what its last part returned is not heard again.
    """
    calls: Counter[str] = Counter()
    last: tuple[str, Any] = "", None

    def listener(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nonlocal last
            calls[path] += 1
            repeated = output is last[1] and last[0].startswith(f"{path}.")
            if (
                isinstance(output, torch.Tensor)
                and output.numel()
                and output.ndim
                and len(output) == batch
                and not repeated
            ):
                seen(path if calls[path] == 1 else f"{path}#{calls[path]}", _real(output))
                last = path, output

        return note

    modules = dict(module.named_modules(remove_duplicate=False))
    handles = [modules[path].register_forward_hook(listener(path)) for path in sorted(paths)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
