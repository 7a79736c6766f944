"""The filter of system calls, followed step by step as the kernel would, for the machines it is written for."""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import pytest

from repro.sandbox import kernel, seccomp

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/aarch64-linux-gnu/asm/unistd_64.h"),
}
PID = 4711
ALLOWED, KILLED, NOT_PERMITTED, MISSING = "allowed", "killed", errno.EPERM, errno.ENOSYS


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> str | int:
    """What the filter says of one call."""
    given = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, architecture or kernel.ARCHITECTURES[machine], 0, *given)
    code = list(struct.iter_unpack("<HBBI", seccomp.assemble(PID, machine)))
    held, at = 0, 0
    while True:
        kind, if_so, if_not, value = code[at]
        at += 1
        match kind:
            case 0x20:
                held = int.from_bytes(data[value : value + 4], "little")
            case 0x54:
                held &= value
            case 0x15:
                at += if_so if held == value else if_not
            case 0x06:
                action = value & 0xFFFF0000
                return ALLOWED if action == 0x7FFF0000 else KILLED if action == 0x80000000 else int(value & 0xFFFF)
            case _:
                raise AssertionError(f"{kind:#x} is no step that is used here")


@pytest.mark.parametrize("machine", kernel.ARCHITECTURES)
class TestOf:
    """Each kind of machine."""

    def column(self, machine: str) -> int:
        return list(kernel.ARCHITECTURES).index(machine)

    def test_what_is_listed_is_allowed(self, machine: str) -> None:
        numbers = [each[self.column(machine)] for each in seccomp.ALLOWED.values()]
        assert all(verdict(machine, number) == ALLOWED for number in numbers if number is not None)

    def test_all_else_is_refused(self, machine: str) -> None:
        column = self.column(machine)
        listed = {each[column] for each in seccomp.ALLOWED.values()}
        odd = (0xFFFFFFFF,) * 6  # what no call is given that is allowed for some arguments
        found = {number: verdict(machine, number, *odd) for number in range(600) if number not in listed}
        assert found.pop(435) == MISSING  # clone3
        assert set(found.values()) == {NOT_PERMITTED}

    def test_a_thread_is_allowed_and_a_process_is_not(self, machine: str) -> None:
        clone = (56, 220)[self.column(machine)]
        assert verdict(machine, clone, 0x003D0F00) == ALLOWED  # as glibc starts a thread
        assert verdict(machine, clone, 0x01200011) == NOT_PERMITTED  # as it forks

    def test_a_file_has_a_name(self, machine: str) -> None:
        openat = (257, 56)[self.column(machine)]
        assert verdict(machine, openat, 3, 0, 0x241) == ALLOWED  # O_WRONLY | O_CREAT | O_TRUNC
        assert verdict(machine, openat, 3, 0, 0x410002) == NOT_PERMITTED  # O_TMPFILE

    def test_signals_reach_the_process_itself_only(self, machine: str) -> None:
        for call in ((62, 129), (234, 131)):
            number = call[self.column(machine)]
            assert verdict(machine, number, PID, 6) == ALLOWED
            for other in (1, 0, PID + 1, 2**32 - 1, 2**64 - 1):
                assert verdict(machine, number, other, 6) == NOT_PERMITTED

    def test_limits_are_the_process_s_own(self, machine: str) -> None:
        prlimit = (302, 261)[self.column(machine)]
        assert [verdict(machine, prlimit, pid) for pid in (0, PID, 1)] == [ALLOWED, ALLOWED, NOT_PERMITTED]

    def test_a_file_tells_nobody_else(self, machine: str) -> None:
        fcntl = (72, 25)[self.column(machine)]
        assert [verdict(machine, fcntl, 3, what) for what in (1, 8, 15)] == [ALLOWED, NOT_PERMITTED, NOT_PERMITTED]

    def test_a_terminal_is_asked_and_not_typed_into(self, machine: str) -> None:
        ioctl = (16, 29)[self.column(machine)]
        assert [verdict(machine, ioctl, 0, what) for what in (0x5401, 0x5412)] == [ALLOWED, NOT_PERMITTED]

    def test_calls_of_another_machine_end_the_process(self, machine: str) -> None:
        for other in (0x40000003, *(each for name, each in kernel.ARCHITECTURES.items() if name != machine)):
            assert verdict(machine, 63, architecture=other) == KILLED

    def test_the_numbers_are_those_of_the_headers(self, machine: str) -> None:
        header = HEADERS[machine]
        if not header.exists():
            pytest.skip(f"{header} is not there: the C library's headers for {machine} have it")
        text = header.read_text("ascii")
        known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}
        listed = {name: each[self.column(machine)] for name, each in seccomp.ALLOWED.items()}
        assert {name: known.get(name) for name in listed} == listed


def test_a_second_set_of_calls_is_refused() -> None:
    assert verdict("x86_64", 0x40000000 | 39) == NOT_PERMITTED  # x32's getpid


def test_the_process_that_asks_is_the_one_that_may_be_signalled() -> None:
    assert seccomp.assemble(os.getpid(), "x86_64") != seccomp.assemble(PID, "x86_64")
