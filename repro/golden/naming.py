"""A folder of goldens by names: which there are, which there should be, what is meant, and how one is made."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from repro import models
from repro.errors import ReproError
from repro.golden import store

FOLDER = Path("golden")  # of a project, beside its tests
ONLY_ITS_MAKER = "was made in a test or script; that alone has the network"


def specification(given: str, folder: Path = FOLDER) -> str:
    """A network by its name in the catalog, or as it is; also the name of a golden of another network in the folder.

    Raises UnknownVariantError, and ReproError for a golden that only a test or script can make.
    """
    if ":" in given:
        library, _, name = given.partition(":")
        return f"repro:{models.get(name).name}" if library == "repro" else given
    if given not in models.catalog() and store.exists(folder, given):
        spec = str(store.record(folder, given)["network"])
        if ":" not in spec:
            raise ReproError(f"{given} is a golden of {spec}, which {ONLY_ITS_MAKER}; {how_to_make(folder, given)}")
        return spec
    try:
        return f"repro:{models.get(given).name}"
    except models.UnknownVariantError as error:
        there = [name for name in store.names(folder) if name not in models.catalog()] if folder.is_dir() else []
        close = difflib.get_close_matches(given, there, n=3, cutoff=0.5)
        close += [name for name in there if name not in close and given in name]
        if not close:
            raise
        told = f"no network and no golden in {store.shown(folder)} is called {given!r}"
        raise ReproError(f"{told}; closest: {', '.join(close)}") from error


def golden_name(spec: str) -> str:
    """What the golden of a network is called: its name in the catalog, LIBRARY.NAME elsewhere.

    Raises UnknownVariantError.
    """
    library, _, name = spec.partition(":")
    return models.get(name).name if library == "repro" else f"{library}.{name}"


def named(given: str, folder: Path) -> str:
    """The golden that is meant: by its own name, or by the network's. Raises UnknownVariantError."""
    there = ":" not in given and store.exists(folder, given)
    return given if there else golden_name(specification(given, folder))


def expected(folder: Path) -> list[str]:
    """The goldens of a folder; if it has most of the catalog, all of the catalog."""
    there = store.names(folder)
    catalog = list(models.catalog())
    whole = 2 * len(set(there) & set(catalog)) > len(catalog)
    return [*catalog, *(name for name in there if name not in catalog)] if whole else there


def require_reason(reason: str) -> None:
    """Raise ReproError for one that is empty, or cannot be kept."""
    if not reason.strip():
        raise ReproError("the reason is empty; expected why the outputs may be others than they were")
    if not reason.isprintable():
        raise ReproError(f"the reason is {reason!r}; expected text in UTF-8, on one line")


def option(folder: Path) -> str:
    """What a command line says of the folder: nothing of the usual one."""
    return f" --golden-dir {shlex.quote(store.shown(folder))}" if folder != FOLDER else ""


def how_to_make(folder: Path, name: str, given: str | None = None) -> str:
    """What makes a golden. given: what was asked for, if not the golden's own name."""
    command = f'repro golden update {{}}{{}}{option(folder)} --reason "..."'
    spec, size = _hint(folder, name)
    if spec and ":" not in spec:
        return 'the test that made it, with pytest --repro-golden-update "...", or the script'
    sized = f" --input-size {'x'.join(map(str, size))}" if size else ""
    if store.sealed(folder, name):
        return command.format(shlex.quote(name), "")  # the rest is in it
    if name in models.catalog():
        return command.format(name, sized)
    if given is not None and ":" in given:
        return command.format(shlex.quote(given), sized)
    if spec and spec.replace(":", ".") == name:
        return command.format(shlex.quote(spec), sized)
    if spec:
        folder_told = f"golden_dir={store.shown(folder)!r}, " if folder != FOLDER else ""
        return f'repro.update_golden({spec!r}, {name!r}, input_size={size}, {folder_told}reason="...") in Python'
    network = command.format("NETWORK", " --input-size CxHxW")
    return (
        f'{network} (NETWORK: what it is of, such as mynets:resnet50), or for a test pytest --repro-golden-update "..."'
    )


def _hint(folder: Path, name: str) -> tuple[str, list[int] | None]:
    """The network and the size of input that a golden says it is of, whether or not it is damaged."""
    found = store.hint(folder, name)
    spec, size = found.get("network"), found.get("size")
    sized = isinstance(size, list) and all(isinstance(side, int) for side in size)
    return spec if isinstance(spec, str) else "", size if sized else None
