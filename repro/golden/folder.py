"""Checking one golden of a folder, and making one anew."""

from __future__ import annotations

from pathlib import Path

from repro import models
from repro.errors import ReproError
from repro.golden import store
from repro.golden.check import CHECKS, check
from repro.golden.golden import Golden
from repro.golden.making import golden_size, make
from repro.golden.naming import ONLY_ITS_MAKER, how_to_make, require_reason
from repro.graph import TraceError
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
    if source is None and ":" not in golden.network:
        return [_stopped(name, f"it is of {golden.network}, which {ONLY_ITS_MAKER}, and checks it", Outcome.SKIP)]
    meant = f"repro:{name}" if name in models.catalog() else golden.network
    if source is None and golden.network != meant:
        return [_stopped(name, f"it is named as one of {meant}, and is a golden of {golden.network}; {remedy}")]
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
    require_reason(reason)
    before, told = None, ""
    try:
        before = Golden.load(folder, name)
    except store.MissingGoldenError:
        lost = store.orphans(folder, name)
        told = "new" + "; numbers whose JSON was lost are removed" * bool(lost)
    except store.DamagedGoldenError as error:
        size = size or tuple(store.sealed(folder, name).get("size", ())) or None  # the numbers alone may be damaged
        if size is None and not source.spec.startswith("repro:"):
            raise ReproError(
                f"{error}; what size of input it was for cannot be read any more; expected it as --input-size CxHxW, "
                f"or input_size in Python"
            ) from error
        told = "in place of a damaged one"
    if before is not None and (":" in before.network) != (":" in source.spec):
        raise ReproError(
            f"{store.shown(folder / name)}.json is a golden of {before.network}, and not of {source.spec}, which would "
            f"take its place; expected another name, another folder, or that file to be removed"
        )
    try:
        size = golden_size(source, size or (before.size if before else None))
        return _updated(folder, name, source, size, reason, command, before, told)
    except TraceError as error:
        raise ReproError(f"{error}; --input-size CxHxW, or input_size in Python, asks for another size") from error


def _updated(
    folder: Path, name: str, source: Source, size: Size, reason: str, command: str, before: Golden | None, told: str
) -> str:
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
