"""`repro facts`, `repro errata`, `repro deviations`: what the papers print, and who departs from it."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from repro import models
from repro.cli.options import Verbs, add_formats
from repro.cli.terminal import progress
from repro.errors import ReproError
from repro.papers import STATUSES, Paper, paper, papers
from repro.result import Result, exit_code


def add(verbs: Verbs, _: argparse.ArgumentParser) -> None:
    """The three commands."""
    found = sorted(file.name for file in files("repro.papers").iterdir())  # unread: this is for every command
    names = [name.removesuffix(".toml") for name in found if name.endswith(".toml")]
    which = f"default: all of them, which are {', '.join(names)}"
    verb = verbs.add_parser("facts", help="what the papers print, beside what is measured")
    add_formats(verb)
    verb.add_argument("paper", metavar="PAPER", nargs="?", help=which)
    verb.add_argument("--network", metavar="NAME", help="facts that are measured on this network of the catalog")
    verb.add_argument(
        "--verdict",
        action="append",
        choices=("fail", *STATUSES),
        metavar="VERDICT",
        help=f"only facts that came out so: fail, {', '.join(STATUSES)}; may be repeated",
    )
    verb.set_defaults(run=_facts)

    verb = verbs.add_parser("errata", help="what the papers print wrongly, or by a convention, with the arithmetic")
    add_formats(verb)
    verb.add_argument("paper", metavar="PAPER", nargs="?", help=which)
    verb.set_defaults(run=_errata)

    verb = verbs.add_parser(
        "deviations", help="where torchvision, timm and torch depart from the papers, looked for again"
    )
    add_formats(verb)
    verb.set_defaults(run=_deviations)


def _facts(options: argparse.Namespace) -> int:
    chosen = _papers(options.paper)
    network = models.get(options.network).name if options.network else None
    found = _rows(chosen, network)
    if options.verdict:
        found = [row for row in found if row.verdict in options.verdict]
    if options.format != "json" and not found:
        of_network = [name for name, each in papers().items() for fact in each.facts if network in fact.of]
        elsewhere = options.paper and of_network
        where = f"; facts measured on {network} are in {', '.join(dict.fromkeys(of_network))}" if elsewhere else ""
        print(f"there is no fact {' and '.join(_chosen(options))}{where}")
    elif options.format == "json":
        from repro.render import json

        print(json.document(facts=[vars(row) for row in found], summary=dict(Counter(row.verdict for row in found))))
    else:
        from repro.render import facts as pages
        from repro.render import ledger as rendering

        page = options.format == "markdown"
        print(*(pages.page(found, chosen, _chosen(options)) if page else rendering.facts(found, chosen)), sep="\n")
    return 1 if any(row.verdict == "fail" for row in found) else 0


def _papers(given: str | None) -> list[Paper]:
    """Those that are asked for. Raises ReproError for a name that no paper has."""
    if given in models.catalog() and given not in papers():
        raise ReproError(f"no paper is called {given!r}, which is a network: repro facts --network {given}")
    return [paper(given)] if given else list(papers().values())


def _rows(chosen: Sequence[Paper], network: str | None = None) -> list[Any]:
    from repro.conformance import networks, rows

    with progress("measuring", len(networks(chosen, network))) as advance:
        return rows(chosen, network, advance)


def _chosen(options: argparse.Namespace) -> list[str]:
    """What is said of facts that were chosen; nothing if they are all."""
    verdicts = " or ".join(options.verdict or ())
    told = {
        f"in the paper {options.paper}": options.paper,
        f"measured on {options.network}": options.network,
        f"of the verdict {verdicts}": verdicts,
    }
    return [words for words, given in told.items() if given]


def _errata(options: argparse.Namespace) -> int:
    chosen = _papers(options.paper)
    found = [row for row in _rows(chosen) if row.verdict in ("fail", "erratum", "convention", "unexplained")]
    if options.format == "json":
        from repro.render import json

        slips = [{"paper": each.name, **vars(slip)} for each in chosen for slip in each.slips]
        print(json.document(facts=[vars(row) for row in found], slips=slips))
    else:
        from repro.render import facts as pages
        from repro.render import ledger as rendering

        print(*(pages if options.format == "markdown" else rendering).errata(found, chosen), sep="\n")
    return 1 if any(row.verdict == "fail" for row in found) else 0


def _deviations(options: argparse.Namespace) -> int:
    from repro.deviations import register
    from repro.deviations.check import check
    from repro.render import deviations as rendering

    entries = register().deviations
    results: list[Result] = []
    with progress("checking", len(entries)) as advance:
        for result in check(entries):
            results.append(result)
            advance(result.subject)
            if options.format == "text":
                print(*rendering.entry(result), sep="\n", flush=True)
    if options.format == "json":
        from repro.render import json

        print(json.report(results))
    elif options.format == "markdown":
        print(*rendering.markdown(results, register().found_in), sep="\n")
    else:
        print(*rendering.total(results), sep="\n")
    return exit_code(results)
