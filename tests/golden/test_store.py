"""Files of goldens: every bit of them is held, and nothing that stops an update loses one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro import atomic
from repro.errors import ReproError
from repro.golden import store
from repro.golden.store import DamagedGoldenError, MissingGoldenError

OURS = Path(__file__).parents[2] / "golden"

OLD = ({"network": "net", "reason": "old"}, {"sums": torch.arange(6.0)})
NEW = ({"network": "net", "reason": "new"}, {"sums": torch.arange(7.0)})


def same(actual: tuple[Any, Any], expected: tuple[Any, Any]) -> bool:
    (record, tensors), (expected_record, expected_tensors) = actual, expected
    return (
        {key: record[key] for key in expected_record} == expected_record
        and tensors.keys() == expected_tensors.keys()
        and all(torch.equal(tensors[key], tensor) for key, tensor in expected_tensors.items())
    )


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    record = {"network": "net", "reason": 'why "this", ä and\nthat', "stages": {"a": {"mean": 0.1}, "b": {"mean": 2.0}}}
    store.save(tmp_path, "net", record, {"sums": torch.arange(6.0).reshape(2, 3).t()})
    loaded, tensors = store.load(tmp_path, "net")
    assert {key: loaded[key] for key in record} == record
    assert torch.equal(tensors["sums"], torch.arange(6.0).reshape(2, 3).t())
    assert store.names(tmp_path) == ["net"]
    assert store.strays(tmp_path) == []


def test_each_item_of_a_mapping_has_a_line(tmp_path: Path) -> None:
    store.save(tmp_path, "net", {"stages": {"a": {"mean": 0.1}, "b": {"mean": 2.0}}}, {})
    assert '  "a": {"mean": 0.1},\n  "b": {"mean": 2.0}\n' in (tmp_path / "net.json").read_text(encoding="utf-8")


def test_sixty_four_zeros_in_a_reason_are_no_seal(tmp_path: Path) -> None:
    store.save(tmp_path, "net", {"reason": "0" * 64}, {})
    assert store.load(tmp_path, "net")[0]["reason"] == "0" * 64


def test_saving_the_same_again_leaves_two_files(tmp_path: Path) -> None:
    for each in (OLD, NEW, NEW, OLD):
        store.save(tmp_path, "net", *each)
        assert same(store.load(tmp_path, "net"), each)
        assert len(list(tmp_path.iterdir())) == 2


def test_one_golden_leaves_the_files_of_another_alone(tmp_path: Path) -> None:
    for name in ("net", "net.b", "other"):
        store.save(tmp_path, name, *OLD)
    (tmp_path / "stray.0123456789ab.safetensors").write_bytes(b"")
    store.save(tmp_path, "net", *NEW)
    assert [same(store.load(tmp_path, name), OLD) for name in ("net.b", "other")] == [True, True]
    assert [file.name for file in store.strays(tmp_path)] == ["stray.0123456789ab.safetensors"]


def test_a_golden_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingGoldenError, match=r"net\.json: there is no such golden"):
        store.load(tmp_path, "net")
    with pytest.raises(ReproError, match="no such folder"):
        store.names(tmp_path / "nowhere")


def test_a_golden_under_another_name_is_no_golden_of_that_name(tmp_path: Path) -> None:
    store.save(tmp_path, "net", *OLD)
    shutil.copy(tmp_path / "net.json", tmp_path / "other.json")
    with pytest.raises(DamagedGoldenError, match="golden of 'net' under another name"):
        store.load(tmp_path, "other")


def test_a_format_of_the_future_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FORMAT", 2)
    store.save(tmp_path, "net", *OLD)
    monkeypatch.undo()
    with pytest.raises(ReproError, match="format 2, and this version of repro reads 1"):
        store.load(tmp_path, "net")


# --- any damage --------------------------------------------------------------------------------------------------

FILES = sorted(file for file in OURS.iterdir() if file.suffix in (".json", ".safetensors"))


@given(st.data())
def test_any_bit_flipped_in_any_file_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(FILES))
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    damaged(tmp_path_factory.mktemp("damaged"), file, bytes(content))


@given(st.data())
def test_any_file_cut_off_anywhere_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(FILES))
    content = file.read_bytes()
    damaged(tmp_path_factory.mktemp("damaged"), file, content[: data.draw(st.integers(0, len(content) - 1))])


def damaged(folder: Path, file: Path, content: bytes) -> None:
    """Expect a golden not to load when one of its files has this content, and to load when it has its own."""
    name = file.name.partition(".")[0]
    for each in OURS.glob(f"{name}.*"):
        shutil.copy(each, folder)
    store.load(folder, name)
    (folder / file.name).write_bytes(content)
    with pytest.raises(DamagedGoldenError):
        store.load(folder, name)


def test_every_bit_of_a_small_golden(tmp_path: Path) -> None:
    store.save(tmp_path, "net", *OLD)
    for file in list(tmp_path.iterdir()):
        content = file.read_bytes()
        for bit in range(8 * len(content)):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            file.write_bytes(changed)
            with pytest.raises(DamagedGoldenError):
                store.load(tmp_path, "net")
        for length in range(len(content)):
            file.write_bytes(content[:length])
            with pytest.raises(DamagedGoldenError):
                store.load(tmp_path, "net")
        file.write_bytes(content)
    assert same(store.load(tmp_path, "net"), OLD)


# --- whatever stops an update ------------------------------------------------------------------------------------

STEPS = [
    (os, "fsync"),
    (os, "open"),
    (os, "close"),
    (Path, "open"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "mkdir"),
]


def stopping(monkeypatch: pytest.MonkeyPatch, step: int, stop: Callable[[], None], after: bool) -> list[str]:
    """Have `stop` called before or after one of the calls that touch the disk; returns the names of those made."""
    made: list[str] = []

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            stops = len(made) - 1 == step
            if stops and not after:
                stop()
            try:
                return original(*args, **kwargs)
            finally:
                if stops and after:
                    stop()

        monkeypatch.setattr(owner, name, call)

    for owner, name in STEPS:
        wrap(owner, name)
    return made


def steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often an update touches the disk."""
    with monkeypatch.context() as patch:
        made = stopping(patch, -1, lambda: None, False)
        store.save(folder, "net", *NEW)
    return len(made)


@pytest.mark.parametrize("after", [False, True])
def test_a_process_killed_at_any_step_leaves_the_old_golden_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    store.save(tmp_path / "counted", "net", *OLD)
    count = steps(tmp_path / "counted", monkeypatch)
    assert count > 8
    found = []
    for step in range(count):
        folder = tmp_path / str(step)
        store.save(folder, "net", *OLD)
        child = os.fork()
        if child == 0:  # it ends here, as by a loss of power: nothing is cleaned up
            with monkeypatch.context() as patch:
                stopping(patch, step, lambda: os.kill(os.getpid(), signal.SIGKILL), after)
                store.save(folder, "net", *NEW)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        loaded = store.load(folder, "net")
        found.append("old" if same(loaded, OLD) else "new" if same(loaded, NEW) else "neither")
        store.save(folder, "net", *NEW)  # and the next update clears away what was left
        assert same(store.load(folder, "net"), NEW)
        assert len(list(folder.iterdir())) == 2
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True)  # the old one up to some step, and the new one from there on


def test_an_error_at_any_step_leaves_the_old_golden_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no space left")

    store.save(tmp_path / "counted", "net", *OLD)
    for step in range(steps(tmp_path / "counted", monkeypatch)):
        folder = tmp_path / str(step)
        store.save(folder, "net", *OLD)
        with monkeypatch.context() as patch:
            stopping(patch, step, fail, False)
            with contextlib.suppress(ReproError):
                store.save(folder, "net", *NEW)
        loaded = store.load(folder, "net")
        assert same(loaded, OLD) or same(loaded, NEW)


def test_a_first_golden_is_there_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = []
    for step in range(1 + steps(tmp_path / "counted", monkeypatch)):
        folder = tmp_path / str(step)
        child = os.fork()
        if child == 0:
            with monkeypatch.context() as patch:
                stopping(patch, step, lambda: os.kill(os.getpid(), signal.SIGKILL), False)
                store.save(folder, "net", *NEW)
            os._exit(0)
        os.waitpid(child, 0)
        try:
            loaded = store.load(folder, "net")
        except MissingGoldenError:
            there.append(False)
        else:
            there.append(same(loaded, NEW))
    assert there == sorted(there), "not there, and from one step on whole"
    assert {*there} == {False, True}


def test_processes_that_save_under_one_name_leave_a_golden(tmp_path: Path) -> None:
    children = []
    for own in range(4):
        child = os.fork()
        if child == 0:
            for turn in range(50):
                store.save(
                    tmp_path, "net", {"reason": f"{own} {turn}"}, {"sums": torch.full((6,), float(50 * own + turn))}
                )
            os._exit(0)
        children.append(child)
    for _ in range(200):
        with contextlib.suppress(MissingGoldenError):  # before the first one
            store.load(tmp_path, "net")
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    record, tensors = store.load(tmp_path, "net")
    own, turn = map(int, record["reason"].split())
    assert turn == 49
    assert torch.equal(tensors["sums"], torch.full((6,), float(50 * own + turn)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_that_no_file_can_have_is_that_of_no_golden(tmp_path: Path) -> None:
    with pytest.raises(MissingGoldenError, match="no such golden"):
        store.load(tmp_path, "n" * 300)
    with pytest.raises(ReproError, match=r"cannot be written there: .*[Nn]ame too long"):
        store.save(tmp_path, "n" * 300, *NEW)


def test_what_was_not_written_as_meant_takes_no_name(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="not what was written"):
        atomic.write(file, b"new", lambda written: written.read_bytes() == b"other")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file.json", b"old")]


def test_names_may_have_characters_of_patterns(tmp_path: Path) -> None:
    name = "timm.net+layers=[1,2]"
    store.save(tmp_path, name, {"network": "timm:net"}, {"sums": torch.zeros(3)})
    (tmp_path / f"{name}.json").write_text("{}")
    assert store.strays(tmp_path) == []
    (tmp_path / ".prettierrc.json").write_text("{}")
    assert store.strays(tmp_path) == []
