"""What every network asks of its input before it computes anything."""

from __future__ import annotations

import torch


def require_images(x: torch.Tensor, network: str, in_channels: int, smallest: int, largest: int | None = None) -> None:
    """Raise ValueError unless `x` is a batch of images, (batch, in_channels, height, width), that `network` can take.

    smallest, largest: the admissible heights and widths in pixels, both included; `largest` None means no bound.
    """
    bound = (
        f"at least {smallest}"
        if largest is None
        else f"{smallest}"
        if largest == smallest
        else f"{smallest} to {largest}"
    )
    accepted = f"{network} takes (batch, {in_channels}, height, width) with height and width {bound} pixels"
    if x.ndim != 4:
        raise ValueError(f"a {x.ndim}-dimensional input of shape {tuple(x.shape)} was given; {accepted}")
    if x.shape[1] != in_channels:
        raise ValueError(f"{x.shape[1]} channels were given, in an input of shape {tuple(x.shape)}; {accepted}")
    if min(x.shape[2:]) < smallest or (largest is not None and max(x.shape[2:]) > largest):
        raise ValueError(f"a {x.shape[2]}x{x.shape[3]} image was given; {accepted}")
