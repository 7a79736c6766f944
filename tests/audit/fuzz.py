"""Damaged documents: python -m tests.audit.fuzz 20000 prints what each costs at most, and those that end badly.

Every input has to end in findings or in one ReproError, within the time that one file is given and 500 MB. The inputs
are the cases of the rules, in each kind of document, damaged by what is listed below.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from repro.audit.engine import Task, audit_all, seldom_look_for_cycles
from repro.audit.limits import SECONDS
from repro.audit.rule import rules
from repro.errors import first_line

MEGABYTES = 500
SLACK = 0.8  # of the time: what is written in C cannot be interrupted and is waited for; also for a slow machine
CODES = tuple(rule.code for rule in rules())
CASES = [case for rule in rules() for case in (*rule.valid, *rule.invalid)]
# Programs whose values, if they were computed, would take all the time or memory that there is.
MULTIPLYING = (
    "x = [0] * 200000000\n",
    "x = 'ab'\n" + "x = f'{x}{x}'\n" * 64,
    "x = [1, 2]\n" + "x = [*x, *x]\n" * 64,
    "x = [1]\nfor i in range(64): x += x\n",
    "x = 3\nfor i in range(64): x *= x\n",
    "x = 3 ** 1000000000\n",
)
PROSE = "卷积神经网络经典结构, see https://example.org (2012):\n\n1\n2\n3\n"

Damage = Callable[[random.Random, bytes], bytes]


@dataclass
class Report:
    """What became of the inputs."""

    count: int = 0
    refused: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    failures: list[str] = field(default_factory=list)


def documents(text: str) -> dict[str, bytes]:
    """A program in each kind of document."""
    cell = {"cell_type": "code", "source": text.splitlines(keepends=True), "outputs": [], "metadata": {}}
    numbered = "".join(f"<tr><td class=gutter>{n}</td></tr>" for n in range(text.count("\n")))
    flat = "\n".join(line.strip() for line in text.splitlines())
    texts = {
        "a.py": text,
        "a.ipynb": json.dumps({"cells": [cell, cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}, indent=1),
        "a.md": f"# A\n\n{PROSE}\n```python\n{text}```\n\n> ```\n> {text}\n> ```\n",
        "a.html": f"<p>{PROSE}</p><table>{numbered}</table><pre class='language-python'>{escape(text)}</pre>",
        "a.txt": f"{PROSE}{flat}\n{PROSE}",
    }
    return {name: text.encode() for name, text in texts.items()}


def _flipped(draw: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 4, 32))):
        changed[draw.randrange(len(changed))] = draw.choice((draw.randrange(256), *b"()[]{}\"'#\\\n\t :;,=."))
    return bytes(changed)


def _truncated(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data))]


def _moved(draw: random.Random, data: bytes) -> bytes:
    start, end, to = sorted(draw.randrange(len(data)) for _ in range(3))
    return data[:start] + data[end:to] + data[start:end] * draw.choice((0, 1, 2, 200)) + data[to:]


def _nul(draw: random.Random, data: bytes) -> bytes:
    return _inserted(draw, data, draw.choice((b"\0", b"\0" * 1000, b"\x1b[31m", b"\xef\xbb\xbf", b"\x0c", b"\r")))


def _marked(draw: random.Random, data: bytes) -> bytes:
    """With what one reader or another stumbles over: a section of HTML, half a character of UTF-16, a fence."""
    pieces = (b"<![", b"<![x y]>", b"<![ ", b"x\0 = 1\n", b"\\udc80", b"&#xd800;", b"\n```{python}\n", b"\n```{}\n")
    return _inserted(draw, data, draw.choice(pieces))


def _long(draw: random.Random, data: bytes) -> bytes:
    pieces = (b"x", b"x, ", b" ", b"\t", b"(", b"1+", b"'", b"a.", b"#", b"\xe4\xb8\xad", b"<pre>", b"&amp;", b"> ")
    return _inserted(draw, data, draw.choice(pieces) * draw.choice((500, 20_000, 200_000)))


def _deep(draw: random.Random, data: bytes) -> bytes:
    depth = draw.choice((30, 99, 150, 1000, 50_000))
    opened, closed = draw.choice(
        ((b"(", b")"), (b"[", b"]"), (b"-", b""), (b"f(", b")"), (b"{1:", b"}"), (b"not ", b""))
    )
    blocks = b"".join(b" " * n + b"if x:\n" for n in range(min(depth, 500)))
    chains = (b"x" + b".y" * depth, b"x" + b"(1)" * depth, b"1" + b"+1" * depth, b"<div>" * depth, b"> " * depth)
    return _inserted(draw, data, draw.choice((b"\n" + opened * depth + b"x" + closed * depth + b"\n", blocks, *chains)))


def _encoded(draw: random.Random, data: bytes) -> bytes:
    names = ("gbk", "gb18030", "utf-16", "utf-16-le", "utf-32", "latin-1", "shift_jis", "utf-7")
    declared = ("", "-*- coding: nonsense -*-", "coding: utf-16", "coding: rot13", "coding: undefined")
    text = f"# {draw.choice(declared)} 中文\n{data.decode()}"
    return text.encode(draw.choice(names), errors="replace")


def _flattened(_: random.Random, data: bytes) -> bytes:
    return b"\n".join(line.strip() for line in data.split(b"\n"))


def _joined(draw: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", draw.choice((b" ", b"", b"\\n", b"\r", b"\x0b")))


def _inserted(draw: random.Random, data: bytes, what: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    if draw.random() < 0.5:
        at = data.rfind(b"\n", 0, at) + 1
    return data[:at] + what + data[at:]


DAMAGES: tuple[Damage, ...] = (_flipped, _truncated, _moved, _nul, _marked, _long, _deep, _encoded, _flattened, _joined)


def inputs(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of each."""
    draw = random.Random(seed)
    for _ in range(count):
        text = "".join(draw.choice(CASES) for _ in range(draw.choice((1, 1, 3))))
        text += draw.choice(MULTIPLYING) if draw.random() < 0.1 else ""
        name, data = draw.choice(list(documents(text).items()))
        for damage in draw.choices(DAMAGES, k=draw.choice((1, 1, 2))):
            data = damage(draw, data) if data and not (damage is _encoded and _foreign(data)) else data
        yield name, b"torch\n" + data if name == "a.txt" else data


def _foreign(data: bytes) -> bool:
    """Whether it is no UTF-8 any more."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def run(count: int, seed: int = 0) -> Report:
    """Audit so many inputs, one after the other."""
    seldom_look_for_cycles()
    report = Report()
    for name, data in inputs(count, seed):
        begun, before = time.process_time(), _memory(forget=True)
        try:
            (audited,) = audit_all([Task(name, CODES, data)], strict=True)
            report.refused += bool(audited.error)
            told = "several lines" if "\n" in audited.error else ""
        except BaseException as error:  # whatever it is, it is one too many
            told = first_line(error)
        seconds, megabytes = time.process_time() - begun, _memory() - before
        report.seconds, report.megabytes = max(report.seconds, seconds), max(report.megabytes, megabytes)
        if seconds > SECONDS + SLACK:
            told = f"{seconds:.1f} s"
        if megabytes > MEGABYTES:
            told = f"{megabytes:.0f} MB"
        if told:
            report.failures.append(f"input {report.count} of seed {seed}, {name}: {told}")
        report.count += 1
    return report


def _memory(forget: bool = False) -> float:
    """The most that this process has had, in MB; `forget`: begin anew and tell what it has now. 0 where nobody says."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    done = run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(*done.failures, sep="\n")
    print(
        f"{done.count:,} inputs, {done.refused:,} of them refused; at most {done.seconds:.2f} s and "
        f"{done.megabytes:.0f} MB; {len(done.failures)} ended badly"
    )
    sys.exit(bool(done.failures))
