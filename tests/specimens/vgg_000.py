"""The VGG of document 000: batch normalisation, a softmax in forward, and four depths of which two are the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._originals import Original
from tests.specimens._properties import (
    are_two_programs,
    gives_logits,
    have_the_depth_of_their_names,
    measures,
    runs_without_a_gpu,
    takes,
    trains_on,
    uses_what_it_imports,
)
from tests.specimens._vgg import VGG, convolutions

SIZE = (3, 224, 224)
LISTED = {11: (1, 1, 2, 2, 2), 13: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # 13 is 11 again


class Broken(nn.Module):
    """Every bug of the snippet in one network."""

    def __init__(self, depth: int, classes: int = 1000, width: int = 64, hidden: int = 4096) -> None:
        super().__init__()
        self.features = convolutions(LISTED[depth], 3, width, norm=True, bias=False)
        self.fc1 = nn.Linear(8 * width * 7 * 7, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.bn2 = nn.BatchNorm1d(hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x).flatten(1)
        x = F.relu(self.bn1(self.fc1(x)))
        x = F.relu(self.bn2(self.fc2(x)))
        return F.softmax(self.fc3(x), dim=1)


def broken_demonstration() -> None:
    Broken(11, 10, width=1, hidden=8).cuda()


def repaired_demonstration() -> None:
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        VGG(11, 10, width=1, hidden=8)(torch.zeros(1, *SIZE))


BROKEN_IMPORTS = """
import torchvision
from torch import nn

net = nn.Sequential()
"""
REPAIRED_IMPORTS = BROKEN_IMPORTS.replace("import torchvision\n", "")


def depths(build: Callable[[int], nn.Module]) -> dict[str, nn.Module]:
    """The four networks under the names that they have in the document."""
    return {f"VGG_{depth}": build(depth) for depth in LISTED}


def originals(it: Original, *depths: int) -> dict[str, nn.Module]:
    """Some of the document's own networks."""
    run = it.run()
    return {f"VGG_{depth}": getattr(run, f"VGG_{depth}")() for depth in depths}


def source_of(build: Callable[[], nn.Module]) -> str:
    """The text of the file that a network of the catalog is in."""
    return inspect.getsource(inspect.getmodule(type(build())))  # type: ignore[arg-type]  # it has a module


bug = partial(Bug, document="000", snippet="VGG")

BUGS = [
    bug(
        name="two_depths_are_two_networks",
        severity="bug",
        bug="VGG_13 has the list of VGG_11, so that it builds VGG-11 under another name.",
        holds="VGG-11 and VGG-13 are two programs.",
        property=are_two_programs(*SIZE),
        shows="VGG_11 and VGG_13 are one program, 132,882,472 parameters both",
        specimen=lambda: {"VGG_11": Broken(11), "VGG_13": Broken(13)},
        repaired=lambda: {"VGG_11": VGG(11), "VGG_13": VGG(13)},
        kept_by=("vgg11", "vgg13"),
        ours=lambda vgg11, vgg13: {"vgg11": vgg11(), "vgg13": vgg13()},
        original=lambda it: originals(it, 11, 13),
    ),
    bug(
        name="the_depth_is_that_of_the_name",
        severity="bug",
        bug="VGG_13 has 8 convolutions, where column B of the paper's Table 1 has 10; the other depths are right.",
        holds="A VGG has as many layers with weights as its name says.",
        property=have_the_depth_of_their_names(*SIZE),
        shows="VGG_13 has 11 layers",
        specimen=lambda: depths(Broken),
        repaired=lambda: depths(VGG),
        kept_by=("vgg11", "vgg13", "vgg16", "vgg19"),
        ours=lambda *builds: {build.args[0]: build() for build in builds},
        original=lambda it: originals(it, 11, 13, 16, 19),
    ),
    bug(
        name="logits_come_out",
        severity="bug",
        bug="forward ends in a softmax; the usual loss, CrossEntropyLoss, then applies it a second time.",
        holds="The outputs are logits.",
        property=gives_logits(*SIZE),
        shows="probabilities, where the loss takes logits",
        specimen=lambda: Broken(11, classes=10, width=1, hidden=8),
        repaired=lambda: VGG(11, 10, width=1, hidden=8),
        kept_by=("vgg11_cifar",),
        ours=lambda vgg11_cifar: nn.Sequential(nn.AvgPool2d(7), vgg11_cifar()),
        original=lambda it: it.run().VGG_11(),
        on_meta=False,
    ),
    bug(
        name="one_image_trains",
        severity="risk",
        bug="BatchNorm1d after the fully connected layers has no statistics of one image: a last batch of one crashes.",
        holds="A step in train mode takes a batch of one image.",
        property=trains_on(1, *SIZE),
        shows="ValueError: more than 1 value per channel",
        specimen=lambda: Broken(11),
        repaired=lambda: VGG(11),
        kept_by=("vgg11_bn",),
        original=lambda it: it.run().VGG_11(),
    ),
    bug(
        name="another_size_fits",
        severity="note",
        bug="The head is for the 7x7 map of 224x224 images, and no pooling brings another size to it.",
        holds="A 256x256 image is taken.",
        property=takes(3, 256, 256),
        shows="images are refused: 32,768 numbers a row for a fully connected layer of 25,088",
        specimen=lambda: Broken(11),
        repaired=lambda: VGG(11),
        kept_by=("vgg11",),
        original=lambda it: it.run().VGG_11(),
    ),
    bug(
        name="no_normalisation",
        severity="note",
        bug="There is batch normalisation after every convolution and in the head; a comment names torchvision's "
        "vgg19() as the usual implementation, which has none, and neither has the paper.",
        holds="VGG-19 has no normalisation (arXiv:1409.1556, Table 1 and section 2.1).",
        property=measures("normalisations", [], *SIZE),
        shows="normalisations ['batch, epsilon 1e-05']",
        specimen=lambda: Broken(19),
        repaired=lambda: VGG(19),
        kept_by=("vgg19",),
        original=lambda it: it.run().VGG_19(),
    ),
    bug(
        name="dropout_on_two_layers",
        severity="note",
        bug="There is no dropout, which the paper and torchvision's vgg19() have on the first two fully connected "
        "layers.",
        holds="The outputs of the first two fully connected layers are dropped out (arXiv:1409.1556, section 3.1).",
        property=measures("dropped", ["relu", "relu"], *SIZE),
        shows="dropped []",
        specimen=lambda: Broken(19),
        repaired=lambda: VGG(19),
        kept_by=("vgg19",),
        original=lambda it: it.run().VGG_19(),
    ),
    bug(
        name="no_gpu_is_needed",
        severity="risk",
        bug="The demonstration calls .cuda() without asking whether there is a GPU.",
        holds="The demonstration runs on a machine without a GPU.",
        property=runs_without_a_gpu,
        shows="on a machine without a GPU: RuntimeError: no CUDA device",
        specimen=lambda: broken_demonstration,
        repaired=lambda: repaired_demonstration,
        kept_by=(),
        original=lambda it: it.run().test,
    ),
    bug(
        name="imports_are_used",
        severity="note",
        bug="torchvision is imported and never used, so that the file needs a library that it has no need of.",
        holds="Every import is used.",
        property=uses_what_it_imports,
        shows="imported and not used: torchvision",
        specimen=lambda: BROKEN_IMPORTS,
        repaired=lambda: REPAIRED_IMPORTS,
        kept_by=("vgg19",),
        ours=source_of,
        original=lambda it: it.text,
    ),
]
