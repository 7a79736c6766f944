"""Files of tensors: every way in which one is read, and every way in which writing one can stop half-way."""

from __future__ import annotations

import os
import pickle
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

import repro
from repro import checkpoint
from repro.errors import ReproError
from repro.graph import digest

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
OLD = b"what was there before"


def tensors() -> dict[str, torch.Tensor]:
    """One of each kind that a state_dict may hold."""
    torch.manual_seed(0)
    return {
        "weight": torch.randn(4, 3),
        "half": torch.randn(5).half(),
        "brain": torch.randn(5).bfloat16(),
        "double": torch.tensor([1.0, float("nan"), -0.0, float("-inf")], dtype=torch.float64),
        "counter": torch.tensor(2**53 + 1),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "transposed": torch.randn(4, 3).t(),
        "part": torch.randn(100)[10:20],
    }


def digests(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {key: digest(tensor) for key, tensor in state.items()}


def raised(call: Callable[[], object]) -> str:
    """What a call is refused with, in one line."""
    with pytest.raises(ReproError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    told = checkpoint.save(path, tensors())
    found = checkpoint.load(path)
    assert digests(found.tensors) == digests(tensors()) == told
    assert found.notes == ()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["state_dict", "model", "model_state_dict"])
def test_a_nested_state_dict_is_found_and_that_is_said(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.pth"
    torch.save({"epoch": 3, name: tensors(), "arch": "lenet"}, path)
    found = checkpoint.load(path)
    assert digests(found.tensors) == digests(tensors())
    assert found.notes == (f"read under {name!r}, without what is beside it: 'epoch', 'arch'",)


def test_a_tensor_of_that_name_is_no_nesting(tmp_path: Path) -> None:
    torch.save({"model": torch.ones(2)}, tmp_path / "net.pth")
    found = checkpoint.load(tmp_path / "net.pth")
    assert (list(found.tensors), found.notes) == (["model"], ())


@pytest.mark.filterwarnings("ignore:Validating sparse")  # torch announces that it checks them
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "expected a mapping of names to tensors, found a list"),
        ({"w": torch.ones(1), "epoch": 3}, "expected a mapping of names to tensors, found a int at 'epoch'"),
        ({0: torch.ones(1)}, "expected a mapping of names to tensors, found a Tensor at 0"),
        ({"model": {"w": 1}}, "expected a mapping of names to tensors, found a int at 'w'"),
        ({"model": {}, "state_dict": {}}, "it has both 'state_dict' and 'model'; save the one that is meant"),
        ({"w": torch.eye(2).to_sparse()}, "'w' is sparse, quantised or without values; expected a dense tensor"),
        ({"w": torch.ones(2, device="meta")}, "'w' is sparse, quantised or without values; expected a dense tensor"),
    ],
)
def test_a_file_with_something_else_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path)
    assert raised(lambda: checkpoint.load(path)) == f"{path}: {message}"


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors", "."])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    message = f"{path}: no such file; expected a state_dict saved by safetensors or torch.save"
    assert raised(lambda: checkpoint.load(path)) == message


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"net{suffix}"
    checkpoint.save(path, {"w": torch.ones(64), "b": torch.ones(8)})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert raised(lambda: checkpoint.load(path)).startswith(f"{path}: cannot be read as a state_dict: ")


class Touch:
    """An object whose unpickling leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("nested", [False, True])
def test_objects_are_not_unpickled(tmp_path: Path, nested: bool) -> None:
    path, trace = tmp_path / "net.pth", tmp_path / "executed"
    torch.save({"model": tensors(), "x": Touch(trace)} if nested else {**tensors(), "x": Touch(trace)}, path)
    assert "objects besides tensors, which are not unpickled here" in raised(lambda: checkpoint.load(path))
    assert not trace.exists()
    pickle.loads(pickle.dumps(Touch(trace)))
    assert trace.exists(), "the check can fail"


def test_parameters_come_without_their_gradients(tmp_path: Path) -> None:
    torch.save(dict(nn.Linear(2, 3).named_parameters()), tmp_path / "net.pth")
    assert not any(tensor.requires_grad for tensor in checkpoint.load(tmp_path / "net.pth").tensors.values())


# --- fitting -----------------------------------------------------------------------------------------------------

SHAPES = {"a.w": (2, 3), "a.b": (2,)}


def given_as(*notes: str, **shapes: tuple[int, ...]) -> checkpoint.Checkpoint:
    return checkpoint.Checkpoint(
        Path("net.pth"), {key.replace("_", "."): torch.ones(shape) for key, shape in shapes.items()}, notes
    )


def test_a_checkpoint_that_fits_is_itself() -> None:
    given_one = given_as(a_w=(2, 3), a_b=(2,))
    assert given_one.fitted(SHAPES, "net") is given_one


def test_the_prefix_of_a_wrapper_is_taken_off_and_that_is_said() -> None:
    found = given_as("read under 'model'", module_a_w=(2, 3), module_a_b=(2,)).fitted(SHAPES, "net")
    assert list(found.tensors) == list(SHAPES)
    assert found.notes == ("read under 'model'", "'module.' taken off every key")


def test_a_prefix_that_is_the_networks_own_is_left_on() -> None:
    found = given_as(module_w=(2,)).fitted({"module.w": (2,)}, "net")
    assert (list(found.tensors), found.notes) == (["module.w"], ())


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (given_as(a_w=(2, 3)), "net.pth: it lacks key 'a.b' of net"),
        (given_as(), "net.pth: it lacks key 'a.b' and 1 more of net"),
        (given_as(a_w=(2, 3), a_b=(2,), a_c=(2,)), "net.pth: it has the unknown key 'a.c' of net"),
        (given_as(a_w=(3, 2), a_b=(2,)), "net.pth: 'a.w' has shape (3, 2); net has (2, 3)"),
        (given_as(a_w=(2, 3), a_b=(2, 1)), "net.pth: 'a.b' has shape (2, 1); net has (2,)"),
        (given_as(module_a_w=(2, 3), a_b=(2,)), "net.pth: it lacks key 'a.w' of net"),
        (given_as(module_a_c=(2,)), "net.pth: it lacks key 'a.b' and 1 more of net"),
        (given_as(module_a_w=(3, 2), module_a_b=(2,)), "net.pth: 'a.w' has shape (3, 2); net has (2, 3)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(found: checkpoint.Checkpoint, message: str) -> None:
    assert raised(lambda: found.fitted(SHAPES, "net")) == message


# --- writing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_shared_tensors_are_saved_under_each_of_their_names(tmp_path: Path, suffix: str) -> None:
    path, shared = tmp_path / f"net{suffix}", torch.randn(6)
    state = {"one": shared, "other": shared, "half": shared[:3], "turned": shared.view(2, 3).t()}
    checkpoint.save(path, state)
    assert digests(checkpoint.load(path).tensors) == digests(state)


def test_safetensors_refuses_shared_tensors_by_itself(tmp_path: Path) -> None:
    shared = torch.ones(3)
    with pytest.raises(RuntimeError, match="share memory"):
        save_file({"one": shared, "other": shared}, tmp_path / "net.safetensors")


def test_a_torch_file_keeps_the_versions_that_modules_read(tmp_path: Path) -> None:
    net = nn.BatchNorm2d(3)
    checkpoint.save(tmp_path / "net.pth", net.state_dict())
    loaded = torch.load(tmp_path / "net.pth", weights_only=True)
    assert loaded._metadata == net.state_dict()._metadata  # type: ignore[attr-defined]


def test_the_same_tensors_make_the_same_bytes(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        paths = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
        for path in paths:
            checkpoint.save(path, tensors())
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_has_the_permissions_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        for suffix in SUFFIXES:
            checkpoint.save(tmp_path / f"net{suffix}", tensors())
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}


def test_a_link_goes_on_pointing_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link, path = tmp_path / "link.safetensors", tmp_path / "folder" / "net.safetensors"
    link.symlink_to(path)
    checkpoint.save(link, tensors())
    assert link.is_symlink()
    assert load_file(path).keys() == tensors().keys()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.npz", "the suffix says the format; expected one of .safetensors, .pth, .pt, .bin"),
        ("net", "the suffix says the format; expected one of .safetensors, .pth, .pt, .bin"),
        ("folder.pt", "cannot be written: it is a folder"),
        ("none/net.pt", "cannot be written: there is no folder {folder}/none"),
        ("in.pth", "it is the file that is read, which stays as it is; name another"),
        ("folder.pt/../in.pth", "it is the file that is read, which stays as it is; name another"),
        ("link.pt", "it is the file that is read, which stays as it is; name another"),
    ],
)
def test_what_cannot_be_written_to_is_refused_at_once(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "in.pth").write_bytes(OLD)
    (tmp_path / "link.pt").symlink_to(tmp_path / "in.pth")
    told = raised(lambda: checkpoint.require_target(tmp_path / name, tmp_path / "in.pth"))
    assert told == f"{tmp_path / name}: {message.format(folder=tmp_path)}"


def test_another_file_that_is_there_may_be_written_over(tmp_path: Path) -> None:
    for name in ("in.pth", "out.pth"):
        (tmp_path / name).write_bytes(OLD)
    checkpoint.require_target(tmp_path / "out.pth", tmp_path / "in.pth")
    checkpoint.save(tmp_path / "out.pth", tensors())
    assert digests(checkpoint.load(tmp_path / "out.pth").tensors) == digests(tensors())


@contextmanager
def full_disk(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file may grow beyond 100 bytes, which the kernel sees to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def interrupted(patch: pytest.MonkeyPatch) -> Iterator[None]:
    def fsync(_: int) -> None:
        raise KeyboardInterrupt

    patch.setattr(os, "fsync", fsync)
    yield


@contextmanager
def flipped_bit(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk gives back something else than it was given, at the very end of the tensors."""
    reading = checkpoint._read

    def read(path: Path) -> Any:
        found = reading(path)
        found["weight"].view(torch.uint8)[-1, -1] ^= 1
        return found

    patch.setattr(checkpoint, "_read", read)
    yield


@contextmanager
def no_room_for_the_name(patch: pytest.MonkeyPatch) -> Iterator[None]:
    def replace(*_: object) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(Path, "replace", replace)
    yield


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (full_disk, "OSError: [Errno 27] File too large"),
        (interrupted, None),
        (flipped_bit, "OSError: what was read back is not what was written"),
        (no_room_for_the_name, "OSError: [Errno 28] No space left on device"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_that_stops_half_way_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, message: str | None, there: bool, suffix: str
) -> None:
    path = tmp_path / f"net{suffix}"
    if there:
        path.write_bytes(OLD)
    with monkeypatch.context() as patch, fault(patch), pytest.raises(ReproError if message else KeyboardInterrupt) as e:
        checkpoint.save(path, tensors())
    if message:
        assert str(e.value) == f"{path}: cannot be written: {message}; nothing was changed"
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [OLD] * there
    checkpoint.save(path, tensors())
    assert digests(checkpoint.load(path).tensors) == digests(tensors())


def test_a_writer_that_is_killed_leaves_no_part_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(OLD)
    program = f"""
import os, signal, torch
from pathlib import Path
from repro import checkpoint
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save(Path({str(path)!r}), {{"w": torch.ones(9)}})
"""
    root = str(Path(repro.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": root}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == OLD
    (left,) = (entry.name for entry in tmp_path.iterdir() if entry != path)
    assert re.fullmatch(r"\.net\.\w+\.safetensors", left)  # all that is left of it is hidden and never read
