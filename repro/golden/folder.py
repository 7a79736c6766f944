"""A folder of goldens: which there are, checking all of them, and making one anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from repro import models, process
from repro.errors import ReproError
from repro.golden import store
from repro.golden.golden import CHECKS, Golden, check, golden_size, make
from repro.parity.network import shape_text
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

FOLDER = Path("golden")  # of a project, beside its tests


def specification(given: str, folder: Path = FOLDER) -> str:
    """A network by its name in the catalog, or as it is; also the name of a golden of another network in the folder.

    Raises UnknownVariantError.
    """
    if ":" in given:
        return given
    if given not in models.catalog() and store.exists(folder, given):
        return str(Golden.load(folder, given).network)
    return f"repro:{models.get(given).name}"


def golden_name(spec: str) -> str:
    """What the golden of a network is called: its name in the catalog, LIBRARY.NAME elsewhere."""
    library, _, name = spec.partition(":")
    return name if library == "repro" else f"{library}.{name}"


def named(given: str, folder: Path) -> str:
    """The golden that is meant: by its own name, or by the network's. Raises UnknownVariantError."""
    there = ":" not in given and store.exists(folder, given)
    return given if there else golden_name(specification(given))


def expected(folder: Path) -> list[str]:
    """The goldens of a folder; if it has most of the catalog, all of the catalog."""
    there = store.names(folder)
    catalog = list(models.catalog())
    whole = 2 * len(set(there) & set(catalog)) > len(catalog)
    return [*catalog, *(name for name in there if name not in catalog)] if whole else there


def check_all(folder: Path, names: Sequence[str], jobs: int = 1) -> Iterator[list[Result]]:
    """The results of each golden, in this order; with several jobs in as many processes.

    Raises ReproError if a process is killed.
    """
    if jobs == 1 or len(names) < 2 * jobs:
        for name in names:
            yield check_one(folder, name)
        return
    context = get_context("spawn")
    shares = context.SimpleQueue()
    for share in process.shares(jobs):
        shares.put(share)
    with ProcessPoolExecutor(jobs, context, process.beside_others, (shares,)) as pool:
        running = [pool.submit(check_one, folder, name) for name in names]
        try:
            for future in running:
                yield future.result()
        except BrokenProcessPool as error:
            raise ReproError("a process that checked goldens was killed, most likely for want of memory") from error


def check_one(
    folder: Path, name: str, source: Source | None = None, size: Size | None = None, remedy: str = ""
) -> list[Result]:
    """Every check of one golden.

    source  where the network is to be had from, if not from the specification that the golden holds
    size    of the input that it should be for, if that is known
    remedy  what makes the golden
    """
    remedy = remedy or how_to_make(folder, name)
    try:
        golden = Golden.load(folder, name)
    except store.MissingGoldenError as error:
        return [_stopped(name, Outcome.FAIL, f"{error}; {remedy}")]
    except ReproError as error:
        told = f"{error}; restore it from version control, or remove it and make it anew: {remedy}"
        return [_stopped(name, Outcome.FAIL, told)]
    meant = f"repro:{name}" if name in models.catalog() else golden.network
    if source is None and golden.network != meant:
        told = f"under the name of {meant} it is a golden of {golden.network}; {remedy}"
        return [_stopped(name, Outcome.FAIL, told)]
    if source is None and ":" not in golden.network:
        why = f"it is of {golden.network}, which only the test or script that made it has; that checks it"
        return [_stopped(name, Outcome.SKIP, why)]
    if size is not None and size != golden.size:
        told = f"the golden is for inputs of {shape_text(golden.size)}, not of {shape_text(size)}; {remedy}"
        return [_stopped(name, Outcome.FAIL, told)]
    found: list[Result] = []
    try:
        found += check(golden, source or resolve(golden.network))
    except models.UnknownVariantError as error:
        stale = f"stale: {error}; remove {store.shown(folder / name)}.json and the file of numbers beside it"
        found.append(_stopped(name, Outcome.FAIL, stale))
    except ReproError as error:
        found.append(Result(CHECKS[len(found)], name, "golden", Outcome.ERROR, str(error)))
    return found


def _stopped(name: str, outcome: Outcome, message: str) -> Result:
    return Result(CHECKS[0], name, "golden", outcome, message)


def update(folder: Path, name: str, source: Source, size: Size | None, reason: str, command: str) -> str:
    """Make the golden of a network; one that is there and holds is kept. Returns what happened, in a sentence.

    Raises ReproError if the network cannot be run or the golden not be written, and for a damaged golden, whose size
    of input is not known any more, unless that is said.
    """
    if not reason.strip():
        raise ReproError("no reason was given; expected why the outputs may be others than they were: --reason")
    try:
        before = Golden.load(folder, name)
    except store.MissingGoldenError:
        before, told = None, "new"
    except store.DamagedGoldenError as error:
        if size is None and not source.spec.startswith("repro:"):
            raise ReproError(f"{error}; what size of input it was for is not known any more: say it") from error
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


def how_to_make(folder: Path, name: str) -> str:
    """The command that makes a golden; of a network that is not of the catalog it cannot know all."""
    given = name if name in models.catalog() else "NETWORK"
    where = f" --golden-dir {store.shown(folder)}" if folder != FOLDER else ""
    return f'repro golden update {given}{where} --reason "..."'
