"""A folder of goldens by names: which there are, which there should be, what is meant, and how one is made."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from repro import models
from repro.errors import ReproError
from repro.golden import store

FOLDER = Path("golden")  # of a project, beside its tests


def specification(given: str, folder: Path = FOLDER) -> str:
    """A network by its name in the catalog, or as it is; also the name of a golden of another network in the folder.

    Raises UnknownVariantError.
    """
    if ":" in given:
        return given
    if given not in models.catalog() and store.exists(folder, given):
        return str(store.record(folder, given)["network"])
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


def how_to_make(folder: Path, name: str, given: str | None = None) -> str:
    """The command that makes a golden. given: what was asked for, if not the golden's own name."""
    where = f" --golden-dir {shlex.quote(store.shown(folder))}" if folder != FOLDER else ""
    command = f'repro golden update {{}}{where} --reason "..."'
    if name in models.catalog():
        return command.format(name)
    if given is not None and ":" in given:
        return command.format(shlex.quote(given))
    with contextlib.suppress(ReproError):  # what it is of is in the part for people, if that is whole
        spec = str(store.record(folder, name)["network"])
        return command.format(shlex.quote(spec)) if ":" in spec else "by the test or script that made it"
    return f"{command.format('NETWORK')}, NETWORK being what it is of, such as mynets:resnet50"
