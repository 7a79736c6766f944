"""A network under examination: how it is built, the sizes that it says it takes, and its weights."""

from __future__ import annotations

import copy
import functools
import gc
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn

from repro import fill, models
from repro.graph import Graph, trace
from repro.layers import Layer
from repro.parity.network import widened
from tests.properties.receptive_fields import placed, sensitive, windowed
from tests.properties.sizes import Sides, refusal

SMALL = 24  # pixels of the largest images in eval mode, of networks that take smaller ones
CLASSES = 10  # LeNet-5 has targets for ten at most
HEAVY = 10_000_000  # weights from which on a network is run on fewer examples
DEEP = 60  # layers with weights from which on it is so too: each costs a trace of seconds


def any_side(_: int) -> bool:
    """Whether a side is admissible, of which nothing is asked but its size."""
    return True


@dataclass
class Case:
    """One network; what is expensive is made once.

    make      builds it, given num_classes and in_channels
    channels  of the images that it was made for
    side      the shorter one of these images, in pixels
    dropouts  the rates that its source has, in the order in which they run in train mode
    admits    whether a side between the smallest and the largest is admissible
    """

    name: str
    make: Callable[..., nn.Module]
    channels: int
    side: int
    dropouts: Sequence[float] = ()
    admits: Callable[[int], bool] = any_side
    _graph: dict[tuple[int, int, int], Graph] = field(default_factory=dict)
    _windowed: dict[int, list[Layer]] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The network anew, in train mode."""
        return self.make(num_classes=CLASSES, in_channels=self.channels)

    @cached_property
    def bare(self) -> nn.Module:
        """The network on the meta device: shapes and no values."""
        with torch.device("meta"):
            return self.build().eval()

    def images(self, batch: int, height: int, width: int) -> torch.Tensor:
        """Images without values."""
        return torch.empty(batch, self.channels, height, width, device="meta")

    @cached_property
    def sides(self) -> Sides:
        """What it takes in eval mode."""
        return self._asked(training=False)

    @cached_property
    def training_sides(self) -> Sides:
        """What it takes in train mode, where auxiliary heads may ask for more."""
        return self._asked(training=True)

    def _asked(self, training: bool) -> Sides:
        """The bounds that it names when it is given nothing."""
        self.bare.train(training)
        try:
            message = refusal(self.bare, self.images(1, 0, 0))
        finally:
            self.bare.eval()
        found = Sides.told(message)
        assert found, f"{self.name}: a refusal does not say what is taken: {message}"
        return found

    @property
    def seen_at(self) -> int:
        """The largest side, in pixels, that it is run at in eval mode."""
        return max(self.sides.smallest + 4, SMALL)

    def graph(self, batch: int, height: int, width: int) -> Graph:
        """The graph of eval mode; the last one is kept."""
        key = batch, height, width
        if key not in self._graph:
            self._graph = {key: trace(self.bare, self.images(*key))}
        return self._graph[key]

    def admissible(self, side: int) -> list[int]:
        """The sides that it takes, up to this one, from the largest on; the smallest one in any case."""
        sides = range(self.sides.smallest, self.sides.at_least(side) + 1)
        return [each for each in sides if self.admits(each)][::-1]

    @cached_property
    def _values(self) -> dict[str, torch.Tensor]:
        """Closed-form weights that keep every layer awake, those that only train mode reads among them."""
        sides = self.admissible(self.seen_at)
        graph = self.graph(2, sides[0], sides[1 % len(sides)])  # of the simplest example that is drawn
        own = self.bare.state_dict()
        if fill.keeps_values(graph):
            own = self.build().state_dict()
        side = self.training_sides.at_least(33)
        heads = any(own[key].is_floating_point() for key in graph.state.keys() - graph.readers().keys())
        # Three images: heads may normalise a single position.
        training = trace(self.bare, self.images(3, side, side), training=True) if heads else None
        return fill.conditioned(graph, own, 0, training)

    def _holding(self, state: dict[str, torch.Tensor]) -> nn.Module:
        network = copy.deepcopy(self.bare)
        network.load_state_dict(state, assign=True)
        return network

    @cached_property
    def exact(self) -> nn.Module:
        """The network in float64 and eval mode."""
        return self._holding(widened(self._values))

    @cached_property
    def trained(self) -> nn.Module:
        """The network in float32."""
        buffers = dict(self.bare.named_buffers())  # which training writes into
        state = {key: tensor.clone() if key in buffers else tensor for key, tensor in self._values.items()}
        return self._holding(state).requires_grad_()

    @property
    def smallest_batch(self) -> int:
        """The fewest images that it can be trained on."""
        return NORMALISES_ONE_POSITION.get(self.name, 1)

    @cached_property
    def sensitive(self) -> nn.Module:
        """The network whose pixels are felt wherever they are seen."""
        return sensitive(self.bare)

    def windowed(self, side: int) -> list[Layer]:
        """The layers whose receptive fields can be looked at in square images, in one place at least."""
        if side not in self._windowed:
            found = windowed(self.bare, self.graph(1, side, side))
            self._windowed[side] = [layer for layer in found if placed(layer, side, 0) and placed(layer, side, 1)]
        return self._windowed[side]

    @cached_property
    def examples(self) -> int:
        """How many examples it is run on in the profile `ci`: fewer for what is large or deep."""
        weights = [parameter for parameter in self.bare.parameters() if parameter.ndim > 1]
        return 1 if len(weights) > DEEP or sum(weight.numel() for weight in weights) > HEAVY else 3


def case(name: str) -> Case:
    """That of the catalog; the one before is let go first, since two VGGs are gigabytes each."""
    if name not in _HELD:
        _HELD.clear()
        gc.collect()
        channels, height, width = models.get(name).input_size
        build, admits = functools.partial(models.build, name), ADMITS.get(name, any_side)
        _HELD[name] = Case(name, build, channels, min(height, width), dropouts(name), admits)
    return _HELD[name]


_HELD: dict[str, Case] = {}


def dropouts(name: str) -> tuple[float, ...]:
    """The rates of dropout of a network, in the order in which they run; nothing where its source has none."""
    return next((rates for pattern, rates in DROPOUTS.items() if re.fullmatch(pattern, name)), ())


# Szegedy et al. 2015, section 4: the convolutions of the auxiliary head are normalised, and the last one has a map of
# one position. Over one image it has no variance; over two, normalisation makes -1 and 1 of any two values.
NORMALISES_ONE_POSITION = {"inception_v3": 3}

# Two concatenations of the released network fit only if both pools of stride 2 before them halve an even map.
ADMITS: dict[str, Callable[[int], bool]] = {"bn_inception_caffe2": lambda side: (side + 1) // 8 % 4 == 0}

DROPOUTS: dict[str, tuple[float, ...]] = {
    # Krizhevsky et al. 2012, section 4.2: the first two fully connected layers. BVLC's file has the same; so have
    # the networks called after "One weird trick", whose paper does not speak of dropout.
    "alexnet(_owt|_bvlc)?": (0.5, 0.5),
    # Zeiler and Fergus 2013, section 3: layers 6 and 7; zfnet512 is ONNX's, whose graph has none.
    "zfnet(_wide)?": (0.5, 0.5),
    # Simonyan and Zisserman 2014, section 3.1
    "vgg.*": (0.5, 0.5),
    # Lin et al. 2013, section 4.1: after all but the last mlpconv; the released ImageNet network before the last only
    "nin_cifar10": (0.5, 0.5),
    "nin_imagenet": (0.5,),
    # Szegedy et al. 2014, Table 1 and section 5: 40 %, and 70 % in both heads, which run first; torchvision has 0.2
    "googlenet(_bn|_bvlc)?": (0.7, 0.7, 0.4),
    "googlenet_torchvision": (0.7, 0.7, 0.2),
    # torchvision's; Szegedy et al. 2015 print none
    "inception_v3": (0.5,),
    # Szegedy et al. 2016, Figures 9 and 15: keep 0.8
    "inception_(v4|resnet_v.)": (0.2,),
    # Zagoruyko and Komodakis 2016, section 3: 0.3 on CIFAR and 0.4 on SVHN, one in each block; the depth is 6n + 4
    "wrn_28_10_dropout": (0.3,) * 12,
    "wrn_40_10_dropout": (0.3,) * 18,
    "wrn_16_8_dropout": (0.4,) * 6,
}
