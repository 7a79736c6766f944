"""The ResNet of document 003: torchvision's, made Caffe's after it is built, for batch normalisation only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._originals import Original
from tests.specimens._properties import (
    are_one_program_but_for_norms,
    are_two_programs,
    can_be_built,
    can_be_pickled,
    heeds,
    takes_the_checkpoint,
    uses_what_it_imports,
)
from tests.specimens.vgg_000 import source_of

SIZE = (3, 224, 224)
Norm = Callable[[int], nn.Module]


def groups_of_four(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)


class Basic(nn.Module):
    """Two 3x3 convolutions, the stride in the first."""

    def __init__(self, channels: int, filters: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = norm(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = norm(filters)
        self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, the stride in the 3x3, as in torchvision."""

    def __init__(self, channels: int, filters: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters // 2, 1, bias=False)
        self.bn1 = norm(filters // 2)
        self.conv2 = nn.Conv2d(filters // 2, filters // 2, 3, stride, 1, bias=False)
        self.bn2 = norm(filters // 2)
        self.conv3 = nn.Conv2d(filters // 2, filters, 1, bias=False)
        self.bn3 = norm(filters)
        self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(residual)) + self.shortcut(x))


class Small(nn.Module):
    """A stem and two blocks, the second of which halves the resolution."""

    def __init__(self, block: Callable[..., nn.Module], norm: Norm) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.norm_layer = norm
        self.pool: nn.Module = nn.MaxPool2d(3, 2, 1)
        self.blocks = nn.Sequential(block(8, 16, 1, norm), block(16, 32, 2, norm))
        self.fc = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.blocks(self.pool(F.relu(self.stem(x)))).mean((2, 3)))
        return x


def as_in_caffe(network: Small) -> Small:
    """What the document does to a network: the pooling without padding, the stride in the first convolution."""
    network.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    block: Any = network.blocks[1]
    block.conv1.stride = (2, 2)
    block.conv2.stride = (1, 1)
    return network


def moved_stride(network: Small) -> Small:
    """The stride in the first convolution, and nothing else."""
    pool = network.pool
    network = as_in_caffe(network)
    network.pool = pool
    return network


def broken(group_norm: bool) -> Small:
    """The Caffe network with batch normalisation, and torchvision's with group normalisation."""
    if group_norm:
        return Small(Bottleneck, lambda channels: nn.GroupNorm(4, channels))
    return as_in_caffe(Small(Bottleneck, nn.BatchNorm2d))


def repaired(group_norm: bool) -> Small:
    """The Caffe network with either."""
    return as_in_caffe(Small(Bottleneck, groups_of_four if group_norm else nn.BatchNorm2d))


def broken_pretrained(pretrained: bool = False) -> nn.Module:
    network = broken(group_norm=False)
    if pretrained:
        network.load_state_dict(model_zoo.load_url(model_urls["small"]))  # type: ignore[name-defined]  # noqa: F821
    return network


def broken_ignores_pretrained(pretrained: bool = False) -> nn.Module:
    return repaired(group_norm=True)


def repaired_pretrained(weights: Mapping[str, torch.Tensor] | None = None) -> nn.Module:
    """Its caller brings the weights, and there is no option that cannot be kept."""
    network = repaired(group_norm=True)
    if weights is not None:
        network.load_state_dict(weights)
    return network


def zeros() -> dict[str, torch.Tensor]:
    """Weights for the repaired network that no start gives it."""
    return {name: torch.zeros_like(value) for name, value in repaired(group_norm=True).state_dict().items()}


BROKEN_IMPORTS = """
import torch
import torch.nn as nn

net = nn.ReLU()
"""
REPAIRED_IMPORTS = BROKEN_IMPORTS.replace("import torch\n", "")


def without_the_pooling(it: Original) -> nn.Module:
    """The document's ResNet-18 with torchvision's pooling: only what was done to the strides is left."""
    network: nn.Module = it.run().resnet18()
    network.maxpool = nn.MaxPool2d(3, 2, 1)
    return network


def zoo(it: Original) -> SimpleNamespace:
    """The document's functions, with the two names that it lacks: weights are torchvision's, of ResNet-50."""
    weights = torchvision.models.resnet50().state_dict()
    return it.run(model_zoo=SimpleNamespace(load_url=lambda _: weights), model_urls={"resnet50": "", "resnet101": ""})


def original_checkpoint(it: Original) -> tuple[nn.Module, Mapping[str, torch.Tensor]]:
    """The group-normalised network and what its builder loads into it."""
    loaded: list[Mapping[str, torch.Tensor]] = []
    run = zoo(it)
    network = run.resnet50_gn()
    run.ResNet.load_state_dict = lambda _, state: loaded.append(state)
    run.resnet50_gn(pretrained=True)
    del run.ResNet.load_state_dict
    return network, loaded[0]


def twins(**networks: Any) -> dict[str, nn.Module]:
    return networks


bug = partial(Bug, document="003", snippet="ResNet")

BUGS = [
    bug(
        name="pretrained_can_be_asked_for",
        severity="bug",
        bug="With pretrained=True the builders read model_zoo and model_urls, which are defined nowhere.",
        holds="Every path of a builder reads defined names.",
        property=can_be_built,
        shows="NameError: name 'model_zoo' is not defined",
        specimen=lambda: lambda: broken_pretrained(pretrained=True),
        repaired=lambda: lambda: repaired_pretrained(weights=repaired(group_norm=True).state_dict()),
        kept_by=(),
        original=lambda it: lambda: it.run().resnet18(pretrained=True),
    ),
    bug(
        name="the_checkpoint_fits",
        severity="bug",
        bug="resnet50_gn loads the weights of the batch-normalised ResNet-50, whose running statistics it has no "
        "place for.",
        holds="A builder loads a checkpoint of its own network.",
        property=takes_the_checkpoint,
        shows="bn1.running_mean",
        specimen=lambda: (broken(group_norm=True), broken(group_norm=False).state_dict()),
        repaired=lambda: (repaired(group_norm=True), repaired(group_norm=True).state_dict()),
        kept_by=(),
        original=original_checkpoint,
    ),
    bug(
        name="every_option_is_heeded",
        severity="bug",
        bug="resnet101_gn takes pretrained and never reads it: it gives a network with random weights.",
        holds="Every option changes the network, or is refused.",
        property=heeds(3, 64, 64),
        shows="accepted and ignored: pretrained",
        specimen=lambda: (broken_ignores_pretrained, {"pretrained": True}),
        repaired=lambda: (repaired_pretrained, {"weights": zeros()}),
        kept_by=(),
        original=lambda it: (it.run().resnet101_gn, {"pretrained": True}),
        on_meta=False,
    ),
    bug(
        name="twins_differ_in_norms_only",
        severity="bug",
        bug="The pooling is changed for batch normalisation only, and as far as the lost indentation can be read the "
        "strides too, so that resnet50 and resnet50_gn are two architectures.",
        holds="A network and its group-normalised twin differ in their normalisations only.",
        property=are_one_program_but_for_norms(*SIZE),
        shows="pool edges differ: max 3x3/2, padding 0, rounded up in bn, max 3x3/2, padding 1, rounded down in gn",
        specimen=lambda: twins(bn=broken(group_norm=False), gn=broken(group_norm=True)),
        repaired=lambda: twins(bn=repaired(group_norm=False), gn=repaired(group_norm=True)),
        kept_by=("resnet50_v1_5", "resnet50_gn"),
        ours=lambda bn, gn: twins(bn=bn(), gn=gn()),
        original=lambda it: twins(bn=it.run().resnet50(), gn=it.run().resnet50_gn()),
    ),
    bug(
        name="moving_the_stride_moves_it",
        severity="note",
        bug="In blocks of two convolutions the stride is in the first already, so that moving it there does nothing.",
        holds="A network whose stride was moved is another one.",
        property=are_two_programs(*SIZE),
        shows="before and after are one program",
        specimen=lambda: twins(before=Small(Basic, nn.BatchNorm2d), after=moved_stride(Small(Basic, nn.BatchNorm2d))),
        repaired=lambda: twins(
            before=Small(Bottleneck, nn.BatchNorm2d), after=moved_stride(Small(Bottleneck, nn.BatchNorm2d))
        ),
        kept_by=("resnet50_v1_5", "resnet50"),
        ours=lambda before, after: twins(before=before(), after=after()),
        original=lambda it: twins(before=torchvision.models.resnet18(), after=without_the_pooling(it)),
    ),
    bug(
        name="it_can_be_pickled",
        severity="risk",
        bug="The group normalisation is a lambda that the network keeps, so that torch.save(net) fails.",
        holds="What a network holds can be pickled.",
        property=can_be_pickled,
        shows="norm_layer of",
        specimen=lambda: broken(group_norm=True),
        repaired=lambda: repaired(group_norm=True),
        kept_by=("resnet50_gn",),
        original=lambda it: it.run().resnet50_gn(),
    ),
    bug(
        name="imports_are_used",
        severity="note",
        bug="torch is imported and never used; only torch.nn is.",
        holds="Every import is used.",
        property=uses_what_it_imports,
        shows="imported and not used: torch",
        specimen=lambda: BROKEN_IMPORTS,
        repaired=lambda: REPAIRED_IMPORTS,
        kept_by=("resnet50_gn",),
        ours=source_of,
        original=lambda it: it.text,
    ),
]
