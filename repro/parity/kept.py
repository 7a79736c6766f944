"""What autograd kept for backward and something wrote over before backward came to it.

Autograd notices a write through the tensor itself and raises, without saying whose value it was; a write through
`.data` it does not notice at all. Both are found here by keeping a copy beside each value that is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as module_hooks


def overwritten(module: nn.Module, images: torch.Tensor) -> list[str]:
    """The paths of the modules for which a value was kept that is another one when forward is over, in their order."""
    names = {id(child): name for name, child in module.named_modules()}
    running = [""]
    kept: list[tuple[str, torch.Tensor, torch.Tensor, int]] = []

    def enter(child: nn.Module, _: Any) -> None:
        running.append(names.get(id(child), running[-1]))

    def leave(_: nn.Module, __: Any, ___: Any) -> None:
        running.pop()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.is_leaf:  # parameters and inputs are not written into between forward and backward
            kept.append((running[-1], tensor, tensor.detach().clone(), tensor._version))
        return tensor.detach()  # there is no backward to come; the tensor itself would hold on to the graph

    handles = [
        module_hooks.register_module_forward_pre_hook(enter),
        module_hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            module(images.clone().requires_grad_().clone())  # a program may write into its input, and not into a leaf
    finally:
        for handle in handles:
            handle.remove()
    changed = [path for path, x, copy, version in kept if x._version != version or not _same(x.detach(), copy)]
    kept.clear()  # autograd's graph holds on to `keep`, and what `keep` holds holds on to the graph
    return list(dict.fromkeys(changed))


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num()) and torch.equal(one.isnan(), other.isnan())
