"""What is seen of a network while it runs: what its dropouts do, and how often it calls operations of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._python_dispatch import TorchDispatchMode

Hear = Callable[[str, torch.Tensor, torch.Tensor], None]


@contextmanager
def dropouts_heard(network: nn.Module, hear: Hear) -> Iterator[None]:
    """Calls `hear` with the path of each dropout module that runs, what it is given and what it returns."""

    def tell(path: str, _: nn.Module, given: Any, returned: torch.Tensor) -> None:
        hear(path, given[0].detach(), returned.detach())

    with ExitStack() as hooks:
        for path, module in network.named_modules():
            if isinstance(module, _DropoutNd):
                hooks.callback(module.register_forward_hook(partial(tell, path)).remove)
        yield


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Counts the operations of a kind, by whatever a program calls them."""

    def __init__(self, of_the_kind: Callable[[Any], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.of_the_kind = of_the_kind
        self.count: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += bool(self.of_the_kind(func))
        return func(*args, **(kwargs or {}))
