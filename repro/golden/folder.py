"""Checking one golden of a folder, and making one anew."""

from __future__ import annotations

import contextlib
from pathlib import Path

from repro import models
from repro.errors import ReproError
from repro.golden import store
from repro.golden.golden import CHECKS, Golden, check, golden_size, make
from repro.golden.naming import how_to_make
from repro.parity.network import shape_text
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result


def check_one(
    folder: Path, name: str, source: Source | None = None, size: Size | None = None, remedy: str = ""
) -> list[Result]:
    """Every check of one golden; where there is nothing to compare with, the first alone, which is an error.

    source  where the network is to be had from, if not from the specification that the golden holds
    size    of the input that it should be for, if that is known
    remedy  what makes the golden
    """
    remedy = remedy or how_to_make(folder, name)
    try:
        golden = Golden.load(folder, name)
    except store.MissingGoldenError as error:
        return [_stopped(name, f"{error}; {remedy}")]
    except ReproError as error:
        return [_stopped(name, f"{error}; restore it from version control, or make it anew: {remedy}")]
    meant = f"repro:{name}" if name in models.catalog() else golden.network
    if source is None and golden.network != meant:
        return [_stopped(name, f"under the name of {meant} it is a golden of {golden.network}; {remedy}")]
    if source is None and ":" not in golden.network:
        why = f"it is of {golden.network}, made in a test or script, which alone has the network and checks it"
        return [_stopped(name, why, Outcome.SKIP)]
    if size is not None and size != golden.size:
        told = f"the golden is for inputs of {shape_text(golden.size)}, not of {shape_text(size)}; {remedy}"
        return [_stopped(name, told)]
    found: list[Result] = []
    try:
        found += check(golden, source or resolve(golden.network))
    except models.UnknownVariantError as error:
        stale = f"stale: {error}; remove {store.shown(folder / name)}.json and the file of numbers beside it"
        found.append(_stopped(name, stale))
    except ReproError as error:
        found.append(Result(CHECKS[len(found)], name, "golden", Outcome.ERROR, str(error)))
    return found


def _stopped(name: str, message: str, outcome: Outcome = Outcome.ERROR) -> Result:
    return Result(CHECKS[0], name, "golden", outcome, message)


def update(folder: Path, name: str, source: Source, size: Size | None, reason: str, command: str) -> str:
    """Make the golden of a network; one that is there and holds is kept. Returns what happened, in a sentence.

    size: of one input; by default that of the golden there is. Raises ReproError if the network cannot be run, the
    golden not be written, or its size not be read any more from a damaged one.
    """
    if not reason.strip():
        raise ReproError("the reason is empty; expected why the outputs may be others than they were")
    try:
        before = Golden.load(folder, name)
    except store.MissingGoldenError:
        before, told = None, "new"
    except store.DamagedGoldenError as error:
        size = size or _size_told(folder, name)
        if size is None and not source.spec.startswith("repro:"):
            raise ReproError(
                f"{error}; what size of input it was for cannot be read any more; expected it as --input-size CxHxW, "
                f"or input_size in Python"
            ) from error
        before, told = None, "in place of a damaged one"
    size = golden_size(source, size or (before.size if before else None))
    if before is not None and before.size == size and before.network == source.spec:
        results = list(check(before, source))
        if all(result.outcome is Outcome.PASS for result in results):
            return "kept: nothing moved"
        changed = [result for result in results if result.outcome is not Outcome.PASS]
        told = next((r for r in changed if r.check != CHECKS[0]), changed[0]).message  # where, before with what weights
    elif before is not None:
        told = f"it was of {before.network} for {shape_text(before.size)}"
    golden = make(source, size, reason, command)
    unstable = next((result for result in check(golden, source) if result.outcome is not Outcome.PASS), None)
    if unstable is not None:
        raise ReproError(f"{source.spec}: run again, it does not do the same; nothing was written. {unstable.message}")
    golden.save(folder, name)
    return f"written, for {shape_text(size)}: {told}"


def _size_told(folder: Path, name: str) -> Size | None:
    """The size of input of a golden of which only the numbers are damaged."""
    with contextlib.suppress(ReproError):
        return tuple(store.record(folder, name)["size"])
    return None
