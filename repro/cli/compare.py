"""`repro compare`: any network against any other."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from repro.cli.options import SEED, Verbs, add_sizes
from repro.result import exit_code


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """The command."""
    verb = verbs.add_parser(
        "compare",
        parents=[common],
        help="any network against any other",
        description="Compare two networks. Each is repro:NAME or package.module:callable, or NAME of another library: "
        "torchvision, timm, pytorchcv, keras or onnx.",
    )
    verb.add_argument("first", metavar="A")
    verb.add_argument("second", metavar="B")
    add_sizes(verb, "")
    verb.add_argument(
        "--weights", type=Path, metavar="FILE", help="a state_dict of A to compare with, not closed-form weights"
    )
    verb.add_argument(
        "--seed", type=int, default=SEED, help="of the closed-form weights and inputs (default: %(default)s)"
    )
    verb.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from repro.parity.network import Stopwatch
    from repro.parity.verify import compare

    with contextlib.redirect_stdout(sys.stderr):  # the user's code may print
        results = list(
            compare(options.first, options.second, options.input_size, Stopwatch(), options.seed, options.weights)
        )
    if options.format == "json":
        from repro.render import json

        print(json.report(results))
    else:
        from repro.render import text as rendering

        print(f"{options.first} (here) against {options.second} (there)")
        print(*rendering.verdicts(results), sep="\n")
    return exit_code(results)
