"""What no graph shows of a reference, found by running it: formulas, initial values, defaults, metadata.

An experiment is a function with named arguments that come from the register, and returns what is found. Nothing is
downloaded, and torch's generator is left as it was.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any
from unittest import mock

import numpy as np
import timm
import torch
import torchvision
from torch import nn

from repro import fill
from repro.errors import ReproError
from repro.initialisation import recognised
from repro.parity.initialisation import Drawn
from repro.parity.network import Network, Stopwatch
from repro.references import resolve

EXPERIMENTS: dict[str, Callable[..., Any]] = {}


def experiment(function: Callable[..., Any]) -> Callable[..., Any]:
    """Enter an experiment under its own name."""
    EXPERIMENTS[function.__name__] = function
    return function


@experiment
def response_norm_error(alpha: float, scale: float) -> float:
    """The largest relative distance of torch's LocalResponseNorm from AlexNet's formula, 3.3, of alpha = 1e-4.

    alpha is what torch is given; the activations are normal with deviation `scale`, after a ReLU.
    """
    maps, n = 96, 5
    values = np.random.default_rng(0).normal(0, scale, (2, maps, 13, 13)).clip(0)
    expected = np.empty_like(values)
    for i in range(maps):
        near = values[:, max(0, i - n // 2) : min(maps - 1, i + n // 2) + 1]
        expected[:, i] = values[:, i] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
    found = nn.LocalResponseNorm(n, alpha, 0.75, 2.0)(torch.from_numpy(values).float()).numpy()
    positive = expected > 0
    return float(np.abs(found / np.where(positive, expected, 1) - 1)[positive].max())


@experiment
def default_of(function: str, argument: str) -> Any:
    """The default of an argument of a function or class of torch, torchvision or timm, by its dotted name."""
    return inspect.signature(_named(function)).parameters[argument].default


@experiment
def initial_law(of: str, keys: str) -> str:
    """The law that the parameters of a fresh network with such keys seem to be drawn by; several with a comma."""
    drawn = Drawn.of(resolve(of)).samples
    chosen = [key for key in drawn if fnmatchcase(key, keys)]
    if not chosen:
        raise ReproError(f"{of} has no parameter {keys!r}; there are {', '.join(list(drawn)[:5])} and more")
    return ", ".join(recognised(chosen, drawn))


@experiment
def weights_that_start_at_zero(of: str) -> int:
    """How many weights of a fresh network are zero all over: the last scales of residual branches."""
    drawn = Drawn.of(resolve(of)).samples
    return sum(sample.lowest == sample.highest == 0 for key, sample in drawn.items() if key.endswith("weight"))


@experiment
def ends_of_trunc_normal(builder: str, **arguments: Any) -> list[str]:
    """The deviation and the ends that a builder gives trunc_normal_, each once: `0.1 between -2 and 2`."""
    build = _named(builder)
    home = sys.modules[build.__module__]
    owner = home if hasattr(home, "trunc_normal_") else nn.init  # timm has its own, imported by name
    signature = inspect.signature(owner.trunc_normal_)
    found = set()

    def note(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        std, low, high = (bound.arguments[name] for name in ("std", "a", "b"))
        found.add(f"{std:g} between {low:g} and {high:g}")
        return given[0]

    with mock.patch.object(owner, "trunc_normal_", note), torch.device("meta"):
        build(**arguments)
    return sorted(found)


@experiment
def share_beyond(sampler: str, std: float, deviations: float) -> float:
    """The share of a million draws of a sampler, given `std` alone, that lie further out than so many deviations."""
    drawn = torch.empty(1_000_000)
    with _seeded():
        _named(sampler)(drawn, std=std)
    return float((drawn.abs() > deviations * std).float().mean())


@experiment
def share_of_googlenets_weights_beyond(deviations: float) -> float:
    """The share of conv2's 3x3 weights of a fresh torchvision GoogLeNet further out than so many of its deviations."""
    with _seeded():
        network = torchvision.models.googlenet(weights=None, init_weights=True, aux_logits=False)
    weight = network.conv3.conv.weight.detach()
    return float((weight.abs() > deviations * 0.01).float().mean())


@experiment
def transforms_input_without_and_with_weights(builder: str, weights: str) -> list[bool]:
    """Whether a network of torchvision rescales its input: built without weights, and with.

    In place of the published weights, which are not downloaded, it gets those of a network without.
    """
    build = getattr(torchvision.models, builder)
    with torch.device("meta"):
        fresh = build(weights=None, init_weights=False)
        state = fresh.state_dict()
        with mock.patch("torchvision.models._api.load_state_dict_from_url", return_value=state):
            loaded = build(weights=_named(f"torchvision.models.{weights}"))
    return [fresh.transform_input, loaded.transform_input]


@experiment
def metadata(weights: str, key: str) -> Any:
    """What torchvision's metadata say of published weights."""
    return _named(f"torchvision.models.{weights}").meta[key]


@experiment
def all_parameters(of: str) -> int:
    """The elements of all parameters of a network, auxiliary heads included."""
    return sum(parameter.numel() for parameter in resolve(of).module(with_values=False).parameters())


@experiment
def shape_after_transforms(weights: str, side: int) -> list[int]:
    """The shape of what torchvision's transforms for published weights make of one square image."""
    return list(_named(f"torchvision.models.{weights}").transforms()(torch.zeros(3, side, side)).shape)


@experiment
def distance_of_timms_vgg11(size: list[int]) -> float:
    """The largest distance of timm's VGG-11 from torchvision's on the same weights, over the largest output."""
    ours = Network.of(resolve("torchvision:vgg11"), (3, 224, 224), Stopwatch())
    theirs = Network.of(resolve("timm:vgg11"), (3, 224, 224), Stopwatch())
    state = ours.conditioned((3, 224, 224), 0)
    shapes = {key: tensor.shape for key, tensor in theirs.module.state_dict().items()}
    # Both list their layers in the order in which they run; timm's fully connected layers are convolutions.
    moved = {key: tensor.reshape(shape) for (key, shape), tensor in zip(shapes.items(), state.values(), strict=True)}
    ours.install(state)
    theirs.install(moved)
    images = fill.image(0, 1, size)
    (expected,), (found,) = ours.outputs(images), theirs.outputs(images)
    return float((found - expected).abs().max() / expected.abs().max())


def _named(dotted: str) -> Any:
    """The object with that dotted name."""
    library, *parts = dotted.split(".")
    found: Any = {"torch": torch, "torchvision": torchvision, "timm": timm}[library]
    for part in parts:
        if not hasattr(found, part):
            raise ReproError(f"there is no {dotted!r}: {part!r} is missing")
        found = getattr(found, part)
    return found


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield
