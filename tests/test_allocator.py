"""Freed memory is used again, and not handed out anew by the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Pages that the system hands out while a block of 256 MiB is freed and allocated again: 65,536 of them are in it.
FAULTS = """
import resource
{before}
block = bytearray(1 << 28)
del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = bytearray(1 << 28)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose malloc it is")
def test_a_large_block_that_is_freed_is_used_again() -> None:
    assert faults("from repro.allocator import keep_memory; keep_memory()") < 1000
    assert faults("") > 60_000, "without it all of the block is new"


def faults(before: str) -> int:
    command = [sys.executable, "-c", FAULTS.format(before=before)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
