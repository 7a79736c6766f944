"""Which files are audited of what is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repro.audit.files import empty_folders, files


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_gives_its_documents_in_the_order_of_their_names(folder: Path) -> None:
    make(folder, "b.py", "a/z.ipynb", "a/deep/y.MD", "c.html", "d.txt", "e.png", "f", "g.pyc")
    assert list(files(["."])) == ["a/deep/y.MD", "a/z.ipynb", "b.py", "c.html", "d.txt"]


def test_what_is_hidden_in_a_cache_or_an_environment_is_left_out(folder: Path) -> None:
    make(folder, "a.py", ".git/b.py", ".c.py", "__pycache__/d.py", "node_modules/e.py", "env/pyvenv.cfg", "env/f.py")
    make(folder, "cache/CACHEDIR.TAG", "cache/g.py")
    assert list(files(["."])) == ["a.py"]
    assert list(files([".c.py", "env"])) == [".c.py", "env/f.py"], "what is given by name is taken"


def test_links_that_lead_in_a_circle_are_harmless(folder: Path) -> None:
    make(folder, "a/b.py")
    (folder / "a" / "again").symlink_to(folder / "a", target_is_directory=True)
    (folder / "a" / "itself").symlink_to("itself")
    (folder / "other").symlink_to(folder / "a", target_is_directory=True)
    assert list(files(["."])) == ["a/b.py"]


def test_folders_that_link_to_each_other_are_looked_into_once(folder: Path) -> None:
    names = [f"d{number:02}" for number in range(12)]
    make(folder, *(f"{name}/a.py" for name in names))
    for name in names:
        for other in names:
            (folder / name / other).symlink_to(folder / other, target_is_directory=True)
    found = list(files([".", "d03", "."]))
    assert sorted(Path(file).resolve() for file in found) == [folder.resolve() / name / "a.py" for name in names]


def test_each_file_is_given_once_and_what_is_not_there_too(folder: Path) -> None:
    make(folder, "a/b.py")
    assert list(files(["a/b.py", "a", "./a/../a/b.py", "missing.py"])) == ["a/b.py", "missing.py"]


def test_what_the_project_leaves_out_is_not_looked_into(folder: Path) -> None:
    make(folder, "a/b.py", "c/d.py")
    assert list(files(["."], lambda path: path == "a")) == ["c/d.py"]


def test_folders_with_nothing_to_audit_are_known(folder: Path) -> None:
    make(folder, "a/b.py", "c/d.rst", "e/.f.py", "g/h/i.py", "j.rst")
    (folder / "k").mkdir()
    given = ["a", "c", "e", "g", "j.rst", "k", "missing", "./a"]
    assert list(empty_folders(given)) == ["c", "e", "k"]
    assert list(empty_folders(given, lambda path: path == "g/h")) == ["c", "e", "g", "k"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read_is_told_as_a_file_would_be(folder: Path) -> None:
    make(folder, "a/b.py")
    (folder / "a").chmod(0)
    try:
        assert list(files(["."])) == ["a"]
    finally:
        (folder / "a").chmod(0o700)
