"""Verify networks of the catalog against their references, or any two networks against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from repro import checkpoint
from repro.errors import MissingLibraryError, ReproError
from repro.graph import TraceError
from repro.mapping import match
from repro.models import Variant, initialisation_of
from repro.parity import initialisation
from repro.parity.check import CHECKS, check, names
from repro.parity.initialisation import Drawn
from repro.parity.network import Network, Stopwatch, shape_text
from repro.parity.pair import Pair, Plan, Runs
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

NO_REFERENCE = (
    "no reference: torchvision, timm, pytorchcv, keras and onnx do not have this network, so no other implementation "
    "was compared; conformance holds it against its paper"
)


def verify(variant: Variant, stopwatch: Stopwatch, seed: int = 0) -> Iterator[Result]:
    """Every check of one variant against each of its references that can be had; of its initial values if none can.

    A reference whose library is not installed is skipped; the evidence names the library.
    """
    if not variant.references:
        yield Result("structure", variant.name, "none", Outcome.SKIP, NO_REFERENCE)
    subject: Network | None = None
    ours: dict[Plan, Runs] = {}  # of the last reference, for the next one that is compared on the same
    alone = True
    for spec in variant.references:
        plan = _plan(variant.compared_at(spec), seed)
        done = 0
        try:
            source = resolve(spec)
            alone = False
            if subject is None:
                subject = Network.of(resolve(f"repro:{variant.name}"), variant.input_size, stopwatch)
            reference = Network.of(source, plan.sizes[0], stopwatch)
            ours = {plan: ours[plan]} if plan in ours else {}  # of no use from here on, and gigabytes
            limit, untrained = variant.differs.get(spec), variant.untrained.get(spec, "")
            pair = Pair(subject, reference, plan, limit, untrained, ours.get(plan))
            for result in check(pair):
                yield result
                done += 1
            ours = {plan: pair.ours} if pair.equal else {}
        except MissingLibraryError as error:
            missing = {"missing": error.library}
            yield Result("structure", variant.name, spec, Outcome.SKIP, f"not compared: {error}", missing)
        except ReproError as error:
            alone = False
            yield Result(names(plan)[done], variant.name, spec, Outcome.ERROR, str(error))
    if alone:
        beside = variant.references[-1] if variant.references else "none"
        drawn = Drawn.of(resolve(f"repro:{variant.name}"))
        yield replace(initialisation.check(drawn, initialisation_of(variant)), reference=beside)


def _plan(sizes: tuple[Size, Size], seed: int) -> Plan:
    # One image at the first size and three at the other: batch 1 and 3, both sizes, at a third of the cost of all. Two
    # are the fewest with which statistics of a batch are more than those of its images. The two sizes may be one.
    return Plan(tuple(dict.fromkeys(sizes)), ((sizes[0], 1), (sizes[1], 3)), (sizes[1], 2), seed)


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
    sizes = tuple(sizes) or (input_size(*sources),)
    subject, reference = (Network.of(source, sizes[0], stopwatch) for source in sources)
    state, notes = None, ""
    if weights is not None:
        shapes = {key: tuple(tensor.shape) for key, tensor in subject.module.state_dict().items()}
        found = checkpoint.load(weights).fitted(shapes, subject.source.spec)
        state = {key: value.float() if value.is_floating_point() else value for key, value in found.tensors.items()}
        notes = "".join(f"; {weights}: {note}" for note in found.notes)
    light = _light(subject, reference, sizes[0])
    forwards = [(size, 1) for size in sizes] + [(light, 3) if light else (sizes[0], 3)]
    sizes = (*sizes, light) if light else sizes
    plan = Plan(sizes, tuple(forwards), (light or sizes[0], 2), seed, state)
    for result in check(Pair(subject, reference, plan)):
        yield replace(result, message=result.message + notes) if result.check == "mapping" else result


def _light(first: Network, second: Network, size: Size) -> Size | None:
    """A size with a 25th of the pixels, for the runs that cost most; None unless both take it and are equal."""
    if len(size) != 3 or min(size[1:]) < 120:
        return None
    light = (size[0], *(side // 5 for side in size[1:]))
    try:
        equal = match(first.canonical(light), second.canonical(light)) is not None
    except TraceError:
        return None
    return light if equal else None


def input_size(first: Source, second: Source) -> Size:
    """The (channels, height, width) that two networks were made for. Raises ReproError where they are not the same."""
    known = [source for source in (first, second) if source.input_size is not None]
    sizes = {source.input_size for source in known}
    if len(sizes) > 1:
        made = ", ".join(f"{source.spec} for {shape_text(source.input_size or ())}" for source in known)
        raise ReproError(f"the two were made for different inputs ({made}); say which input size")
    return sizes.pop() or (3, 224, 224) if sizes else (3, 224, 224)


__all__ = ["CHECKS", "NO_REFERENCE", "compare", "verify"]
