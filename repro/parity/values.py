"""Do both hold the same weights? Bit for bit, key by key, where each side brings its own."""

from __future__ import annotations

from itertools import combinations

import torch

from repro.graph import digest
from repro.parity.pair import Pair
from repro.result import Outcome, Result


def values(pair: Pair) -> Result:
    """Every tensor of the reference is ours in its place, moved as the key map says."""
    theirs = pair.plan.expected or {}
    ours = {entry.target: entry.moved(pair.ours.state(torch.float32)[entry.source]) for entry in pair.keys.entries}
    names = {entry.target: entry.source for entry in pair.keys.entries}
    read = pair.reading_order()
    wrong = [key for key in ours if not _same(ours[key], theirs[key])]
    wrong.sort(key=lambda key: read.get(names[key], len(read)))
    if not wrong:
        return pair.result("values", Outcome.PASS, f"{len(ours)} tensors are equal, bit for bit")
    whose = {digest(tensor): key for key, tensor in theirs.items()}
    told = {key: _told(key, ours, theirs, whose) for key in wrong}
    message = f"{names[wrong[0]]} {told[wrong[0]]}"
    if len(wrong) > 1:
        message += f"; the first that the network reads of {len(wrong)} that differ"
    evidence = {"different": {names[key]: {"reference": key, "how": how} for key, how in told.items()}}
    return pair.result("values", Outcome.FAIL, message, evidence)


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and bool(torch.equal(ours, theirs.to(ours.dtype)))


def _told(key: str, ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], whose: dict[str, str]) -> str:
    """How a tensor is related to the one it should be, as somebody who ports weights would want to know."""
    actual, expected = ours[key], theirs[key].to(ours[key].dtype)
    if actual.shape != expected.shape:
        return f"has shape {tuple(actual.shape)}, the reference's {key} {tuple(expected.shape)}"
    is_varied = bool((actual != actual.flatten()[0]).any())  # constants are alike by chance
    other = whose.get(digest(actual))
    if is_varied and other is not None and other != key:
        swapped = other in ours and _same(ours[other], theirs[key])
        return f"holds the values of the reference's {other}" + (
            ", and that those of this one: they are swapped" * swapped
        )
    for a, b in combinations(range(expected.ndim), 2):
        if expected.shape[a] == expected.shape[b] and torch.equal(actual, expected.transpose(a, b)):
            return f"is the reference's {key} with dimensions {a} and {b} exchanged"
    for dims in (dims for count in (1, 2) for dims in combinations(range(expected.ndim), count)):
        if torch.equal(actual, expected.flip(dims)):
            return f"is the reference's {key} flipped along dimension {' and '.join(map(str, dims))}"
    off = actual.double() - expected.double()
    index = tuple(int(i) for i in torch.unravel_index(off.abs().nan_to_num(torch.inf).argmax(), off.shape))
    return (
        f"differs from the reference's {key} in {int((off != 0).sum())} of {off.numel()} elements, most at "
        f"{list(index)}: actual {float(actual[index]):.9g}, expected {float(expected[index]):.9g}"
    )
