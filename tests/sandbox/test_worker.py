"""The process in which jobs run: what becomes of them is told, and nothing of one is left for the next."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.sandbox.limits import Limits, written
from repro.sandbox.offer import offer
from repro.sandbox.outcome import ENDINGS, Outcome
from repro.sandbox.worker import IsolationError, Worker

JOB = "repro.sandbox.trial:execute"


@pytest.fixture(scope="module", params=["none", *([] if offer().missing else [offer().level])])
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker(["repro.sandbox.trial"], request.param, offer().bubblewrap) as started:
        yield started


def run(worker: Worker, code: str, limits: Limits | None = None) -> Outcome:
    """One run of a text."""
    outcome = worker.run(JOB, {"code": code}, limits or Limits())
    assert outcome.ended in ENDINGS
    return outcome


def test_a_run_gives_what_its_job_returns_and_what_it_prints(worker: Worker) -> None:
    outcome = run(worker, "print('said'); gained.append('é')")
    assert (outcome.ended, outcome.value, outcome.output) == ("done", ["é"], "said\n")
    assert outcome.memory > 1 << 20


def test_one_run_leaves_nothing_to_the_next(worker: Worker) -> None:
    run(worker, "import os, builtins\nbuiltins.left = 1\nos.environ['LEFT'] = '1'\nopen('left', 'w').close()")
    again = (
        "import os, builtins\ngained += os.listdir('.')\ngained += [hasattr(builtins, 'left'), 'LEFT' in os.environ]"
    )
    assert run(worker, again).value == ["False", "False"]


def test_an_exception_is_told_with_its_message(worker: Worker) -> None:
    outcome = run(worker, "raise ValueError('which one')")
    assert (outcome.ended, outcome.detail) == ("exit", "status 1")
    assert "ValueError: which one" in outcome.output


def test_a_signal_is_named(worker: Worker) -> None:
    assert run(worker, "import os; os.abort()").detail == "SIGABRT"


def test_a_run_ends_at_its_limit(worker: Worker) -> None:
    began = time.monotonic()
    assert run(worker, "while True: pass", Limits(seconds=0.2)).ended == "time"
    assert time.monotonic() - began < 5


def test_output_is_kept_up_to_its_limit(worker: Worker) -> None:
    assert run(worker, "print('x' * 100000)", Limits(output=100)).output == "x" * 100


def test_home_and_the_folder_for_temporary_files_are_its_own(worker: Worker) -> None:
    code = "import os, tempfile\ngained += [os.path.expanduser('~') == os.getcwd() == tempfile.gettempdir()]"
    assert run(worker, code).value == ["True"]


def test_it_goes_on_after_its_server_is_gone(worker: Worker) -> None:
    run(worker, "pass")
    assert worker._server is not None
    worker._server.kill()
    outcome = run(worker, "gained.append(1)")
    assert (outcome.ended, "worker itself" in outcome.detail) == ("signal", True)
    assert run(worker, "gained.append(1)").value == ["1"]


def test_the_scratch_folder_goes_with_the_worker() -> None:
    with Worker(["repro.sandbox.trial"], "none") as worker:
        run(worker, "pass")
        assert worker._scratch is not None
        folder = Path(worker._scratch.name)
        assert folder.exists()
        assert not list(folder.iterdir())
    assert not folder.exists()


def test_a_module_that_cannot_be_imported_is_named() -> None:
    with Worker(["no_such_module"], "none") as worker, pytest.raises(IsolationError, match="no_such_module"):
        worker.run(JOB, {"code": ""}, Limits())


@pytest.mark.skipif(bool(offer().missing), reason=f"this machine isolates nothing: {'; '.join(offer().missing)}")
def test_a_process_with_two_threads_is_not_isolated_by_half(tmp_path: Path) -> None:
    code = f"""
import threading, time
from pathlib import Path
from repro.sandbox.confine import ThreadsError, confine
from repro.sandbox.limits import Limits
threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
try: confine(Path({str(tmp_path)!r}), Limits(), {os.getpid()})
except ThreadsError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1 threads beside the first\n", "")


def test_every_entry_of_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(10):
        (tmp_path / "a" / str(number)).touch()
    (tmp_path / "link").symlink_to("/usr")
    assert written(tmp_path) == 12 * 4096
    (tmp_path / "b").write_bytes(bytes(1 << 20))
    assert written(tmp_path) >= (1 << 20) + 12 * 4096
