"""What several commands ask for."""

from __future__ import annotations

import argparse
import os
from typing import TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Left at its default, verify takes one measured comparison per network from the same closed-form numbers every time.
SEED = 0


def add_sizes(verb: argparse.ArgumentParser, purpose: str) -> None:
    """Input sizes, of which there may be several."""
    told = f"{purpose}may be repeated; 3x224x224 or 224"
    verb.add_argument("--input-size", type=size, metavar="CxHxW", action="append", default=[], help=told)


def add_formats(verb: argparse.ArgumentParser) -> None:
    """What all commands have, of one whose output may be a page."""
    verb.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")


def count(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; expected 1 or more")
    return int(text)


def size(text: str) -> tuple[int, int, int]:
    """(channels, height, width) from CxHxW, or from one side of three square channels."""
    parts = text.lower().replace(",", "x").split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts) or len(parts) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input size; expected CxHxW such as 3x224x224, or one side such as 224"
        )
    numbers = [int(part) for part in parts]
    return (3, numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def jobs() -> int:
    """Processes that the cores and the memory of this machine have room for, 8 GB each for a VGG and its gradients."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 8e9
    except (AttributeError, OSError, ValueError):  # not every system says
        memory = 1
    return max(1, min(os.cpu_count() or 1, int(memory)))
