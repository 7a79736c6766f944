"""The command line, a file for each command or family of them. Exit 0 clean, 1 findings, 2 usage or internal error.

Results go to stdout, progress and errors to stderr. Each command imports what it needs, torch above all, and
nothing is imported for the others.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import repro
from repro import process
from repro.cli.messages import language_of_the_locale, tell, tell_error
from repro.errors import ReproError, first_line

# Command -> the module that has it, in the order of the help.
_COMMANDS = {
    "list": "catalog",
    "show": "catalog",
    "verify": "verify",
    "compare": "compare",
    "convert": "convert",
    "golden": "golden",
    "facts": "ledger",
    "errata": "ledger",
    "deviations": "ledger",
    "audit": "audit",
    "explain": "audit",
    "identify": "identify",
    "doctor": "doctor",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` default to the process's own."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given).parse_args(given)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except KeyboardInterrupt:
        tell("interrupted")
        return 2
    except Exception as error:
        if options.debug:
            raise
        _tell(error, options)
        return 2


def _tell(error: Exception, options: argparse.Namespace) -> None:
    from repro.audit.refusal import Refusal
    from repro.models import UnknownVariantError  # a third of the time in which a command starts that needs no networks

    if isinstance(error, Refusal):
        language = options.lang or language_of_the_locale()
        tell_error(error.words.told(language), language)
    elif isinstance(error, (ReproError, UnknownVariantError)):
        tell_error(str(error))
    else:
        tell(f"internal error: {first_line(error)}; --debug shows the traceback")


def run() -> NoReturn:
    """The process: `main`, and out. Taking apart the interpreter and all that torch has loaded would take a second."""
    process.alone()
    # Graphs are many small objects that stay; looking through all of them for cycles every 700 new ones took a sixth of
    # the time of a comparison.
    gc.set_threshold(200_000, 20, 20)
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # of a pipe that nobody reads any more
            stream.flush()
    os._exit(code)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """For these arguments: of the command that they begin with, or of all where they begin with anything else."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = argparse.ArgumentParser(
        prog="repro",
        description="Prove that a CNN implementation is what it says it is.",
        epilog="exit status: 0 clean, 1 findings, 2 error",
    )
    parser.add_argument("--version", action="version", version=f"repro {repro.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    wanted = _COMMANDS.get(arguments[0]) if arguments else None
    for module in [wanted] if wanted else dict.fromkeys(_COMMANDS.values()):
        importlib.import_module(f"repro.cli.{module}").add(verbs, common)
    return parser
