"""A folder of goldens: which there are, checking all of them, and making one anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from repro import models
from repro.allocator import keep_memory
from repro.errors import ReproError
from repro.golden import store
from repro.golden.golden import CHECKS, Golden, check, golden_size, make
from repro.references import Size, Source, resolve
from repro.result import Outcome, Result

FOLDER = Path("golden")  # of a project, beside its tests


def specification(given: str) -> str:
    """A network by its name in the catalog, or as it is. Raises UnknownVariantError."""
    return given if ":" in given else f"repro:{models.get(given).name}"


def golden_name(spec: str) -> str:
    """What the golden of a network is called: its name in the catalog, LIBRARY.NAME elsewhere."""
    library, _, name = spec.partition(":")
    return name if library == "repro" else f"{library}.{name}"


def expected(folder: Path) -> list[str]:
    """The goldens of a folder and, if some are of the catalog, of every network of the catalog."""
    there = store.names(folder)
    catalog = list(models.catalog())
    return [*catalog, *(name for name in there if name not in catalog)] if set(there) & set(catalog) else there


def check_all(folder: Path, names: Sequence[str], jobs: int = 1) -> Iterator[list[Result]]:
    """The results of each golden, in this order; with several jobs in as many processes.

    Raises ReproError if a process is killed.
    """
    if jobs == 1 or len(names) < 2 * jobs:
        for name in names:
            yield check_one(folder, name)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=keep_memory) as pool:
        running = [pool.submit(check_one, folder, name) for name in names]
        try:
            for future in running:
                yield future.result()
        except BrokenProcessPool as error:
            raise ReproError("a process that checked goldens was killed, most likely for want of memory") from error


def check_one(folder: Path, name: str, source: Source | None = None, remedy: str = "") -> list[Result]:
    """Every check of one golden.

    source  where the network is to be had from, if not from the specification that the golden holds
    remedy  the command that makes the golden
    """
    remedy = remedy or how_to_make(folder, name)
    try:
        golden = Golden.load(folder, name)
    except store.MissingGoldenError as error:
        return [Result(CHECKS[0], name, "golden", Outcome.FAIL, f"{error}; {remedy}")]
    except ReproError as error:
        told = f"{error}; restore it from version control, or make it anew: {remedy}"
        return [Result(CHECKS[0], name, "golden", Outcome.FAIL, told)]
    found: list[Result] = []
    try:
        if source is None and golden.network.endswith(")"):
            why = f"it is of {golden.network}, a live module: the test or script that has it checks it"
            return [Result(CHECKS[0], name, "golden", Outcome.SKIP, why)]
        found += check(golden, source or resolve(golden.network))
    except models.UnknownVariantError as error:
        stale = f"stale: {error}; remove {store.shown(folder / name)}.json and the file of numbers beside it"
        found.append(Result(CHECKS[0], name, "golden", Outcome.FAIL, stale))
    except ReproError as error:
        found.append(Result(CHECKS[len(found)], name, "golden", Outcome.ERROR, str(error)))
    return found


def update(folder: Path, name: str, source: Source, size: Size | None, reason: str, command: str) -> str:
    """Make the golden of a network; one that is there and holds is kept. Returns what happened, in a sentence.

    Raises ReproError if the network cannot be run or the golden not be written.
    """
    if not reason.strip():
        raise ReproError("no reason was given; expected why the outputs may be others than they were: --reason")
    try:
        before = Golden.load(folder, name)
    except store.MissingGoldenError:
        before, told = None, "new"
    except ReproError:
        before, told = None, "written over a damaged one"
    size = golden_size(source, size or (before.size if before else None))
    if before is not None and before.size == size and before.network == source.spec:
        results = list(check(before, source))
        if all(result.outcome is Outcome.PASS for result in results):
            return "kept: nothing moved"
        changed = [result for result in results if result.outcome is not Outcome.PASS]
        told = next((r for r in changed if r.check != CHECKS[0]), changed[0]).message  # where, before with what weights
    elif before is not None:
        told = f"was of {before.network} at {before.size}"
    make(source, size, reason, command).save(folder, name)
    return told


def how_to_make(folder: Path, name: str) -> str:
    """The command that makes a golden."""
    where = f" --golden-dir {store.shown(folder)}" if folder != FOLDER else ""
    return f'repro golden update {name}{where} --reason "..."'
