"""What the command line says beside its results."""

from __future__ import annotations

import sys


def tell(message: str) -> None:
    """To stderr, with nothing that a terminal would obey: there may be anything in the name of a file."""
    from repro.render.audit.columns import clean

    print("repro:", "\n".join(map(clean, message.split("\n"))), file=sys.stderr)
