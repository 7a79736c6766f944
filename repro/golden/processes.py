"""Checking many goldens, in several processes side by side. Importing it does not import torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from repro import process
from repro.errors import ReproError
from repro.golden import store
from repro.golden.naming import how_to_make, named
from repro.result import Outcome, Result


def check_all(
    folder: Path, names: Sequence[str], jobs: int = 1, advance: Callable[[str], Any] = lambda _: None
) -> Iterator[list[Result]]:
    """The results of each golden, in this order; with several jobs in as many processes, of two goldens at least.

    names    of goldens, or of networks as `named` takes them
    advance  called with each name as it is done

    Raises ReproError if a process is killed.
    """
    jobs = min(jobs, len(names) // 2)
    if jobs < 2:
        for name in names:
            yield _check(folder, name)
            advance(name)
        return
    found: dict[int, list[Result]] = {}
    told = 0
    for index, results in _side_by_side(folder, names, jobs):
        found[index] = results
        advance(names[index])
        while told in found:
            yield found.pop(told)
            told += 1


def _side_by_side(folder: Path, names: Sequence[str], jobs: int) -> Iterator[tuple[int, list[Result]]]:
    """The results of each golden with its place, as they come.

    The first process goes through the networks from the heaviest, the others from the lightest. Each keeps the memory
    that it ever had; several processes that each had that of a VGG spent a tenth of their time on getting it.
    """
    weights = [_elements(folder, named(name, folder)) for name in names]
    waiting = deque(sorted(range(len(names)), key=lambda index: -weights[index]))
    with ExitStack() as stack:
        pools = [
            stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"), process.beside_others, (share,)))
            for share in process.shares(jobs)
        ]
        running: dict[Future[list[Result]], tuple[ProcessPoolExecutor, int]] = {}
        idle = list(pools)
        while waiting or running:
            while waiting and idle:
                pool = idle.pop()
                index = waiting.popleft() if pool is pools[0] else waiting.pop()
                running[pool.submit(_check, folder, names[index])] = pool, index
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                pool, index = running.pop(future)
                idle.append(pool)
                try:
                    yield index, future.result()
                except BrokenProcessPool as error:
                    raise ReproError(
                        f"{names[index]}: the process that checked it was killed, most likely for want of memory; "
                        f"--jobs 1 takes the least"
                    ) from error


def _check(folder: Path, given: str) -> list[Result]:
    from repro.golden.folder import check_one
    from repro.references import resolve

    name = named(given, folder)
    if ":" in given and not store.exists(folder, name):
        try:
            resolve(given)
        except ReproError as error:
            return [Result("golden.recipe", name, "golden", Outcome.ERROR, f"there is no golden of it, and {error}")]
    return check_one(folder, name, remedy=how_to_make(folder, name, given))


def _elements(folder: Path, name: str) -> int:
    """How many numbers the weights of a network are, by its golden; 0 if that does not say."""
    return int(store.sealed(folder, name).get("elements", 0))
