"""What several commands show."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def paragraph(label: str, text: str) -> str:
    """A label and a text that is wrapped beside it."""
    return textwrap.fill(
        f"{label:<8}{text}", 79, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], Any]]:
    """A progress bar on stderr if that is a terminal; what is called with each finished item."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(title),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())
    with bar:
        task = bar.add_task("", total=total)
        yield lambda description: bar.update(task, advance=1, description=description)
