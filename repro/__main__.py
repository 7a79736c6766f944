"""`python -m repro` is the command `repro`."""

from repro.cli import run

run()
