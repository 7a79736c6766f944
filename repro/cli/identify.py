"""`repro identify`: which networks a file defines, whatever they are called."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from repro.cli.messages import tell
from repro.cli.options import Verbs
from repro.errors import ReproError

if TYPE_CHECKING:
    from repro.audit.report import Audited, Network

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
    from repro.audit.engine import audit
    from repro.render.audit.columns import clean
    from repro.running.runner import Runner

    files: list[Audited] = []
    failed = False
    with Runner(options.run_without_isolation) as runner:
        for path in options.paths:
            try:
                files.append(audit(path, (), runner))
            except ReproError as error:
                tell(f"error: {error}")
                failed = True
                continue
            if options.format == "text":
                print(*map(clean, _text(files[-1])), sep="\n")
            if files[-1].run and files[-1].run.problem:
                tell(f"{path}: {files[-1].run.problem.en}")
                failed = True
    if options.format == "json":
        from repro.render import json
        from repro.render.audit.json import ran

        told = [{"path": each.path, **(ran(each.run, "en") if each.run else {"networks": []})} for each in files]
        print(json.document(isolation=runner.level, files=told))
    kept = [network.keeps_its_name for each in files for network in _networks(each)]
    return 2 if failed else int(False in kept)


def _networks(found: Audited) -> tuple[Network, ...]:
    return found.run.networks if found.run else ()


def _text(found: Audited) -> Iterator[str]:
    yield found.path
    shown = [each for each in _networks(found) if each.identified or not each.is_part]
    if not shown and not (found.run and found.run.problem):
        yield "  it defines no network that could be built"
    for network in shown:
        told = f"{network.symbol} ({network.place.words.en}): {_verdict(network)}"
        yield from textwrap.wrap(told, _WIDTH, initial_indent="  ", subsequent_indent="    ")
        for difference in network.differences[:_SHOWN]:
            yield from textwrap.wrap(difference.en, _WIDTH, initial_indent="    - ", subsequent_indent="      ")
        if len(network.differences) > _SHOWN:
            yield f"    - and {len(network.differences) - _SHOWN} more"


def _verdict(network: Network) -> str:
    if network.error:
        return f"not identified: {network.error}"
    return f"{network.told.en}; its name says {network.claims}" if network.keeps_its_name is False else network.told.en
