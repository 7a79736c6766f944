"""Verify networks of the catalog against their references, or any two networks against each other."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from repro.errors import ReproError, first_line
from repro.models import Variant
from repro.parity.check import CHECKS, Pair, Plan
from repro.parity.network import Network, Stopwatch, shape_text
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

NO_REFERENCE = (
    "no reference: torchvision and timm do not have this network, so nothing was compared; "
    "its papers' figures are the only check there can be"
)


def verify(variant: Variant, stopwatch: Stopwatch, seed: int = 0) -> Iterator[Result]:
    """Every check of one variant against each of its references; one skipped result if it has none."""
    if not variant.references:
        yield Result("structure", variant.name, "none", Outcome.SKIP, NO_REFERENCE)
        return
    sizes = (variant.input_size, variant.other_size)
    # One image at the documented size and three at the other: batch 1 and 3, both sizes, at a third of the cost of all.
    plan = Plan(sizes, ((variant.input_size, 1), (variant.other_size, 3)), seed=seed)
    pair: Pair | None = None
    for spec in variant.references:
        done = 0
        try:
            if pair is None:
                pair = Pair(Network.of(resolve(f"repro:{variant.name}"), variant.input_size, stopwatch), plan)
            reference = Network.of(resolve(spec), variant.input_size, stopwatch)
            for result in pair.check(reference, variant.differs.get(spec)):
                yield result
                done += 1
        except ReproError as error:
            yield Result(CHECKS[done], variant.name, spec, Outcome.ERROR, str(error))


def compare(
    first: str,
    second: str,
    sizes: Sequence[Size],
    stopwatch: Stopwatch,
    seed: int = 0,
    weights: Path | None = None,
) -> Iterator[Result]:
    """Every check of the network `first` against the network `second`, both by specification.

    sizes: input sizes (channels, height, width) to compare at; none means the size either was made for. Raises
    ReproError where one cannot be had, built or traced.
    """
    sources = resolve(first), resolve(second)
    sizes = tuple(sizes) or (_input_size(*sources),)
    subject, reference = (Network.of(source, sizes[0], stopwatch) for source in sources)
    state = _checkpoint(weights, subject) if weights is not None else None
    cases = tuple((size, batch) for size in sizes for batch in (1, 3))
    yield from Pair(subject, Plan(sizes, cases, seed=seed, state=state)).check(reference)


def _input_size(first: Source, second: Source) -> Size:
    known = [source for source in (first, second) if source.input_size is not None]
    sizes = {source.input_size for source in known}
    if len(sizes) > 1:
        made = ", ".join(f"{source.spec} for {shape_text(source.input_size or ())}" for source in known)
        raise ReproError(f"the two were made for different inputs ({made}); say which with --input-size")
    return sizes.pop() or (3, 224, 224) if sizes else (3, 224, 224)


def _checkpoint(path: Path, network: Network) -> dict[str, torch.Tensor]:
    """The state_dict in a .safetensors file, or in a torch file read without unpickling objects."""
    if not path.is_file():
        raise ReproError(f"{path}: no such file; expected a state_dict saved by safetensors or torch.save")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded: Any = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ReproError(
            f"{path}: cannot be read as a state_dict: no torch file, or one with objects besides tensors, "
            f"which are not unpickled here; save net.state_dict() instead"
        ) from error
    except Exception as error:
        raise ReproError(f"{path}: cannot be read as a state_dict: {first_line(error)}") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise ReproError(f"{path}: expected a mapping of names to tensors, found a {type(loaded).__name__}")
    own = {key: tuple(tensor.shape) for key, tensor in network.module.state_dict().items()}
    for problem, keys in (("lacks", own.keys() - loaded.keys()), ("has the unknown", loaded.keys() - own.keys())):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            wrapped = all(key.startswith("module.") for key in loaded)
            hint = (
                "; its keys begin with 'module.', as DistributedDataParallel's do: save net.module" if wrapped else ""
            )
            raise ReproError(f"{path}: it {problem} key {min(keys)!r}{more} of {network.source.spec}{hint}")
    for key, shape in own.items():
        if tuple(loaded[key].shape) != shape:
            raise ReproError(f"{path}: {key!r} has shape {tuple(loaded[key].shape)}; {network.source.spec} has {shape}")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


__all__ = ["CHECKS", "NO_REFERENCE", "compare", "verify"]
