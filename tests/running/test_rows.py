"""Rows that stay apart are told from rows that may not, by the operations alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from repro import models
from repro.graph import trace
from repro.running.rows import stay_apart

Function = Callable[[torch.Tensor], torch.Tensor]


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)
        self.weight = nn.Parameter(torch.empty(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def apart(module: nn.Module, *size: int) -> bool:
    return stay_apart(trace(module, torch.empty(2, *size, device="meta")))


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg11_bn", "googlenet", "resnet18", "resnet50_gn"])
def test_the_rows_of_our_networks_stay_apart(name: str) -> None:
    with torch.device("meta"):
        network = models.build(name).eval()
    assert apart(network, *models.get(name).input_size)


MIXING: dict[str, Function] = {
    "a softmax over the batch": lambda x: torch.softmax(x.mean((2, 3)), 0),
    "a mean over the batch": lambda x: x - x.mean(0, keepdim=True),
    "the images of others added": lambda x: x + x.flip(0),
    "rows and columns exchanged": lambda x: x.mean((2, 3)).t() @ x.mean((2, 3)),
    "a view across images": lambda x: x.reshape(4, 2, 3, 3).sum(1).reshape(2, 2, 9),
    "an image stretched over all": lambda x: x + x[0],
    "images joined": lambda x: torch.cat([x[:1], x[:1]]),
    "one product for all": lambda x: x.mean((2, 3)) @ x.mean((2, 3)).t(),
    "dimensions exchanged": lambda x: x.permute(1, 0, 2, 3).reshape(2, 4, 3, 3),
    "a sum over all": lambda x: x * x.sum(),
}


@pytest.mark.parametrize("function", MIXING.values(), ids=MIXING.keys())
def test_what_may_mix_rows_is_not_said_to_keep_them(function: Function) -> None:
    assert not apart(Of(function), 4, 3, 3)


def test_statistics_of_the_batch_mix_its_rows() -> None:
    module = Of(lambda x: x)
    module.function = module.norm
    assert not apart(module, 4, 3, 3)
    assert apart(Of(lambda x: torch.relu(x).flatten(1) * 2), 4, 3, 3)
