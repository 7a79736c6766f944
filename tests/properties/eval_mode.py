"""What holds of a network in eval mode; one drawn batch of images serves all of it.

All in float64, where what is equal in exact arithmetic is equal to 1e-10 of the spread (`repro.budget.FLOAT64_LIMIT`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from repro import budget, fill
from repro.graph import Graph
from tests.properties._property import Group
from tests.properties._watching import dropouts_heard

EVAL = Group["Eval"]("eval mode")


@dataclass
class Eval:
    """A network on a batch of images, and on some of them again in other ways.

    network  in float64 and eval mode
    build    builds it anew
    graph    of the network for such a batch
    classes  that it was built for
    order    that they are given in once more
    row      the image that another one takes the place of then
    """

    network: nn.Module
    build: Callable[[], nn.Module]
    graph: Graph
    classes: int
    images: torch.Tensor
    order: list[int]
    row: int

    def run(self, images: torch.Tensor, network: nn.Module | None = None) -> torch.Tensor:
        """The logits; the images given stay as they are."""
        with torch.inference_mode():
            logits: torch.Tensor = (network or self.network)(images.clone(memory_format=torch.preserve_format))
        return logits

    @cached_property
    def logits(self) -> torch.Tensor:
        """Of the images as drawn."""
        return self.run(self.images)

    @cached_property
    def rows_stay(self) -> bool:
        """Whether the images of a batch keep their rows when they change places and one of them is another one.

        One run for two properties; the next two, which tell them apart, are made only where it fails.
        """
        images, kept = self.images[self.order], [place for place, row in enumerate(self.order) if row != self.row]
        images[self.order.index(self.row)] = self.stranger
        return not kept or budget.agree(self.run(images)[kept], self.logits[self.order][kept]).passed

    @cached_property
    def rows_stay_beside_another(self) -> bool:
        """Whether they keep them when one of them is another one."""
        images, kept = self.images.clone(), [row for row in range(len(self.images)) if row != self.row]
        images[self.row] = self.stranger
        return budget.agree(self.run(images)[kept], self.logits[kept]).passed

    @cached_property
    def rows_follow(self) -> bool:
        """Whether they keep them when they change places."""
        return budget.agree(self.run(self.images[self.order]), self.logits[self.order]).passed

    @property
    def stranger(self) -> torch.Tensor:
        """An image that is not in the batch."""
        return fill.image(1, 1, self.images.shape[1:])[0].double()

    @cached_property
    def alone(self) -> torch.Tensor:
        """Of the first image as a batch of its own."""
        return self.run(self.images[:1])

    @cached_property
    def again(self) -> Again:
        """The same once more, by the network that has loaded the state_dict, watched."""
        image = self.images[:1].clone()
        changing: list[str] = []

        def note(path: str, given: torch.Tensor, returned: torch.Tensor) -> None:
            if not torch.equal(given, returned):
                changing.append(path)

        with dropouts_heard(self.loaded, note), torch.inference_mode():
            logits = self.loaded(image)
        return Again(logits, image, changing)

    @cached_property
    def repeats(self) -> bool:
        """Whether two runs give the same bits, be the second one by the network that has loaded the state_dict.

        One run for two properties; another, which tells them apart, is made only where it fails.
        """
        return torch.equal(self.again.logits, self.alone) or torch.equal(self.run(self.images[:1]), self.alone)

    @cached_property
    def loaded(self) -> nn.Module:
        """A new network that has loaded the state_dict."""
        with torch.device("meta"):
            network = self.build().to(torch.float64)
        network.to_empty(device="cpu").eval()
        network.load_state_dict(self.network.state_dict(), strict=True)
        return network


@dataclass
class Again:
    """What a run on one image did beside returning logits.

    image     as it left it
    changing  the dropout modules that changed what they were given
    """

    logits: torch.Tensor
    image: torch.Tensor
    changing: list[str]


@EVAL.states("the output has the shape that the graph predicts: one row of logits for each image, one for each class")
def shape_as_predicted(run: Eval) -> None:
    predicted = run.graph.shape(run.graph.returned[0])
    assert predicted == (len(run.images), run.classes), f"the graph predicts {predicted}"
    assert run.logits.shape == predicted, f"{tuple(run.logits.shape)}, where the graph predicts {predicted}"


@EVAL.states("the batch is kept: as many rows as images")
def batch_kept(run: Eval) -> None:
    assert len(run.logits) == len(run.images), f"{len(run.images)} images in, {len(run.logits)} rows out"


@EVAL.states("row i of the output depends on row i of the input only")
def rows_independent(run: Eval) -> None:
    assert run.rows_stay or run.rows_stay_beside_another, f"another image in row {run.row} changes other rows"


@EVAL.states("images in another order give the same rows in that order")
def order_followed(run: Eval) -> None:
    explained = run.rows_stay or (run.rows_follow and not run.rows_stay_beside_another)
    assert explained, f"images in the order {run.order} do not give the rows in that order"


@EVAL.states("an image alone gives the row that it gives among others")
def one_image_alone(run: Eval) -> None:
    assert run.alone.shape == (1, run.classes), f"one image in, {tuple(run.alone.shape)} out"
    assert budget.agree(run.alone[0], run.logits[0]).passed, "an image alone gives another row than among others"


@EVAL.states("two runs on the same image give the same bits")
def deterministic(run: Eval) -> None:
    assert run.repeats, "two runs on the same image differ"


@EVAL.states("a dropout module is the identity")
def dropout_is_identity(run: Eval) -> None:
    assert not run.again.changing, f"{run.again.changing[0]} changes what it is given"


@EVAL.states("the image is left alone, whatever runs in place")
def image_left_alone(run: Eval) -> None:
    assert torch.equal(run.images[:1], run.again.image), "the image given is changed"


@EVAL.states("a state_dict loaded into a new network gives the same state_dict and the same logits, bit for bit")
def state_dict_round_trip(run: Eval) -> None:
    state = run.network.state_dict()
    for (key, tensor), (name, loaded) in zip(state.items(), run.loaded.state_dict().items(), strict=True):
        assert key == name, f"{name} is where {key} was"
        assert torch.equal(tensor, loaded), f"{key} is not as it was saved"
    assert torch.equal(run.again.logits, run.alone), "a new network with the same state_dict differs"


@EVAL.states("weights and images in channels_last give the same logits, within the budget of float64")
def channels_last_is_layout_only(run: Eval) -> None:
    other = run.loaded.to(memory_format=torch.channels_last)  # which changes it: nothing asks it any more
    logits = run.run(run.images[:1].contiguous(memory_format=torch.channels_last), other)
    verdict = budget.agree(logits, run.alone)
    assert verdict.passed, f"off by {verdict.max_actual:.1e} of the spread in channels_last"
