"""The process that has torch imported: it forks for each run, ends what goes on too long, and says what became of it.

It runs no code but ours. A request is a line of JSON on its standard input, what became of it a line on its standard
output; `worker` is the other end. What a run reports comes through a pipe of its own, behind a word that only this
process and the beginning of the run know: code that writes into every pipe it finds is noticed. Code that searches its
own process for that word is not; it can lie about itself, and about nothing else.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import secrets
import selectors
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from repro.sandbox import kernel, namespaces
from repro.sandbox.confine import ThreadsError, confine
from repro.sandbox.limits import Limits, written
from repro.sandbox.outcome import Outcome

_MOST_REPORTED = 8 << 20  # bytes
_DEEPEST = 50  # lists and objects inside each other in a report
_TICK, _SHORT = 0.05, 0.001  # seconds between two looks at a run, and at one that has closed all it had open
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ENVIRONMENT = {"PATH": "", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}


def main() -> None:
    """Serve requests until there are none."""
    kernel.prctl("PR_SET_PDEATHSIG", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # what libraries print belongs to nobody
        os.dup2(nothing, standard)
    setup = json.loads(requests.readline())
    if setup["namespaces"]:
        namespaces.enter()
    os.environ.update(_ONE_THREAD)
    try:
        for module in setup["modules"]:
            importlib.import_module(module)
        if setup["warm"]:
            _function(setup["warm"])()
    except BaseException as error:  # a library may do anything where it misses something
        _reply(replies, {"wrong": f"{type(error).__name__}: {error}"})
        return
    gc.collect()
    gc.freeze()  # what is there stays, and is not copied for being looked at
    _reply(replies, {})
    for number, line in enumerate(requests):
        request = json.loads(line)
        scratch = Path(setup["scratch"], str(number))
        scratch.mkdir(mode=0o700)
        try:
            limits = Limits(**request["limits"])
            outcome = _run(request["job"], request["payload"], limits, scratch, setup["isolated"])
        finally:
            with suppress(OSError, RecursionError):
                shutil.rmtree(scratch)
        _reply(replies, vars(outcome))
        del request, line, outcome  # the next run could find them


def _reply(replies: Any, what: dict[str, Any]) -> None:
    replies.write(json.dumps(what).encode() + b"\n")
    replies.flush()


def _run(job: str, payload: Any, limits: Limits, scratch: Path, isolated: bool) -> Outcome:
    function = _function(job)
    word = secrets.token_bytes(16)
    report, printed = os.pipe(), os.pipe()
    began = time.monotonic()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(function, payload, limits, scratch, server if isolated else 0, word, report[1], printed[1])
    os.close(report[1])
    os.close(printed[1])
    try:
        return _watch(pid, word, report[0], printed[0], limits, scratch, began, isolated)
    finally:
        os.close(report[0])
        os.close(printed[0])


def _function(job: str) -> Any:
    module, _, name = job.partition(":")
    return getattr(importlib.import_module(module), name)


def _child(
    function: Any, payload: Any, limits: Limits, scratch: Path, server: int, word: bytes, report: int, printed: int
) -> None:
    """The rest of the life of a fork; server: whose, or 0 if it is not to be isolated."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)  # its own: flags of a file that is open are for all who have it
        for standard, there in ((0, nothing), (1, printed), (2, printed)):
            os.dup2(there, standard)
        channel = 64 + secrets.randbelow(64)
        os.dup2(report, channel)
        os.closerange(3, channel)
        os.closerange(channel + 1, 65536)
        os.chdir(scratch)
        os.environ.clear()
        os.environ.update(_ENVIRONMENT, HOME=str(scratch), TMPDIR=str(scratch))
        tempfile.tempdir = str(scratch)  # it would try folders out by removing what it has made there
        try:
            confine(scratch, limits, server or os.getppid(), isolated=server != 0)
        except (OSError, ThreadsError) as error:
            os.write(channel, str(error).encode())
            return
        os.write(channel, word)  # from here on nothing can say that it was refused
        told = word + json.dumps(function(payload)).encode()
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):  # the code may have put anything in their place
                stream.flush()
        while told:
            told = told[os.write(channel, told) :]
        status = 0
    except BaseException as error:  # whatever the code has done to its process
        with suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _watch(
    pid: int, word: bytes, report: int, printed: int, limits: Limits, scratch: Path, began: float, isolated: bool
) -> Outcome:
    """Follow a run to its end, or end it."""
    told, output, ended = bytearray(), bytearray(), ""
    with selectors.DefaultSelector() as waiting:
        for pipe in (report, printed):
            os.set_blocking(pipe, False)
            waiting.register(pipe, selectors.EVENT_READ)
        status = usage = None
        while status is None:
            for key, _ in waiting.select(_TICK if waiting.get_map() else _SHORT):
                data = _read(key.fd)
                if not data:
                    waiting.unregister(key.fd)
                elif key.fd == report:
                    told += data
                else:
                    output += data[: limits.output - len(output)]
            if not ended:
                ended = _excess(told, limits, scratch, began)
                if ended:
                    _end(pid)
            found, state, used = os.wait4(pid, os.WNOHANG)
            if found:
                status, usage = os.waitstatus_to_exitcode(state), used
        if not isolated:  # what it has started
            _end(pid)
        for pipe, kept in ((report, told), (printed, output)):
            while (data := _read(pipe)) and len(kept) < _MOST_REPORTED:
                kept += data
    value, ended, detail = _judged(bytes(told), word, status, ended)
    text = bytes(output[: limits.output]).decode(errors="replace")
    memory = usage.ru_maxrss * 1024 if usage else 0
    return Outcome(ended, value, detail, text, round(time.monotonic() - began, 3), memory)


def _excess(told: bytearray, limits: Limits, scratch: Path, began: float) -> str:
    if len(told) > _MOST_REPORTED:
        return "flood"
    if time.monotonic() - began > limits.seconds:
        return "time"
    try:
        return "files" if written(scratch) > limits.files else ""
    except OSError:
        return "files"


def _judged(told: bytes, word: bytes, status: int, ended: str) -> tuple[Any, str, str]:
    """The value, how the run ended, and a detail."""
    if ended:
        return None, ended, ""
    if not told.startswith(word):  # which is written as soon as nothing else can write
        return None, "refused", told.decode(errors="replace")[:200] or f"status {status}"
    told = told[len(word) :]
    if told and not told.startswith(word):
        return None, "forged", ""
    if status < 0:
        return None, "signal", _named(-status)
    if not told or status:
        return None, "exit", f"status {status}"
    try:
        value = json.loads(told[len(word) :])
    except (ValueError, RecursionError):
        return None, "forged", ""
    return (value, "done", "") if _nesting(value) <= _DEEPEST else (None, "forged", "")


def _nesting(value: Any) -> int:
    """How many lists and objects are inside each other; not further than is asked for."""
    level, waiting = 0, [value]
    while level <= _DEEPEST and (inner := [each for each in waiting if isinstance(each, list | dict)]):
        level += 1
        waiting = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
    return level


def _named(number: int) -> str:
    """A signal; those for real time have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1 << 16)
    except BlockingIOError:
        return b""


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
    sys.exit()
