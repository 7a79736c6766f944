"""How a mistake gets into a network that is already built: by other attributes, or by other calls in a `forward`.

No module is wrapped and no name changes, so the keys of the state_dict stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode

Deed = Callable[[nn.Module], None]
Change = Callable[..., Any]


def setting(path: str, **attributes: Any) -> Deed:
    """Give the module at `path` other attributes."""

    def plant(network: nn.Module) -> None:
        module = network.get_submodule(path)
        for name, value in attributes.items():
            setattr(module, name, value)

    return plant


def rewiring(path: str, change: Change) -> Deed:
    """Have the module at `path` run `change(forward, *inputs)`, where `forward` is its own."""

    def plant(network: nn.Module) -> None:
        module = network.get_submodule(path)
        own = type(module)

        def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return change(functools.partial(own.forward, self), *args, **kwargs)

        # Another class, not another attribute: a deep copy then runs its own forward and not the original's.
        module.__class__ = type(own.__name__, (own,), {"forward": forward, "__module__": own.__module__})

    return plant


def changing(path: str, function: str, occurrence: int, change: Change) -> Deed:
    """Have a call of a torch function be `change(function, *its arguments)`.

    The call is the `occurrence`-th, from 0 in each run of the network, that the module at `path` makes itself and not
    by its children: what a graph knows as the `occurrence`-th node of that path. `function` is its name without
    underscores: `relu` is F.relu, torch.relu, x.relu() and x.relu_(); `add` is also `+` and `+=`.
    """

    def plant(network: nn.Module) -> None:
        calls = _Calls(function, occurrence, change)
        # A function and not a bound method, of which a deep copy of the network would have its own.
        network.register_forward_pre_hook(lambda *_: calls.restart())
        rewiring(path, calls.run)(network)

    return plant


def both(*deeds: Deed) -> Deed:
    """One mistake that is made in several places, such as a move."""

    def plant(network: nn.Module) -> None:
        for deed in deeds:
            deed(network)

    return plant


def skip(_: Change, x: Tensor, *__: Any, **___: Any) -> Tensor:
    """A `change` that leaves the call out: what goes in comes out."""
    return x


class _Calls:
    """Counts the calls of one function that a module makes in a run of the network."""

    def __init__(self, function: str, occurrence: int, change: Change) -> None:
        self._function = function
        self._occurrence = occurrence
        self._change = change
        self._seen = 0

    def restart(self) -> None:
        self._seen = 0

    def run(self, forward: Change, *args: Any, **kwargs: Any) -> Any:
        with _below() as depth, _Watch(lambda function: depth[0] == 0 and self._meant(function), self._change):
            return forward(*args, **kwargs)

    def _meant(self, function: Any) -> bool:
        if _name(function) != self._function:
            return False
        self._seen += 1
        return self._seen == self._occurrence + 1


class _Watch(TorchFunctionMode):
    def __init__(self, meant: Callable[[Any], bool], change: Change) -> None:
        super().__init__()
        self._meant = meant
        self._change = change

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return self._change(func, *args, **kwargs) if self._meant(func) else func(*args, **kwargs)


def _name(function: Any) -> str:
    """`add` for `add_`, `__add__`, `__radd__` and `__iadd__`."""
    name = getattr(function, "__name__", "")
    bare = name.strip("_")
    return bare[1:] if name.startswith("__") and bare[1:] in ("add", "mul", "sub", "truediv") else bare


@contextmanager
def _below() -> Iterator[list[int]]:
    """How many modules deep the run is, below the one that is running now."""
    depth = [0]

    def enter(*_: Any) -> None:
        depth[0] += 1

    def leave(*_: Any) -> None:
        depth[0] -= 1

    handles = [
        module_hooks.register_module_forward_pre_hook(enter),
        module_hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield depth
    finally:
        for handle in handles:
            handle.remove()
