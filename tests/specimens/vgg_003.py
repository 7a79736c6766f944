"""The VGG of document 003: the convolutions of the paper under a head for 32x32 images, which it does not say."""

from __future__ import annotations

from functools import partial

from torch import nn

from tests.specimens._bug import Bug
from tests.specimens._properties import measures, takes, uses_what_it_imports
from tests.specimens._vgg import VGG
from tests.specimens.vgg_000 import source_of


def broken() -> nn.Module:
    """VGG-16 with a head that reads one position of 512 maps."""
    return VGG(16, 10, hidden=512, side=1)


BROKEN_IMPORTS = """
import math
import torch.nn.init as init

std = math.sqrt(2)
"""
REPAIRED_IMPORTS = BROKEN_IMPORTS.replace("import torch.nn.init as init\n", "")

bug = partial(Bug, document="003", snippet="VGG")

BUGS = [
    bug(
        name="the_papers_size_fits",
        severity="bug",
        bug='The docstring says "VGG 16-layer model (configuration D)" and the text names the paper, whose 224x224 '
        "images crash: the head is for 32x32.",
        holds="A 224x224 image is taken (arXiv:1409.1556, section 2.1).",
        property=takes(3, 224, 224),
        shows="images are refused: 25,088 numbers a row for a fully connected layer of 512",
        specimen=broken,
        repaired=lambda: VGG(16),
        kept_by=("vgg16",),
        original=lambda it: it.run().vgg16(),
    ),
    bug(
        name="the_parameters_of_configuration_d",
        severity="note",
        bug="The head is 512, 512 and 10 wide, a usual one for CIFAR: the network has a ninth of the parameters.",
        holds="Configuration D has fully connected layers of 4096, 4096 and 1000 (arXiv:1409.1556, Table 1).",
        property=measures("parameters", 138_357_544, 3, 32, 32),
        shows="parameters 15245130",
        specimen=broken,
        repaired=lambda: VGG(16),
        kept_by=("vgg16",),
        original=lambda it: it.run().vgg16(),
    ),
    bug(
        name="imports_are_used",
        severity="note",
        bug="torch.nn.init is imported and never used.",
        holds="Every import is used.",
        property=uses_what_it_imports,
        shows="imported and not used: init",
        specimen=lambda: BROKEN_IMPORTS,
        repaired=lambda: REPAIRED_IMPORTS,
        kept_by=("vgg16",),
        ours=source_of,
        original=lambda it: it.text,
    ),
]
