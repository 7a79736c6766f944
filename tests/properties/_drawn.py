"""How the subject of each group of properties is drawn for a network."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from repro import fill
from tests.properties._case import CLASSES, Case
from tests.properties._property import Group
from tests.properties.eval_mode import EVAL, Eval
from tests.properties.receptive_fields import FIELDS, Field, placed
from tests.properties.sizes import SIZES, Sized
from tests.properties.train_mode import TRAIN, Train

# Pixels above the smallest image: where strides halve five times, three positions more on each side. On a map of 2x2 an
# average of 3x3 is the same everywhere, batch normalisation makes zeros of it, and what is behind gets no gradient.
AWAKE = 96
LOOKED_AT = 64  # pixels of an image in which receptive fields are looked at, where a network takes as few


def scaled(examples: int) -> int:
    """So many in the profile `ci`, and as many times more in another as that has more examples."""
    return examples * settings().max_examples // 50


@dataclass(frozen=True)
class Drawn:
    """A group of properties, and how a subject for it is drawn."""

    group: Group[Any]
    draw: Callable[[Case, st.DataObject], Any]

    def hold(self, network: Case, examples: int, only: str | None = None, **options: Any) -> None:
        """Check the properties, or one of them; options are Hypothesis's, in place of those of the profile.

        examples: how many under the profile `ci`.
        """
        chosen = settings(**{"max_examples": scaled(examples), "database": None, **options})

        # No database: it would give one network the examples of another. A seed: or all would be given the same ones.
        @chosen
        @given(st.data())
        def on_examples(data: st.DataObject) -> None:
            subject = self.draw(network, data)
            if only is None:
                self.group.hold(subject)
            else:
                self.group.properties[only].holds(subject)

        if chosen.derandomize:
            on_examples = seed(zlib.crc32(f"{network.name} {self.group.name}".encode()))(on_examples)
        on_examples()


# The first example that Hypothesis tries is the simplest, and large networks are given no other in the profile `ci`. So
# the simplest of each strategy has to mean something: two images in reverse order, sides that are large and not equal.


def batches() -> st.SearchStrategy[int]:
    """The number of images in a batch."""
    return st.sampled_from([2, 1, 3, 4])


def orders(batch: int) -> st.SearchStrategy[list[int]]:
    """An order of so many images, the simplest one backwards."""
    return st.permutations(list(range(batch))).map(lambda order: order[::-1])


def sizes_up_to(network: Case, side: int) -> st.SearchStrategy[tuple[int, int]]:
    """An admissible height and width of at most so many pixels, the simplest of them large and not the same."""
    sides = network.admissible(side)
    return st.tuples(st.sampled_from(sides), st.sampled_from([*sides[1:], sides[0]]))


def eval_mode(network: Case, data: st.DataObject) -> Eval:
    """A few images of a size near the smallest."""
    batch = data.draw(batches(), label="batch")
    height, width = data.draw(sizes_up_to(network, network.seen_at), label="size")
    images = fill.image(0, batch, (network.channels, height, width)).double()
    order = data.draw(orders(batch), label="order")
    row = data.draw(st.integers(0, batch - 1), label="row")
    return Eval(network.exact, network.build, network.graph(batch, height, width), CLASSES, images, order, row)


def train_mode(network: Case, data: st.DataObject) -> Train:
    """As few images as it takes, and one more."""
    side = network.training_sides.at_least(min(network.sides.smallest + AWAKE, network.side))
    images = fill.image(data.draw(st.integers(0, 99)), network.smallest_batch + 1, (network.channels, side, side))
    return Train(network.trained, images, network.dropouts)


def sizes(network: Case, data: st.DataObject) -> Sized:
    """Batch, height, width, channels and classes."""
    height, width = data.draw(sizes_up_to(network, network.sides.smallest + 40), label="size")
    batch, classes = data.draw(batches(), label="batch"), data.draw(st.integers(1, CLASSES - 1), label="classes")
    channels = data.draw(st.sampled_from([network.channels % 4 + 1, 1, 2, 3, 4]), label="channels")
    return Sized(network.make, batch, classes, channels, height, width, network.sides, network.admits)


def receptive_fields(network: Case, data: st.DataObject) -> Field:
    """One element of the map of one layer."""
    side = network.sides.at_least(min(LOOKED_AT, network.side))
    layer = data.draw(st.sampled_from(network.windowed(side)[::-1]), label="layer")
    row = data.draw(st.sampled_from(placed(layer, side, 0)), label="row")
    column = data.draw(st.sampled_from(placed(layer, side, 1)[::-1]), label="column")
    return Field(network.sensitive, layer, (row, column), (network.channels, side, side))


DRAWN = (Drawn(EVAL, eval_mode), Drawn(TRAIN, train_mode), Drawn(SIZES, sizes), Drawn(FIELDS, receptive_fields))
