"""`repro golden`: what networks computed, kept and held against what they compute."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from repro.cli.options import Verbs, count, jobs, size
from repro.cli.terminal import paragraph, progress
from repro.errors import ReproError
from repro.result import Result, exit_code

_UPDATE = (
    "Networks whose golden still holds are left alone. The old golden stays until the new one is complete; look at the "
    "difference of NAME.json before you commit it."
)


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """Both actions."""
    verb = verbs.add_parser("golden", help="hold outputs still: check what networks compute against what is kept")
    actions = verb.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("check", parents=[common], help="run networks again, and compare with their goldens")
    action.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="default: all in the folder; if it has most of the catalog, all of that",
    )
    action.add_argument("--jobs", type=count, metavar="N", help="processes (default: as memory allows)")
    action.set_defaults(run=_golden_check)
    _add_folder(action)
    action = actions.add_parser(
        "update", parents=[common], help="make goldens anew where something moved", description=_UPDATE
    )
    action.add_argument("names", metavar="NAME", nargs="+", help="of the catalog, or as for compare")
    action.add_argument("--reason", required=True, help="why the outputs may be others than they were; it is kept")
    action.add_argument(
        "--input-size", type=size, metavar="CxHxW", help="default: that of the golden there is, or of the network"
    )
    action.set_defaults(run=_golden_update)
    _add_folder(action)


def _add_folder(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--golden-dir", type=Path, default=Path("golden"), metavar="DIR", help="the folder (default: %(default)s)"
    )


def _golden_check(options: argparse.Namespace) -> int:
    from repro.golden import naming, store
    from repro.golden.processes import check_all

    names = options.names or naming.expected(options.golden_dir)
    shown = [naming.named(name, options.golden_dir) for name in names]
    left = [store.shown(file) for file in store.strays(options.golden_dir)]
    if not names:
        lost = f"; there are leftovers: {', '.join(left)}" if left else ""
        make = naming.how_to_make(options.golden_dir, "")
        raise ReproError(f"{options.golden_dir}: there is no golden{lost}; make a first one: {make}")
    text = options.format == "text"
    if text:
        from repro.render import golden as rendering
        from repro.render.text import details

        print(rendering.HEADER)
    found: list[Result] = []
    with progress("checking", len(names)) as advance:
        checked = check_all(options.golden_dir, names, options.jobs or jobs(), advance)
        for name, results in zip(shown, checked, strict=True):
            found += results
            if text:
                print(rendering.row(name, results), *details(results), *rendering.reason(results), sep="\n", flush=True)
    if text:
        print(*rendering.totals(found, left, naming.option(options.golden_dir)), sep="\n")
    else:
        from repro.render import json

        print(json.report(found, {"unused": left}))
    return exit_code(found)


def _golden_update(options: argparse.Namespace) -> int:
    from repro.golden import naming

    naming.require_reason(options.reason)
    from repro.golden import folder
    from repro.references import resolve

    specs = [naming.specification(name, options.golden_dir) for name in options.names]
    size = ["--input-size", "x".join(map(str, options.input_size))] if options.input_size else []
    done: dict[str, str] = {}
    failed: dict[str, str] = {}
    for given, spec in zip(options.names, specs, strict=True):
        name = naming.named(given, options.golden_dir)
        command = shlex.join(["repro", "golden", "update", given, *size, "--reason", options.reason])
        try:
            done[name] = folder.update(
                options.golden_dir, name, resolve(spec), options.input_size, options.reason, command
            )
        except ReproError as error:  # the others are made nevertheless
            failed[name] = str(error)
        if options.format == "text":
            print(paragraph(f"{name:<23} ", done.get(name) or f"ERROR {failed[name]}"), flush=True)
    if options.format == "json":
        from repro.render import json

        print(json.document(environment=json.environment(), updated=done, failed=failed))
    return 2 if failed else 0
