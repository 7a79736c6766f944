"""Hypothesis strategies: small random networks, drawn as data and built from it in two styles.

A network is a `Blueprint`: data that Hypothesis can shrink and print. `plain` builds it of torch's own layers, one
after the other; `reworded` builds the same network as somebody else would write it. Modules are made inside a test,
from what was drawn, and never by a strategy: Hypothesis keeps what strategies are given for as long as the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import reject
from hypothesis import strategies as st
from torch import Tensor, nn

Size = tuple[int, int, int]  # channels, height, width

# Random small networks as data


@dataclass(frozen=True)
class Convolution:
    """`padding` is on both sides; the kernel may be oblong."""

    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    bias: bool = True


@dataclass(frozen=True)
class Normalisation:
    """By the batch, or by `groups` of channels if there are any."""

    groups: int = 0
    eps: float = 1e-5
    momentum: float = 0.1


@dataclass(frozen=True)
class Activation:
    name: str = "relu"


@dataclass(frozen=True)
class Pooling:
    """The largest or the average of a window; `up` rounds the number of windows up."""

    kind: str = "max"
    kernel: int = 2
    stride: int = 2
    padding: int = 0
    up: bool = False


@dataclass(frozen=True)
class Dropout:
    """Of elements, or of whole channels."""

    p: float = 0.5
    channels: bool = False


@dataclass(frozen=True)
class Residual:
    """The sum of a body and a shortcut; an empty shortcut is the input itself."""

    body: tuple[Step, ...]
    shortcut: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Concatenation:
    branches: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True)
class Head:
    """Linear layers on the flattened maps, or on the averages of them; each but the last is activated, then dropped."""

    average: bool = True
    hidden: tuple[int, ...] = ()
    classes: int = 10
    activation: str = "relu"
    p: float = 0.0


Step = Convolution | Normalisation | Activation | Pooling | Dropout | Residual | Concatenation | Head


@dataclass(frozen=True)
class Blueprint:
    """A network.

    size       of one input
    steps      one after the other; the last is the head
    order      in which the other style defines its layers: ranks, by the order in which the first style has them
    spellings  which of the ways to write it the other style takes at each place, over again where they are fewer
    regrouped  whether the other style also has sums added up by kernels of another kind: a bias by itself, an average
               as a pooling, a linear layer as a convolution. They differ in how near they come in float32.
    """

    size: Size
    steps: tuple[Step, ...]
    order: tuple[int, ...] = ()
    spellings: tuple[int, ...] = (0,)
    regrouped: bool = False


def after(step: Step, size: Size) -> Size:
    """The size of what a step makes of a map; raises ValueError where nothing is left of it."""
    channels, *sides = size
    match step:
        case Convolution():
            sides = [
                (n + 2 * p - k) // step.stride + 1 for n, k, p in zip(sides, step.kernel, step.padding, strict=True)
            ]
            channels = step.channels
        case Pooling():
            sides = [_windows(n, step) for n in sides]
        case Residual():
            return after_all(step.body, size)
        case Concatenation():
            ends = [after_all(branch, size) for branch in step.branches]
            return sum(end[0] for end in ends), *ends[0][1:]
        case Head():
            return step.classes, 1, 1
    if min(sides) < 1:
        raise ValueError(f"nothing is left of {size} after {step}")
    return channels, sides[0], sides[1]


def after_all(steps: tuple[Step, ...], size: Size) -> Size:
    """The size of what is left of a map after all of them."""
    for step in steps:
        size = after(step, size)
    return size


def _windows(side: int, pooling: Pooling) -> int:
    reach = side + 2 * pooling.padding - pooling.kernel
    windows = -(-reach // pooling.stride) + 1 if pooling.up else reach // pooling.stride + 1
    # torch leaves out a window that would begin in the padding after the map
    return windows - (pooling.up and (windows - 1) * pooling.stride >= side + pooling.padding)


def walk(blueprint: Blueprint) -> Iterator[tuple[str, Step, Size]]:
    """Every step, those in another one after it, with the path of its module in `plain` and the size it is given."""
    yield from _walk(blueprint.steps, blueprint.size, "")


def _walk(steps: tuple[Step, ...], size: Size, prefix: str) -> Iterator[tuple[str, Step, Size]]:
    for index, step in enumerate(steps):
        path = f"{prefix}{index}"
        yield path, step, size
        for name, inner in inside(step).items():
            yield from _walk(inner, size, f"{path}.{name}.")
        size = after(step, size)


def inside(step: Step) -> dict[str, tuple[Step, ...]]:
    """The sequences that a step is made of, by the path of their module in its own."""
    match step:
        case Residual():
            return {"body": step.body, "shortcut": step.shortcut}
        case Concatenation():
            return {f"branches.{number}": branch for number, branch in enumerate(step.branches)}
    return {}


# Strategies

_ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid")
_SIMPLE = ("convolution", "activation", "normalisation", "dropout")

# Of elements, that a mean and a variance are taken of in training: of one or two they are the same for every input.
_ENOUGH = 4

# A projection with a stride. No convolution here is 1x1 with a stride: in backward of one with less than eight
# channels, in channels_last, oneDNN writes past the end of its memory (github.com/uxlfoundation/oneDNN/issues/6035).
_STRIDED = ((3, 3), 2, (1, 1))


@st.composite
def blueprints(draw: st.DrawFn, *, max_steps: int = 5) -> Blueprint:
    """Networks that take the size they are drawn for, in eval mode and, by two images or more, in train mode."""
    size = (draw(st.integers(1, 3)), draw(st.integers(8, 16)), draw(st.integers(8, 16)))
    now, steps = size, []
    for _ in range(draw(st.integers(1, max_steps))):
        steps.append(draw(_steps(now)))
        now = after(steps[-1], now)
    steps.append(draw(heads()))
    drawn = Blueprint(size, tuple(steps))
    order = draw(st.permutations(range(len(layers(drawn)))))
    spellings = draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    return Blueprint(size, drawn.steps, tuple(order), tuple(spellings), draw(st.booleans()))


def _steps(size: Size) -> st.SearchStrategy[Step]:
    """Any step that a map of this size can be given to."""
    return st.one_of(*_simple(size), poolings(size), residuals(size), concatenations(size))


def _simple(size: Size) -> list[st.SearchStrategy[Any]]:
    """Steps that keep the size of a map, but for its channels."""
    found = [convolutions(size), activations(), dropouts()]
    return [*found, normalisations(size)] if math.prod(size[1:]) >= _ENOUGH else found


@st.composite
def convolutions(draw: st.DrawFn, size: Size, *, same: bool = False, stride: int | None = None) -> Convolution:
    """Those that a map of this size has room for. same: padded so that a stride of 1 changes no size."""
    kernels = [(1, 1), (3, 3), (1, 3), (3, 1), (5, 5)] if same else [(1, 1), (3, 3), (1, 3), (3, 1), (5, 5), (2, 2)]
    stride = draw(st.integers(1, 2)) if stride is None else stride
    kernel = draw(st.sampled_from(kernels[stride > 1 :]))  # see _STRIDED
    half = (kernel[0] // 2, kernel[1] // 2)
    fits = kernel[0] <= size[1] and kernel[1] <= size[2]
    padding = half if same or not fits else draw(st.sampled_from([half, (0, 0)]))
    groups = draw(st.sampled_from([g for g in (1, 2, 3, 4) if size[0] % g == 0]))
    return Convolution(
        groups * draw(st.integers(-(-2 // groups), -(-6 // groups))),
        kernel,
        stride,
        padding,
        groups,
        draw(st.booleans()),
    )


def normalisations(size: Size) -> st.SearchStrategy[Normalisation]:
    groups = [g for g in (1, 2, 3) if size[0] % g == 0]
    return st.builds(
        Normalisation, st.sampled_from([0, *groups]), st.sampled_from((1e-5, 1e-3)), st.sampled_from((0.1, 0.01))
    )


def activations() -> st.SearchStrategy[Activation]:
    return st.builds(Activation, st.sampled_from(_ACTIVATIONS))


def dropouts() -> st.SearchStrategy[Dropout]:
    return st.builds(Dropout, st.sampled_from((0.5, 0.2)), st.booleans())


@st.composite
def poolings(draw: st.DrawFn, size: Size) -> Pooling:
    kernel = draw(st.integers(min(2, *size[1:]), min(3, *size[1:])))
    padding = draw(st.integers(0, kernel // 2))
    return Pooling(draw(st.sampled_from(("max", "avg"))), kernel, draw(st.integers(1, 2)), padding, draw(st.booleans()))


@st.composite
def _bodies(draw: st.DrawFn, size: Size, stride: int) -> tuple[Step, ...]:
    """Steps of which each keeps height and width, but for one at most that has the stride."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 3))):
        strided = convolutions(size, same=True, stride=stride)
        kinds = [convolutions(size, same=True, stride=1), *_simple(size)[1:]]
        steps.append(draw(strided if stride > 1 and number == 0 else st.one_of(kinds)))
        size = after(steps[-1], size)
    return tuple(steps)


@st.composite
def residuals(draw: st.DrawFn, size: Size) -> Residual:
    """With a projection where the body changes the size, and sometimes where it does not."""
    stride = draw(st.integers(1, 2)) if min(size[1:]) > 1 else 1
    body = draw(_bodies(size, stride))
    end = after_all(body, size)
    if end == size and draw(st.booleans()):
        return Residual(body)
    geometry = ((1, 1), 1, (0, 0)) if stride == 1 else _STRIDED
    projection = Convolution(end[0], *geometry, bias=draw(st.booleans()))
    rest = [draw(normalisations(end))] if math.prod(end[1:]) >= _ENOUGH and draw(st.booleans()) else []
    return Residual(body, (projection, *rest))


@st.composite
def concatenations(draw: st.DrawFn, size: Size) -> Concatenation:
    """Of two or three branches; where all of them have a stride, one may be a pooling."""
    stride = draw(st.integers(1, 2)) if min(size[1:]) > 1 else 1
    branches = draw(st.lists(_bodies(size, stride), min_size=2, max_size=3))
    if draw(st.booleans()):
        branches[-1] = (Pooling(draw(st.sampled_from(("max", "avg"))), 3, stride, 1),)
    return Concatenation(tuple(branches))


def heads() -> st.SearchStrategy[Head]:
    """Wide enough that a layer is never silent for every image, and that one image is judged by more than luck."""
    hidden = st.lists(st.integers(8, 12), max_size=2).map(tuple)
    names = st.sampled_from(_ACTIVATIONS)
    return st.builds(Head, st.booleans(), hidden, st.integers(10, 12), names, st.sampled_from((0.0, 0.5)))


# One mistake in a network


@dataclass(frozen=True)
class Changed:
    """A network, and the same with another step at one path of `walk`, which makes as large a map."""

    blueprint: Blueprint
    path: str
    changed: Blueprint


@dataclass(frozen=True)
class Altered:
    """A network, and a change of its weights: one tensor of `plain`, or one element of it, times a factor."""

    blueprint: Blueprint
    key: str
    factor: float
    index: int | None


@st.composite
def changes(draw: st.DrawFn) -> Changed:
    """One operation is another."""
    blueprint = draw(blueprints())
    places = [(path, others) for path, step, size in walk(blueprint) if (others := _others(step, size))]
    if not places:
        reject()
    path, others = draw(st.sampled_from(places))
    steps = _with(blueprint.steps, path, draw(st.sampled_from(others)))
    return Changed(blueprint, path, replace(blueprint, steps=steps))


@st.composite
def alterations(draw: st.DrawFn) -> Altered:
    """One tensor holds other values; a running variance stays one."""
    blueprint = draw(blueprints())
    with torch.device("meta"):
        state = plain(blueprint).state_dict()
    key = draw(st.sampled_from([key for key, x in state.items() if x.is_floating_point()]))
    index = draw(st.none() | st.integers(0, state[key].numel() - 1))
    return Altered(blueprint, key, draw(st.sampled_from((1.5, 0.5, 1.01))), index)


def _others(step: Step, size: Size) -> list[Step]:
    """Steps of the same kind that make as large a map of one of this size, and are other programs."""
    match step:
        case Convolution():
            found = [replace(step, bias=not step.bias)]
            kernels = [(1, 1), (3, 3), (1, 3), (3, 1), (5, 5)][step.stride > 1 :]  # as in _STRIDED
            found += [replace(step, kernel=k, padding=(k[0] // 2, k[1] // 2)) for k in kernels if k != step.kernel]
            groups = [g for g in (1, 2, 3) if size[0] % g == step.channels % g == 0]
            found += [replace(step, groups=g) for g in groups if g != step.groups]
            return [other for other in found if _size(other, size) == _size(step, size)]
        case Normalisation():
            eps = 1e-3 if step.eps == 1e-5 else 1e-5
            groups = [g for g in (0, 1, 2, 3) if not g or size[0] % g == 0]
            momenta = [replace(step, momentum=0.2)] if not step.groups else []
            return [replace(step, eps=eps), *momenta, *(replace(step, groups=g) for g in groups if g != step.groups)]
        case Activation():
            return [Activation(name) for name in _ACTIVATIONS if name != step.name]
        case Pooling():
            return [replace(step, kind="avg" if step.kind == "max" else "max")]
        case Dropout():
            whole = [replace(step, channels=not step.channels)] if math.prod(size[1:]) > 1 else []
            return [replace(step, p=0.3), *whole]
        case Head() if step.hidden:
            names = [name for name in _ACTIVATIONS if name != step.activation]
            return [*(replace(step, activation=name) for name in names), replace(step, p=0.3)]
    return []


def _size(step: Step, size: Size) -> Size | None:
    try:
        return after(step, size)
    except ValueError:
        return None


def _with(steps: tuple[Step, ...], path: str, new: Step) -> tuple[Step, ...]:
    """The same with another step at a path."""
    first, _, rest = path.partition(".")
    step = steps[int(first)] if rest else new
    if isinstance(step, Residual) and rest:
        name, _, inner = rest.partition(".")
        step = replace(step, **{name: _with(inside(step)[name], inner, new)})
    elif isinstance(step, Concatenation) and rest:
        _, number, inner = rest.split(".", 2)
        changed = {int(number): _with(step.branches[int(number)], inner, new)}
        step = Concatenation(tuple(changed.get(i, branch) for i, branch in enumerate(step.branches)))
    return (*steps[: int(first)], step, *steps[int(first) + 1 :])


# One style: torch's own layers, one after the other

_MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Sum(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.body(x), self.shortcut(x))


class Joined(nn.Module):
    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def plain(blueprint: Blueprint) -> nn.Module:
    """The network as nn.Sequential: the module of a step is at its path in `walk`."""
    return _sequential(blueprint.steps, blueprint.size)


def _sequential(steps: tuple[Step, ...], size: Size) -> nn.Module:
    modules = []
    for step in steps:
        modules.append(_module(step, size))
        size = after(step, size)
    return nn.Sequential(*modules)


def _module(step: Step, size: Size) -> nn.Module:
    match step:
        case Convolution() | Normalisation():
            return layer(step, size)
        case Activation():
            return _MODULES[step.name]()
        case Pooling():
            pool = nn.MaxPool2d if step.kind == "max" else nn.AvgPool2d
            return pool(step.kernel, step.stride, step.padding, ceil_mode=step.up)
        case Dropout():
            return (nn.Dropout2d if step.channels else nn.Dropout)(step.p)
        case Residual():
            return Sum(_sequential(step.body, size), _sequential(step.shortcut, size))
        case Concatenation():
            return Joined([_sequential(branch, size) for branch in step.branches])
        case Head():
            modules: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if step.average else [nn.Flatten()]
            for number, (inputs, outputs) in enumerate(widths(step, size)):
                modules += [_MODULES[step.activation](), nn.Dropout(step.p)] if number else []
                modules.append(nn.Linear(inputs, outputs))
            return nn.Sequential(*modules)


def layer(step: Convolution | Normalisation, size: Size) -> nn.Module:
    """Torch's own layer for what has weights."""
    if isinstance(step, Convolution):
        return nn.Conv2d(size[0], step.channels, step.kernel, step.stride, step.padding, 1, step.groups, step.bias)
    if step.groups:
        return nn.GroupNorm(step.groups, size[0], step.eps)
    return nn.BatchNorm2d(size[0], step.eps, step.momentum)


def widths(head: Head, size: Size) -> list[tuple[int, int]]:
    """The inputs and outputs of each linear layer of a head on maps of this size."""
    sides = [size[0] if head.average else math.prod(size), *head.hidden, head.classes]
    return list(pairwise(sides))


def layers(blueprint: Blueprint) -> list[str]:
    """The paths of what has weights, in the order in which `plain` defines it."""
    found = []
    for path, step, size in walk(blueprint):
        if isinstance(step, Convolution | Normalisation):
            found.append(path)
        elif isinstance(step, Head):
            found += [f"{path}.{number}" for number, _ in enumerate(widths(step, size))]
    return found


# The other style: layers defined in any order under other names, functions called on them, in place where it may be

_Function = Callable[[Tensor], Tensor]

# In place; and as often as there are ways to write it not in place.
_FUNCTIONS: dict[str, tuple[_Function, ...]] = {
    "relu": (F.relu_, F.relu, torch.relu, lambda x: x.clamp(min=0)),
    "relu6": (lambda x: F.hardtanh_(x, 0.0, 6.0), F.relu6, lambda x: F.hardtanh(x, 0.0, 6.0), lambda x: x.clamp(0, 6)),
    "leaky_relu": (F.leaky_relu_, F.leaky_relu),
    "elu": (F.elu_, F.elu),
    "silu": (lambda x: F.silu(x, inplace=True), F.silu, lambda x: x * torch.sigmoid(x)),
    "gelu": (F.gelu, F.gelu),
    "tanh": (torch.tanh_, torch.tanh),
    "sigmoid": (torch.sigmoid_, torch.sigmoid),
}


class Columns(nn.Module):
    """A linear layer that stores its weight as (inputs, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(outputs))
        self.columns = nn.Parameter(torch.randn(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.shift, x, self.columns)


def reworded(blueprint: Blueprint) -> nn.Module:
    """The network as somebody else would write it."""
    return Reworded(blueprint)


class Reworded(nn.Module):
    """Layers in a dict, and one function that goes through the steps."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.steps = blueprint.steps
        self.regrouped = blueprint.regrouped
        paths = [path for path, _, _ in walk(blueprint)]
        self.spelling = {path: blueprint.spellings[k % len(blueprint.spellings)] for k, path in enumerate(paths)}
        made = {path: build for step in walk(blueprint) for path, build in self._made(*step)}
        order = blueprint.order or range(len(made))
        self.layers = nn.ModuleDict({_renamed(path): made[path]() for path in (list(made)[k] for k in order)})

    def _made(self, path: str, step: Step, size: Size) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
        """How to build each layer of a step that has weights, under its path in the other style."""
        if isinstance(step, Convolution | Normalisation):
            yield path, lambda: layer(step, size)
        if isinstance(step, Head):
            for number, (inputs, outputs) in enumerate(widths(step, size)):
                channels, kernel = (inputs, (1, 1)) if step.average or number else (size[0], size[1:])
                ways: list[Callable[[], nn.Module]] = [
                    partial(nn.Linear, inputs, outputs),
                    partial(Columns, inputs, outputs),
                    partial(nn.Conv2d, channels, outputs, kernel),
                ]
                yield f"{path}.{number}", ways[(self.spelling[path] + number) % 3 if self.regrouped else 0]

    def forward(self, x: Tensor) -> Tensor:
        return self._all(self.steps, x, "")

    def _all(self, steps: tuple[Step, ...], x: Tensor, prefix: str) -> Tensor:
        new = False  # whether nothing else reads x, so that it may be written over
        for index, step in enumerate(steps):
            x = self._one(step, x, f"{prefix}{index}", new)
            new = _is_new(step)
        return x

    def _one(self, step: Step, x: Tensor, path: str, new: bool) -> Tensor:
        way = self.spelling[path]
        match step:
            case Convolution():
                return self._convolution(step, x, path, way)
            case Normalisation():
                return self._normalisation(step, x, path, way)
            case Activation():
                return _activated(step.name, x, way, new)
            case Pooling():
                return _pooled(step, x, way)
            case Dropout():
                return self._dropped(step, x, way, new)
            case Residual():
                return self._sum(step, x, path, way)
            case Concatenation():
                return self._joined(step, x, path, way)
            case Head():
                return self._head(step, x, path, way)

    def _convolution(self, step: Convolution, x: Tensor, path: str, way: int) -> Tensor:
        conv: Any = self.layers[_renamed(path)]
        down, across = step.padding
        match way % 4:
            case 1:
                return F.conv2d(x, conv.weight, conv.bias, step.stride, step.padding, groups=step.groups)
            case 2:
                x = F.pad(x, (across, across, down, down))
                return F.conv2d(x, conv.weight, conv.bias, step.stride, groups=step.groups)
            case 3 if step.bias and self.regrouped:
                bias: Tensor = conv.bias
                x = F.conv2d(x, conv.weight, None, step.stride, step.padding, groups=step.groups)
                return x + bias.view(-1, 1, 1)
        x = conv(x)
        return x

    def _normalisation(self, step: Normalisation, x: Tensor, path: str, way: int) -> Tensor:
        norm: Any = self.layers[_renamed(path)]
        if way % 2 == 0:
            x = norm(x)
            return x
        if step.groups:
            return F.group_norm(x, step.groups, norm.weight, norm.bias, step.eps)
        if self.training:
            norm.num_batches_tracked += 1
        statistics = norm.running_mean, norm.running_var
        return F.batch_norm(x, *statistics, norm.weight, norm.bias, self.training, step.momentum, step.eps)

    def _dropped(self, step: Dropout, x: Tensor, way: int, new: bool) -> Tensor:
        if not self.training or not step.p:
            return x
        if way % 3 == 2:  # as torch draws it
            shape = (*x.shape[:2], 1, 1) if step.channels else x.shape
            return x.new_empty(shape).bernoulli_(1 - step.p).div_(1 - step.p) * x
        drop = F.dropout2d if step.channels else F.dropout
        return drop(x, step.p, inplace=new and way % 3 == 1)

    def _sum(self, step: Residual, x: Tensor, path: str, way: int) -> Tensor:
        if way % 2:
            short = self._all(step.shortcut, x, f"{path}.shortcut.")
            body = self._all(step.body, x, f"{path}.body.")
        else:
            body = self._all(step.body, x, f"{path}.body.")
            short = self._all(step.shortcut, x, f"{path}.shortcut.")
        match way % 5:
            case 0 if step.shortcut and _is_new(step.shortcut[-1]):
                short += body
                return short
            case 1 if _is_new(step.body[-1]):
                body += short
                return body
            case 2 | 3:
                return short + body
        return body + short

    def _joined(self, step: Concatenation, x: Tensor, path: str, way: int) -> Tensor:
        numbers = range(len(step.branches))
        found = {
            n: self._all(step.branches[n], x, f"{path}.branches.{n}.") for n in (numbers[::-1] if way % 2 else numbers)
        }
        first, *rest = (found[n] for n in numbers)
        match way % 3:
            case 1:
                return torch.cat((first, torch.cat(rest, 1)), 1)
            case 2:
                return torch.hstack((first, *rest))
        return torch.cat((first, *rest), 1)

    def _head(self, head: Head, x: Tensor, path: str, way: int) -> Tensor:
        if head.average:
            x = F.avg_pool2d(x, x.shape[2:]) if self.regrouped and way % 2 else x.mean((2, 3), keepdim=way % 3 == 0)
        for number in range(len(head.hidden) + 1):
            if number:
                x = self._dropped(Dropout(head.p), _activated(head.activation, x, way, True), way, False)
            linear = self.layers[_renamed(f"{path}.{number}")]
            if isinstance(linear, nn.Conv2d):
                x = linear(x if x.ndim == 4 else x[:, :, None, None])
            else:
                x = linear(x.flatten(1) if way % 2 else x.reshape(x.size(0), -1))
        return x.flatten(1)


def _renamed(path: str) -> str:
    """What the other style calls a layer: the same words from the last to the first."""
    return "_of_".join(reversed(path.split(".")))


def _is_new(step: Step) -> bool:
    """Whether what a step returns is a tensor of its own, and not kept for backward."""
    return isinstance(step, Convolution | Normalisation)


def _activated(name: str, x: Tensor, way: int, new: bool) -> Tensor:
    in_place, *others = _FUNCTIONS[name]
    return in_place(x) if new and way % 2 == 0 else others[way % len(others)](x)


def _pooled(step: Pooling, x: Tensor, way: int) -> Tensor:
    if step.kind == "avg":
        return F.avg_pool2d(x, step.kernel, step.stride, step.padding, step.up)
    match way % 3:
        case 1 if not step.up:
            x = F.pad(x, (step.padding,) * 4, value=-math.inf)
            return F.max_pool2d(x, step.kernel, step.stride)
        case 2:
            return F.max_pool2d(x, step.kernel, step.stride, step.padding, 1, step.up, return_indices=True)[0]
    return F.max_pool2d(x, step.kernel, step.stride, step.padding, ceil_mode=step.up)
