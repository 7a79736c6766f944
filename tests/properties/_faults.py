"""Networks that break one property each: a property counts when it has been seen to fail.

`Sound` is a small network that keeps all of them; each of the others differs from it by one mistake.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.models._images import require_images
from tests.properties.receptive_fields import Field
from tests.properties.sizes import Sides, Sized

SIDES = Sides(9, 40)


class Sound(nn.Module):
    """Takes (batch, in_channels, height, width) of 9 to 40 pixels; returns logits (batch, num_classes)."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 8, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.conv2 = nn.Conv2d(8, 16, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(16 * 4 * 4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        require_images(x, "a sound network", self.in_channels, *SIDES)
        return self.head(self.maps(x))

    def maps(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        return self.avgpool(self.relu(self.bn2(self.conv2(x))))  # type: ignore[no-any-return]

    def head(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(x.flatten(1)))  # type: ignore[no-any-return]


class WithBackground(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes + 1, in_channels)


class MergedRows(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.fc = nn.Linear(128, num_classes)

    def head(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(x.view(-1, 128)))  # type: ignore[no-any-return]


class NormalisedByTheBatch(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.bn2 = nn.BatchNorm2d(16, track_running_stats=False)


class CountedRows(Sound):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) + torch.arange(len(x), device=x.device, dtype=x.dtype)[:, None]


class Squeezed(Sound):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x).squeeze()


class SmallerAmongOthers(Sound):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x) / len(x)


class AlwaysDropping(Sound):
    def head(self, x: Tensor) -> Tensor:
        return self.fc(F.dropout(x.flatten(1), 0.5))  # type: ignore[no-any-return]


class NeverInEval(Sound):
    def train(self, mode: bool = True) -> NeverInEval:
        super().train(mode)
        self.dropout.train()
        return self


class Transposed(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return super().maps(x.transpose(2, 3))


class CentredInPlace(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return super().maps(x.sub_(0.5))


class ReadInMemoryOrder(Sound):
    def maps(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        return super().maps(x.as_strided(x.shape, (channels * height * width, height * width, width, 1)))


class DrawnAtBirth(Sound):
    """What it is scaled by is in no state_dict."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.scale = random.SystemRandom().random()

    def head(self, x: Tensor) -> Tensor:
        return super().head(x) * self.scale


class AveragedInTraining(Sound):
    def head(self, x: Tensor) -> Tensor:
        x = super().head(x)
        return x.mean(0, keepdim=True).expand_as(x) if self.training else x


class NormalisedHead(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.norm = nn.BatchNorm1d(num_classes)

    def head(self, x: Tensor) -> Tensor:
        return self.norm(super().head(x))  # type: ignore[no-any-return]


class Overflowing(Sound):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x * 1e30).exp()


class NeverUsed(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.fc2 = nn.Linear(num_classes, num_classes)


class Detached(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return super().maps(x).detach()


class Saturated(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return super().maps(x).clamp(max=0) + 1


class TwoDropouts(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return self.dropout(super().maps(x))  # type: ignore[no-any-return]


class FunctionalDropout(Sound):
    def maps(self, x: Tensor) -> Tensor:
        return F.dropout(super().maps(x), 0.3, self.training)


class AnotherRate(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.dropout = nn.Dropout(0.2)


class Unscaled(Sound):
    class Halving(nn.Dropout):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / 2 if self.training else x

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.dropout = self.Halving(0.5)


class AlwaysTen(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(10, in_channels)


class AlwaysColour(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, 3)


class FlattenedForOneSize(Sound):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.avgpool = nn.Identity()  # type: ignore[assignment]


class Unchecked(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x))


class SmallestRefused(Sound):
    def forward(self, x: Tensor) -> Tensor:
        require_images(x, "a network", self.in_channels, SIDES.smallest + 1, SIDES.largest)
        return super().forward(x)


class TooLate(Sound):
    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < 4:
            return super().forward(x)
        return self.head(self.maps(x))


class WithoutBounds(Sound):
    def forward(self, x: Tensor) -> Tensor:
        if not (SIDES.smallest <= min(x.shape[2:]) and max(x.shape[2:]) <= SIDES[1]):  # type: ignore[operator]
            raise ValueError(f"a {x.shape[2]}x{x.shape[3]} image was given")
        return super().forward(x)


class Enlarged(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, 9) if 0 < min(x.shape[2:]) < 9 else x)


class Terse(Sound):
    def forward(self, x: Tensor) -> Tensor:
        try:
            return super().forward(x)
        except ValueError as error:
            raise ValueError("bad input") from error


class AnyRank(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[None] if x.ndim == 3 else x)


class Grey(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.expand(-1, self.in_channels, -1, -1) if x.shape[1] == 1 else x)


class FirstChannels(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, : self.in_channels])


def narrower_map(sized: Sized) -> None:
    """The graph is told to have one position less after its second convolution."""
    graph = sized.graph()
    last = max(index for index, node in enumerate(graph.nodes) if node.op == "convolution")
    *shape, width = graph.nodes[last].shape
    nodes = [replace(n, shapes=((*shape, width - 1),)) if i == last else n for i, n in enumerate(graph.nodes)]
    sized.graph = lambda: replace(graph, nodes=tuple(nodes))  # type: ignore[method-assign]


def not_twenty(sized: Sized) -> None:
    """A side of 20 is said not to fit."""
    sized.admits = lambda side: side != 20


def told(**changes: tuple[int, int]) -> Callable[[Field], None]:
    """The graph tells another receptive field: so many pixels more of each."""

    def change(field: Field) -> None:
        layer = field.layer
        more = {name: tuple(map(operator.add, getattr(layer, name), by)) for name, by in changes.items()}
        field.layer = replace(layer, **more)  # type: ignore[arg-type]

    return change


@dataclass(frozen=True)
class Planted:
    """A mistake, the property that it breaks, and what the failure must say.

    subject  changes what was drawn, where the mistake is not in a network
    """

    property: str
    mistake: str
    says: str
    make: Callable[..., nn.Module] = Sound
    subject: Callable[[Any], None] | None = None


PLANTED = (
    Planted("shape as predicted", "one more class than asked for, as for a background", "predicts", WithBackground),
    Planted("batch kept", "`view(-1, K)` with a K that does not fit", "2 images in, 4 rows out", MergedRows),
    Planted("rows independent", "batch normalisation by the batch in eval mode", "changes", NormalisedByTheBatch),
    Planted("order followed", "each row has its number in the batch added", "in the order", CountedRows),
    Planted("one image alone", "`squeeze()` without a dimension", "one image in, (10,) out", Squeezed),
    Planted("one image alone", "a sum divided by the batch", "alone gives another row", SmallerAmongOthers),
    Planted("deterministic", "`F.dropout` without `training=`", "two runs", AlwaysDropping),
    Planted("dropout is identity", "a dropout that `eval()` does not reach", "dropout changes", NeverInEval),
    Planted("image left alone", "the images centred in place", "is changed", CentredInPlace),
    Planted(
        "channels last is layout only", "`as_strided`, which depends on the layout", "channels_last", ReadInMemoryOrder
    ),
    Planted("state dict round trip", "a factor that is in no state_dict", "state_dict differs", DrawnAtBirth),
    Planted("trains on any batch", "BatchNorm1d in the head", "batch of 1 cannot", NormalisedHead),
    Planted("trains on any batch", "rows averaged while training", "1 different rows of 2", AveragedInTraining),
    Planted("trains on any batch", "an exponential that overflows", "not finite", Overflowing),
    Planted("every parameter gets a gradient", "a layer that forward never uses", "fc2.weight gets no", NeverUsed),
    Planted("every parameter gets a gradient", "`detach()` in forward", "conv1.weight gets no", Detached),
    Planted(
        "every parameter gets a gradient", "a clamp that makes every gradient zero", "conv1.weight is zero", Saturated
    ),
    Planted("dropout has its rate", "a second dropout", "2 dropouts, expected 1", TwoDropouts),
    Planted("dropout has its rate", "a dropout that is no module", "2 random draws, expected 1", FunctionalDropout),
    Planted("dropout has its rate", "a rate of 0.2 for 0.5", "elements zeroed, expected 0.5", AnotherRate),
    Planted("dropout has its rate", "what is kept is not scaled", "kept x 1.0", Unscaled),
    Planted("any admissible size gives logits", "`num_classes` ignored", "10) out, expected", AlwaysTen),
    Planted("any admissible size gives logits", "`in_channels` ignored", "4 channels were given", AlwaysColour),
    Planted("any admissible size gives logits", "a head for one size only", "in module 'fc'", FlattenedForOneSize),
    Planted(
        "any admissible size gives logits",
        "the graph tells one position too few",
        "by arithmetic",
        subject=narrower_map,
    ),
    Planted("the outermost sizes are taken", "the smallest side told refused", "9x9 is not taken", SmallestRefused),
    Planted("other sizes are refused", "no check of the size", "fails in the middle", Unchecked),
    Planted("other sizes are refused", "a smaller size admitted than the smallest that runs", "in the middle", TooLate),
    Planted("other sizes are refused", "a refusal without a size", "does not say what was given", Terse),
    Planted("other sizes are refused", "a refusal without the bounds", "not say what is taken", WithoutBounds),
    Planted("other sizes are refused", "small images enlarged", "is taken", Enlarged),
    Planted("sides that do not fit are refused", "one taken that does not fit", "is taken", subject=not_twenty),
    Planted("other shapes are refused", "an image taken for a batch", "is taken", AnyRank),
    Planted("other shapes are refused", "a grey image taken for a colour one", "is taken", Grey),
    Planted("other shapes are refused", "further channels dropped", "is taken", FirstChannels),
    Planted("other shapes are refused", "no check of the channels", "fails in the middle", Unchecked),
    Planted(
        "receptive field is what pixels show",
        "a field told two pixels too small",
        "a pixel outside is felt",
        subject=told(receptive_field=(-2, -2), first=(1, 1)),
    ),
    Planted(
        "receptive field is what pixels show",
        "a field told a pixel too high",
        "last row is not felt",
        subject=told(receptive_field=(1, 0)),
    ),
    Planted(
        "receptive field is what pixels show",
        "a field told a pixel too wide, to the left",
        "first column is not felt",
        subject=told(receptive_field=(0, 1), first=(0, -1)),
    ),
    Planted("receptive field is what pixels show", "height and width exchanged", "outside is felt", Transposed),
)
