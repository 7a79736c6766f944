"""Code that wants to do harm gets nothing at any level, whoever the user is; without isolation it does."""

from __future__ import annotations

import functools
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import repro
from repro.sandbox.landlock import LOWEST
from repro.sandbox.offer import offer
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.trying import LIMITS

SLACK = 2.0  # seconds beside the time limit, for a machine that has much else to do
NOBODY = 65534
# What can be tried without isolation, because all that it touches is planted: so the attacks are known to be some.
HARMLESS = {
    "a secret by its path": "read: ",
    "a secret by a path from here": "read: ",
    "a secret behind a link": "link: ",
    "a secret as a module": "import: ",
    "a secret mapped into memory": "map: ",
    "a secret copied by the kernel": "copy: ",
    "a look into the home": "list: ",
    "memory of others, shared": "shmget: ",
    "a file that is there": "open: ",
    "modes, owners and times elsewhere": "chmod: ",
    "pipes, sockets and devices elsewhere": "fifo: ",
    "pairs of sockets": "pair: ",
    "a listener on this machine": "connect: ",
    "a socket in a folder": "abstract: ",
    "another program": "run: ",
    "processes of Python's": "pool: ",
}

needs_landlock = pytest.mark.skipif(
    bool(offer().missing), reason=f"this machine isolates nothing: {'; '.join(offer().missing)}"
)
LEVELS = ("base", "namespaces", "bubblewrap")
USERS = ("root", "an ordinary user")


def why_not(level: str, user: str) -> str:
    """What is missing for a level and a user; empty if it can be tried."""
    there = {"base": True, "namespaces": offer().namespaces, "bubblewrap": bool(offer().bubblewrap)}
    if not there[level]:
        how = {"bubblewrap": "install bubblewrap", "namespaces": "the kernel or a container refuses them"}
        return f"no {level} on this machine: {how[level]}"
    if user == "root" and os.geteuid():
        return "not root"
    if user == "an ordinary user" and not _python():
        return "no Python that other users may run: install one in /usr/bin"
    return ""


def _python() -> str:
    """A Python that an ordinary user may run, who need not reach the one of this process."""
    if os.geteuid():
        return sys.executable
    for candidate in (sys.executable, "/usr/bin/python3"):
        command = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(
                command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, cwd="/", check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return ""


@functools.cache
def tried(level: str, user: str, *names: str) -> dict[str, dict[str, Any]]:
    """What came of the attacks, by their names."""
    other = user != "root" and os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for source, target in (
            (Path(repro.__file__), tree / "repro"),
            (Path(repro.__file__).with_name("errors.py"), tree / "repro"),
            (Path(repro.__file__).with_name("sandbox"), tree / "repro" / "sandbox"),
            (Path(__file__).parent, tree / "tests" / "sandbox"),
        ):
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.mkdir(exist_ok=True)
                shutil.copy(source, target)
        for path in (tree, *tree.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH | (0o111 if path.is_dir() else 0))
        done = subprocess.run(
            [_python() if other else sys.executable, "-B", "-m", "tests.sandbox.trying", level, *names],
            cwd=tree,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            user=NOBODY if other else None,
            group=NOBODY if other else None,
            extra_groups=[] if other else None,
        )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each for each in told}


def test_there_are_enough_of_them() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 60


@needs_landlock
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("level", LEVELS)
def test_no_attack_gets_anything(level: str, user: str) -> None:
    if reason := why_not(level, user):
        pytest.skip(reason)
    results = tried(level, user)
    assert len(results) >= 60
    wrong = {}
    for attack in ATTACKS:
        told = results.get(attack.name)
        if told is None:
            continue  # system calls by the numbers of another machine
        found = [f"gained {told['value']}"] if told["value"] else []
        if told["ended"] not in attack.ends:
            found.append(f"ended {told['ended']} {told['detail']}: {told['output'][-200:]}")
        if told["seconds"] > LIMITS.seconds + SLACK:
            found.append(f"took {told['seconds']} s")
        if told["word"] in told["output"]:
            found.append("printed the secret")
        if not told["alive"]:
            found.append("the next run fails")
        if found or told["touched"]:
            wrong[attack.name] = [*found, *told["touched"]]
    assert not wrong


@pytest.mark.parametrize("user", USERS)
def test_without_isolation_they_get_what_they_are_after(user: str) -> None:
    if reason := why_not("base", user):
        pytest.skip(reason)
    results = tried("none", user, *HARMLESS)
    if sys.platform == "linux" and results.keys() != HARMLESS.keys():
        pytest.skip("system calls by the numbers of another machine")
    for name, beginning in HARMLESS.items():
        gained = results[name]["value"] or []
        assert any(each.startswith(beginning) for each in gained), (name, results[name])


@needs_landlock
def test_the_machine_offers_what_the_tests_need() -> None:
    assert offer().landlock >= LOWEST
    assert offer().level != "none"
