"""The near end of the process in which code runs that nobody vouches for."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import repro
from repro.errors import ReproError
from repro.sandbox import bubblewrap
from repro.sandbox.confine import readable
from repro.sandbox.limits import Limits
from repro.sandbox.outcome import Outcome

_STARTS_WITHIN = 120.0  # seconds; importing torch takes a few, and a minute on a machine that has never read it
_ANSWERS_WITHIN = 10.0  # seconds behind the time limit of a run
_SHARED = 4  # times what one run may write, for the folder that they have together


class IsolationError(ReproError):
    """Code cannot be run here; the message says what is missing."""


class Worker:
    """Runs jobs one after the other, each in a process of its own, forked from one that has its modules imported.

    modules  that are imported once
    warm     `module:function` of ours, called once before all runs, for what a first call costs
    level    bubblewrap, namespaces or base (`Offer.level`); `none` runs code with the rights of the user, held to the
             limits alone

    A context manager; the process starts with the first run, and ends with the thread that began it. Raises
    IsolationError where it cannot be started.
    """

    def __init__(self, modules: Sequence[str], level: str, wrapper: str = "", warm: str = "") -> None:
        self.level = level
        self._warm = warm
        self._modules = list(modules)
        self._wrapper = wrapper
        self._server: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._read = b""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and whatever runs in it."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def run(self, job: str, payload: Any, limits: Limits) -> Outcome:
        """Have `module:function` called with what JSON can say. Raises IsolationError."""
        began = time.monotonic()
        server = self._started()
        assert server.stdin is not None
        try:
            server.stdin.write(_line({"job": job, "payload": payload, "limits": asdict(limits)}))
            server.stdin.flush()
            told = self._line(limits.seconds + _ANSWERS_WITHIN)
        except (BrokenPipeError, EOFError, TimeoutError, ValueError, RecursionError) as error:
            self.close()
            seconds = round(time.monotonic() - began, 3)
            return Outcome("signal", detail=f"the worker itself has ended: {type(error).__name__}", seconds=seconds)
        return Outcome(**told)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._server is not None:
            return self._server
        self._scratch = tempfile.TemporaryDirectory(prefix="repro-", ignore_cleanup_errors=True)
        folder = Path(self._scratch.name).resolve()
        place = Path(repro.__file__).parents[1]
        code = f"import sys; sys.path.append({str(place)!r}); from repro.sandbox.server import main; main()"
        command = [sys.executable, "-I", "-c", code]
        if self.level == "bubblewrap":
            size = _SHARED * Limits().files
            shown = [*readable(), Path(sys.prefix), Path(sys.base_prefix)]
            command = [*bubblewrap.command(self._wrapper, shown, folder, size), *command]
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
        )
        setup = {
            "scratch": str(folder),
            "modules": self._modules,
            "warm": self._warm,
            "namespaces": self.level == "namespaces",
            "isolated": self.level != "none",
        }
        self._read = b""
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(_line(setup))
            self._server.stdin.flush()
            wrong = self._line(_STARTS_WITHIN).get("wrong")
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            self._server.kill()
            said = self._server.communicate()[1].decode(errors="replace").strip()
            wrong = said.splitlines()[-1] if said else str(error)
        if wrong is not None:
            self.close()
            raise IsolationError(f"the process that code is to run in ({self.level}) does not start: {wrong}")
        return self._server

    def _line(self, seconds: float) -> Any:
        """The next line that the server says. Raises EOFError and TimeoutError."""
        assert self._server is not None
        assert self._server.stdout is not None
        pipe = self._server.stdout.fileno()
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as waiting:
            waiting.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not waiting.select(max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"no answer in {seconds:.0f} s")
                data = os.read(pipe, 1 << 16)
                if not data:
                    raise EOFError("no answer")
                self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)


def _line(what: dict[str, Any]) -> bytes:
    return json.dumps(what).encode() + b"\n"
