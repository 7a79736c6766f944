"""What `repro audit` costs, as ratios to what stands beside it in the same run: `nox -s audit_benchmark`.

Beside `ast.parse`: the same files, each by both in turn, so that a machine that grows slower does so for both; each
looks for cycles in memory as often as in everyday use, which is seldom in an audit. Beside torchfix: the same folder,
a process of each in turn, with one job. Start-up: beside a Python that imports nothing.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from repro.audit.engine import audit, seldom_look_for_cycles
from repro.audit.rule import rules

ROUNDS = 3
USUAL = gc.get_threshold()
COMMAND = [sys.executable, "-c", "from repro.cli import run; run()"]


def folder(package: str) -> Path:
    """Where a package is installed; nothing of it is imported."""
    found = importlib.util.find_spec(package)
    assert found, f"{package} is not installed"
    return Path(str(found.origin)).parent


def sources(root: Path) -> list[Path]:
    """The Python files of a folder that can be read, without the packages installed in it."""
    files = (file for file in sorted(root.rglob("*.py")) if "site-packages" not in file.relative_to(root).parts)
    return [file for file in files if _parses(file)]


def _parses(file: Path) -> bool:
    try:
        ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return True


def seconds(call: Callable[[], object]) -> float:
    """Of this process's own time."""
    before = time.process_time()
    call()
    return time.process_time() - before


def beside_parse(files: Sequence[Path]) -> tuple[float, float]:
    """The processor time of the audit, and that of `ast.parse` of the same bytes."""
    whole = parsed = 0.0
    for file in files:
        data = file.read_bytes()
        gc.set_threshold(*USUAL)
        parsed += seconds(lambda data=data: ast.parse(data))  # type: ignore[misc]
        seldom_look_for_cycles()
        whole += seconds(lambda file=file: audit(str(file)))  # type: ignore[misc]
        gc.collect(0)
    return whole, parsed


def wall(command: Sequence[str]) -> float:
    """Seconds until a process ends, whatever it found."""
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return time.perf_counter() - before


def told(ratios: Sequence[float]) -> str:
    """The middle of some ratios, and between which they lie."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Print all ratios."""
    rules()
    roots = {name: folder(name) for name in ("torchvision", "timm", "repro")}
    roots["Python's Lib"] = Path(sysconfig.get_path("stdlib"))
    together = [(0.0, 0.0)] * ROUNDS
    for name, root in roots.items():
        files = sources(root)
        pairs = [beside_parse(files) for _ in range(ROUNDS)]
        together = [(a + c, b + d) for (a, b), (c, d) in zip(together, pairs, strict=True)]
        print(f"{name}: {len(files)} files, {told([a / b for a, b in pairs])} times the cost of ast.parse")
    print(f"all of them: {told([a / b for a, b in together])} times")
    target = str(roots["torchvision"])
    torchfix = shutil.which("torchfix", path=str(Path(sys.executable).parent))
    assert torchfix is not None, "torchfix is not installed: nox -s audit_benchmark installs it"
    pairs = [(wall([torchfix, "-j", "1", target]), wall([*COMMAND, "audit", "--jobs", "1", target])) for _ in range(3)]
    print(f"torchvision: {told([slow / quick for slow, quick in pairs])} times the files per second of torchfix")
    starts = [(wall([sys.executable, "-c", ""]), wall([*COMMAND, "audit", "--help"])) for _ in range(9)]
    bare, ours = (statistics.median(each) for each in zip(*starts, strict=True))
    print(f"start-up: {ours:.3f} s, where a Python that imports nothing takes {bare:.3f} s")


if __name__ == "__main__":
    main()
