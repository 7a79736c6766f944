"""The networks of the catalog and of the libraries, read as the network in question is."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from repro import models
from repro.errors import ReproError
from repro.graph import TraceError, trace
from repro.references import Size, resolve, without_values
from repro.running.departures.reading import Part, read


@functools.lru_cache(maxsize=16)
def counterpart(name: str, size: Size, classes: int, training: bool = True) -> Sequence[Part]:
    """The parts of a network for the same channels and classes.

    At its own size of images, where `size` is less than half of that or is not taken: maps that have shrunk to a single
    pixel no longer show what a pooling or a convolution does.
    """
    try:
        with without_values():
            if name in models.catalog():
                network = models.build(name, num_classes=classes, in_channels=size[0])
            else:
                network = resolve(f"{name}+num_classes={classes}+in_chans={size[0]}").build()
    except (ReproError, ValueError):
        return ()
    own = models.get(name).input_size if name in models.catalog() else size
    both = [size, (size[0], *own[1:])]
    for images in both[:: -1 if 2 * size[1] < own[1] else 1]:
        try:
            return read(trace(network, torch.empty(2, *images, device="meta"), training=training))
        except TraceError:
            continue
    return ()
