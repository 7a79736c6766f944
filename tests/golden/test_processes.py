"""Goldens that are checked side by side: the order they are taken in, how processes are set up, what they find."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, ClassVar

import pytest

from repro import process
from repro.errors import ReproError
from repro.golden import processes
from repro.golden.processes import check_all
from repro.result import Outcome, Result
from tests.golden.test_folder import OURS


def test_processes_give_what_one_gives() -> None:
    names = ["lenet5", "mynets:missing", "lenet5_28", "nin_cifar10"]
    done: list[str] = []
    alone, shared = (list(check_all(OURS, names, jobs, done.append)) for jobs in (1, 2))
    assert [[(r.check, r.subject, r.outcome) for r in each] for each in alone] == [
        [(r.check, r.subject, r.outcome) for r in each] for each in shared
    ]
    assert done[:4] == names
    assert sorted(done[4:]) == sorted(names)


class Pool:
    """In place of one process: everything is done at once, here."""

    made: ClassVar[list[Pool]] = []

    def __init__(self, workers: int, _: Any, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        assert workers == 1
        self.set_up, self.arguments = initializer, arguments
        self.names: list[str] = []
        Pool.made.append(self)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, _: Any, folder: Path, name: str) -> Future[list[Result]]:
        self.names.append(name)
        done: Future[list[Result]] = Future()
        if folder.name == "killed":
            done.set_exception(BrokenProcessPool())
        else:
            done.set_result([Result("golden.recipe", name, "golden", Outcome.PASS, "")])
        return done


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Pool]:
    monkeypatch.setattr(Pool, "made", [])
    monkeypatch.setattr(processes, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(process, "shares", lambda jobs: [{core} for core in range(jobs)])
    return Pool.made


def test_each_process_has_its_share_of_the_cores(pools: list[Pool]) -> None:
    list(check_all(OURS, ["lenet5", "vgg16", "resnet18", "resnet50", "alexnet", "nin_cifar10"], 3))
    assert [pool.set_up for pool in pools] == [process.beside_others] * 3
    assert [pool.arguments for pool in pools] == [({0},), ({1},), ({2},)]


def test_one_process_takes_the_heaviest_and_results_come_in_order(pools: list[Pool]) -> None:
    names = ["lenet5", "vgg16", "resnet18", "vgg19", "resnet50", "nin_cifar10"]
    found = list(check_all(OURS, names, 2))
    assert [result.subject for (result,) in found] == names
    heavy, light = (pool.names for pool in pools)
    assert heavy + light[::-1] == ["vgg19", "vgg16", "resnet50", "resnet18", "nin_cifar10", "lenet5"]
    assert heavy
    assert light


@pytest.mark.parametrize(("jobs", "processes"), [(1, 0), (2, 2), (3, 3), (4, 3), (64, 3)])
def test_no_more_processes_than_have_two_goldens(pools: list[Pool], jobs: int, processes: int) -> None:
    names = ["lenet5", "vgg16", "resnet18", "vgg19", "resnet50", "nin_cifar10", "alexnet"]
    if processes:
        list(check_all(OURS, names, jobs))
    else:
        next(check_all(OURS, names, jobs))
    assert len(pools) == processes


def test_a_process_that_is_killed_is_told(pools: list[Pool], tmp_path: Path) -> None:
    with pytest.raises(ReproError, match=r"(vgg19|lenet5): the process that checked it was killed.*--jobs 1"):
        list(check_all(tmp_path / "killed", ["lenet5", "vgg16", "resnet18", "vgg19"], 2))
