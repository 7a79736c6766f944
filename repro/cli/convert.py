"""`repro convert`: a checkpoint of one implementation for another."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from pathlib import Path

from repro.cli.options import Verbs, add_sizes
from repro.cli.terminal import paragraph


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """The command."""
    verb = verbs.add_parser(
        "convert",
        parents=[common],
        help="a checkpoint of one implementation for another",
        description="Write a checkpoint of network A as one of network B, by the proof that the two are equal. "
        "A and B are named as for compare.",
    )
    verb.add_argument("first", metavar="A")
    verb.add_argument("second", metavar="B")
    verb.add_argument("source", type=Path, metavar="IN", help="a state_dict of A: safetensors, or a torch file")
    verb.add_argument("target", type=Path, metavar="OUT", help="the file to write: .safetensors, .pth, .pt or .bin")
    add_sizes(verb, "to prove equality at; ")
    verb.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    from repro.parity.convert import UnequalError, convert
    from repro.render import json

    files = {"source": str(options.source), "target": str(options.target)}
    about = {"environment": json.environment(), "subject": options.first, "reference": options.second, **files}
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the user's code may print
            done = convert(options.first, options.second, options.source, options.target, options.input_size)
    except UnequalError as error:
        if options.format == "json":
            print(json.document(**about, written=False, message=str(error), **error.evidence))
        else:
            print(paragraph("refused", f"{error}; nothing was written"))
        return 1
    entries = done.keys.entries
    moved = {entry.target: [str(step) for step in entry.steps] for entry in entries if entry.steps}
    if options.format == "json":
        keys = {entry.target: entry.source for entry in entries}
        result = {"proved_for": done.proved_for, "keys": keys, "moved": moved, "digests": done.digests}
        print(json.document(**about, written=True, **result, bytes=done.size, notes=done.notes))
        return 0
    shapes = " and ".join("x".join(map(str, shape)) for shape in done.proved_for)
    sizes = [f"--input-size={'x'.join(map(str, size))}" for size in options.input_size]
    check = ["repro", "compare", options.first, options.second, "--weights", files["source"], *sizes]
    print(
        paragraph("written", f"{options.target}, for {options.second}; {done.size:,} bytes"),
        paragraph("keys", f"{len(entries)}, all of both sides; mapped by the proof for inputs of shape {shapes}"),
        paragraph("values", f"bit for bit; {len(moved) or 'none'} reshaped or permuted; digests agree when read back"),
        *(paragraph("read", f"{options.source}: {note}") for note in done.notes),
        f"check   {shlex.join(check)}",
        sep="\n",
    )
    return 0
