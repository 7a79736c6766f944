"""Files of tensors: reading a state_dict without unpickling objects, and writing one whole or not at all."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from repro import atomic
from repro.errors import ReproError, first_line
from repro.graph import Shape, digest

_NESTED = ("state_dict", "model", "model_state_dict")  # where training scripts keep it, beside epochs and optimisers
_WRAPPED = "module."  # what DataParallel and DistributedDataParallel put before every key


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file.

    tensors  by name, on the CPU, as they are in the file
    notes    where in the file they were found and what was left out of their names, a sentence each
    """

    path: Path
    tensors: Mapping[str, torch.Tensor]
    notes: tuple[str, ...] = ()

    def fitted(self, shapes: Mapping[str, Shape], owner: str) -> Checkpoint:
        """The same with the keys of a network, of which DistributedDataParallel's `module.` is taken off.

        shapes: key -> shape of the state_dict of `owner`. Raises ReproError unless keys and shapes are those.
        """
        found = self.tensors
        wrapped = found and all(key.startswith(_WRAPPED) for key in found)
        if wrapped and not any(key.startswith(_WRAPPED) for key in shapes):
            bare = {key.removeprefix(_WRAPPED): tensor for key, tensor in found.items()}
            return Checkpoint(self.path, bare, (*self.notes, f"{_WRAPPED!r} taken off every key")).fitted(shapes, owner)
        for problem, keys in (
            ("lacks", shapes.keys() - found.keys()),
            ("has the unknown", found.keys() - shapes.keys()),
        ):
            if keys:
                more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
                raise ReproError(f"{self.path}: it {problem} key {min(keys)!r}{more} of {owner}")
        for key, shape in shapes.items():
            if tuple(found[key].shape) != shape:
                raise ReproError(f"{self.path}: {key!r} has shape {tuple(found[key].shape)}; {owner} has {shape}")
        return self


def load(path: Path) -> Checkpoint:
    """The state_dict in a .safetensors file, or in a torch file read without unpickling objects.

    Raises ReproError for a file that is not there, is damaged, or holds something else.
    """
    if not path.is_file():
        raise ReproError(f"{path}: no such file; expected a state_dict saved by safetensors or torch.save")
    loaded, notes = _read(path), []
    if isinstance(loaded, dict):
        nested = [name for name in _NESTED if isinstance(loaded.get(name), dict)]
        if len(nested) > 1:
            raise ReproError(f"{path}: it has both {' and '.join(map(repr, nested))}; save the one that is meant")
        if nested:
            beside = ", ".join(repr(name) for name in loaded if name != nested[0])
            notes.append(f"read under {nested[0]!r}" + (f", without what is beside it: {beside}" if beside else ""))
            loaded = loaded[nested[0]]
    if not isinstance(loaded, dict):
        raise ReproError(f"{path}: expected a mapping of names to tensors, found a {type(loaded).__name__}")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ReproError(
                f"{path}: expected a mapping of names to tensors, found a {type(value).__name__} at {key!r}"
            )
        if value.layout is not torch.strided or value.is_quantized or value.is_meta:
            raise ReproError(f"{path}: {key!r} is sparse, quantised or without values; expected a dense tensor")
    return Checkpoint(path, {key: value.detach() for key, value in loaded.items()}, tuple(notes))


def require_target(path: Path, source: Path) -> None:
    """Raise ReproError unless a checkpoint made from `source` can be saved as `path`."""
    if path.suffix not in _FORMATS:
        raise ReproError(f"{path}: the suffix says the format; expected one of {', '.join(_FORMATS)}")
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise ReproError(f"{path}: cannot be written: {what}")
    if path.exists() and source.exists() and path.samefile(source):
        raise ReproError(f"{path}: it is the file that is read, which stays as it is; name another")


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Write a state_dict in the format that the suffix says; returns the digest of every tensor.

    All of it or nothing: it is written to another file in the same folder, brought to the disk and read back, and only
    then takes its name. Raises ReproError if that fails; what was at `path` is then still there.
    """
    meant = {key: digest(tensor) for key, tensor in tensors.items()}

    def is_meant(written: Path) -> bool:
        return {key: digest(tensor) for key, tensor in _read(written).items()} == meant

    try:
        atomic.write(path, _FORMATS[path.suffix](tensors), is_meant)
    except Exception as error:
        raise ReproError(f"{path}: cannot be written: {first_line(error)}; nothing was changed") from error
    return meant


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ReproError(
            f"{path}: cannot be read as a state_dict: no torch file, or one with objects besides tensors, "
            f"which are not unpickled here; save net.state_dict() instead"
        ) from error
    except Exception as error:
        raise ReproError(f"{path}: cannot be read as a state_dict: {first_line(error)}") from error


def _as_safetensors(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """A tensor a key, each with memory of its own: the format has no shared ones."""
    seen: set[int] = set()
    apart = {}
    for key, tensor in tensors.items():
        memory = tensor.untyped_storage()
        alone = tensor.is_contiguous() and memory.nbytes() == tensor.nbytes and memory.data_ptr() not in seen
        apart[key] = tensor if alone else tensor.clone(memory_format=torch.contiguous_format)
        seen.add(memory.data_ptr())
    return safetensors.torch.save(apart, metadata={"format": "pt"})


def _as_torch(tensors: Mapping[str, torch.Tensor]) -> memoryview:
    """As torch.save has it: shared tensors stay shared."""
    content = io.BytesIO()
    torch.save(tensors, content)
    return content.getbuffer()


_FORMATS: dict[str, Callable[[Mapping[str, torch.Tensor]], bytes | memoryview]] = {
    ".safetensors": _as_safetensors,
    ".pth": _as_torch,
    ".pt": _as_torch,
    ".bin": _as_torch,
}
