"""What can be run here; `nox -l` lists it."""

from __future__ import annotations

import json
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_venv = "yes"

CONSTRAINTS = ("-c", "constraints.txt")  # one set of versions known to work together
PROJECT = nox.project.load_toml("pyproject.toml")
GROUPS, EXTRAS = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
# Bytecode is kept, whatever the caller's environment says: dozens of tests start processes that import torch.
KEPT = {"PYTHONDONTWRITEBYTECODE": ""}
TEST, LINT = GROUPS["test"], [item for item in GROUPS["lint"] if isinstance(item, str)]


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, in parallel; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, ".", *TEST)
    session.run("pytest", "-n", "auto", *session.posargs, env={"HYPOTHESIS_PROFILE": "ci", **KEPT})


@nox.session(default=False)
def thorough(session: nox.Session) -> None:
    """The test suite on twenty times as many drawn examples."""
    session.install(*CONSTRAINTS, ".", *TEST)
    session.run("pytest", "-n", "auto", *session.posargs, env={"HYPOTHESIS_PROFILE": "thorough", **KEPT})


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint rules and types."""
    session.install(*CONSTRAINTS, ".", *TEST, *LINT)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")


@nox.session
def verify(session: nox.Session) -> None:
    """Every network of the catalog against all of its references, on what a user would get: the installed package."""
    session.install(*CONSTRAINTS, ".[onnx]")
    session.run("repro", "verify", "--timing", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """`repro audit` of our own networks, which are clean, and of the specimens, in which it finds what there is."""
    session.install(*CONSTRAINTS, ".", *TEST)
    session.run("repro", "audit", "repro/models")
    session.run("repro", "audit", "tests/specimens", success_codes=[1])
    session.run("pytest", "tests/audit/test_specimens.py", *session.posargs)


@nox.session(default=False)
def audit_benchmark(session: nox.Session) -> None:
    """What `repro audit` costs beside `ast.parse`, torchfix and a bare Python."""
    session.install(*CONSTRAINTS, ".", "torchfix")
    session.run("python", "-m", "tests.audit.benchmark", env=KEPT)


PAGES = {  # under docs/, and the command that prints it
    **{f"{verb}.md": ("repro", verb, "--format", "markdown") for verb in ("facts", "errata", "deviations")},
    "properties.md": ("python", "-m", "tests.properties"),
    "snippets.md": ("python", "-m", "tests.specimens"),
    "rules.md": ("repro", "explain", "--format", "markdown"),
}


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Make the generated pages under docs/ anew; tests hold them current."""
    session.install(*CONSTRAINTS, ".", *TEST)
    for name, command in PAGES.items():
        with Path("docs", name).open("w", encoding="utf-8") as page:
            session.run(*command, stdout=page, stderr=None)


@nox.session(default=False)
@nox.parametrize("versions", ["newest", "lowest"])
def golden(session: nox.Session, versions: str) -> None:
    """What every network did, held against now: on the newest torch and on the lowest admitted (which needs uv)."""
    session.install(*(CONSTRAINTS if versions == "newest" else ("--resolution", "lowest-direct")), ".")
    session.run("repro", "golden", "check", *session.posargs)


@nox.session(default=False)
def power(session: nox.Session) -> None:
    """Plant faults in every network and see which check catches and locates them (half an hour on two cores)."""
    session.install(*CONSTRAINTS, ".")
    session.run("repro", "verify", "--power", *session.posargs)


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """The test suite on the lowest versions that pyproject.toml admits (needs uv)."""
    session.install("--resolution", "lowest-direct", ".", *TEST)
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(default=False)
def references(session: nox.Session) -> None:
    """The networks that optional libraries have, against those, and the tests of these references."""
    session.install(*CONSTRAINTS, f".[{','.join(EXTRAS)}]", *TEST)
    files = "tests/test_references.py", "tests/test_keras_network.py", "tests/parity/test_pairs.py"
    session.run("pytest", "-n", "auto", "-k", " or ".join(EXTRAS), *files)
    networks = json.loads(str(session.run("repro", "list", "--format", "json", silent=True)))["networks"]
    names = [
        network["name"]
        for network in networks
        if any(reference.partition(":")[0] in EXTRAS for reference in network["references"])
    ]
    session.run("repro", "verify", "--timing", *(session.posargs or names))
