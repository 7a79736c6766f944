"""Tries every attack at one level, and prints what came of it: python -m tests.sandbox.trying LEVEL [NAME ...].

The process plants what the attacks are after, and is itself one of the things that they are after. It runs by itself,
on Python's library and `repro.sandbox` alone, so that it can be run as any user.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from repro.sandbox.limits import Limits
from repro.sandbox.offer import offer
from repro.sandbox.worker import Worker
from tests.sandbox.attacks import ATTACKS, PRELUDE, Attack

JOB = "repro.sandbox.trial:execute"
LIMITS = Limits(seconds=8.0, memory=512 << 20, files=32 << 20)
SHORT = replace(LIMITS, seconds=0.4)  # of what would never end


class Planted:
    """What the attacks are after."""

    def __init__(self, stack: ExitStack) -> None:
        self.word = secrets.token_hex(8)
        self.reached: list[str] = []  # sockets that were connected to
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home, outside = root / "home", root / "outside"
        home.mkdir(mode=0o700)
        outside.mkdir()
        outside.chmod(0o777)
        self._secret, self._file = home / "secret", outside / "file"
        self._secret.write_text(self.word)
        self._file.write_text("as it was")
        self._outside = outside
        os.environ["SECRET"] = self.word
        listeners = [
            socket.create_server(("127.0.0.1", 0)),
            socket.socket(socket.AF_UNIX),
            socket.socket(socket.AF_UNIX),
        ]
        listeners[1].bind(str(outside / "socket"))
        abstract = f"repro-{self.word[:6]}"
        listeners[2].bind(f"\0{abstract}")
        for name, each in zip(("port", "path", "abstract"), listeners, strict=True):
            stack.enter_context(each)
            each.listen()
            threading.Thread(target=self._listen, args=(each, name), daemon=True).start()
        key = 0x5EC0 + os.getpid()
        stack.enter_context(_shared_memory(key))
        self.names = {
            "secret": str(self._secret),
            "home": str(home),
            "outside": str(outside),
            "port": listeners[0].getsockname()[1],
            "path": str(outside / "socket"),
            "abstract": abstract,
            "parent": os.getpid(),
            "shared": key,
        }
        self._before = self._state()

    def _listen(self, listener: socket.socket, name: str) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            self.reached.append(name)

    def _state(self) -> list[Any]:
        found: list[Any] = [sorted(folder.iterdir()) for folder in (self._outside, self._secret.parent)]
        for path in (self._file, self._secret, self._outside):
            was = path.stat()
            found.append((was.st_mode, was.st_uid, was.st_size, was.st_mtime_ns))
        return [*found, self._file.read_text(), self._secret.read_text()]

    @property
    def touched(self) -> list[str]:
        """What is not as it was."""
        changed = [] if self._state() == self._before else ["the files are not as they were"]
        return [*changed, *(f"{name} was connected to" for name in self.reached)]


@contextmanager
def _shared_memory(key: int) -> Iterator[None]:
    libc = ctypes.CDLL(None)
    number = libc.shmget(key, 4096, 0o1600)
    try:
        yield
    finally:
        libc.shmctl(number, 0, None)


def attempts(level: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What came of each attack, and of a run that is none behind it."""
    chosen = [each for each in ATTACKS if (not names or each.name in names) and _fits(each)]
    with ExitStack() as stack:
        planted = Planted(stack)
        worker = stack.enter_context(Worker(["repro.sandbox.trial"], level, offer().bubblewrap))
        for attack in chosen:
            limits = SHORT if "time" in attack.ends else LIMITS
            outcome = worker.run(JOB, {**planted.names, "code": PRELUDE + attack.code}, limits)
            told = {"name": attack.name, **asdict(outcome), "touched": planted.touched, "word": planted.word}
            yield {**told, "alive": worker.run(JOB, {"code": "gained.append(1)"}, LIMITS).value == ["1"]}


def _fits(attack: Attack) -> bool:
    return platform.machine() == "x86_64" or not attack.calls


if __name__ == "__main__":
    for each in attempts(sys.argv[1], sys.argv[2:]):
        print(json.dumps(each), flush=True)
