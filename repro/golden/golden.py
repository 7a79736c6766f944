"""A golden: what a network did, as it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from repro.golden import store
from repro.references import Size

_TOLD = ("network", "size", "elements", "reason", "made", "weights", "inputs", "returned", "stages")  # in the JSON


@dataclass(frozen=True)
class Golden:
    """What a network did.

    network   its specification, or what it is called where it has none
    size      of one input, without a batch
    elements  how many numbers are in its state_dict
    reason    why it was made, in its maker's words
    made      what it was made with: versions, device, command
    weights   digests of the closed-form weights: of their `names` and shapes, of `parameters`, and of `buffers`
    inputs    name -> digest
    returned  what it returns: label and dtype of each tensor, label and value of anything else
    stages    name -> shape, and for noise mean and root mean square: to be read, and compared by eye
    sums      (stages, inputs, SUMS), float64: see `recording.sums`
    sizes     (stages, inputs), float64: root mean square of all elements
    float32   (stages, inputs, 2), float64: greatest and root mean square error in that precision over the size, for
              the worst of the ways to compute it
    outputs   "output INDEX INPUT" -> all its elements, float64, for the DETAILED inputs: noise, and what such a
              network is made for; of the others the weighted sums hold outputs as still as they do every stage
    """

    network: str
    size: Size
    elements: int
    reason: str
    made: Mapping[str, str]
    weights: Mapping[str, str]
    inputs: Mapping[str, str]
    returned: Sequence[str]
    stages: Mapping[str, Mapping[str, Any]]
    sums: torch.Tensor
    sizes: torch.Tensor
    float32: torch.Tensor
    outputs: Mapping[str, torch.Tensor]

    @classmethod
    def load(cls, folder: Path, name: str) -> Golden:
        """Read it; see `store.load` for what is raised."""
        record, tensors = store.load(folder, name)
        numbers: dict[str, Any] = {key: tensors.pop(key) for key in ("sums", "sizes", "float32")}
        kept = {key: record[key] for key in _TOLD if key != "size"}
        return cls(**kept, size=tuple(record["size"]), **numbers, outputs=tensors)

    def save(self, folder: Path, name: str) -> None:
        """Write it; see `store.save`."""
        record = {key: getattr(self, key) for key in _TOLD}
        numbers = {"sums": self.sums, "sizes": self.sizes, "float32": self.float32}
        store.save(folder, name, record, {**numbers, **self.outputs})
