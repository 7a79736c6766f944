"""Do both hold the same weights? Element by element, key by key, where each side brings its own."""

from __future__ import annotations

from itertools import combinations

import torch

from repro.graph import digest
from repro.parity.pair import Pair
from repro.result import Outcome, Result


def values(pair: Pair) -> Result:
    """Every tensor of the reference is ours in its place, moved as the key map says; what has no place goes by name."""
    theirs = pair.plan.expected or {}
    ours = {entry.target: entry.moved(pair.ours.state(torch.float32)[entry.source]) for entry in pair.keys.entries}
    names = {entry.target: entry.source for entry in pair.keys.entries}
    left = sorted(set(pair.keys.unmapped_source) & set(pair.keys.unmapped_target))  # read by nothing that is compared
    ours |= {key: pair.ours.state(torch.float32)[key] for key in left}
    names |= {key: key for key in left}
    read = pair.reading_order
    wrong = [key for key in ours if not _same(ours[key], theirs[key])]
    wrong.sort(key=lambda key: read.get(names[key], len(read)))
    if not wrong:
        alone = set(pair.keys.unmapped_source) ^ set(pair.keys.unmapped_target)
        more = f"; {len(alone)} that are read by no output have no counterpart" if alone else ""
        constant = sum(not _varies(tensor) for tensor in ours.values() if tensor.numel() > 1)
        more += f"; {constant} hold one number throughout, so that a swap would not show" if constant else ""
        return pair.result("values", Outcome.PASS, f"{len(ours)} tensors are equal in every element{more}")
    whose = {digest(tensor): key for key, tensor in theirs.items()}
    told = {key: _told(key, ours, theirs, whose, names) for key in wrong}
    message = f"{names[wrong[0]]} {told[wrong[0]]}"
    if len(wrong) > 1:
        message += f"; the first that the network reads of {len(wrong)} that differ"
    evidence = {"different": {names[key]: {"reference": key, "how": how} for key, how in told.items()}}
    return pair.result("values", Outcome.FAIL, message, evidence)


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and bool(torch.equal(ours, theirs.to(ours.dtype)))


def _varies(tensor: torch.Tensor) -> bool:
    return bool((tensor != tensor.flatten()[0]).any()) if tensor.numel() else False


def _told(
    key: str,
    ours: dict[str, torch.Tensor],
    theirs: dict[str, torch.Tensor],
    whose: dict[str, str],
    names: dict[str, str],
) -> str:
    """How a tensor is related to the one it should be, as somebody who ports weights would want to know."""
    actual, expected = ours[key], theirs[key].to(ours[key].dtype)
    if actual.shape != expected.shape:
        return f"has shape {tuple(actual.shape)}, the reference's {key} {tuple(expected.shape)}"
    other = whose.get(digest(actual)) if _varies(actual) else None  # constants are alike by chance
    if other is not None and other != key:
        if other in ours and _same(ours[other], theirs[key]):
            return f"and {names[other]} are swapped: each holds what the reference has in place of the other"
        return f"holds the values of the reference's {other}"
    for a, b in combinations(range(expected.ndim), 2):
        if expected.shape[a] == expected.shape[b] and torch.equal(actual, expected.transpose(a, b)):
            return f"is the reference's {key} with dimensions {a} and {b} exchanged"
    for dims in (dims for count in (1, 2) for dims in combinations(range(expected.ndim), count)):
        if torch.equal(actual, expected.flip(dims)):
            return f"is the reference's {key} flipped along dimension {' and '.join(map(str, dims))}"
    unequal = actual != expected
    off = (actual.double() - expected.double()).abs().nan_to_num(torch.inf).where(unequal, -1)
    index = tuple(int(i) for i in torch.unravel_index(off.argmax(), off.shape))
    return (
        f"differs from the reference's {key} in {int(unequal.sum())} of {off.numel()} elements, most at "
        f"{list(index)}: actual {float(actual[index]):.9g}, expected {float(expected[index]):.9g}"
    )
