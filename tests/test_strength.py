"""How much the facts of a network notice by themselves: faults planted in it, and the table of docs/design.md."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from repro import models
from repro.conformance import facts_of, held
from repro.faults import Fault, faults
from repro.graph import trace
from repro.measures import Subject

PAGE = (Path(__file__).parents[1] / "docs" / "design.md").read_text(encoding="utf-8")
PLACES = 2  # of each kind, spread over the depth of a network

# What the paper of each network says, and so has to be noticed wherever it is planted.
NOTICED = {
    "lenet5": "activation missing; activation replaced; constant factor missing; pooling kind; softmax at the end",
    "nin_cifar10": (
        "activation missing; activation replaced; convolution bias missing; pooling kind; pooling stride; "
        "pooling window; dropout missing; dropout rate; dropout in eval mode; softmax at the end"
    ),
    "alexnet": (
        "activation missing; stride moved; convolution groups; kernel size; pooling kind; pooling window; "
        "response normalisation size; response normalisation alpha; response normalisation beta; "
        "response normalisation k; response normalisation missing; dropout missing; dropout place; dropout rate"
    ),
    "zfnet": (
        "activation missing; convolution bias missing; stride moved; kernel size; pooling kind; "
        "response normalisation missing; dropout missing; dropout place"
    ),
    "vgg11_cifar": (
        "activation missing; convolution bias missing; kernel size; convolution dilation; "
        "pooling kind; pooling stride; pooling alignment; dropout missing; dropout place"
    ),
    "resnet18": (
        "shortcut missing; shortcut averaged; shortcut not normalised; shortcut without projection; "
        "activation missing; activation before the addition; normalisation missing; convolution stride; kernel size; "
        "pooling kind"
    ),
    "resnet20_cifar": (
        "shortcut missing; activation missing; activation before the addition; activation replaced; "
        "normalisation missing; normalisation after activation; batch statistics in eval mode; stride moved; "
        "convolution stride; convolution groups; convolution dilation; kernel size; pooling kind; softmax at the end"
    ),
    "wrn_16_8": (
        "shortcut missing; activation missing; normalisation missing; normalisation after activation; stride moved; "
        "convolution stride; pooling kind"
    ),
}

# What the paper says nothing of: what the documents say of that stands as long as it goes unnoticed.
UNSAID = {
    "resnet20_cifar": ("normalisation eps", "batch normalisation momentum", "kernel flipped", "convolution alignment"),
    "zfnet": ("response normalisation size", "kernel flipped"),
}


# What is not noticed at some place of some network: docs/design.md says so in as many words.
UNNOTICED = """
batch normalisation frozen; batch normalisation instance reused; batch normalisation momentum; buffer not updated;
concatenation order; convolution alignment; convolution bias added; convolution dilation; convolution instance reused;
convolution padding; dropout not rescaled; dropout of channels; flatten order; flatten transposed; kernel flipped;
linear bias missing; normalisation eps; pooling alignment; pooling padding; response normalisation alpha;
response normalisation beta; response normalisation k; response normalisation size; rows mixed;
variance used as deviation
"""


def planted(name: str, places: int = PLACES, only: Sequence[str] | None = None) -> dict[str, list[set[str]]]:
    """Kind of fault -> the facts that notice it, at each place that it is planted at."""
    variant = models.get(name)
    facts, laws = facts_of(variant), models.initialisation_of(variant).rules
    with torch.device("meta"):
        healthy: nn.Module = models.build(name)
        images = torch.empty(3, *variant.input_size)
    found = defaultdict(list)
    for fault in filter(is_of_structure, faults(healthy, variant.input_size, places=places, only=only)):
        network = copy.deepcopy(healthy)
        assert fault.plant
        fault.plant(network)
        subject = Subject(trace(network.eval(), images), trace(network, images, training=True), laws)
        found[fault.kind].append({fact.id for fact in facts if not held(fact, name, subject).confirmed})
    return found


def is_of_structure(fault: Fault) -> bool:
    """Whether the program of eval mode, or of train mode alone, is another one; what a caller feeds in is not in it."""
    changes = fault.plant is not None and not fault.equivalent and not fault.kind.startswith("input ")
    return changes and ("eval" in fault.modes or fault.modes == {"train"})


@pytest.mark.parametrize("name", NOTICED)
def test_what_a_paper_says_is_noticed_and_how_much_that_is_stands_in_the_design(name: str) -> None:
    found = planted(name)
    said = NOTICED[name].split("; ")
    assert [kind for kind in said if kind not in found] == []
    assert [kind for kind in said if not all(found[kind])] == []
    assert not any(any(found[kind]) for kind in UNSAID.get(name, ()))
    places = [noticing for each in found.values() for noticing in each]
    noticed = [any(".words." not in fact for fact in noticing) for noticing in places], [bool(each) for each in places]
    row = re.search(rf"^\| `{name}` \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert row, f"docs/design.md has no row of {name}"
    assert [int(number) for number in row.groups()] == [len(places), *map(sum, noticed)]
    left = {kind for kind, each in found.items() if not all(each)}
    assert sorted(left - set(" ".join(UNNOTICED.split()).split("; "))) == []


def test_what_goes_unnoticed_is_said_in_the_design() -> None:
    said = " ".join(PAGE.split())
    assert [kind for kind in " ".join(UNNOTICED.split()).split("; ") if f"*{kind}*" not in said] == []


# A measure, and a fault that it must notice.
SEEN = [
    ("additions", "resnet20_cifar", "shortcut missing"),
    ("additions_by_side", "resnet20_cifar", "shortcut missing"),
    ("after_activations", "vgg11_cifar", "pooling alignment"),
    ("after_additions", "resnet20_cifar", "activation before the addition"),
    ("after_convolutions", "resnet20_cifar", "normalisation missing"),
    ("after_layers", "alexnet", "activation missing"),
    ("after_normalisations", "resnet20_cifar", "normalisation after activation"),
    ("after_pools", "zfnet", "response normalisation missing"),
    ("beside", "resnet18", "shortcut without projection"),
    ("biases", "vgg11_cifar", "convolution bias missing"),
    ("classifier", "alexnet", "dropout place"),
    ("convolutions_by_side", "resnet20_cifar", "stride moved"),
    ("distinct_kernels", "resnet20_cifar", "convolution dilation"),
    ("dropouts", "nin_cifar10", "dropout in eval mode"),
    ("dropped", "inception_v4", "dropout place"),
    ("ending", "resnet20_cifar", "pooling kind"),
    ("formula", "lenet5", "constant factor missing"),
    ("lrn", "alexnet", "response normalisation size"),
    ("pools", "lenet5", "pooling kind"),
]


@pytest.mark.parametrize(("measure", "name", "kind"), SEEN)
def test_a_measure_notices_what_it_is_for(measure: str, name: str, kind: str) -> None:
    (noticing,) = planted(name, 1, [kind])[kind]
    assert measure in {fact.measure for fact in facts_of(models.get(name)) if fact.id in noticing}
