"""Run a network with its chances and its kinks decided from outside, so that two runs are on the same piece of it.

Dropout: the masks of two implementations must be the same ones, in whatever order each of them draws.

Kinks: a gradient jumps where an activation crosses zero or another pixel of a window becomes its largest. An element
that float64 leaves at +1e-9 may be at -1e-9 in float32, and its whole gradient is there or not: one such element in a
VGG moved the gradient of its input by 3 % of the spread, ten thousand times the rounding error. So a float32 run takes,
at every kink, the side that the float64 run took; the elements this moves are those within rounding error of the kink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from repro import fill
from repro.errors import ReproError
from repro.graph import Graph, name_of

Bounds = Callable[..., tuple[float, ...]]

# Where elementwise operations have their kinks, from the arguments after the tensor.
_BREAKS: dict[str, Bounds] = {
    "relu": lambda: (0.0,),
    "leaky_relu": lambda *_: (0.0,),
    "elu": lambda *_: (0.0,),
    "abs": lambda: (0.0,),
    "hardtanh": lambda low=-1.0, high=1.0: (low, high),
    "hardswish": lambda: (-3.0, 3.0),
    "hardsigmoid": lambda: (-3.0, 3.0),
    "clamp": lambda low=None, high=None: tuple(bound for bound in (low, high) if bound is not None),
    "clamp_min": lambda low: (low,),
    "clamp_max": lambda high: (high,),
}
_POOLS = frozenset({"max_pool2d_with_indices", "adaptive_max_pool2d"})
DRAWS = frozenset({"bernoulli", "native_dropout"})

# Kinks that are not followed: nothing is claimed about float32 gradients of a network that has one.
UNFOLLOWED = frozenset(
    "maximum minimum amax amin max min where gt ge lt le sign _prelu_kernel median kthvalue cummax cummin sort topk"
    " fmax fmin adaptive_max_pool3d max_pool3d_with_indices fractional_max_pool2d celu selu threshold hardshrink"
    " softshrink rrelu rrelu_with_noise".split()
)


class Steering(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """While it is on, a network draws closed-form masks, and takes the sides it is told or writes them down.

    graph    as traced, in the mode and for the input shape of the run
    names    node of `graph` -> the node of the first network's graph that is the same place, whose masks it then draws;
             None for the first itself
    sides    of its own run in float64: what to follow; None to write down instead, in `taken`
    """

    def __init__(
        self,
        graph: Graph,
        seed: int,
        names: Mapping[int, int] | None = None,
        sides: Mapping[int, torch.Tensor] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        places = [i for i, node in enumerate(graph.nodes) if node.op in _BREAKS or node.op in _POOLS | DRAWS]
        self._places = iter([(i, graph.nodes[i]) for i in places])
        self._names = names
        self._seed = seed
        self._sides = sides
        self.taken: dict[int, torch.Tensor] = {}
        self._kept: tuple[int, Any] = (0, None)
        self.moved = 0  # elements put on the other side of a kink
        self.furthest = 0.0  # and the largest distance one was moved, in units of its tensor's spread

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func).removesuffix("_")
        kwargs = kwargs or {}
        if name in DRAWS:
            return self._draw(func, name, args, kwargs)
        if name in _BREAKS and args[0].is_floating_point():
            place = self._place(name, args[0])
            if not any(isinstance(x, torch.Tensor) for x in (*args[1:], *kwargs.values())):  # numbers, not clamp.Tensor
                self._elementwise(place, args[0], _BREAKS[name](*args[1:], **kwargs))
        result = func(*args, **kwargs)
        if name == "clone":  # what autograd makes of the operand of an in-place operation, to keep
            self._kept = args[0].data_ptr(), result
        return self._windows(self._place(name, result[0]), args[0], result) if name in _POOLS else result

    def finish(self) -> None:
        """Raises ReproError unless the run came past every place of the trace."""
        rest = next(self._places, None)
        if rest is not None:
            raise ReproError(f"the run did not come past {rest[1].op} of module {rest[1].path!r}, where the trace did")

    def _place(self, name: str, tensor: torch.Tensor) -> int:
        """The node of the graph that this call is."""
        index, node = next(self._places, (-1, None))
        if node is None or node.op != name or node.shape[1:] != tuple(tensor.shape)[1:]:
            expected = f"{node.op} of shape {node.shape} in module {node.path!r}" if node is not None else "no more"
            raise ReproError(f"the run is at {name} of shape {tuple(tensor.shape)}, where the trace has {expected}")
        return index

    def _draw(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        here = self._place(name, args[0])
        place = here if self._names is None else self._names.get(here)
        share = 1 - args[1] if name == "native_dropout" else args[1] if len(args) > 1 else kwargs.get("p", 0.5)
        drawn = fill.kept(self._seed, place, tuple(args[0].shape), share)
        mask = drawn.to(args[0].device, args[0].dtype)
        if name == "native_dropout":
            return args[0] * mask / share, mask.bool()
        return args[0].copy_(mask) if name_of(func).endswith("_") else mask

    def _elementwise(self, place: int, x: torch.Tensor, breaks: tuple[float, ...]) -> None:
        side = sum((x > bound).to(torch.uint8) for bound in breaks)
        if self._sides is None:
            self.taken[place] = torch.as_tensor(side)
            return
        told = self._sides[place].to(x.device)
        wrong = told != side
        if not bool(wrong.any()):
            return
        values = x.data  # what autograd saves of x is this memory, and its version must not change
        bounds = torch.tensor([-torch.inf, *breaks, torch.inf], dtype=x.dtype, device=x.device)
        low, high = bounds[told[wrong].long()], bounds[told[wrong].long() + 1]
        just_above = torch.nextafter(low, torch.full_like(low, torch.inf))
        just_above[low == 0] = torch.finfo(x.dtype).tiny  # a subnormal number may be flushed to zero
        just_below = torch.nextafter(high, torch.full_like(high, -torch.inf))
        just_below[high == 0] = -torch.finfo(x.dtype).tiny
        new = torch.maximum(torch.minimum(values[wrong], just_below), just_above)
        spread = float(values.std()) or 1.0
        self.moved += int(wrong.sum())
        self.furthest = max(self.furthest, float((new - values[wrong]).abs().max()) / spread)
        values[wrong] = new
        source, copy = self._kept
        if source == x.data_ptr() and copy.shape == x.shape:
            copy.data[wrong] = new

    def _windows(self, place: int, x: torch.Tensor, result: Any) -> Any:
        values, indices = result
        if self._sides is None:
            self.taken[place] = indices
            return result
        told = self._sides[place].to(indices.device)
        wrong = told != indices
        if not bool(wrong.any()):
            return result
        chosen = x.flatten(-2).gather(-1, told.flatten(-2)).reshape(values.shape)
        self.moved += int(wrong.sum())
        self.furthest = max(self.furthest, float((chosen - values).abs().max()) / (float(x.std()) or 1.0))
        return chosen.to(memory_format=torch.preserve_format), told
