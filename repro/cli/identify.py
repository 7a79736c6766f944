"""`repro identify`: which networks a file defines, whatever they are called."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from repro.cli.messages import tell
from repro.cli.options import Verbs
from repro.errors import ReproError

if TYPE_CHECKING:
    from repro.running.identified import Identified, Network

_WIDTH = 79
_SHOWN = 4  # differences of one network


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """The command."""
    verb = verbs.add_parser(
        "identify",
        parents=[common],
        help="which networks a file defines, whatever they are called",
        description="Run the definitions of Python files, notebooks and tutorials where they can do no harm, build "
        "the networks, and name each by the nearest one of the catalog. `repro doctor` says how code is isolated. "
        "Exit status: 0 every network is what its name says, 1 one is not, 2 a file could not be read or run.",
    )
    verb.add_argument("paths", metavar="FILE", nargs="+", help="Python, a notebook, Markdown, HTML or pasted text")
    verb.add_argument(
        "--run-without-isolation",
        action="store_true",
        help="run the code with all your rights where this machine has nothing to take them away",
    )
    verb.set_defaults(run=_identify)


def _identify(options: argparse.Namespace) -> int:
    from repro.render.audit.columns import clean
    from repro.running.identified import identified, worker

    files: list[Identified] = []
    failed = False
    with worker(options.run_without_isolation) as running:
        for path in options.paths:
            try:
                files.append(identified(path, running))
            except ReproError as error:
                tell(f"error: {error}")
                failed = True
                continue
            if options.format == "text":
                print(*map(clean, _text(files[-1])), sep="\n")
            if files[-1].problem:
                tell(f"{path}: {files[-1].problem}")
                failed = True
    if options.format == "json":
        from repro.render import json

        print(json.document(isolation=running.level, files=[asdict(each) for each in files]))
    networks = [network for each in files for network in each.networks]
    return 2 if failed else int(any(network.keeps_its_name is False for network in networks))


def _text(found: Identified) -> Iterator[str]:
    yield found.path
    if not found.networks and not found.problem:
        yield "  it defines no network that could be built"
    for network in found.networks:
        place = f"cell {network.cell}, line {network.line}" if network.cell is not None else f"line {network.line}"
        told = f"{network.symbol} ({place}): {_verdict(network)}"
        yield from textwrap.wrap(told, _WIDTH, initial_indent="  ", subsequent_indent="    ")
        for difference in network.differences[:_SHOWN]:
            yield from textwrap.wrap(difference, _WIDTH, initial_indent="    - ", subsequent_indent="      ")
        if len(network.differences) > _SHOWN:
            yield f"    - and {len(network.differences) - _SHOWN} more"


def _verdict(network: Network) -> str:
    if network.error:
        return f"not identified: {network.error}"
    if not network.identified:
        return "no network of the catalog is near it"
    said = network.identified if not network.distance else f"{network.identified}, altered at {network.distance} places"
    return f"{said}; its name says {network.claims}" if network.keeps_its_name is False else said
