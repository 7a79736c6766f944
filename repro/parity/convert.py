"""Carry the weights of one implementation over to another, by the mapping that the proof of their equality is."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from repro import checkpoint, fill
from repro.canonical import canonical
from repro.errors import ReproError
from repro.graph import Graph, Shape, TraceError, digest, trace
from repro.mapping import KeyMap, key_map, key_map_of_both_modes, match, settled
from repro.parity.differences import differences
from repro.parity.keys import moved_elsewhere
from repro.parity.network import BATCH, Network, Stopwatch, shape_text
from repro.parity.verify import input_size
from repro.references import Size, resolve

Graphs = tuple[Graph, Graph]  # of the source and of the target, in canonical form
State = Mapping[str, torch.Tensor]

_NAMED = 5  # keys that a message names; the rest is counted


class UnequalError(ReproError):
    """Two networks do not correspond tensor by tensor, so that no weights can be carried over: a finding.

    evidence  the `differences` of their structure, or for `unmapped_source` and `unmapped_target` key -> why it has no
              partner; in JSON types only
    """

    def __init__(self, message: str, **evidence: Any) -> None:
        super().__init__(message)
        self.evidence = evidence


@dataclass(frozen=True)
class Conversion:
    """A checkpoint that was converted, written and read back.

    proved_for  shapes of the inputs for which the two networks are equal
    digests     key -> digest of the tensor, of what was written
    notes       how the one that was given had to be read
    size        of the file that was written, in bytes
    """

    keys: KeyMap
    proved_for: tuple[Shape, ...]
    digests: Mapping[str, str]
    notes: tuple[str, ...]
    size: int


def convert(first: str, second: str, source: Path, target: Path, sizes: Sequence[Size] = ()) -> Conversion:
    """Write the checkpoint `source` of the network `first` as one of the network `second`, bit for bit.

    first, second: specifications as for `compare`. sizes: input sizes (channels, height, width) to prove equality at;
    none means the size either was made for. Raises UnequalError where the networks do not correspond, and ReproError
    where a network or a file cannot be had, does not fit or cannot be written; `target` is then as it was.
    """
    checkpoint.require_target(target, source)
    loaded = checkpoint.load(source)
    sources = resolve(first), resolve(second)
    sizes = tuple(sizes) or (input_size(*sources),)
    subject, reference = (Network.of(each, sizes[0], Stopwatch()) for each in sources)
    keys = proven_key_map(subject, reference, sizes)
    graphs = subject.canonical(sizes[0]), reference.canonical(sizes[0])
    _require_bijection(keys, graphs, (subject.module, reference.module), (first, second))
    loaded = loaded.fitted(graphs[0].state, first)
    tied = [pair for pair in graphs[0].aliases.items() if loaded.tensors.keys() >= set(pair)]
    for alias, key in tied:
        if digest(loaded.tensors[alias]) != digest(loaded.tensors[key]):
            raise ReproError(f"{source}: {key!r} and {alias!r} are one tensor in {first} and two different ones here")
    state = _carried(keys, loaded.tensors, reference.module, subject.fixed, reference.fixed, (str(source), second))
    digests = checkpoint.save(target, state)
    proved_for = tuple((BATCH, *size) for size in sizes)
    return Conversion(keys, proved_for, digests, loaded.notes, target.stat().st_size)


def map_state_dict(
    source: nn.Module, target: nn.Module, inputs: torch.Tensor | tuple[torch.Tensor, ...]
) -> dict[str, torch.Tensor]:
    """The weights of one module as a state_dict for another that computes the same function.

    inputs: what both are called with; only shapes and dtypes count, and the proof is for those in eval mode. The
    modules stay as they are. The tensors are the source's own, shared where they need not be moved. Raises
    UnequalError where the two do not correspond, TraceError where one cannot be traced, ReproError for anything else
    that was given.
    """
    images = inputs if isinstance(inputs, tuple) else (inputs,)
    if not images or not all(isinstance(image, torch.Tensor) for image in images):
        raise ReproError(f"inputs is a {type(inputs).__name__}; expected a tensor or a tuple of tensors")
    names = "source", "target"
    modules = source, target
    for name, module in zip(names, modules, strict=True):
        if not isinstance(module, nn.Module):
            raise ReproError(f"{name} is a {type(module).__name__}; expected a torch.nn.Module")
    own = source.state_dict()
    bare = [key for key, tensor in own.items() if isinstance(tensor, torch.Tensor) and tensor.is_meta]
    if bare:
        raise ReproError(f"source: {bare[0]!r} is on the meta device, without values to carry over")
    traced = [_traced(name, module, images) for name, module in zip(names, modules, strict=True)]
    graphs = canonical(traced[0]), canonical(traced[1])

    def training() -> Graphs:
        return canonical(_traced("source", source, images, True)), canonical(_traced("target", target, images, True))

    keys = _proved([graphs], training, names)
    _require_bijection(keys, graphs, modules, names)
    theirs = target.state_dict()
    fixed = {key: theirs[key] for key in fill.keeps_values(traced[1])}
    return _carried(keys, own, target, fill.keeps_values(traced[0]), fixed, names)


def proven_key_map(subject: Network, reference: Network, sizes: Sequence[Size]) -> KeyMap:
    """How a state_dict of `subject` becomes one of `reference`, by the proof that they are equal at each of `sizes`.

    Raises UnequalError if they are not, and TraceError where one cannot be traced.
    """
    pairs = [(subject.canonical(size), reference.canonical(size)) for size in sizes]

    def training() -> Graphs:
        return subject.canonical(sizes[0], True), reference.canonical(sizes[0], True)

    return _proved(pairs, training, (subject.source.spec, reference.source.spec))


def _proved(pairs: Sequence[Graphs], training: Callable[[], Graphs], names: tuple[str, str]) -> KeyMap:
    """The key map of isomorphic graphs, one pair for each input; `training` is asked for what eval does not run."""
    maps: list[KeyMap] = []
    trained = functools.cache(lambda: match(*training()))
    for graphs in pairs:
        matching = match(*graphs)
        shapes = ", ".join(map(shape_text, graphs[0].input_shapes))
        if matching is None:
            found = differences(*graphs)
            first = str(found[0]) if found else "the same operations, joined differently"
            more = f"; {len(found) - 1} more differences" if len(found) > 1 else ""
            raise UnequalError(
                f"{names[0]} and {names[1]} are different for {shapes}: {first}{more}",
                differences=list(map(str, found)),
            )
        matching = settled(*graphs, matching, trained)
        maps.append(key_map(*graphs, matching) if maps else key_map_of_both_modes(*graphs, matching, trained))
        elsewhere = moved_elsewhere(maps[0], maps[-1])
        if elsewhere:
            raise UnequalError(f"{elsewhere[0]!r} of {names[1]} has another partner for {shapes}")
    return maps[0]


def _require_bijection(
    keys: KeyMap, graphs: Graphs, modules: tuple[nn.Module, nn.Module], names: tuple[str, str]
) -> None:
    """Raise UnequalError if a value would be lost or missing; a further name of a mapped tensor is neither."""
    evidence: dict[str, Any] = {}
    message = []
    sides = (
        ("unmapped_source", keys.unmapped_source, {entry.source for entry in keys.entries}),
        ("unmapped_target", keys.unmapped_target, {entry.target for entry in keys.entries}),
    )
    for (side, left, mapped), graph, module, name in zip(sides, graphs, modules, names, strict=True):
        alone = {key: why for key, why in left.items() if graph.aliases.get(key) not in mapped}
        alone |= {key: "it is no parameter or buffer" for key in module.state_dict() if key not in graph.state}
        if alone:
            evidence[side] = alone
            told = ", ".join(f"{key!r} ({why})" for key, why in list(alone.items())[:_NAMED])
            more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
            message.append(f"{len(alone)} of the {len(graph.state)} keys of {name} without a partner: {told}{more}")
    if message:
        raise UnequalError("; ".join(message), **evidence)


def _carried(
    keys: KeyMap, own: State, target: nn.Module, held: Collection[str], fixed: State, names: tuple[str, str]
) -> dict[str, torch.Tensor]:
    """A state_dict of `target` with the values of `own`.

    held, fixed: the buffers of each whose values are part of the network. Raises UnequalError where they differ.
    """
    moved = keys.apply(own)
    for entry in keys.entries:
        value = moved[entry.target]
        if entry.source in held and entry.target in fixed and not fixed[entry.target].is_meta:
            expected = fixed[entry.target].to(value)  # a checkpoint in half precision holds them rounded
            if not torch.equal(value, expected):
                raise UnequalError(
                    f"{entry.source!r} of {names[0]} has other values than {entry.target!r} of {names[1]}, "
                    f"which are part of that network"
                )
    state: dict[str, torch.Tensor] = target.state_dict()  # filled in and not made anew: it holds the modules' versions
    state.update((key, moved[key]) for key in state)
    return state


def _traced(name: str, module: nn.Module, images: tuple[torch.Tensor, ...], training: bool = False) -> Graph:
    try:
        return trace(copy.deepcopy(module), *images, training=training)  # a trace may leave something in a cache
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from error.__cause__
