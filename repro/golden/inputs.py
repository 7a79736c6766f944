"""The inputs of a golden: noise, something large, a photograph, nothing, and a constant.

The photograph is a part of "Chelsea" by Stéfan van der Walt, which he put in the public domain (CC0 1.0); it comes with
scikit-image and is reduced here to 64x64 pixels. The seal on its pixels is in tests/golden/test_inputs.py.
"""

from __future__ import annotations

import io
from importlib.resources import files

import numpy
import torch
from PIL import Image

from repro import fill
from repro.graph import Shape

LARGE = 1024.0  # times the unit variance that networks are given; a power of two, so that nothing is rounded
CONSTANT = 0.5


def inputs(size: Shape, seed: int) -> dict[str, torch.Tensor]:
    """One input of each kind by name, float32, of this size without a batch.

    size: (channels, height, width), or any other shape, which has more noise in place of the photograph.
    """
    return {
        "zeros": torch.zeros(size, dtype=torch.float32, device="cpu"),
        "noise": fill.image(seed, 1, size)[0],
        **({"photograph": photograph(size)} if len(size) == 3 else {"noise2": fill.image(seed + 2, 1, size)[0]}),
        "constant": torch.full(size, CONSTANT, dtype=torch.float32, device="cpu"),
        "large": LARGE * fill.image(seed + 1, 1, size)[0],
    }


def photograph(size: Shape) -> torch.Tensor:
    """The photograph as (channels, height, width), about unit variance; mirrored at its edges to fill a larger size.

    One channel is the luma of ITU-R BT.601; more than three begin again with red.
    """
    channels, *sides = size
    with Image.open(io.BytesIO(files(__package__).joinpath("photograph.png").read_bytes())) as image:
        pixels = numpy.asarray(image, numpy.int64)
    if channels == 1:
        pixels = (pixels @ numpy.array([299, 587, 114]) // 1000)[..., None]
    rows, columns = (_mirrored(side, extent) for side, extent in zip(sides, pixels.shape[:2], strict=True))
    chosen = pixels[rows][:, columns][..., numpy.arange(channels) % pixels.shape[2]].transpose(2, 0, 1)
    return torch.from_numpy((chosen - 128) / 64).float().contiguous()  # exact in float32


def _mirrored(side: int, extent: int) -> numpy.ndarray:
    """0, 1, ..., extent - 1, extent - 1, ..., 1, 0, 0, 1, ...: `side` of them."""
    place = numpy.arange(side) % (2 * extent)
    return numpy.minimum(place, 2 * extent - 1 - place)
